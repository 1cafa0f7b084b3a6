package web

import (
	"net/http"

	"pocketid/internal/edge"
)

const (
	accountPath  = "/settings/account"
	passkeysPath = accountPath + "/passkeys"
	sessionsPath = accountPath + "/sessions"
)

func (x *Web) accountRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+passkeysPath+"/add", edge.SignedIn, x.passkeyAdd),
		script("POST "+passkeysPath+"/begin", edge.SignedIn, edge.LimitStepUp, x.passkeyBegin),
		script("POST "+passkeysPath+"/finish", edge.SignedIn, edge.LimitStepUp, x.passkeyFinish),
	}
}

// passkeyAddPage adds a passkey.
type passkeyAddPage struct {
	Frame
	Ceremony Ceremony
	First    bool   // there is none yet
	Later    string // where to go instead
}

// passkeyAdd comes after a fresh proof, unless this is the first passkey of an account
// that was opened by a code.
func (x *Web) passkeyAdd(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	v := visitor(r)
	target := redirectOf(r, passkeysPath)
	keys, err := x.signin.Passkeys(r.Context(), v)
	if err != nil {
		return err
	}
	first := len(keys) == 0
	if !first {
		needs, err := x.signin.NeedsStepUp(r.Context(), v, purposeOf(""))
		if err != nil {
			return err
		}
		if needs {
			return seeOther(w, withRedirect("/login/again", passkeysPath+"/add"))
		}
	}
	words := x.words(r)
	p := passkeyAddPage{
		Frame: Frame{Title: words.T("passkey_add.title"), Modules: []string{"passkey.js"}},
		Ceremony: Ceremony{Kind: "create", Begin: passkeysPath + "/begin", Finish: passkeysPath + "/finish", Redirect: target,
			Words: ceremonyWords(words)},
		First: first, Later: target,
	}
	return x.show(w, r, "passkey-add", &p)
}

func (x *Web) passkeyBegin(w http.ResponseWriter, r *http.Request) error {
	var in begun
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	c, err := x.signin.BeginAdd(r.Context(), visitor(r), edge.BrowserHash(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, c)
}

func (x *Web) passkeyFinish(w http.ResponseWriter, r *http.Request) error {
	var in answered
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	key, err := x.signin.FinishAdd(r.Context(), visitor(r), edge.BrowserHash(r), in.ID, in.Answer, seen(r))
	if err != nil {
		return err
	}
	flash(w, r, "flash.passkey_added", "name", key.Name)
	return edge.WriteJSON(w, http.StatusOK, onward{inside(in.Redirect, passkeysPath)})
}
