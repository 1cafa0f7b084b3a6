package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// A house is the provider with all below it and the edge before it.
type house struct {
	t   testing.TB
	d   *db.DB
	dir *directory.Directory
	in  *signin.SignIn
	p   *Provider
	web http.Handler
}

const testIssuer = "https://id.example.test"

var admin = audit.Actor{UserID: "the-admin", Name: "admin", Admin: true, Via: "page"}

// each runs fn on both engines, in a bubble in which time passes by sleeping.
func each(t *testing.T, fn func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			d := dbtest.OpenDSN(t, dsn)
			fn(t, newHouse(t, d))
		})
	})
}

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	master, err := secret.NewMaster([]byte("0123456789abcdef0123456789abcdef"))
	must(t, err)
	public, err := url.Parse(testIssuer)
	must(t, err)
	h := &house{t: t, d: d, dir: directory.New(d)}
	h.in, err = signin.New(signin.Config{DB: d, Directory: h.dir, Master: master, PublicURL: public})
	must(t, err)
	h.p, err = New(Config{DB: d, Directory: h.dir, SignIn: h.in, Master: master, Issuer: testIssuer, NewKey: newKeys()})
	must(t, err)
	h.web, err = edge.New(edge.Config{
		PublicURL: public, NoLimits: true, Log: slog.New(slog.DiscardHandler),
		Identify: h.identify,
		RenderError: func(w http.ResponseWriter, _ *http.Request, f *fault.Error, status int) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			io.WriteString(w, "page: "+f.Code+" client="+f.Params["client"]+" launch="+f.Params["launch"])
		},
	}, []edge.Route{
		{Pattern: "GET /authorize", Access: edge.Protocol, Surface: edge.Page, Handler: h.p.Authorize},
		{Pattern: "POST /authorize", Access: edge.Protocol, Surface: edge.Page, Handler: h.p.Authorize},
		{Pattern: "GET /authorize/next", Access: edge.Public, Surface: edge.Page, Handler: h.p.Next},
		{Pattern: "POST /api/oidc/token", Access: edge.Protocol, Surface: edge.OAuth, Handler: h.p.Token, CORS: true},
		{Pattern: "POST /api/oidc/device/authorize", Access: edge.Protocol, Surface: edge.OAuth, Handler: h.p.DeviceAuthorize, CORS: true},
		{Pattern: "POST /api/oidc/introspect", Access: edge.Protocol, Surface: edge.OAuth, Handler: h.p.Introspect},
		{Pattern: "POST /api/oidc/revoke", Access: edge.Protocol, Surface: edge.OAuth, Handler: h.p.Revoke, CORS: true},
		{Pattern: "GET /api/oidc/userinfo", Access: edge.Protocol, Surface: edge.Bearer, Handler: h.p.Userinfo, CORS: true},
		{Pattern: "POST /api/oidc/userinfo", Access: edge.Protocol, Surface: edge.Bearer, Handler: h.p.Userinfo, CORS: true},
		{Pattern: "GET /api/oidc/end-session", Access: edge.Protocol, Surface: edge.Page, Handler: h.p.EndSession},
		{Pattern: "POST /api/oidc/end-session", Access: edge.Protocol, Surface: edge.Page, Handler: h.p.EndSession},
	})
	must(t, err)
	return h
}

