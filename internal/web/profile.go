package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
	"pocketid/internal/signin"
)

// profilePage is what people say of themselves.
type profilePage struct {
	Frame
	// Picture is nil when it is not theirs to change.
	Picture  *pictureCard
	Form     profileForm
	Verified bool
	// FreshVerified says that a new address counts as verified at once.
	FreshVerified bool
	// Fixed says why nothing can be changed here, and what to do; nil is that it can.
	Fixed     *Problem
	Languages []languageChoice
	Look      directory.Look // how the account sees the pages
	// Details are those that people may change themselves; nil is that there are none.
	Details *detailsForm
	// Delete says that people may delete their account themselves.
	Delete  bool
	Signals signin.Signals
	Offer   bool
}

// A profileForm is the profile as it was typed.
type profileForm struct {
	directory.ProfileEdit
	// Was is the profile as this form first showed it, as JSON.
	Was string
	// Meanwhile is what an administrator has changed since.
	Meanwhile []meanwhile
}

func profileFormOf(u *directory.User) profileForm {
	edit := u.Profile()
	was, err := json.Marshal(edit)
	if err != nil {
		panic("web: a profile is always JSON")
	}
	return profileForm{ProfileEdit: edit, Was: string(was)}
}

func (x *Web) profile(w http.ResponseWriter, r *http.Request) error {
	return x.showProfile(w, r, profileTyped{}, nil)
}

// profileTyped is what was typed into the cards of the page; nil is the card as it is stored.
type profileTyped struct {
	profile *profileForm
	details *detailsTyped
}

func (x *Web) showProfile(w http.ResponseWriter, r *http.Request, typed profileTyped, problem *Problem) error {
	words, v := x.words(r), visitor(r)
	u := v.User
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	keys, err := x.signin.Passkeys(r.Context(), v)
	if err != nil {
		return err
	}
	p := profilePage{
		Frame: Frame{Title: words.T("profile.title"), Area: "account", Here: "profile", Narrow: true, Fault: problem, Modules: []string{"signals.js"}, words: words},
		Form:  profileFormOf(&u), FreshVerified: s.EmailsVerified, Look: u.Look(),
		Delete: s.AllowAccountDelete, Signals: x.signin.Signals(v, keys), Offer: offered(r, s),
	}
	if typed.profile != nil {
		p.Form = *typed.profile
	}
	if p.Verified = u.EmailVerified && p.Form.Email == u.Email; p.Look.Theme == "" {
		p.Look.Theme = themeOf(r)
	}
	if allowed := s.OwnClaims(); len(allowed) > 0 {
		d := detailsTyped{typed: u.Standard.Only(allowed)}
		if typed.details != nil {
			d = *typed.details
		}
		form := detailsFormOf(&p.Frame, words, d.typed, allowed, autocompletes)
		form.Meanwhile = d.meanwhile
		if d.was != "" {
			form.Was = d.was
		}
		p.Details = &form
	}
	if s.AllowOwnAccountEdit || u.Admin {
		p.Picture = p.pictureCardOf(&u, s, accountPath+"/picture")
	}
	switch {
	case u.LDAPID != "":
		p.Fixed = x.problemOf(r, directory.ErrManaged)
	case !s.AllowOwnAccountEdit:
		p.Fixed = x.problemOf(r, directory.ErrOwnEdit)
	}
	for _, id := range i18n.Locales() {
		p.Languages = append(p.Languages, languageChoice{id, i18n.For(id).T("language.name"), id == words.ID})
	}
	return x.show(w, r, "profile", &p)
}

func (x *Web) profileSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	u := visitor(r).User
	typed := profileForm{Was: form.Get("was")}
	typed.ProfileEdit = directory.ProfileEdit{Username: form.Get("username"), Email: form.Get("email"), FirstName: form.Get("first_name"),
		LastName: form.Get("last_name"), DisplayName: form.Get("display_name")}
	if _, err := x.directory.ReviseProfile(r.Context(), actor(r), typed.was(), typed.ProfileEdit); err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, directory.ErrStale) {
			typed.catchUp(x.words(r), &u)
			problem.Field = "names"
		}
		return x.showProfile(w, r, profileTyped{profile: &typed}, problem)
	}
	flash(w, r, "flash.profile")
	return seeOther(w, accountPath)
}

// was is the profile as the form first showed it. What is no profile of ours is like none.
func (f *profileForm) was() directory.ProfileEdit {
	var was directory.ProfileEdit
	if json.Unmarshal([]byte(f.Was), &was) != nil {
		return directory.ProfileEdit{}
	}
	return was
}

// catchUp brings a form that was overtaken up to the profile as it is now: what the person
// did not touch follows it, what they typed stays.
func (f *profileForm) catchUp(words *i18n.Locale, u *directory.User) {
	was, is := f.was(), u.Profile()
	for _, field := range []struct {
		label   string
		typed   *string
		was, is string
	}{
		{"profile.first_name", &f.FirstName, was.FirstName, is.FirstName},
		{"profile.last_name", &f.LastName, was.LastName, is.LastName},
		{"profile.display_name", &f.DisplayName, was.DisplayName, is.DisplayName},
		{"profile.username", &f.Username, was.Username, is.Username},
		{"profile.email", &f.Email, was.Email, is.Email},
	} {
		if field.was == field.is {
			continue
		}
		if *field.typed == field.was {
			*field.typed = field.is
		}
		f.Meanwhile = append(f.Meanwhile, meanwhile{words.T(field.label), cmp.Or(field.is, words.T("meanwhile.empty"))})
	}
	f.Was = profileFormOf(u).Was
}

// lookSave keeps how somebody sees the pages in the account, and in this browser at once.
func (x *Web) lookSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	locale, theme := i18n.For(form.Get("locale")).ID, form.Get("theme")
	if _, err := x.directory.EditLook(r.Context(), actor(r), directory.Look{Locale: locale, Theme: theme, Dates: form.Get("dates")}); err != nil {
		if fault.Of(err).Kind == fault.Invalid {
			return edge.ErrNotFound // no page of ours sends this
		}
		return err
	}
	edge.SetCookie(w, r, localeCookie, locale, lookFor)
	x.keepTheme(w, theme)
	flash(w, r, "flash.look")
	return seeOther(w, accountPath)
}
