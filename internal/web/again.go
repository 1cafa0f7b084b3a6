package web

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

func (x *Web) againRoutes() []edge.Route {
	return []edge.Route{
		page("GET /login/again", edge.SignedIn, x.again),
		page("GET /login/select", edge.SignedIn, x.selectAccount),
		page("POST /login/select", edge.SignedIn, x.accountSelected),
		page("POST /login/other", edge.SignedIn, x.otherAccount),
		script("POST /login/again/begin", edge.SignedIn, edge.LimitStepUp, x.againBegin),
		script("POST /login/again/finish", edge.SignedIn, edge.LimitStepUp, x.againFinish),
	}
}

// againPage asks somebody who is signed in to prove it once more.
type againPage struct {
	Frame
	Ceremony Ceremony
	Client   string // the application that asks for it; "" is the house
	Redirect string
	ByCode   bool // signed in with a code, which can prove nothing
	Delete   bool // it is about deleting the account
	Keys     bool // it is about API keys
	Deny     string
}

// purposeOf is what a proof is for: to go on to an application or let a device in, to
// delete the account, to make an API key, or to change passkeys.
func purposeOf(target string) string {
	if waitingID(target) != "" || target == devicePath || strings.HasPrefix(target, devicePath+"?") {
		return signin.PurposeAuthorize
	}
	if target == deletePath {
		return signin.PurposeDelete
	}
	if strings.HasPrefix(target, keysPath+"/") || strings.HasPrefix(target, servicesPath+"/") {
		return signin.PurposeKeys
	}
	return signin.PurposePasskeys
}

func (x *Web) again(w http.ResponseWriter, r *http.Request) error {
	target := redirectOf(r, home)
	waiting, err := x.waiting(w, r, target)
	if err != nil {
		return err
	}
	words, session := x.words(r), visitor(r).Session
	p := againPage{
		Frame: Frame{Title: words.T("again.title"), Seal: "shield", Modules: []string{"passkey.js", "kept.js"}},
		Ceremony: Ceremony{Kind: "get", Begin: "/login/again/begin", Finish: "/login/again/finish", Redirect: target,
			Words: ceremonyWords(words)},
		Redirect: target, ByCode: session.ByCode(), Delete: target == deletePath, Keys: purposeOf(target) == signin.PurposeKeys,
	}
	if waiting != nil {
		if waiting.Step != "reauth" {
			return seeOther(w, target)
		}
		p.Client, p.Deny = waiting.ClientName, waitingID(target)
		p.Look = waiting.Look
		edge.AllowFormTo(w, waiting.RedirectURI)
	}
	return x.show(w, r, "again", &p)
}

// againIn is what the module sends to begin: which page it is on, and where the passkey lies.
type againIn struct {
	Redirect string `json:"redirect"`
	Hint     string `json:"hint"`
}

func (x *Web) againBegin(w http.ResponseWriter, r *http.Request) error {
	var in againIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	c, err := x.signin.BeginStepUp(r.Context(), visitor(r), edge.BrowserHash(r), purposeOf(in.Redirect), in.Hint)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, c)
}

func (x *Web) againFinish(w http.ResponseWriter, r *http.Request) error {
	var in answered
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	l, err := x.signin.FinishStepUp(r.Context(), visitor(r), edge.BrowserHash(r), in.ID, in.Answer)
	if err != nil {
		return err
	}
	x.welcome(w, r, l)
	return edge.WriteJSON(w, http.StatusOK, onward{inside(in.Redirect, home)})
}

// selectPage asks with which account to go on.
type selectPage struct {
	Frame
	Client   string
	ID       string
	Redirect string
}

func (x *Web) selectAccount(w http.ResponseWriter, r *http.Request) error {
	target := redirectOf(r, home)
	waiting, err := x.waiting(w, r, target)
	if err != nil {
		return err
	}
	if waiting == nil {
		return seeOther(w, target)
	}
	p := selectPage{Frame: Frame{Title: x.words(r).T("select.title"), Seal: "users"},
		Client: waiting.ClientName, ID: waitingID(target), Redirect: target}
	edge.AllowFormTo(w, waiting.RedirectURI)
	return x.show(w, r, "select", &p)
}

// accountSelected goes on with the account that is signed in.
func (x *Web) accountSelected(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	next, err := x.oidc.SelectAccount(r.Context(), visitor(r), edge.BrowserHash(r), form.Get("id"))
	if err != nil {
		return err
	}
	return seeOther(w, next)
}

// otherAccount signs out here and asks who it is instead.
func (x *Web) otherAccount(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	if err := x.signin.SignOut(r.Context(), visitor(r)); err != nil {
		return err
	}
	edge.SetCookie(w, r, signin.Cookie, "", -1)
	return seeOther(w, withRedirect("/login", inside(form.Get("redirect"), home)))
}
