package api

import (
	"context"
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

const servicesPath = "/api/service-accounts"

func (a *API) serviceOperations() []Operation {
	const one = servicesPath + "/{id}"
	return []Operation{
		admins("GET "+servicesPath, "users:read", "Lists service accounts.", a.services).lists(service{}, serviceColumns),
		admins("POST "+servicesPath, "users:write", "Makes a service account: a user that is not a person and has keys alone.", a.serviceAdd).
			takes(serviceIn{}).answers(http.StatusCreated, service{}),
		admins("GET "+one, "users:read", "Tells of a service account.", a.service).answers(http.StatusOK, service{}).holds(a.serviceState),
		admins("PUT "+one, "users:write", "Makes a service account what is said of it.", a.servicePut).takes(servicePut{}).answers(http.StatusOK, service{}).holds(a.serviceState),
		admins("PUT "+one+"/owner", "users:write", "Gives a service account to another owner.", a.serviceOwner).takes(serviceOwnerIn{}).answers(http.StatusOK, service{}).holds(a.serviceState),
		admins("DELETE "+one, "users:write", "Deletes a service account and its keys.", a.serviceDelete).holds(a.serviceState),
		admins("POST "+one+"/disable", "users:write", "Stops the keys of a service account.", a.serviceDisable).holds(a.serviceState),
		admins("POST "+one+"/enable", "users:write", "Lets the keys of a service account work again.", a.serviceEnable).holds(a.serviceState),
		admins("GET "+one+"/api-keys", "keys:read", "Lists the keys of a service account.", a.serviceKeys).lists(key{}, keyColumns),
		admins("DELETE "+one+"/api-keys/{key}", "keys:write", "Revokes a key of a service account.", a.serviceKeyRevoke),
		// A key makes no key: these two take sessions alone.
		admins("POST "+one+"/api-keys", "", "Makes a key for a service account, after a fresh confirmation by passkey.", a.serviceKeyMake).
			takes(keyIn{}).answers(http.StatusCreated, keyOut{}).tellsSecret(),
		admins("POST "+one+"/api-keys/{key}/renew", "", "Gives a key of a service account that has ended a new text and a new end, after a fresh confirmation by passkey.", a.serviceKeyRenew).
			takes(keyRenewal{}).answers(http.StatusOK, keyOut{}).tellsSecret(),
	}
}

// A service is a service account as programs know it.
type service struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	// Owner is the person who answers for it; null for the account of STATIC_API_KEY, and
	// when nothing is left of who did.
	Owner    *serviceOwner `json:"owner"`
	Admin    bool          `json:"isAdmin"`
	Disabled bool          `json:"disabled"`
	// State is "working", "disabled", "expired", or "orphaned": its owner may not come in.
	State     string     `json:"state"`
	ExpiresAt *time.Time `json:"expiresAt"`
	CreatedAt time.Time  `json:"createdAt"`
}

// A serviceOwner is who answers for a service account.
type serviceOwner struct {
	ID          string `json:"id"`
	Username    string `json:"username"`
	DisplayName string `json:"displayName"`
}

func serviceOf(r *directory.ServiceRow, now time.Time) service {
	out := service{ID: r.ID, Username: r.Username, DisplayName: r.DisplayName, Description: r.Description, Admin: r.Admin, Disabled: !r.DisabledAt.IsZero(),
		State: string(r.State(now)), ExpiresAt: instant(r.ExpiresAt), CreatedAt: r.CreatedAt}
	if r.Owner.ID != "" {
		out.Owner = &serviceOwner{r.Owner.ID, r.Owner.Username, r.Owner.Name()}
	}
	return out
}

var serviceColumns = columns{sortable: []string{"username", "displayName", "expiresAt", "createdAt"}, filterable: []string{"ownerId", "state"}}

func (a *API) services(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, serviceColumns)
	list, total, err := a.directory.QueryServices(r.Context(), actor(r), q)
	if err != nil {
		return err
	}
	var data []service
	for i := range list {
		data = append(data, serviceOf(&list[i], edge.Now(r.Context())))
	}
	return writePage(w, q, data, total)
}

func (a *API) service(w http.ResponseWriter, r *http.Request) error {
	return a.showService(w, r, http.StatusOK, r.PathValue("id"))
}

