package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/settings"
)

const usersPath = "/settings/admin/users"

func (x *Web) userRoutes() []edge.Route {
	const user = usersPath + "/{id}"
	return []edge.Route{
		page("GET "+user, edge.Admin, x.user),
		page("POST "+user, edge.Admin, x.userSave),
		pictureForm("POST "+user+"/picture", edge.Admin, x.userPicture),
		page("POST "+user+"/groups", edge.Admin, x.userGroupsSave),
		page("POST "+user+"/claims", edge.Admin, x.userClaimsSave),
		page("POST "+user+"/details", edge.Admin, x.userDetailsSave),
		page("GET "+user+"/passkeys/{pid}/remove", edge.Admin, x.userPasskeyRemove),
		page("POST "+user+"/passkeys/{pid}/remove", edge.Admin, x.userPasskeyRemoved),
		page("POST "+user+"/sessions/{sid}/end", edge.Admin, x.userSessionEnd),
		page("GET "+user+"/apps/{client}/revoke", edge.Admin, x.userAppRevoke),
		page("POST "+user+"/apps/{client}/revoke", edge.Admin, x.userAppRevoked),
		page("GET "+user+"/sign-out", edge.Admin, x.userSignOut),
		page("POST "+user+"/sign-out", edge.Admin, x.userSignedOut),
	}
}

// userPage shows everything about one person to administrators. Each of its cards is
// saved by itself.
type userPage struct {
	Frame
	User    *directory.User
	Badge   Avatar
	Address string // of this page
	Self    bool   // it is the account of whom looks at it
	Active  bool   // the account may come in
	Expired bool
	Locked  bool // another directory owns the profile

	// Picture is nil when another directory owns it.
	Picture   *pictureCard
	Profile   userForm
	Languages []languageChoice
	Groups    groupsForm
	Claims    claimsForm
	Details   detailsForm
	Keys      []keyLine
	Sessions  []sessionLine
	Apps      []allowedLine // which may use the account
	MoreApps  int           // beside Apps
	// Activity is what happened last with the account.
	Activity []logDay
}

const (
	appsShown     = 50
	activityShown = 10
)

// A userForm is the profile as it was typed.
type userForm struct {
	directory.UserEdit
	LastDay string // on which the account works, as it was typed
	// Was is the account as this form first showed it, as JSON.
	Was string
	// Meanwhile is what somebody else has changed since.
	Meanwhile []meanwhile
}

// A meanwhile is a field that somebody else changed while this page was open.
type meanwhile struct{ Label, Now string }

func userPath(id string) string { return usersPath + "/" + url.PathEscape(id) }

// userForms are what was typed into the cards of the page; nil is the card as it is
// stored.
type userForms struct {
	profile *userForm
	groups  *groupsTyped
	claims  func(*Frame) claimsForm
	details *detailsTyped
}

func (x *Web) user(w http.ResponseWriter, r *http.Request) error {
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if u.Service() {
		return seeOther(w, servicePath(u.ID))
	}
	return x.showUser(w, r, &u, userForms{}, nil)
}

