package web

import (
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
	Edit     directory.ProfileEdit
	Verified bool
	// Fixed says why nothing can be changed here; "" is that it can.
	Fixed     string
	Languages []languageChoice
	Look      string // the theme that the account keeps: "auto", "light", "dark"
	// Details are those that people may change themselves; nil is that there are none.
	Details *detailsForm
	Signals signin.Signals
	Offer   bool
}

func (x *Web) profile(w http.ResponseWriter, r *http.Request) error {
	return x.showProfile(w, r, profileTyped{}, nil)
}

// profileTyped is what was typed into the cards of the page; nil is the card as it is stored.
type profileTyped struct {
	edit    *directory.ProfileEdit
	details *directory.Standard
}

func (x *Web) showProfile(w http.ResponseWriter, r *http.Request, typed profileTyped, problem *Problem) error {
	words, v := x.words(r), visitor(r)
	u := v.User
	edit := directory.ProfileEdit{Username: u.Username, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName, DisplayName: u.DisplayName}
	if typed.edit != nil {
		edit = *typed.edit
	}
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	keys, err := x.signin.Passkeys(r.Context(), v)
	if err != nil {
		return err
	}
	p := profilePage{
		Frame: Frame{Title: words.T("profile.title"), Area: "account", Here: "profile", Narrow: true, Fault: problem, Modules: []string{"signals.js"}},
		Edit:  edit, Verified: u.EmailVerified && edit.Email == u.Email, Look: themeOf(r),
		Signals: x.signin.Signals(v, keys), Offer: offered(r, s),
	}
	if allowed := s.OwnClaims(); len(allowed) > 0 {
		details := u.Standard
		if typed.details != nil {
			details = *typed.details
		}
		form := detailsFormOf(&p.Frame, words, details, allowed, autocompletes)
		p.Details = &form
	}
	switch {
	case u.LDAPID != "":
		p.Fixed = words.Fault(directory.ErrManaged.Code, "", nil).Text
	case !s.AllowOwnAccountEdit:
		p.Fixed = words.Fault(directory.ErrOwnEdit.Code, "", nil).Text
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
	edit := directory.ProfileEdit{Username: form.Get("username"), Email: form.Get("email"), FirstName: form.Get("first_name"),
		LastName: form.Get("last_name"), DisplayName: form.Get("display_name")}
	if _, err := x.directory.EditProfile(r.Context(), actor(r), edit); err != nil {
		if problem := x.problem(r, err); problem != nil {
			return x.showProfile(w, r, profileTyped{edit: &edit}, problem)
		}
		return err
	}
	flash(w, r, "flash.profile")
	return seeOther(w, accountPath)
}

// lookSave keeps language and theme in the account, and in this browser at once.
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