func (a *API) showService(w http.ResponseWriter, r *http.Request, status int, id string) error {
	s, err := a.directory.Service(r.Context(), actor(r), id)
	if err != nil {
		return err
	}
	return writeObject(w, r, status, serviceOf(&s, edge.Now(r.Context())))
}

// serviceState is a service account as GET answers it.
func (a *API) serviceState(ctx context.Context, r *http.Request, check func(any) error) context.Context {
	return a.directory.WhenService(ctx, r.PathValue("id"), func(s *directory.ServiceRow) error { return check(serviceOf(s, edge.Now(ctx))) })
}

// serviceIn is what a program says of a new service account. Without ownerId its owner is
// whoever makes it, or who answers for whoever makes it.
type serviceIn struct {
	ID string `json:"id"`
	servicePut
}

func (a *API) serviceAdd(w http.ResponseWriter, r *http.Request) error {
	var in serviceIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	edit := in.edit()
	if edit.Owner == "" {
		edit.Owner = answersFor(r)
	}
	u, err := a.directory.AddService(r.Context(), actor(r), in.ID, edit)
	if err != nil {
		return err
	}
	return a.showService(w, r, http.StatusCreated, u.ID)
}

// answersFor is the id of the person who answers for the deeds of whoever asks.
func answersFor(r *http.Request) string {
	if h, ok := signin.HolderOf(r.Context()); ok && h.User.Service() {
		return h.User.OwnerID
	}
	return actor(r).UserID
}

// servicePut is what a program says of a service account that there is. What is left out is
// false, empty or never, but for the owner, who stays.
type servicePut struct {
	Username    string     `json:"username" doc:"required max=50"`
	DisplayName string     `json:"displayName" doc:"max=100"`
	Description string     `json:"description" doc:"max=200"`
	OwnerID     string     `json:"ownerId"`
	Admin       bool       `json:"isAdmin"`
	ExpiresAt   *time.Time `json:"expiresAt"`
}

func (in *servicePut) edit() directory.ServiceEdit {
	edit := directory.ServiceEdit{Username: in.Username, DisplayName: in.DisplayName, Description: in.Description, Owner: in.OwnerID, Admin: in.Admin}
	if in.ExpiresAt != nil {
		edit.ExpiresAt = *in.ExpiresAt
	}
	return edit
}

func (a *API) servicePut(w http.ResponseWriter, r *http.Request) error {
	var in servicePut
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	if _, err := a.directory.EditService(r.Context(), actor(r), r.PathValue("id"), in.edit()); err != nil {
		return err
	}
	return a.showService(w, r, http.StatusOK, r.PathValue("id"))
}

// serviceOwnerIn names another owner.
type serviceOwnerIn struct {
	OwnerID string `json:"ownerId" doc:"required"`
}

func (a *API) serviceOwner(w http.ResponseWriter, r *http.Request) error {
	var in serviceOwnerIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	if _, err := a.directory.HandOver(r.Context(), actor(r), r.PathValue("id"), in.OwnerID); err != nil {
		return err
	}
	return a.showService(w, r, http.StatusOK, r.PathValue("id"))
}

func (a *API) serviceDelete(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.DeleteServices(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) serviceDisable(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.DisableServices(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) serviceEnable(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.directory.EnableServices(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) serviceKeys(w http.ResponseWriter, r *http.Request) error {
	list, err := a.signin.KeysOfService(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeKeys(w, r, list)
}

func (a *API) serviceKeyMake(w http.ResponseWriter, r *http.Request) error {
	return a.makeKey(w, r, func(ctx context.Context, v signin.Visitor, edit signin.KeyEdit) (signin.Key, string, error) {
		return a.signin.MakeKeyOf(ctx, v, r.PathValue("id"), edit)
	})
}

func (a *API) serviceKeyRenew(w http.ResponseWriter, r *http.Request) error {
	return a.renewKey(w, r, func(ctx context.Context, v signin.Visitor, end time.Time) (signin.Key, string, error) {
		return a.signin.RenewKeyOf(ctx, v, r.PathValue("id"), r.PathValue("key"), end)
	})
}

func (a *API) serviceKeyRevoke(w http.ResponseWriter, r *http.Request) error {
	_, err := a.signin.RevokeKeyOfService(r.Context(), actor(r), r.PathValue("id"), r.PathValue("key"))
	return nothing(w, err)
}