func (h *house) identify(w http.ResponseWriter, r *http.Request) (context.Context, edge.Identity, error) {
	handle := edge.ReadCookie(r, "session")
	if handle == "" {
		return r.Context(), edge.Identity{}, nil
	}
	v, err := h.in.Visit(r.Context(), handle, signin.Seen{})
	if errors.Is(err, signin.ErrNoSession) {
		return r.Context(), edge.Identity{}, nil
	}
	if err != nil {
		return nil, edge.Identity{}, err
	}
	by := audit.Actor{UserID: v.User.ID, Name: v.User.Username, Admin: v.User.Admin, Via: "page", SessionID: v.Session.ID}
	return audit.With(signin.With(r.Context(), v), by), edge.Identity{UserID: v.User.ID, SessionID: v.Session.ID}, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inRow runs one row of a table in a bubble, which has no subtests, and names it when it
// fails.
func inRow(t *testing.T, name string, fn func()) {
	t.Helper()
	failed := t.Failed()
	fn()
	if t.Failed() && !failed {
		t.Errorf("it %s", name)
	}
}

// wantFault fails unless err is the fault with this code at this field.
func wantFault(t testing.TB, err error, want *fault.Error, field string) {
	t.Helper()
	if got := fault.Of(err); err == nil || got.Code != want.Code || got.Field != field {
		t.Errorf("got %v at %q, want %s at %q", err, fault.Of(err).Field, want.Code, field)
	}
}

// write runs one statement after another in a transaction.
func (h *house) write(fn func(tx *db.Tx)) {
	h.t.Helper()
	must(h.t, h.d.Write(h.t.Context(), func(tx *db.Tx) error { fn(tx); return nil }))
}

// count is the answer to a SELECT count(*).
func (h *house) count(q string, args ...any) (n int) {
	h.t.Helper()
	must(h.t, h.d.Read(h.t.Context(), func(tx *db.Tx) error { return tx.One([]any{&n}, q, args...) }))
	return n
}

func (h *house) user(name string) (u directory.User) {
	h.t.Helper()
	must(h.t, h.d.Write(h.t.Context(), func(tx *db.Tx) (err error) {
		u, err = directory.AddUser(tx, audit.System("job"), directory.NewUser{Username: name, Email: name + "@example.test", FirstName: name})
		return err
	}))
	return u
}

func (h *house) client(edit ClientEdit) Client {
	h.t.Helper()
	if edit.Name == "" {
		edit.Name = "Shop"
	}
	if edit.RedirectURIs == nil {
		edit.RedirectURIs = []URI{{URI: "https://shop.example/cb"}}
	}
	c, _, err := h.p.AddClient(h.t.Context(), admin, edit)
	must(h.t, err)
	return c
}

// A testBrowser keeps cookies and follows nothing by itself.
type testBrowser struct {
	h       *house
	cookies map[string]string
}

func (h *house) browser() *testBrowser { return &testBrowser{h: h, cookies: map[string]string{}} }

// signIn opens a session by a passkey, or by a code.
func (b *testBrowser) signIn(u directory.User, amr ...string) signin.Session {
	b.h.t.Helper()
	if amr == nil {
		amr = []string{"phr", "user", "mfa"}
	}
	s := signin.Session{ID: secret.ID(), UserID: u.ID, AMR: amr, ACR: "phr"}
	handle := secret.Token()
	b.h.write(func(tx *db.Tx) {
		s.AuthTime = tx.Now()
		end := tx.Now().Add(24 * time.Hour)
		tx.Do(`INSERT INTO sessions (id, handle, user_id, auth_time, amr, acr, created_at, last_seen_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $4, $4, $7)`,
			s.ID, secret.Hash(handle), u.ID, db.Time(&s.AuthTime), db.JSON(&s.AMR), s.ACR, db.Time(&end))
	})
	b.cookies["__Host-session"] = handle
	return s
}

// reauth is a fresh passkey assertion of whoever is signed in.
func (b *testBrowser) reauth() {
	b.h.write(func(tx *db.Tx) {
		now := tx.Now()
		tx.Do(`UPDATE sessions SET auth_time = $1, amr = '["phr","user","mfa"]' WHERE handle = $2`, db.Time(&now), secret.Hash(b.cookies["__Host-session"]))
	})
}

func (b *testBrowser) signOut() { delete(b.cookies, "__Host-session") }

func (b *testBrowser) visitor() signin.Visitor {
	v, err := b.h.in.Visit(b.h.t.Context(), b.cookies["__Host-session"], signin.Seen{})
	must(b.h.t, err)
	return v
}

func (b *testBrowser) hash() []byte { return secret.Hash(b.cookies["__Host-browser"]) }

func (b *testBrowser) do(r *http.Request) *http.Response {
	r.Host = "id.example.test"
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.h.web.ServeHTTP(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return resp
}

func (b *testBrowser) get(path string) *http.Response {
	return b.do(httptest.NewRequest("GET", path, nil))
}

// authorize asks for a code with the usual parameters, changed by name and value; an
// empty value takes a parameter away.
func (b *testBrowser) authorize(c Client, change ...string) *http.Response {
	return b.get("/authorize?" + usual(c, change...).Encode())
}

const testVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func usual(c Client, change ...string) url.Values {
	sum := sha256.Sum256([]byte(testVerifier))
	form := url.Values{
		"client_id": {c.ID}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {"a state"}, "nonce": {"a nonce"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if len(c.RedirectURIs) > 0 {
		form.Set("redirect_uri", c.RedirectURIs[0].URI)
	}
	for pair := range slices.Chunk(change, 2) {
		if form.Set(pair[0], pair[1]); pair[1] == "" {
			form.Del(pair[0])
		}
	}
	return form
}

func body(resp *http.Response) string {
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// wantPage fails unless resp is the page of this fault, and leads nowhere.
func wantPage(t testing.TB, resp *http.Response, want *fault.Error) string {
	t.Helper()
	text := body(resp)
	if !strings.HasPrefix(text, "page: "+want.Code+" ") || resp.Header.Get("Location") != "" || resp.StatusCode < 400 {
		t.Errorf("got %d %q to %q, want the page of %s", resp.StatusCode, text, resp.Header.Get("Location"), want.Code)
	}
	return text
}

// wantStep fails unless resp leads to the page of this step, and returns the id of the
// stored request.
func wantStep(t testing.TB, resp *http.Response, path string) string {
	t.Helper()
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != 303 || u.Path != path {
		t.Fatalf("got %d to %q (%s), want 303 to %s", resp.StatusCode, resp.Header.Get("Location"), body(resp), path)
	}
	if id := u.Query().Get("id"); id != "" {
		return id
	}
	back, err := url.Parse(u.Query().Get("redirect"))
	if err != nil || back.Path != "/authorize/next" {
		t.Fatalf("the page comes back to %q", u.Query().Get("redirect"))
	}
	return back.Query().Get("id")
}

// wantAnswer fails unless resp takes an answer to the client; it returns the parameters.
func wantAnswer(t testing.TB, resp *http.Response, c Client) url.Values {
	t.Helper()
	location := resp.Header.Get("Location")
	if resp.StatusCode != 303 || !strings.HasPrefix(location, c.RedirectURIs[0].URI) {
		t.Fatalf("got %d to %q (%s), want an answer to the client", resp.StatusCode, location, body(resp))
	}
	u, err := url.Parse(location)
	must(t, err)
	params := u.Query()
	if params.Get("iss") != testIssuer {
		t.Errorf("iss is %q, want %q", params.Get("iss"), testIssuer)
	}
	return params
}

// wantError fails unless resp takes this error to the client.
func wantError(t testing.TB, resp *http.Response, c Client, code string) url.Values {
	t.Helper()
	params := wantAnswer(t, resp, c)
	if params.Get("error") != code || params.Has("code") {
		t.Errorf("got %v, want the error %s", params, code)
	}
	return params
}

// wantCode fails unless resp takes a code to the client.
func wantCode(t testing.TB, resp *http.Response, c Client) string {
	t.Helper()
	params := wantAnswer(t, resp, c)
	if params.Get("code") == "" || params.Has("error") {
		t.Errorf("got %v, want a code", params)
	}
	return params.Get("code")
}
