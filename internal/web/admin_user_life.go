package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

// A lifeDeed is what administrators do to accounts as a whole.
type lifeDeed struct {
	name        string
	title, done string // the question, and what is said afterwards
	verb        func(*directory.Directory, context.Context, audit.Actor, ...string) error
}

var (
	disableUsers = &lifeDeed{"disable", "user_disable.title", "flash.user_disable", (*directory.Directory).Disable}
	enableUsers  = &lifeDeed{"enable", "user_enable.title", "flash.user_enable", (*directory.Directory).Enable}
	deleteUsers  = &lifeDeed{"delete", "user_delete.title", "flash.user_delete", (*directory.Directory).Delete}

	disableServices = &lifeDeed{"disable", "user_disable.title", "flash.user_disable", (*directory.Directory).DisableServices}
	enableServices  = &lifeDeed{"enable", "user_enable.title", "flash.user_enable", (*directory.Directory).EnableServices}
	deleteServices  = &lifeDeed{"delete", "user_delete.title", "flash.user_delete", (*directory.Directory).DeleteServices}
)

// userLifePage asks before an account is disabled, enabled or deleted.
type userLifePage struct {
	Frame
	Do      string
	Back    string // the address to go back to
	Crumb   string // what is there
	Confirm string // what has to be typed
	Keys    int    // how many passkeys go with it, or API keys
	Service bool   // it is a service account
	// Refused says why it cannot be done, before anybody tries.
	Refused *Problem
}

func (x *Web) showUserLife(w http.ResponseWriter, r *http.Request, do *lifeDeed, u *directory.User, problem *Problem) error {
	keys, err := x.signin.CountPasskeys(r.Context(), actor(r), []string{u.ID})
	if err != nil {
		return err
	}
	words := x.words(r)
	p := userLifePage{Do: do.name, Confirm: u.Username, Keys: keys[u.ID], Back: userPath(u.ID), Crumb: u.Name()}
	if r.URL.Query().Has("back") {
		p.Back, p.Crumb = inside(r.URL.Query().Get("back"), usersPath), words.T("frame.users")
	}
	p.Frame = Frame{Title: words.T(do.title, "name", u.Name()), Area: "admin", Here: "users", Narrow: true, Fault: problem}
	if problem == nil && do != enableUsers {
		if p.Refused, err = x.mayGo(r, u); err != nil {
			return err
		}
	}
	return x.show(w, r, "user-life", &p)
}

// mayGo says what stands in the way of taking this user away, so that nobody is asked in
// vain. The verb asks again.
func (x *Web) mayGo(r *http.Request, u *directory.User) (*Problem, error) {
	if u.ID != actor(r).UserID {
		return nil, nil
	}
	last, err := x.directory.LastAdmin(r.Context(), u.ID)
	if err != nil {
		return nil, err
	}
	f := directory.ErrOwnAccount
	if last {
		f = directory.ErrLastAdmin
	}
	return x.problemOf(r, f), nil
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
		return x.showUserLife(w, r, do, &u, nil)
	}
}

func (x *Web) userLived(do *lifeDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		u, err := x.directory.User(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		if err := do.verb(x.directory, r.Context(), actor(r), u.ID); err != nil {
			if problem := x.problem(r, err); problem != nil {
				return x.showUserLife(w, r, do, &u, problem)
			}
			return err
		}
		flash(w, r, do.done, "name", u.Name())
		back := userPath(u.ID)
		if do == deleteUsers {
			back = usersPath
		}
		return seeOther(w, inside(r.URL.Query().Get("back"), back))
	}
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
	QR        qrCode // of the link
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
	code, err := qrOf(link.URL)
	if err != nil {
		return err
	}
	p := userLinkedPage{
		Frame: Frame{Title: x.words(r).T("user_linked.title", "name", u.Name()), Area: "admin", Here: "users", Narrow: true},
		User:  &u, Link: link.URL, QR: code, Code: link.Code, ExpiresAt: link.ExpiresAt, Address: userPath(u.ID),
	}
	w.Header().Set("Cache-Control", "no-store")
	return x.show(w, r, "user-linked", &p)
}