func (x *Web) showUser(w http.ResponseWriter, r *http.Request, u *directory.User, typed userForms, problem *Problem) error {
	ctx, words, now := r.Context(), x.words(r), edge.Now(r.Context())
	p := userPage{
		Frame: Frame{Title: u.Name(), Area: "admin", Here: "users", Narrow: true, Modules: []string{"forms.js"}, Fault: problem, words: words},
		User:  u, Badge: badgeOf(u), Address: userPath(u.ID), Self: u.ID == actor(r).UserID,
		Active: u.Active(now) == nil, Expired: errors.Is(u.Active(now), directory.ErrExpired), Locked: u.LDAPID != "", Profile: userFormOf(u),
	}
	if typed.profile != nil {
		p.Profile = *typed.profile
	}
	p.Languages = languagesFor(words, p.Profile.Locale)
	s, err := x.settings(ctx)
	if err != nil {
		return err
	}
	p.Picture = p.pictureCardOf(u, s, p.Address+"/picture")
	if p.Groups, err = x.groupsFormOf(r, u, typed.groups); err != nil {
		return err
	}
	if typed.claims == nil {
		typed.claims = func(f *Frame) claimsForm { return claimsFormOf(f, u.Claims) }
	}
	p.Claims = typed.claims(&p.Frame)
	details := u.Standard
	if typed.details != nil {
		details = typed.details.typed
	}
	p.Details = detailsFormOf(&p.Frame, words, details, settings.PersonalClaims, nil)
	if typed.details != nil {
		p.Details.Was, p.Details.Meanwhile = typed.details.was, typed.details.meanwhile
	}
	keys, err := x.signin.PasskeysOf(ctx, actor(r), u.ID)
	if err != nil {
		return err
	}
	for i := range keys {
		p.Keys = append(p.Keys, otherKeyLineOf(words, &keys[i], visitor(r).Session))
	}
	sessions, err := x.signin.SessionsOf(ctx, actor(r), u.ID)
	if err != nil {
		return err
	}
	for i := range sessions {
		s := &sessions[i]
		p.Sessions = append(p.Sessions, sessionLine{ID: s.ID, Name: deviceName(words, s.UserAgent), Icon: edge.DeviceOf(s.UserAgent).Icon,
			Address: s.Address, SeenAt: s.LastSeenAt, Here: s.ID == visitor(r).Session.ID, ByCode: s.ByCode()})
	}
	apps, err := x.oidc.AllowedOf(ctx, actor(r), u.ID)
	if err != nil {
		return err
	}
	p.MoreApps = max(len(apps)-appsShown, 0)
	for i := range apps[:min(len(apps), appsShown)] {
		p.Apps = append(p.Apps, allowedLineOf(words, &apps[i]))
	}
	seen, err := x.audit.List(ctx, actor(r), audit.Filter{Person: u.ID, Limit: activityShown})
	if err != nil {
		return err
	}
	var lines []logLine
	for i := range seen.Entries {
		lines = append(lines, lineOf(words, &seen.Entries[i]))
	}
	p.Activity = daysOf(words, now, lines)
	return x.show(w, r, "user", &p)
}

// userFormOf is the profile as it begins.
func userFormOf(u *directory.User) userForm {
	edit := u.Edit()
	was, err := json.Marshal(edit)
	if err != nil {
		panic("web: an account is always JSON")
	}
	return userForm{UserEdit: edit, LastDay: lastDay(edit.ExpiresAt), Was: string(was)}
}

// languagesFor are the languages of the house, and the one that an account has beside
// them.
func languagesFor(words *i18n.Locale, chosen string) []languageChoice {
	list := []languageChoice{{"", words.T("user.locale.none"), chosen == ""}}
	known := chosen == ""
	for _, id := range i18n.Locales() {
		list = append(list, languageChoice{id, i18n.For(id).T("language.name"), id == chosen})
		known = known || id == chosen
	}
	if !known {
		list = append(list, languageChoice{chosen, chosen, true})
	}
	return list
}

// read sets the profile to what was typed. What the page does not show stays.
func (f *userForm) read(form url.Values) (err error) {
	f.Username, f.Email = strings.TrimSpace(form.Get("username")), strings.TrimSpace(form.Get("email"))
	f.FirstName, f.LastName, f.DisplayName = strings.TrimSpace(form.Get("first_name")), strings.TrimSpace(form.Get("last_name")), strings.TrimSpace(form.Get("display_name"))
	f.EmailVerified, f.Admin, f.Locale = form.Has("email_verified"), form.Has("admin"), form.Get("locale")
	f.Was, f.LastDay = form.Get("was"), strings.TrimSpace(form.Get("expires_at"))
	f.ExpiresAt, err = endOf("expires_at", f.LastDay, f.was().ExpiresAt)
	return err
}

// was is the account as the form first showed it. What is no account of ours is like
// none.
func (f *userForm) was() directory.UserEdit {
	var was directory.UserEdit
	if json.Unmarshal([]byte(f.Was), &was) != nil {
		return directory.UserEdit{}
	}
	return was
}

