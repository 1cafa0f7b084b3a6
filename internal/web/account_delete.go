package web

import (
	"errors"
	"net/http"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

const deletePath = accountPath + "/delete"

func (x *Web) deleteRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+deletePath, edge.SignedIn, x.accountDelete),
		page("POST "+deletePath, edge.SignedIn, x.accountDeleted),
	}
}

// accountDeletePage asks before people delete their own account, and names what goes.
type accountDeletePage struct {
	Frame
	Username, Email        string
	Keys, Sessions, Groups int
	Apps                   []string // names, at most maxNamed
	MoreApps               int
	Refused                *Problem
}

// maxNamed is how many applications a question names.
const maxNamed = 10

// accountDelete asks, after a fresh proof for just that. Who cannot delete their account
// is told why before they are asked for one.
func (x *Web) accountDelete(w http.ResponseWriter, r *http.Request) error {
	switch err := x.directory.MayDeleteOwn(r.Context(), actor(r)); {
	case errors.Is(err, directory.ErrAccountDelete):
		return err
	case err != nil:
		return x.showDelete(w, r, x.problemOf(r, fault.Of(err)))
	}
	needs, err := x.signin.NeedsStepUp(r.Context(), visitor(r), signin.PurposeDelete)
	if errors.Is(err, signin.ErrCodeSession) || err == nil && needs {
		return seeOther(w, withRedirect("/login/again", deletePath))
	}
	if err != nil {
		return err
	}
	return x.showDelete(w, r, nil)
}

func (x *Web) showDelete(w http.ResponseWriter, r *http.Request, refused *Problem) error {
	ctx, v := r.Context(), visitor(r)
	p := accountDeletePage{
		Frame:    Frame{Title: x.words(r).T("account_delete.title"), Area: "account", Here: "profile", Narrow: true},
		Username: v.User.Username, Email: v.User.Email, Refused: refused,
	}
	keys, err := x.signin.Passkeys(ctx, v)
	if err != nil {
		return err
	}
	sessions, err := x.signin.Sessions(ctx, v)
	if err != nil {
		return err
	}
	apps, err := x.oidc.Allowed(ctx, actor(r))
	if err != nil {
		return err
	}
	groups, err := x.directory.Groups(ctx, v.User.ID)
	if err != nil {
		return err
	}
	p.Keys, p.Sessions, p.Groups = len(keys), len(sessions), len(groups)
	for i := range apps {
		if i == maxNamed {
			p.MoreApps = len(apps) - maxNamed
			break
		}
		p.Apps = append(p.Apps, apps[i].Name)
	}
	return x.show(w, r, "account-delete", &p)
}

func (x *Web) accountDeleted(w http.ResponseWriter, r *http.Request) error {
	next, err := x.oidc.DeleteAccount(r.Context(), visitor(r))
	switch {
	case errors.Is(err, signin.ErrStepUp), errors.Is(err, signin.ErrCodeSession):
		return seeOther(w, withRedirect("/login/again", deletePath))
	case errors.Is(err, directory.ErrLastAdmin), errors.Is(err, directory.ErrManaged):
		return x.showDelete(w, r, x.problemOf(r, fault.Of(err)))
	case err != nil:
		return err
	}
	flash(w, r, "flash.account_deleted")
	return x.leave(w, r, next)
}
