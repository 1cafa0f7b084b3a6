package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// batchesPath is where work on many accounts can be looked at.
const batchesPath = "/settings/admin/user-work"

func batchPath(id string) string { return batchesPath + "/" + url.PathEscape(id) }

// namesShown is how many people a question names.
const namesShown = 10

// groupsAsked is how many groups a question offers at once.
const groupsAsked = 100

// batchAskPage asks before something is done to many people.
type batchAskPage struct {
	Frame
	Do    string
	Count int
	Names []string // of the first of them
	More  int      // how many are not named
	Back  string   // the address of the list
	// OfGroup says that a group has to be chosen, among Groups; Picked is the one that is.
	OfGroup bool
	Groups  []directory.GroupRow
	Picked  string
	// Find is what groups are looked for by, MoreGroups says that there are others.
	Find       string
	MoreGroups bool
	Asked      []hiddenField // what the address carries, for the form that looks for groups
	Confirm    string        // what has to be typed
}

// An askedOf is what the address of the question says.
type askedOf struct {
	order directory.BatchOrder
	all   bool
	back  string
}

func askedFor(query url.Values) askedOf {
	a := askedOf{all: query.Get("all") != "", back: inside(query.Get("back"), usersPath)}
	a.order.Deed = directory.Deed(query.Get("do"))
	if a.all {
		a.order.Filter = userFilterOf(query)
		a.order.Filter.After = ""
	} else {
		a.order.IDs = query["id"]
	}
	return a
}

// usersPicked asks about those who were picked in the list, or about all whom it shows.
func (x *Web) usersPicked(w http.ResponseWriter, r *http.Request) error {
	a := askedFor(r.URL.Query())
	if len(a.order.IDs) == 0 && !a.all || !a.order.Deed.Known() {
		return seeOther(w, a.back)
	}
	if len(a.order.IDs) == 1 && !a.order.Deed.OfGroup() {
		return seeOther(w, userPath(a.order.IDs[0])+"/"+string(a.order.Deed)+asked("back", r.URL.Query().Get("back")))
	}
	return x.showBatchAsk(w, r, a, nil)
}

func (x *Web) showBatchAsk(w http.ResponseWriter, r *http.Request, a askedOf, problem *Problem) error {
	words, query := x.words(r), r.URL.Query()
	p := batchAskPage{Do: string(a.order.Deed), Back: a.back, OfGroup: a.order.Deed.OfGroup(), Picked: cmp.Or(a.order.GroupID, query.Get("group")), Find: strings.TrimSpace(query.Get("find"))}
	var err error
	if p.Count, p.Names, err = x.meant(r, a); err != nil {
		return err
	}
	p.More = p.Count - len(p.Names)
	if p.OfGroup {
		found, err := x.directory.ListGroups(r.Context(), actor(r), directory.GroupFilter{Search: p.Find, Limit: groupsAsked})
		if err != nil {
			return err
		}
		for _, g := range found.Rows {
			if g.LDAPID == "" {
				p.Groups = append(p.Groups, g)
			}
		}
		p.MoreGroups = found.Next != "" || p.Find != ""
		for _, name := range []string{"do", "all", "q", "state", "role", "passkeys", "group", "back", "id"} {
			for _, value := range query[name] {
				p.Asked = append(p.Asked, hiddenField{name, value})
			}
		}
	}
	if a.order.Deed == directory.DeedDelete {
		p.Confirm = strconv.Itoa(p.Count)
	}
	p.Frame = Frame{Title: words.T("users_ask.title."+p.Do, "n", p.Count), Area: "admin", Here: "users", Narrow: true, Fault: problem}
	return x.show(w, r, "users-ask", &p)
}

// meant are those whom a question is about: how many, and the names of the first.
func (x *Web) meant(r *http.Request, a askedOf) (n int, names []string, err error) {
	if !a.all {
		users, err := x.directory.UsersByID(r.Context(), actor(r), a.order.IDs)
		if err == nil && len(users) == 0 {
			err = directory.ErrNoUser
		}
		for i := range users[:min(len(users), namesShown)] {
			names = append(names, users[i].Name())
		}
		return len(users), names, err
	}
	if n, err = x.directory.CountUsers(r.Context(), actor(r), a.order.Filter); err != nil {
		return 0, nil, err
	}
	f := a.order.Filter
	f.Limit = namesShown
	found, err := x.directory.Users(r.Context(), actor(r), f)
	for i := range found.Rows {
		names = append(names, found.Rows[i].Name())
	}
	return n, names, err
}

