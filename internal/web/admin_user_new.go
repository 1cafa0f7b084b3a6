package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

// userNewPage asks what an account needs to begin with.
type userNewPage struct {
	Frame
	New    directory.NewUser
	Groups groupsForm
	Email  bool // an address is needed
	// LastDay is the last day on which the account works, as it was typed.
	LastDay string
	// Draft is the id that the account gets. It makes sending the form twice one account.
	Draft string
}

func (x *Web) userNew(w http.ResponseWriter, r *http.Request) error {
	return x.showUserNew(w, r, &userNewPage{}, nil)
}

func (x *Web) showUserNew(w http.ResponseWriter, r *http.Request, p *userNewPage, problem *Problem) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	if p.Groups, err = x.groupsFormOf(r, &directory.User{}, &groupsTyped{picked: p.New.Groups}); err != nil {
		return err
	}
	p.Frame = Frame{Title: x.words(r).T("user_new.title"), Area: "admin", Here: "users", Narrow: true, Modules: []string{"forms.js"}, Fault: problem}
	p.Email, p.Draft = s.RequireUserEmail, directory.NewID()
	return x.show(w, r, "user-new", p)
}

// newUserOf reads the form of a new account.
func newUserOf(form url.Values) (n directory.NewUser, err error) {
	n = directory.NewUser{ID: form.Get("draft"), Username: form.Get("username"), Email: form.Get("email"), EmailVerified: form.Has("email_verified"),
		FirstName: form.Get("first_name"), LastName: form.Get("last_name"), DisplayName: form.Get("display_name"),
		Admin: form.Has("admin"), Disabled: form.Has("disabled"), Groups: form["groups"]}
	n.ExpiresAt, err = endOf("expires_at", strings.TrimSpace(form.Get("expires_at")), n.ExpiresAt)
	return n, err
}

func (x *Web) userAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	n, err := newUserOf(form)
	if err == nil {
		var u directory.User
		if u, err = x.directory.AddUserAs(r.Context(), actor(r), n); err == nil {
			flash(w, r, "flash.user_created", "name", u.Name())
			return seeOther(w, userPath(u.ID))
		}
	}
	if errors.Is(err, directory.ErrIDTaken) {
		return seeOther(w, userPath(n.ID)) // the form was sent twice
	}
	if problem := x.problem(r, err); problem != nil {
		return x.showUserNew(w, r, &userNewPage{New: n, LastDay: form.Get("expires_at")}, problem)
	}
	return err
}
