package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

// A lifeDeed is what administrators do to accounts as a whole.
type lifeDeed struct {
	name string
	// the questions about one person and about many, and what is said afterwards
	title, titles, done, doneAll string
	verb                         func(*directory.Directory, context.Context, audit.Actor, ...string) error
}

var (
	disableUsers = &lifeDeed{"disable", "user_disable.title", "user_disable.title.many", "flash.user_disable", "flash.users_disable", (*directory.Directory).Disable}
	enableUsers  = &lifeDeed{"enable", "user_enable.title", "user_enable.title.many", "flash.user_enable", "flash.users_enable", (*directory.Directory).Enable}
	deleteUsers  = &lifeDeed{"delete", "user_delete.title", "user_delete.title.many", "flash.user_delete", "flash.users_delete", (*directory.Directory).Delete}
)

// pickedDeed is the deed of that name, for those who were picked in the list.
func pickedDeed(name string) *lifeDeed {
	for _, do := range []*lifeDeed{disableUsers, enableUsers, deleteUsers} {
		if do.name == name {
			return do
		}
	}
	return nil
}

// userLifePage asks before accounts are disabled, enabled or deleted.
type userLifePage struct {
	Frame
	Do      string
	Users   []directory.User
	Name    string // of the only one
	More    int    // how many are not named
	Back    string // the address to go back to
	Crumb   string // what is there
	Confirm string // what has to be typed
	Keys    int    // how many passkeys go with them
	// Refused says why it cannot be done, before anybody tries.
	Refused *Problem
}

// namesShown is how many people a question names.
const namesShown = 10

func (x *Web) showUserLife(w http.ResponseWriter, r *http.Request, do *lifeDeed, users []directory.User, problem *Problem) error {
	if len(users) == 0 {
		return directory.ErrNoUser
	}
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].ID
	}
	keys, err := x.signin.CountPasskeys(r.Context(), actor(r), ids)
	if err != nil {
		return err
	}
	words, one := x.words(r), &users[0]
	p := userLifePage{Do: do.name, Users: users[:min(len(users), namesShown)], More: max(len(users)-namesShown, 0)}
	for _, n := range keys {
		p.Keys += n
	}
	title := words.T(do.titles, "n", len(users))
	p.Back, p.Crumb = inside(r.URL.Query().Get("back"), usersPath), words.T("frame.users")
	if len(users) == 1 {
		title, p.Name, p.Confirm = words.T(do.title, "name", one.Name()), one.Name(), one.Username
		if !r.URL.Query().Has("back") {
			p.Back, p.Crumb = userPath(one.ID), one.Name()
		}
	} else if do == deleteUsers {
		p.Confirm = strconv.Itoa(len(users))
	}
	p.Frame = Frame{Title: title, Area: "admin", Here: "users", Narrow: true, Fault: problem}
	if problem == nil && do != enableUsers {
		if p.Refused, err = x.mayGo(r, users); err != nil {
			return err
		}
	}
	return x.show(w, r, "user-life", &p)
}

// mayGo says what stands in the way of taking these users away, so that nobody is
// asked in vain. The verb asks again.
func (x *Web) mayGo(r *http.Request, users []directory.User) (*Problem, error) {
	for i := range users {
		if users[i].ID != actor(r).UserID {
			continue
		}
		last, err := x.directory.LastAdmin(r.Context(), users[i].ID)
		if err != nil {
			return nil, err
		}
		f := directory.ErrOwnAccount
		if last {
			f = directory.ErrLastAdmin
		}
		return x.problemOf(r, f), nil
	}
	return nil, nil
}

// problemOf is a fault in the words of the page that shows it although nothing was sent.
func (x *Web) problemOf(r *http.Request, f *fault.Error) *Problem {
	return &Problem{Words: x.words(r).Fault(f.Code, f.Kind.String(), f.Params), Field: f.Field}
}

func (x *Web) userLife(do *lifeDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		u, err := x.directory.User(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		return x.showUserLife(w, r, do, []directory.User{u}, nil)
	}
}

func (x *Web) userLived(do *lifeDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		u, err := x.directory.User(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		return x.changeUsers(w, r, do, []directory.User{u})
	}
}

// usersPicked asks about those who were picked in the list.
func (x *Web) usersPicked(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	do := pickedDeed(q.Get("do"))
	if len(q["id"]) == 0 || do == nil {
		return seeOther(w, inside(q.Get("back"), usersPath))
	}
	users, err := x.directory.UsersByID(r.Context(), actor(r), q["id"])
	if err != nil {
		return err
	}
	return x.showUserLife(w, r, do, users, nil)
}

func (x *Web) usersChanged(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	do := pickedDeed(q.Get("do"))
	if do == nil {
		return directory.ErrNoUser
	}
	users, err := x.directory.UsersByID(r.Context(), actor(r), q["id"])
	if err != nil {
		return err
	}
	return x.changeUsers(w, r, do, users)
}

