package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

const (
	logoutPage    = "/logout"     // asks the person
	signedOutPage = "/signed-out" // says that it is done
	// logoutFor is how long a request to sign out waits for an answer.
	logoutFor = 10 * time.Minute
	// sealLogout is the purpose under which such a request is sealed.
	sealLogout = "logout"
)

// A logout is what can be believed of a request to sign out. Where there is any doubt
// it is the zero value: the person is asked, and nobody is sent anywhere else. It
// travels sealed through the browser to the page that asks.
type logout struct {
	// ClientID is the client that asks; "" when that is not known.
	ClientID string `json:"client"`
	// Subject and Sid are what the client calls the person and the session of the hint; both
	// are "" without a hint of ours. Tokens that were not signed in a session, or by the house
	// from which the keys were taken over, have no sid.
	Subject string `json:"sub,omitempty"`
	Sid     string `json:"sid,omitempty"`
	// Return is where the person goes afterwards: an address that the client
	// registered for it. "" is our own page.
	Return string `json:"return,omitempty"`
	State  string `json:"state,omitempty"`
	// Locales is the language that the client would like for our pages (ui_locales).
	Locales string `json:"locales,omitempty"`
	// Expires is set when the request is judged for the first time.
	Expires int64 `json:"exp"`

	client *Client // once judged
}

// EndSession is GET and POST /api/oidc/end-session (OpenID Connect RP-Initiated
// Logout §2). With a hint about this very person at the client it signs out and, when the
// client asked for that, goes back there. All else is a question to the person, because
// anybody can make a browser come here (threats 32). A logout_hint says nothing that is
// not known by then.
func (p *Provider) EndSession(w http.ResponseWriter, r *http.Request) error {
	noStore(w)
	form, err := authorizeForm(r)
	if err != nil {
		return err
	}
	if err := edge.Single(form); err != nil {
		return err
	}
	ctx := r.Context()
	l := p.openLogout(form.Get("request"))
	if !form.Has("request") {
		if l, err = p.parseLogout(ctx, form); err != nil {
			return err
		}
	}
	v, known := signin.From(ctx)
	ours := false
	err = p.db.Read(ctx, func(tx *db.Tx) (err error) {
		if err = p.judgeLogout(tx, &l); err == nil && known && l.Subject != "" {
			ours, err = p.vouches(tx, v, &l)
		}
		return err
	})
	if err != nil {
		return err
	}
	edge.Note(ctx, "client", l.ClientID)
	switch {
	case ours:
		next, err := p.signOut(ctx, v, l)
		if err != nil {
			return err
		}
		edge.SetCookie(w, r, signin.Cookie, "", -1)
		seeOther(w, next)
	case known:
		return p.continueLogout(w, logoutPage, l)
	case r.Method == http.MethodPost:
		// From another site a POST comes without cookies. The GET after it has them.
		return p.continueLogout(w, r.URL.Path, l)
	case l.Subject == "":
		seeOther(w, signedOutPage) // nobody is signed in, and nobody vouches for the address
	default:
		seeOther(w, l.location())
	}
	return nil
}

// A LogoutQuestion is what the page shows that asks whether to sign out.
type LogoutQuestion struct {
	// Client is the name of the application that asks; "" when that is not known.
	Client string
	// Return is where the person goes afterwards; "" is our own page.
	Return string
}

// LogoutQuestion is what to ask on /logout, whose query has request. One that has run
// out, was changed or was never there leaves the plain question.
func (p *Provider) LogoutQuestion(ctx context.Context, request string) (LogoutQuestion, error) {
	l := p.openLogout(request)
	if err := p.db.Read(ctx, func(tx *db.Tx) error { return p.judgeLogout(tx, &l) }); err != nil {
		return LogoutQuestion{}, err
	}
	q := LogoutQuestion{Return: l.Return}
	if l.client != nil {
		q.Client = l.client.Name
	}
	return q, nil
}

// ConfirmLogout signs v out, who was asked on /logout or asked for it, and returns where to
// go next. request is that of /logout; "" is none.
func (p *Provider) ConfirmLogout(ctx context.Context, v signin.Visitor, request string) (string, error) {
	l := p.openLogout(request)
	if err := p.db.Read(ctx, func(tx *db.Tx) error { return p.judgeLogout(tx, &l) }); err != nil {
		return "", err
	}
	return p.signOut(ctx, v, l)
}

// patience is how long somebody who signs out waits while applications are told.
const patience = 2 * time.Second

// signOut ends a session and what hangs on it in one commit, and returns where to go next.
// Its applications are being told by then, and most of them have been: the person comes
// back to one of them that knows of it.
func (p *Provider) signOut(ctx context.Context, v signin.Visitor, l logout) (string, error) {
	return p.leave(ctx, v, l, func(tx *db.Tx) ([]farewell, error) {
		if err := signin.End(tx, audit.From(ctx), v.Session.ID, "signed_out"); err != nil {
			return nil, err
		}
		revokeSessionGrants(tx, v.Session.ID)
		return endSids(tx, `session_id = $3`, v.Session.ID)
	})
}

// SignOutEverywhere ends everything that v has open, here and at applications, which hear
// of it, and returns where to go next.
func (p *Provider) SignOutEverywhere(ctx context.Context, v signin.Visitor) (string, error) {
	return p.leave(ctx, v, logout{}, func(tx *db.Tx) ([]farewell, error) {
		if err := signin.EndAll(tx, audit.From(ctx), v.User.ID, "signed_out_everywhere"); err != nil {
			return nil, err
		}
		return endSids(tx, `user_id = $3`, v.User.ID)
	})
}

