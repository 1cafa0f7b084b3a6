package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

// The ceremonies of WebAuthn in two requests each: a GET that answers the options and
// leaves a cookie that names the ceremony, and a POST with what the authenticator said. No
// key is taken anywhere: a key that could add a passkey would outlive its revocation.
func (a *API) webauthnOperations() []Operation {
	hint := func(o Operation) Operation {
		return o.param("hint", "", "Where the passkey is or shall be: client-device, security-key or hybrid.").counts(edge.LimitSignIn)
	}
	return []Operation{
		hint(mine("GET /api/webauthn/register/start", "", "Begins to add a passkey to your account, after a fresh confirmation by passkey for passkeys.", a.registerStart).answers(http.StatusOK, json.RawMessage{})),
		mine("POST /api/webauthn/register/finish", "", "Adds the passkey.", a.registerFinish).takes(json.RawMessage{}).answers(http.StatusOK, passkey{}).counts(edge.LimitSignIn),
		hint(public("GET /api/webauthn/login/start", "Begins to sign in by a passkey.", a.loginStart).answers(http.StatusOK, json.RawMessage{})),
		public("POST /api/webauthn/login/finish", "Signs in, and sets the cookie of the session.", a.loginFinish).takes(json.RawMessage{}).answers(http.StatusOK, user{}).counts(edge.LimitSignIn),
		mine("POST /api/webauthn/logout", "", "Ends the session that asks.", a.logout),
		mine("GET /api/webauthn/reauthenticate/start", "", "Begins to confirm by a passkey that it is you, for one purpose.", a.proveStart).answers(http.StatusOK, json.RawMessage{}).
			param("purpose", "", "What the confirmation is for: authorize, passkeys, keys or delete.").
			param("hint", "", "Where the passkey is: client-device, security-key or hybrid.").counts(edge.LimitStepUp),
		mine("POST /api/webauthn/reauthenticate", "", "Confirms it, and sets the cookie of the session anew.", a.prove).takes(json.RawMessage{}).counts(edge.LimitStepUp),
	}
}

// errNoCeremony refuses the end of what was not begun in this browser.
var errNoCeremony = fault.New(fault.Invalid, "missing_session_id")

// ceremonyCookie names the ceremony that is under way in a browser.
const ceremonyCookie = "ceremony"

// begun answers the options of a ceremony and leaves its name in the browser.
func begun(w http.ResponseWriter, r *http.Request, c signin.Ceremony) error {
	edge.SetCookie(w, r, ceremonyCookie, c.ID, time.Duration(c.ExpiresIn)*time.Second)
	return edge.WriteJSON(w, http.StatusOK, c.Options)
}

// answered is the name of the ceremony that a request ends, and the answer in its body.
func answered(w http.ResponseWriter, r *http.Request) (id string, answer json.RawMessage, err error) {
	if id = edge.ReadCookie(r, ceremonyCookie); id == "" {
		return "", nil, errNoCeremony
	}
	if err := edge.ReadJSON(r, &answer); err != nil {
		return "", nil, err
	}
	edge.SetCookie(w, r, ceremonyCookie, "", -1)
	return id, answer, nil
}

// seen is where a request comes from.
func seen(r *http.Request) signin.Seen {
	return signin.Seen{Address: edge.Address(r.Context()), UserAgent: edge.UserAgent(r.Context())}
}

// welcome gives the browser its new handle.
func welcome(w http.ResponseWriter, r *http.Request, l signin.Login) {
	edge.SetCookie(w, r, signin.Cookie, l.Handle, l.MaxAge)
}

func (a *API) registerStart(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	c, err := a.signin.BeginAdd(r.Context(), visitor(r), edge.BrowserHash(r), r.URL.Query().Get("hint"))
	if err != nil {
		return err
	}
	return begun(w, r, c)
}

func (a *API) registerFinish(w http.ResponseWriter, r *http.Request) error {
	id, answer, err := answered(w, r)
	if err != nil {
		return err
	}
	p, err := a.signin.FinishAdd(r.Context(), visitor(r), edge.BrowserHash(r), id, answer, seen(r))
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, passkeyOf(&p))
}

func (a *API) loginStart(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	c, err := a.signin.BeginSignIn(r.Context(), edge.BrowserHash(r), r.URL.Query().Get("hint"))
	if err != nil {
		return err
	}
	return begun(w, r, c)
}

func (a *API) loginFinish(w http.ResponseWriter, r *http.Request) error {
	id, answer, err := answered(w, r)
	if err != nil {
		return err
	}
	l, err := a.signin.FinishSignIn(r.Context(), edge.BrowserHash(r), seen(r), id, answer, edge.ReadCookie(r, signin.Cookie))
	if err != nil {
		return err
	}
	return a.signedIn(w, r, l)
}

// signedIn answers who is signed in now.
func (a *API) signedIn(w http.ResponseWriter, r *http.Request, l signin.Login) error {
	groups, err := a.directory.Groups(r.Context(), l.Visitor.User.ID)
	if err != nil {
		return err
	}
	welcome(w, r, l)
	return edge.WriteJSON(w, http.StatusOK, userOf(&l.Visitor.User, groups))
}

func (a *API) logout(w http.ResponseWriter, r *http.Request) error {
	if err := a.signin.SignOut(r.Context(), visitor(r)); err != nil {
		return err
	}
	edge.SetCookie(w, r, signin.Cookie, "", -1)
	return nothing(w, nil)
}

func (a *API) proveStart(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	q := r.URL.Query()
	c, err := a.signin.BeginStepUp(r.Context(), visitor(r), edge.BrowserHash(r), cmp.Or(q.Get("purpose"), signin.PurposeAuthorize), q.Get("hint"))
	if err != nil {
		return err
	}
	return begun(w, r, c)
}

func (a *API) prove(w http.ResponseWriter, r *http.Request) error {
	id, answer, err := answered(w, r)
	if err != nil {
		return err
	}
	l, err := a.signin.FinishStepUp(r.Context(), visitor(r), edge.BrowserHash(r), id, answer)
	if err != nil {
		return err
	}
	welcome(w, r, l)
	return nothing(w, nil)
}
