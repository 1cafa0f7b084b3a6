package web

import (
	"net/http"
	"time"

	"pocketid/internal/edge"
)

func (x *Web) setupRoutes() []edge.Route {
	return []edge.Route{
		page("GET /setup", edge.Public, x.setup),
		page("GET /signup/setup", edge.Public, x.setupAlternative),
		page("POST /setup", edge.Public, x.setup),
		script("POST /setup/begin", edge.Public, edge.LimitSignIn, x.setupBegin),
		script("POST /setup/finish", edge.Public, edge.LimitSignIn, x.setupFinish),
	}
}

// setupPage makes the first account.
type setupPage struct {
	Frame
	Ceremony   Ceremony
	Public     string // APP_URL, which the module compares with the address bar
	NeedsToken bool
	Open       bool
	Until      time.Time
	NoScript   bool
}

// setup is there until it was done, and then there is nothing at its address.
func (x *Web) setup(w http.ResponseWriter, r *http.Request) error {
	edge.Browser(w, r)
	state, err := x.signin.SetupOpen(r.Context())
	if err != nil {
		return err
	}
	if state.Done {
		return edge.ErrNotFound
	}
	words := x.words(r)
	p := setupPage{
		Frame: Frame{Title: words.T("setup.title"), Wide: true, Modules: []string{"passkey.js"}},
		Ceremony: Ceremony{Kind: "create", Begin: "/setup/begin", Finish: "/setup/finish", Redirect: passkeysPath,
			Words: ceremonyWords(words)},
		Public: x.public.String(), NeedsToken: state.NeedsToken, Open: state.Open, Until: state.Until,
		NoScript: r.Method == http.MethodPost,
	}
	if !p.Open {
		p.Tone, p.Seal, p.Modules = "warn", "lock", nil
		return x.render(w, r, "setup", http.StatusForbidden, &p)
	}
	return x.show(w, r, "setup", &p)
}

// setupAlternative is the address that the incumbent has for it.
func (x *Web) setupAlternative(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, "/setup")
}

func (x *Web) setupBegin(w http.ResponseWriter, r *http.Request) error {
	var in begun
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	in.Profile.Locale = x.words(r).ID
	c, err := x.signin.BeginSetup(r.Context(), edge.BrowserHash(r), in.Token, in.Profile)
	if err != nil {
		return err
	}
	return edge.WriteJSON(w, http.StatusOK, c)
}

func (x *Web) setupFinish(w http.ResponseWriter, r *http.Request) error {
	var in answered
	if err := edge.ReadJSON(r, &in); err != nil {
		return err
	}
	l, err := x.signin.FinishSetup(r.Context(), edge.BrowserHash(r), seen(r), in.ID, in.Answer)
	if err != nil {
		return err
	}
	x.welcome(w, r, l)
	flash(w, r, "flash.setup")
	return edge.WriteJSON(w, http.StatusOK, onward{passkeysPath})
}

// untilSetup sends people to set-up while there is nobody who could sign in.
func (x *Web) untilSetup(w http.ResponseWriter, r *http.Request) (bool, error) {
	state, err := x.signin.SetupOpen(r.Context())
	if err != nil || state.Done {
		return false, err
	}
	return true, seeOther(w, "/setup")
}
