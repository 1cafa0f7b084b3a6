package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

func (a *API) codeOperations() []Operation {
	return []Operation{
		// No scope is for it: whoever holds a code is that account. So it takes whole keys, and
		// none for its own owner, who would come by a session that way.
		admins("POST /api/users/{id}/one-time-access-token", edge.AnyKey, "Makes a one-time code for somebody. By a session it wants a fresh confirmation by passkey for passkeys; by a key, one without scopes, and not for its owner.", a.codeMake).
			takes(codeIn{}).answers(http.StatusCreated, codeOut{}).tellsSecret(),
		admins("DELETE /api/users/{id}/one-time-access-token", "users:write", "Takes back a one-time code that nobody has used.", a.codeRevoke),
		public("POST /api/one-time-access-token/{token}", "Signs in by a one-time code, and sets the cookie of the session.", a.codeRedeem).answers(http.StatusOK, user{}).counts(edge.LimitLoginCode),
		public("GET /api/signup/setup", "Answers 204 while the first account can be made.", a.setupOpen),
		public("POST /api/signup/setup", "Makes the first account, for who shows the token that the operator has chosen.", a.setup).takes(setupIn{}).answers(http.StatusOK, user{}).counts(edge.LimitLoginCode),
	}
}

// A lifetime is a number of seconds, or a text like 15m or 1h30m.
type lifetime time.Duration

var errLifetime = fault.New(fault.Invalid, "invalid_request_body").At("ttl")

// UnmarshalJSON reads either.
func (l *lifetime) UnmarshalJSON(b []byte) error {
	text := string(b)
	if text == "null" {
		return nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		*l = lifetime(time.Duration(min(max(n, -1), 1<<31)) * time.Second)
		return nil
	}
	var s string
	if json.Unmarshal(b, &s) != nil {
		return errLifetime
	}
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil {
		return errLifetime
	}
	*l = lifetime(d)
	return nil
}

// MarshalJSON writes the text.
func (l lifetime) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(l).String()) }

// codeLife is how long a code of the API is good when nobody says.
const codeLife = 15 * time.Minute

// codeIn is what a program says of a one-time code.
type codeIn struct {
	TTL *lifetime `json:"ttl"`
}

// codeOut is a one-time code, which is told here and nowhere else.
type codeOut struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (a *API) codeMake(w http.ResponseWriter, r *http.Request) error {
	var in codeIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	ttl := codeLife
	if in.TTL != nil {
		if ttl = time.Duration(*in.TTL); ttl <= 0 {
			return signin.ErrCodeLife
		}
	}
	l, err := a.signin.MakeLinkFor(r.Context(), actor(r), r.PathValue("id"), ttl)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusCreated, codeOut{l.Code, l.ExpiresAt.UTC()})
}

func (a *API) codeRevoke(w http.ResponseWriter, r *http.Request) error {
	return nothing(w, a.signin.RevokeLinkOf(r.Context(), actor(r), r.PathValue("id")))
}

func (a *API) codeRedeem(w http.ResponseWriter, r *http.Request) error {
	l, err := a.signin.RedeemLogin(r.Context(), edge.BrowserHash(r), seen(r), r.PathValue("token"), edge.ReadCookie(r, signin.Cookie))
	if err != nil {
		return err
	}
	return a.signedIn(w, r, l)
}

// errSetUp says that there is nothing to set up.
var errSetUp = fault.New(fault.NotFound, "setup_not_available")

func (a *API) setupOpen(w http.ResponseWriter, r *http.Request) error {
	switch st, err := a.signin.SetupOpen(r.Context()); {
	case err != nil:
		return err
	case st.Done:
		return errSetUp
	case !st.Open:
		return signin.ErrSetupClosed
	}
	return nothing(w, nil)
}

// setupIn is what a program says of the first account.
type setupIn struct {
	Username    string `json:"username" doc:"required max=50"`
	Email       string `json:"email"`
	FirstName   string `json:"firstName" doc:"max=50"`
	LastName    string `json:"lastName" doc:"max=50"`
	DisplayName string `json:"displayName" doc:"max=100"`
	Locale      string `json:"locale"`
	// Token is the value of SETUP_TOKEN.
	Token string `json:"token"`
}

func (a *API) setup(w http.ResponseWriter, r *http.Request) error {
	var in setupIn
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	l, err := a.signin.SetUp(r.Context(), seen(r), in.Token, signin.Profile{Username: in.Username, Email: in.Email,
		FirstName: in.FirstName, LastName: in.LastName, DisplayName: in.DisplayName, Locale: in.Locale})
	if err != nil {
		return err
	}
	return a.signedIn(w, r, l)
}