// DeleteAccount deletes the account of v, and ends everything that it has open, here and at
// applications, which hear of it. It returns where to go next.
func (p *Provider) DeleteAccount(ctx context.Context, v signin.Visitor) (string, error) {
	return p.leave(ctx, v, logout{}, func(tx *db.Tx) ([]farewell, error) {
		if err := signin.DeleteAccount(tx, audit.From(ctx), v); err != nil {
			return nil, err
		}
		return endSids(tx, `user_id = $3`, v.User.ID)
	})
}

// leave does what ends v's session, waits a moment while its applications are told, and
// returns where to go next.
func (p *Provider) leave(ctx context.Context, v signin.Visitor, l logout, end func(*db.Tx) ([]farewell, error)) (string, error) {
	w := p.farewells.watch(v.Session.ID)
	defer p.farewells.forget(w)
	var next string
	telling := 0
	err := p.db.Write(ctx, func(tx *db.Tx) error {
		ended, err := end(tx)
		if err != nil {
			return err
		}
		ended = slices.DeleteFunc(ended, func(f farewell) bool { return f.Session != v.Session.ID })
		telling = 0
		for _, f := range ended {
			if f.told == toldSoon {
				telling++
			}
		}
		next, err = p.departure(tx, v.Session.ID, l, ended)
		return err
	})
	if err != nil {
		return "", err
	}
	p.farewells.wait(ctx, w, telling, patience)
	return next, nil
}

// parseLogout reads a request to sign out. What cannot be believed is no error: the
// person is asked.
func (p *Provider) parseLogout(ctx context.Context, form url.Values) (logout, error) {
	l := logout{ClientID: form.Get("client_id"), Return: form.Get("post_logout_redirect_uri"), State: form.Get("state"),
		Locales: hint(form.Get("ui_locales"), maxLocales)}
	if len(l.ClientID) > maxClientID || strings.ContainsFunc(l.ClientID, notVisible) || !isState(l.State) {
		return logout{}, nil
	}
	token := form.Get("id_token_hint")
	if token == "" {
		return l, nil
	}
	h, err := p.readHint(ctx, token)
	if err != nil && !errors.Is(err, errHint) {
		return logout{}, err
	}
	if err != nil || l.ClientID != "" && l.ClientID != h.clientID {
		return logout{}, nil
	}
	l.ClientID, l.Subject, l.Sid = h.clientID, h.subject, h.sid
	return l, nil
}

// judgeLogout looks a request up: whether there is its client, and whether that
// registered the address to return to (OpenID Connect RP-Initiated Logout §3). It is
// done again at each stop, so the answer is never older than the page.
func (p *Provider) judgeLogout(tx *db.Tx, l *logout) error {
	if l.ClientID == "" || l.Expires != 0 && tx.Now().Unix() >= l.Expires {
		*l = logout{}
		return nil
	}
	c, err := clientByID(tx, l.ClientID)
	if errors.Is(err, ErrNoClient) || err == nil && l.Return != "" && !c.returnsTo(l.Return, p.rulesOf(c)) {
		*l = logout{}
		return nil
	}
	if err != nil {
		return err
	}
	if l.client = c; l.Expires == 0 {
		l.Expires = tx.Now().Add(logoutFor).Unix()
	}
	return nil
}

// returnsTo says whether people may be sent to uri after signing out: letter by letter,
// also where the port of a redirect URI would be free.
func (c *Client) returnsTo(uri string, r rules) bool {
	a, err := parseAddress(uri)
	if err != nil || strings.Contains(a.host, "*") || a.allowed(r) != nil {
		return false
	}
	return slices.ContainsFunc(c.PostLogoutURIs, func(u URI) bool {
		return u.URI == uri && !u.Pattern || u.Pattern && u.matches(uri, a)
	})
}

// vouches says whether the hint of l is about v at this client: about them, and about a
// session of theirs that goes on there or ran out by itself. It need not be this one, for
// they may have signed in anew meanwhile; one that was ended is over (RP-Initiated Logout
// §2).
func (p *Provider) vouches(tx *db.Tx, v signin.Visitor, l *logout) (bool, error) {
	if !p.isSubject(l.client, l.Subject, v.User.ID) {
		return false, nil
	}
	if l.Sid == "" {
		return true, nil
	}
	var open bool
	err := tx.One([]any{&open}, `SELECT EXISTS (SELECT 1 FROM session_clients WHERE sid = $1 AND client_id = $2 AND user_id = $3 AND ended_at IS NULL)`,
		l.Sid, l.ClientID, v.User.ID)
	return open, err
}

// location is where a request to sign out ends.
func (l *logout) location() string {
	switch {
	case l.Return == "":
		return signedOutPage
	case l.State == "":
		return l.Return
	}
	return withQuery(l.Return, url.Values{"state": {l.State}})
}

// continueLogout sends the browser on to path with what is left of the request.
func (p *Provider) continueLogout(w http.ResponseWriter, path string, l logout) error {
	if l.ClientID != "" {
		plain, err := json.Marshal(l)
		if err != nil {
			return err
		}
		sealed, err := p.master.Seal(sealLogout, plain)
		if err != nil {
			return err
		}
		q := url.Values{"request": {base64.RawURLEncoding.EncodeToString(sealed)}}
		if l.Locales != "" {
			q.Set("ui_locales", l.Locales)
		}
		path += "?" + q.Encode()
	}
	seeOther(w, path)
	return nil
}

// openLogout is the request that continueLogout sent on; the zero value for anything
// else.
func (p *Provider) openLogout(request string) (l logout) {
	sealed, err := base64.RawURLEncoding.DecodeString(request)
	if err != nil {
		return logout{}
	}
	plain, err := p.master.Open(sealLogout, sealed)
	if err != nil || json.Unmarshal(plain, &l) != nil {
		return logout{}
	}
	return l
}
