package api

import (
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

func (a *API) batchOperations() []Operation {
	return []Operation{
		admins("GET /api/user-batches", "users:read", "Lists the work of late on many people at once, the newest first.", a.batches).answers(http.StatusOK, []batch{}),
		admins("POST /api/user-batches", "users:write", "Does one thing to many people. A small batch is done when the answer comes; another goes on by itself.", a.batchStart).
			takes(batchIn{}).answers(http.StatusCreated, batch{}),
		admins("GET /api/user-batches/{id}", "users:read", "Tells how far a batch is, and whom it did nothing to.", a.batch).answers(http.StatusOK, batch{}),
		admins("POST /api/user-batches/{id}/undo", "users:write", "Takes back what a batch has changed, by a batch of its own.", a.batchUndo).answers(http.StatusCreated, batch{}),
		admins("POST /api/user-batches/{id}/stop", "users:write", "Ends a batch before everybody has had their turn.", a.batchStop),
	}
}

// A batch is something that is done to many people.
type batch struct {
	ID        string         `json:"id"`
	Deed      directory.Deed `json:"deed"`
	GroupID   *string        `json:"groupId"`
	Total     int            `json:"total"`
	Changed   int            `json:"changed"`
	Unchanged int            `json:"unchanged"`
	Refused   int            `json:"refused"`
	// Stopped says why it ended early: "hand", "rights", "group"; null when it did not.
	Stopped   *string    `json:"stopped"`
	Undoes    *string    `json:"undoes"`
	UndoneBy  *string    `json:"undoneBy"`
	CreatedAt time.Time  `json:"createdAt"`
	EndedAt   *time.Time `json:"endedAt"`
	// Refusals are the first of those whom nothing was done to, and why.
	Refusals []refusal `json:"refusals"`
}

// A refusal is somebody to whom a batch did nothing.
type refusal struct {
	UserID   string `json:"userID"`
	Username string `json:"username"`
	Code     string `json:"code"`
}

const (
	maxBatches  = 50
	maxRefusals = 100
)

func batchOf(b *directory.Batch, refused []directory.Refusal) batch {
	out := batch{ID: b.ID, Deed: b.Deed, GroupID: maybe(b.GroupID), Total: b.Total, Changed: b.Changed, Unchanged: b.Unchanged, Refused: b.Refused,
		Stopped: maybe(b.Stopped), Undoes: maybe(b.Undoes), UndoneBy: maybe(b.UndoneBy), CreatedAt: b.CreatedAt.UTC(), EndedAt: instant(b.EndedAt), Refusals: []refusal{}}
	for _, r := range refused {
		out.Refusals = append(out.Refusals, refusal{r.ID, r.Username, r.Code})
	}
	return out
}

func (a *API) batches(w http.ResponseWriter, r *http.Request) error {
	list, err := a.directory.Batches(r.Context(), actor(r), maxBatches)
	if err != nil {
		return err
	}
	out := make([]batch, 0, len(list))
	for i := range list {
		out = append(out, batchOf(&list[i], nil))
	}
	return edge.WriteJSON(w, http.StatusOK, out)
}

// batchIn asks for a batch, about the people with these ids or, when there are none, about
// all whom the filter means, of whom there must be as many as expected says.
type batchIn struct {
	Deed     directory.Deed `json:"deed" doc:"required"`
	GroupID  string         `json:"groupId"`
	Users    []string       `json:"userIds"`
	Filter   *batchFilter   `json:"filter"`
	Expected int            `json:"expected"`
}

// batchFilter means people as the list of people on the pages does.
type batchFilter struct {
	Search  string          `json:"search"`
	Role    directory.Role  `json:"role"`
	State   directory.State `json:"state"`
	GroupID string          `json:"groupId"`
}

func (a *API) batchStart(w http.ResponseWriter, r *http.Request) error {
	var in batchIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	if len(in.Users) == 0 && (in.Filter == nil || in.Expected < 1) { // nobody means everybody by leaving something out
		return directory.ErrNobodyPicked.At("userIds")
	}
	if !in.Deed.Known() {
		return errMember.At("deed")
	}
	order := directory.BatchOrder{Deed: in.Deed, GroupID: in.GroupID, IDs: in.Users, Seen: in.Expected}
	if in.Filter != nil {
		order.Filter = directory.UserFilter{Search: in.Filter.Search, Role: in.Filter.Role, State: in.Filter.State, Group: in.Filter.GroupID}
	}
	b, err := a.directory.StartBatch(r.Context(), actor(r), order)
	if err != nil {
		return err
	}
	return a.showBatch(w, r, http.StatusCreated, b.ID)
}

func (a *API) batch(w http.ResponseWriter, r *http.Request) error {
	return a.showBatch(w, r, http.StatusOK, r.PathValue("id"))
}

func (a *API) showBatch(w http.ResponseWriter, r *http.Request, status int, id string) error {
	b, err := a.directory.Batch(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	refused, err := a.directory.Refusals(r.Context(), actor(r), id, maxRefusals)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, status, batchOf(&b, refused))
}

func (a *API) batchUndo(w http.ResponseWriter, r *http.Request) error {
	b, err := a.directory.UndoBatch(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.showBatch(w, r, http.StatusCreated, b.ID)
}

func (a *API) batchStop(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.StopBatch(r.Context(), actor(r), r.PathValue("id")))
}
