package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/signin"
)

// servicePage shows everything about one service account.
type servicePage struct {
	Frame
	directory.ServiceRow
	Address string // of this page
	Stands  directory.ServiceState
	// Static is that it belongs to the key in the environment, and can only be disabled.
	Static bool
	Edit   serviceEdit
	Hand   serviceOwnerForm
	Badge  Avatar // of its owner
	Keys   []apiKeyLine
}

// Orphaned says that nobody answers for the account.
func (p *servicePage) Orphaned() bool { return p.Stands == directory.ServiceOrphaned }

// A serviceEdit is what is said of a service account, as it was typed.
type serviceEdit struct {
	directory.ServiceEdit
	LastDay   string // on which its keys work
	Was       string // the account as this form first showed it, as JSON
	Meanwhile []meanwhile
}

// A serviceOwnerForm names another owner.
type serviceOwnerForm struct {
	Owner     string // as it was typed
	Was       string // the id of the owner that this form first showed
	Meanwhile []meanwhile
}

func (x *Web) service(w http.ResponseWriter, r *http.Request) error {
	s, err := x.directory.Service(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	return x.showService(w, r, &s, nil, func(*servicePage) {})
}

// showService shows a service account as it is, but for what change sets.
func (x *Web) showService(w http.ResponseWriter, r *http.Request, s *directory.ServiceRow, problem *Problem, change func(*servicePage)) error {
	keys, err := x.signin.KeysOfService(r.Context(), actor(r), s.ID)
	if err != nil {
		return err
	}
	words, now := x.words(r), edge.Now(r.Context())
	p := servicePage{
		Frame:      Frame{Title: s.Name(), Area: "admin", Here: "services", Narrow: true, Modules: []string{"log.js"}, Fault: atOwner(problem)},
		ServiceRow: *s, Address: servicePath(s.ID), Stands: s.State(now), Static: s.ID == directory.StaticID,
		Edit: serviceEditOf(&s.User), Hand: serviceOwnerForm{Was: s.OwnerID}, Badge: badgeOf(&s.Owner),
	}
	for _, k := range keys {
		p.Keys = append(p.Keys, keyLineFor(words, k, now))
	}
	change(&p)
	return x.show(w, r, "service", &p)
}

// serviceEditOf is what is said of the service account u, as it begins. Its owner stands in
// another form.
func serviceEditOf(u *directory.User) serviceEdit {
	edit := u.ServiceEdit()
	edit.Owner = ""
	was, err := json.Marshal(edit)
	if err != nil {
		panic("web: an account is always JSON")
	}
	return serviceEdit{ServiceEdit: edit, LastDay: lastDay(edit.ExpiresAt), Was: string(was)}
}

// was is the account as the form first showed it. What is no account of ours is like none.
func (e *serviceEdit) was() (was directory.ServiceEdit) {
	if json.Unmarshal([]byte(e.Was), &was) != nil {
		return directory.ServiceEdit{}
	}
	return was
}

func (x *Web) serviceSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	s, err := x.directory.Service(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := serviceEdit{Was: form.Get("was")}
	if err = typed.read(form, typed.was()); err == nil {
		_, err = x.directory.ReviseService(r.Context(), actor(r), s.ID, typed.was(), typed.ServiceEdit)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, directory.ErrStale) {
			if s, err = x.directory.Service(r.Context(), actor(r), s.ID); err != nil {
				return err
			}
			typed.catchUp(x.words(r), &s.User)
			problem.Field = "general"
		}
		return x.showService(w, r, &s, problem, func(p *servicePage) { p.Edit = typed })
	}
	flash(w, r, "flash.user_saved")
	return seeOther(w, servicePath(s.ID))
}

// catchUp brings a form that was overtaken up to the account as it is now.
func (e *serviceEdit) catchUp(words *i18n.Locale, u *directory.User) {
	was, is, o := e.was(), serviceEditOf(u), overtaken{words: words}
	o.text("profile.username", &e.Username, was.Username, is.Username)
	o.text("profile.display_name", &e.DisplayName, was.DisplayName, is.DisplayName)
	o.text("keys.description", &e.Description, was.Description, is.Description)
	o.text("user.expires", &e.LastDay, lastDay(was.ExpiresAt), is.LastDay)
	o.flag("user.admin", &e.Admin, was.Admin, is.Admin)
	e.Was, e.Meanwhile = is.Was, o.list
}

func (x *Web) serviceOwner(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	s, err := x.directory.Service(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := serviceOwnerForm{Owner: form.Get("owner"), Was: form.Get("was_owner")}
	if _, err := x.directory.HandOverFrom(r.Context(), actor(r), s.ID, typed.Was, typed.Owner); err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, directory.ErrStale) {
			if s, err = x.directory.Service(r.Context(), actor(r), s.ID); err != nil {
				return err
			}
			words := x.words(r)
			typed.Was, typed.Meanwhile = s.OwnerID, []meanwhile{{words.T("keys.owner"), cmp.Or(s.Owner.Name(), words.T("meanwhile.empty"))}}
			problem.Field = "hand"
		}
		return x.showService(w, r, &s, problem, func(p *servicePage) { p.Hand = typed })
	}
	flash(w, r, "flash.user_saved")
	return seeOther(w, servicePath(s.ID))
}

// serviceLife asks before a service account is disabled, enabled or deleted.
func (x *Web) serviceLife(do *lifeDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := x.directory.Service(r.Context(), actor(r), r.PathValue("id"))
		if err != nil {
			return err
		}
		keys, err := x.signin.KeyTotals(r.Context(), actor(r), []string{s.ID})
		if err != nil {
			return err
		}
		return x.show(w, r, "user-life", &userLifePage{
			Frame: Frame{Title: x.words(r).T(do.title, "name", s.Name()), Area: "admin", Here: "services", Narrow: true},
			Do:    do.name, Service: true, Back: servicePath(s.ID), Crumb: s.Name(), Confirm: s.Username, Keys: int(keys[s.ID].Count),
		})
	}
}

func (x *Web) serviceLived(do *lifeDeed) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := x.directory.Service(r.Context(), actor(r), r.PathValue("id"))
		if err != nil {
			return err
		}
		if err := do.verb(x.directory, r.Context(), actor(r), s.ID); err != nil {
			return err
		}
		flash(w, r, do.done, "name", s.Name())
		if do == deleteServices {
			return seeOther(w, servicesPath)
		}
		return seeOther(w, servicePath(s.ID))
	}
}

// serviceShelf are the keys of the service account that an address is about. They may what
// it may now.
func (x *Web) serviceShelf(r *http.Request) (keyShelf, error) {
	ctx, v, id := r.Context(), visitor(r), r.PathValue("key")
	s, err := x.directory.Service(ctx, actor(r), r.PathValue("id"))
	if err != nil {
		return keyShelf{}, err
	}
	s.Admin = s.Admin && s.Owner.Admin
	return keyShelf{path: servicePath(s.ID) + "/api-keys", back: servicePath(s.ID), crumb: s.Name(), area: "admin", here: "services", owner: s.User,
		read:   func() (signin.Key, error) { return x.signin.KeyOfService(ctx, actor(r), s.ID, id) },
		make:   func(edit signin.KeyEdit) (signin.Key, string, error) { return x.signin.MakeKeyOf(ctx, v, s.ID, edit) },
		renew:  func(end time.Time) (signin.Key, string, error) { return x.signin.RenewKeyOf(ctx, v, s.ID, id, end) },
		revoke: func() (signin.Key, error) { return x.signin.RevokeKeyOfService(ctx, actor(r), s.ID, id) },
	}, nil
}