func (x *Web) usersChanged(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	a := askedFor(r.URL.Query())
	a.order.GroupID = form.Get("group")
	if a.all {
		if a.order.Seen, err = strconv.Atoi(form.Get("seen")); err != nil || a.order.Seen < 1 {
			return x.showBatchAsk(w, r, a, x.problemOf(r, directory.ErrOthersMatch))
		}
	}
	if !a.all && len(a.order.IDs) == 0 {
		return directory.ErrNobodyPicked
	}
	b, err := x.directory.StartBatch(r.Context(), actor(r), a.order)
	if err != nil {
		if problem := x.problem(r, err); problem != nil && a.order.Deed.Known() {
			return x.showBatchAsk(w, r, a, problem)
		}
		return err
	}
	return seeOther(w, batchPath(b.ID)+asked("back", r.URL.Query().Get("back")))
}

// A batchLine is work on many accounts as lists show it.
type batchLine struct {
	directory.Batch
	Called  string
	Address string
	Going   bool
	Share   int // done, in percent
}

func batchLineOf(words *i18n.Locale, b *directory.Batch) batchLine {
	return batchLine{Batch: *b, Called: words.T("user_batch.title."+string(b.Deed), "n", b.Total, "group", b.GroupName), Address: batchPath(b.ID),
		Going: b.EndedAt.IsZero(), Share: b.Done() * 100 / max(b.Total, 1)}
}

// openBatches is the work that is not done.
func (x *Web) openBatches(r *http.Request) (lines []batchLine, err error) {
	open, err := x.directory.OpenBatches(r.Context(), actor(r))
	for i := range open {
		lines = append(lines, batchLineOf(x.words(r), &open[i]))
	}
	return lines, err
}

// batchesPage lists the work of late.
type batchesPage struct {
	Frame
	Batches []batchLine
}

// batchesShown is how many of them it lists.
const batchesShown = 50

func (x *Web) batches(w http.ResponseWriter, r *http.Request) error {
	words := x.words(r)
	all, err := x.directory.Batches(r.Context(), actor(r), batchesShown)
	if err != nil {
		return err
	}
	p := batchesPage{Frame: Frame{Title: words.T("user_batches.title"), Area: "admin", Here: "users", Narrow: true}}
	for i := range all {
		p.Batches = append(p.Batches, batchLineOf(words, &all[i]))
	}
	return x.show(w, r, "user-batches", &p)
}

// batchPage says how far work on many accounts is, and what became of it.
type batchPage struct {
	Frame
	Work     batchLine
	Back     string // the address of the list that it began at
	Undoable bool
	Refusals []refusalLine
	// Unsaid is how many were refused beside Refusals.
	Unsaid int
}

// A refusalLine is somebody to whom nothing was done, and why.
type refusalLine struct {
	directory.Refusal
	Why i18n.Words
}

// refusalsShown is how many of them a page lists.
const refusalsShown = 100

func (x *Web) batch(w http.ResponseWriter, r *http.Request) error {
	return x.showBatch(w, r, nil)
}

func (x *Web) showBatch(w http.ResponseWriter, r *http.Request, problem *Problem) error {
	words := x.words(r)
	b, err := x.directory.Batch(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	p := batchPage{Work: batchLineOf(words, &b), Back: inside(r.URL.Query().Get("back"), usersPath), Undoable: b.Undo() != ""}
	p.Frame = Frame{Title: p.Work.Called, Area: "admin", Here: "users", Narrow: true, Modules: []string{"table.js"}, Fault: problem}
	if b.Refused > 0 {
		refused, err := x.directory.Refusals(r.Context(), actor(r), b.ID, refusalsShown)
		if err != nil {
			return err
		}
		for _, one := range refused {
			p.Refusals = append(p.Refusals, refusalLine{one, words.Fault(one.Code, fault.Conflict.String(), nil)})
		}
		p.Unsaid = b.Refused - len(refused)
	}
	return x.show(w, r, "user-batch", &p)
}

func (x *Web) batchStop(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := x.directory.StopBatch(r.Context(), actor(r), id); err != nil && !errors.Is(err, directory.ErrBatchDone) {
		return err
	}
	return seeOther(w, batchPath(id)+asked("back", r.URL.Query().Get("back")))
}

func (x *Web) batchUndo(w http.ResponseWriter, r *http.Request) error {
	b, err := x.directory.UndoBatch(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showBatch(w, r, problem)
		}
		return err
	}
	return seeOther(w, batchPath(b.ID)+asked("back", r.URL.Query().Get("back")))
}
