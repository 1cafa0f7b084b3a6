package web

import (
	"encoding/json"
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

func (x *Web) loginRoutes() []edge.Route {
	return []edge.Route{
		page("GET /login", edge.Public, x.login),
		page("POST /login", edge.Public, x.loginWithoutScript),
		page("GET /login/alternative", edge.Public, x.alternative),
		script("POST /login/begin", edge.Public, edge.LimitSignIn, x.loginBegin),
		script("POST /login/finish", edge.Public, edge.LimitSignIn, x.loginFinish),
	}
}

// ceremonyWords are what passkey.js says by itself, by the name of the error that
// navigator.credentials gives, or "network" and "timeout".
func ceremonyWords(words *i18n.Locale) map[string][2]string {
	m := map[string][2]string{}
	for _, name := range []string{"NotAllowedError", "InvalidStateError", "NotSupportedError", "SecurityError", "ConstraintError", "AbortError", "network", "other"} {
		m[name] = [2]string{words.T("passkey.error." + name + ".title"), words.T("passkey.error." + name)}
	}
	return m
}

// A Ceremony is what a form tells passkey.js.
type Ceremony struct {
	Kind          string // "get" or "create"
	Begin, Finish string // where the two halves go
	Redirect      string
	Conditional   bool // offer passkeys in the field without being asked
	Words         map[string][2]string
}

// WordsJSON is the words as the attribute carries them.
func (c Ceremony) WordsJSON() (string, error) {
	b, err := json.Marshal(c.Words)
	return string(b), err
}

// loginPage is the sign-in page, in general or to an application.
type loginPage struct {
	Frame
	Ceremony Ceremony
	Client   string // the application that is waiting; "" is none
	Hint     string // what to fill into the field
	Deny     string // the id of the request, so that the person can go back
	CodePath string
	NoScript bool // the form came without the module having run
	// Ended says that a session has ended while a form was open; what was typed is in the browser.
	Ended bool

	redirectURI string // where a refusal leads
}

// login shows the sign-in page. Whoever is signed in already goes on, so that a
// bookmark of this page leads inside.
func (x *Web) login(w http.ResponseWriter, r *http.Request) error {
	target := redirectOf(r, home)
	waiting, err := x.waiting(w, r, target)
	if err != nil {
		return err
	}
	if edge.Who(r.Context()).UserID != "" && (waiting == nil || waiting.Step != "sign-in") {
		return seeOther(w, target)
	}
	// A house without people is set up first.
	if waiting == nil {
		if gone, err := x.untilSetup(w, r); gone || err != nil {
			return err
		}
	}
	return x.showLogin(w, r, x.newLogin(r, target, waiting))
}

func (x *Web) showLogin(w http.ResponseWriter, r *http.Request, p *loginPage) error {
	if p.redirectURI != "" { // the form that declines ends there
		edge.AllowFormTo(w, p.redirectURI)
	}
	return x.show(w, r, "login", p)
}

func (x *Web) newLogin(r *http.Request, target string, waiting *oidc.Waiting) *loginPage {
	words := x.words(r)
	p := &loginPage{
		Frame: Frame{Title: words.T("login.title"), Modules: []string{"passkey.js"}},
		Ceremony: Ceremony{Kind: "get", Begin: "/login/begin", Finish: "/login/finish", Redirect: target,
			Conditional: true, Words: ceremonyWords(words)},
		CodePath: withRedirect("/lc", target), Ended: r.URL.Query().Has("ended"),
	}
	if p.Ended {
		p.Modules = append(p.Modules, "kept.js")
	}
	if waiting != nil {
		if waiting.UILocales != "" {
			p.words = i18n.For(i18n.Match(waiting.UILocales, "", edge.ReadCookie(r, localeCookie), r.Header.Get("Accept-Language")))
			p.Title, p.Ceremony.Words = p.words.T("login.title"), ceremonyWords(p.words)
		}
		p.Client, p.Hint, p.Deny = waiting.ClientName, waiting.LoginHint, waitingID(target)
		p.redirectURI, p.Look = waiting.RedirectURI, waiting.Look
		// Only a logo that an administrator chose: a stranger's tells people nothing here.
		p.Logo = p.Logo.showing(themeOf(r), waiting.Logo.Paths(waiting.ClientID))
	}
	return p
}

// loginWithoutScript answers the form of a browser in which the module did not run.
func (x *Web) loginWithoutScript(w http.ResponseWriter, r *http.Request) error {
	target := redirectOf(r, home)
	waiting, err := x.waiting(w, r, target)
	if err != nil {
		return err
	}
	p := x.newLogin(r, target, waiting)
	p.NoScript = true
	return x.showLogin(w, r, p)
}

// waiting is the request that target goes on with, or nil when target is another page.
func (x *Web) waiting(w http.ResponseWriter, r *http.Request, target string) (*oidc.Waiting, error) {
	edge.Browser(w, r)
	id := waitingID(target)
	if id == "" {
		return nil, nil
	}
	waiting, err := x.oidc.Waiting(r.Context(), edge.BrowserHash(r), id)
	if err != nil {
		return nil, err
	}
	return &waiting, nil
}

// alternative is an address that the incumbent's links know. The other ways stand on
// the sign-in page itself.
func (x *Web) alternative(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, withRedirect("/login", redirectOf(r, home)))
}

// begun is what a module sends to begin a ceremony.
type begun struct {
	Hint    string         `json:"hint"`
	Token   string         `json:"token"`
	Profile signin.Profile `json:"profile"`
}

// answered is what it sends to finish one.
type answered struct {
	ID       string          `json:"id"`
	Answer   json.RawMessage `json:"answer"`
	Redirect string          `json:"redirect"`
}

// onward tells the module where to go.
type onward struct {
	Next string `json:"next"`
}

func (x *Web) loginBegin(w http.ResponseWriter, r *http.Request) error {
	var in begun
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	c, err := x.signin.BeginSignIn(r.Context(), edge.BrowserHash(r), in.Hint)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, c)
}

func (x *Web) loginFinish(w http.ResponseWriter, r *http.Request) error {
	var in answered
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	l, err := x.signin.FinishSignIn(r.Context(), edge.BrowserHash(r), seen(r), in.ID, in.Answer, edge.ReadCookie(r, signin.Cookie))
	if err != nil {
		return err
	}
	x.welcome(w, r, l)
	offerAfter(w, r, l)
	return edge.WriteJSON(w, http.StatusOK, onward{inside(in.Redirect, home)})
}