func (x *Web) userSave(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	u, err := x.directory.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	typed := userFormOf(&u)
	err = typed.read(form)
	self := u.ID == actor(r).UserID && u.Admin && !typed.Admin
	if err == nil && self && !form.Has("sure") {
		last, err := x.directory.LastAdmin(r.Context(), u.ID)
		if err != nil {
			return err
		}
		if !last {
			return x.askDemote(w, r, &u, form)
		}
	}
	if err == nil {
		_, err = x.directory.ReviseUser(r.Context(), actor(r), u.ID, typed.was(), typed.UserEdit)
	}
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		if errors.Is(err, directory.ErrStale) {
			if u, err = x.directory.User(r.Context(), u.ID); err != nil {
				return err
			}
			typed.catchUp(x.words(r), &u)
			problem.Field = "general"
		}
		return x.showUser(w, r, &u, userForms{profile: &typed}, problem)
	}
	if self {
		flash(w, r, "flash.own_admin")
		return seeOther(w, accountPath)
	}
	flash(w, r, "flash.user_saved")
	return seeOther(w, userPath(u.ID))
}

// userDemotePage asks administrators who take their own right away.
type userDemotePage struct {
	Frame
	Address string
	Fields  []hiddenField
}

// A hiddenField carries what was typed through a question.
type hiddenField struct{ Name, Value string }

func (x *Web) askDemote(w http.ResponseWriter, r *http.Request, u *directory.User, form url.Values) error {
	p := userDemotePage{
		Frame:   Frame{Title: x.words(r).T("user_demote.title"), Area: "admin", Here: "users", Narrow: true},
		Address: userPath(u.ID),
	}
	for _, name := range []string{"was", "username", "email", "email_verified", "first_name", "last_name", "display_name", "locale", "expires_at"} {
		if form.Has(name) {
			p.Fields = append(p.Fields, hiddenField{name, form.Get(name)})
		}
	}
	return x.show(w, r, "user-demote", &p)
}

// catchUp brings a form that was overtaken up to the account as it is now: what the
// person did not touch follows it, what they typed stays, and Meanwhile says what
// somebody else has changed.
func (f *userForm) catchUp(words *i18n.Locale, u *directory.User) {
	was, is := f.was(), u.Edit()
	o := overtaken{words: words}
	o.text("profile.first_name", &f.FirstName, was.FirstName, is.FirstName)
	o.text("profile.last_name", &f.LastName, was.LastName, is.LastName)
	o.text("profile.display_name", &f.DisplayName, was.DisplayName, is.DisplayName)
	o.text("profile.username", &f.Username, was.Username, is.Username)
	o.text("profile.email", &f.Email, was.Email, is.Email)
	o.flag("user.email_verified", &f.EmailVerified, was.EmailVerified, is.EmailVerified)
	o.flag("user.admin", &f.Admin, was.Admin, is.Admin)
	o.text("user.locale", &f.Locale, was.Locale, is.Locale)
	o.text("user.expires", &f.LastDay, lastDay(was.ExpiresAt), lastDay(is.ExpiresAt))
	f.Was, f.Meanwhile = userFormOf(u).Was, o.list
}

// overtaken goes through the fields of a form that was overtaken, and keeps what somebody
// else has changed. What was not touched follows that.
type overtaken struct {
	words *i18n.Locale
	list  []meanwhile
}

func (o *overtaken) text(key string, typed *string, was, is string) {
	if was == is {
		return
	}
	if *typed == was {
		*typed = is
	}
	o.list = append(o.list, meanwhile{o.words.T(key), cmp.Or(is, o.words.T("meanwhile.empty"))})
}

func (o *overtaken) flag(key string, typed *bool, was, is bool) {
	if was == is {
		return
	}
	if *typed == was {
		*typed = is
	}
	o.list = append(o.list, meanwhile{o.words.T(key), onOff(o.words, is)})
}