func (x *Web) changeUsers(w http.ResponseWriter, r *http.Request, do *lifeDeed, users []directory.User) error {
	if len(users) == 0 {
		return directory.ErrNoUser
	}
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].ID
	}
	if err := do.verb(x.directory, r.Context(), actor(r), ids...); err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showUserLife(w, r, do, users, problem)
		}
		return err
	}
	back := usersPath
	if len(users) > 1 {
		flash(w, r, do.doneAll, "n", strconv.Itoa(len(users)))
	} else {
		flash(w, r, do.done, "name", users[0].Name())
		if do != deleteUsers {
			back = userPath(users[0].ID)
		}
	}
	return seeOther(w, inside(r.URL.Query().Get("back"), back))
}

// userReleasePage asks before the names of somebody who was deleted are free for others.
type userReleasePage struct {
	Frame
	User *directory.User
	Back string
}

func (x *Web) userRelease(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.Tombstone(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	p := userReleasePage{
		Frame: Frame{Title: x.words(r).T("user_release.title", "name", u.Username), Area: "admin", Here: "users", Narrow: true},
		User:  &u, Back: usersPath + "?state=deleted",
	}
	return x.show(w, r, "user-release", &p)
}

func (x *Web) userReleased(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.Tombstone(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := x.directory.Release(r.Context(), actor(r), u.ID); err != nil {
		return err
	}
	flash(w, r, "flash.user_released", "name", u.Username)
	return seeOther(w, usersPath+"?state=deleted")
}

// userLinkPage asks how long a one-time link shall work.
type userLinkPage struct {
	Frame
	User    *directory.User
	Address string // of their page
	Hours   []int  // to choose from
	Keys    int    // how many passkeys they have
	Refused *Problem
}

// linkHours are how many hours a one-time link may work.
var linkHours = []int{1, 12, 24, 7 * 24, 30 * 24}

// userLink asks, after a fresh proof: the link opens the account as a passkey does.
func (x *Web) userLink(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	needs, err := x.signin.NeedsStepUp(r.Context(), visitor(r), signin.PurposePasskeys)
	if errors.Is(err, signin.ErrCodeSession) || err == nil && needs {
		return proveFor(w, &u)
	}
	if err != nil {
		return err
	}
	return x.showUserLink(w, r, &u, nil)
}

// proveFor leads to a fresh proof and back to the question.
func proveFor(w http.ResponseWriter, u *directory.User) error {
	return seeOther(w, withRedirect("/login/again", userPath(u.ID)+"/link"))
}

func (x *Web) showUserLink(w http.ResponseWriter, r *http.Request, u *directory.User, problem *Problem) error {
	keys, err := x.signin.CountPasskeys(r.Context(), actor(r), []string{u.ID})
	if err != nil {
		return err
	}
	p := userLinkPage{
		Frame: Frame{Title: x.words(r).T("user_link.title", "name", u.Name()), Area: "admin", Here: "users", Narrow: true, Fault: problem},
		User:  u, Address: userPath(u.ID), Hours: linkHours, Keys: keys[u.ID],
	}
	if err := u.Active(edge.Now(r.Context())); err != nil {
		p.Refused = x.problemOf(r, fault.Of(err))
	}
	return x.show(w, r, "user-link", &p)
}

// userLinkedPage shows a one-time link, once. It is the answer to the form that made
// it, so that the link is in no cookie or log of ours.
type userLinkedPage struct {
	Frame
	User      *directory.User
	Link      string
	Code      string
	ExpiresAt time.Time
	// Address is that of their page, which this one takes for its own: loading it
	// again does not send the form again.
	Address string
}

func (x *Web) userLinked(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	var link signin.LoginLink
	hours, ok := choice(form.Get("hours"), linkHours)
	if !ok {
		err = signin.ErrCodeLife.At("hours")
	} else {
		link, err = x.signin.MakeLinkFor(r.Context(), actor(r), u.ID, time.Duration(hours)*time.Hour)
	}
	switch {
	case errors.Is(err, signin.ErrStepUp):
		return proveFor(w, &u)
	case errors.Is(err, directory.ErrDisabled), errors.Is(err, directory.ErrExpired):
		return x.showUserLink(w, r, &u, x.problemOf(r, fault.Of(err)))
	case err != nil:
		if problem := x.problem(r, err); problem != nil {
			return x.showUserLink(w, r, &u, problem)
		}
		return err
	}
	p := userLinkedPage{
		Frame: Frame{Title: x.words(r).T("user_linked.title", "name", u.Name()), Area: "admin", Here: "users", Narrow: true},
		User:  &u, Link: link.URL, Code: link.Code, ExpiresAt: link.ExpiresAt, Address: userPath(u.ID),
	}
	w.Header().Set("Cache-Control", "no-store")
	return x.show(w, r, "user-linked", &p)
}
