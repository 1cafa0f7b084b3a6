package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

const registrationPath = "/settings/admin/registration"

func (x *Web) registrationRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+registrationPath, edge.Admin, x.registration),
		page("POST "+registrationPath, edge.Admin, x.registrationSave),
		page("POST "+registrationPath+"/tokens", edge.Admin, x.registrationTokenAdd),
		page("GET "+registrationPath+"/tokens/{token}/revoke", edge.Admin, x.registrationTokenRevoke),
		page("POST "+registrationPath+"/tokens/{token}/revoke", edge.Admin, x.registrationTokenRevoked),
	}
}

// registrationCard is how the settings of the page are read.
var registrationCard = cardOf("registration", "", func(f url.Values) settings.Registration {
	number := func(name string) int {
		n, err := strconv.Atoi(strings.TrimSpace(f.Get(name)))
		if err != nil {
			return 0 // which is refused, as what was typed has to be
		}
		return n
	}
	return settings.Registration{ClientRegistration: f.Get("clientRegistration"), ClientRegistrationLimit: number("clientRegistrationLimit"),
		ClientRegistrationDays: number("clientRegistrationDays"), CIMDURLAllowlist: lines(f.Get("cimdUrlAllowlist"))}
})

// registrationPage says which applications may come by themselves.
type registrationPage struct {
	Frame
	S         settings.Settings
	Shown     string // what the form showed
	Documents string // the allowed documents, one a line
	// Limit and Days are numbers as they were typed.
	Limit, Days string
	Endpoint    string // where applications register
	On          bool   // they may
	Tokens      []registrationTokenLine
	Name, Uses  string // of a token that was typed
	Expiry      int
	Expiries    []int
	Meanwhile   []meanwhile
}

// A registrationTokenLine is an initial access token in the list.
type registrationTokenLine struct {
	oidc.RegistrationToken
	Ended bool
}

// registrationExpiries are how many days an initial access token may work.
var registrationExpiries = []int{1, 7, 30, 90, 365}

func (x *Web) registration(w http.ResponseWriter, r *http.Request) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	return x.showRegistration(w, r, s, s, &registrationPage{})
}

// showRegistration shows the settings as typed, over those that are.
func (x *Web) showRegistration(w http.ResponseWriter, r *http.Request, typed, is settings.Settings, p *registrationPage) error {
	fault := p.Fault
	p.Frame = Frame{Title: x.words(r).T("registration.title"), Area: "admin", Here: "registration", Narrow: true, Fault: fault}
	p.S, p.Shown, p.Documents = typed, settings.Shown(registrationCard.card.Of(is)), strings.Join(typed.CIMDURLAllowlist, "\n")
	if p.Limit == "" {
		p.Limit = strconv.Itoa(typed.ClientRegistrationLimit)
	}
	if p.Days == "" {
		p.Days = strconv.Itoa(typed.ClientRegistrationDays)
	}
	if p.Uses == "" {
		p.Uses, p.Expiry = "1", 7
	}
	p.On, p.Endpoint, p.Expiries = is.ClientRegistration != settings.RegistrationDisabled, x.oidc.Endpoints().Registration, registrationExpiries
	all, err := x.oidc.RegistrationTokens(r.Context(), actor(r))
	if err != nil {
		return err
	}
	for _, t := range all {
		p.Tokens = append(p.Tokens, registrationTokenLine{t, t.Over(edge.Now(r.Context()))})
	}
	return x.show(w, r, "registration", p)
}

func (x *Web) registrationSave(w http.ResponseWriter, r *http.Request) error {
	return x.saveCard(w, r, registrationCard, registrationPath, func(typed, is settings.Settings, f settingsTyped) error {
		return x.showRegistration(w, r, typed, is, &registrationPage{Frame: Frame{Fault: f.problem}, Meanwhile: f.meanwhile,
			Limit: f.form.Get("clientRegistrationLimit"), Days: f.form.Get("clientRegistrationDays")})
	})
}

// registrationTokenPage shows an initial access token, once: it is the answer to the form
// that made it.
type registrationTokenPage struct {
	Frame
	Name, Token, Endpoint string
	Uses                  int
}

func (x *Web) registrationTokenAdd(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	uses, _ := strconv.Atoi(strings.TrimSpace(form.Get("uses"))) // 0 is refused
	days, ok := choice(form.Get("expires"), registrationExpiries)
	edit := oidc.RegistrationTokenEdit{Name: form.Get("name"), Uses: uses}
	if ok {
		edit.ExpiresAt = edge.Now(r.Context()).AddDate(0, 0, days)
	}
	t, text, err := x.oidc.AddRegistrationToken(r.Context(), actor(r), edit)
	if err != nil {
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		is, err := x.settings(r.Context())
		if err != nil {
			return err
		}
		return x.showRegistration(w, r, is, is, &registrationPage{Frame: Frame{Fault: problem}, Name: edit.Name, Uses: form.Get("uses"), Expiry: days})
	}
	p := registrationTokenPage{
		Frame: Frame{Title: x.words(r).T("registration_token.made.title", "name", t.Name), Area: "admin", Here: "registration", Narrow: true},
		Name:  t.Name, Token: text, Uses: t.Uses, Endpoint: x.oidc.Endpoints().Registration,
	}
	w.Header().Set("Cache-Control", "no-store")
	return x.show(w, r, "registration-token", &p)
}

// registrationRevokePage asks before an initial access token goes.
type registrationRevokePage struct {
	Frame
	Token oidc.RegistrationToken
}

func (x *Web) registrationTokenRevoke(w http.ResponseWriter, r *http.Request) error {
	all, err := x.oidc.RegistrationTokens(r.Context(), actor(r))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(t oidc.RegistrationToken) bool { return t.ID == r.PathValue("token") })
	if i < 0 {
		return oidc.ErrRegistrationTokenUnknown
	}
	p := registrationRevokePage{
		Frame: Frame{Title: x.words(r).T("registration_revoke.title", "name", all[i].Name), Area: "admin", Here: "registration", Narrow: true},
		Token: all[i],
	}
	return x.show(w, r, "registration-revoke", &p)
}

func (x *Web) registrationTokenRevoked(w http.ResponseWriter, r *http.Request) error {
	if err := x.oidc.RevokeRegistrationToken(r.Context(), actor(r), r.PathValue("token")); err != nil {
		return err
	}
	flash(w, r, "flash.registration_token_revoked")
	return seeOther(w, registrationPath+"#tokens")
}
