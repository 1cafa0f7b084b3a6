package oidc

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/jose"
	"pocketid/internal/signin"
)

// A testClient is a client that speaks to the endpoints.
type testClient struct {
	h *house
	Client
	secret string
}

// relyingParty registers a client. Its ID tokens are signed with ES256 unless edit says
// otherwise, because RSA keys are slow to make.
func (h *house) relyingParty(edit ClientEdit) *testClient {
	h.t.Helper()
	if edit.Name == "" {
		edit.Name = "Shop"
	}
	if edit.IDTokenAlg == "" {
		edit.IDTokenAlg = jose.ES256
	}
	if edit.RedirectURIs == nil {
		edit.RedirectURIs = []URI{{URI: "https://shop.example/cb"}}
	}
	c, text, err := h.p.AddClient(h.t.Context(), admin, edit)
	must(h.t, err)
	return &testClient{h, c, text}
}

// A login is somebody with a session at a client and the consent to scopes.
type testLogin struct {
	user    directory.User
	session signin.Session
	browser *testBrowser
	sid     string
}

// login signs a new user in and lets them consent.
func (c *testClient) login(name string, scopes ...string) testLogin {
	c.h.t.Helper()
	l := testLogin{user: c.h.user(name), browser: c.h.browser()}
	return c.loginAs(l, scopes...)
}

func (c *testClient) loginAs(l testLogin, scopes ...string) testLogin {
	c.h.t.Helper()
	l.session = l.browser.signIn(l.user)
	l.sid = "sid-" + l.session.ID
	c.h.write(func(tx *db.Tx) {
		remember(tx, l.user.ID, c.ID, nil, allowance{Scopes: scopes}) // what was allowed before is replaced
		tx.Do(`INSERT INTO session_clients (session_id, client_id, sid, user_id, created_at) VALUES ($1, $2, $3, $4, $5)`,
			l.session.ID, c.ID, l.sid, l.user.ID, tx.Now().UnixMicro())
	})
	return l
}

// code is a code for l, bound as the usual request binds it.
func (c *testClient) code(l testLogin, scopes ...string) string {
	c.h.t.Helper()
	return c.codeWith(l, codeRequest{Scopes: scopes})
}

func (c *testClient) codeWith(l testLogin, r codeRequest) (code string) {
	c.h.t.Helper()
	r.pass, r.Session, r.Sid = pass{l.user, &c.Client}, l.session, l.sid
	if r.RedirectURI == "" {
		r.RedirectURI = c.RedirectURIs[0].URI
	}
	if r.Challenge == "" {
		r.Challenge = usual(c.Client).Get("code_challenge")
	}
	if r.Challenge == "none" {
		r.Challenge = ""
	}
	c.h.write(func(tx *db.Tx) { code = newCode(tx, r) })
	return code
}

// form makes a form of names and values; an empty value leaves a parameter out.
func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			f.Set(pairs[i], pairs[i+1])
		}
	}
	return f
}

// tokens is the answer of the token endpoint.
type tokens struct {
	Status      int    `json:"-"`
	Access      string `json:"access_token"`
	Type        string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	Refresh     string `json:"refresh_token"`
	ID          string `json:"id_token"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	header      http.Header
}

// do sends a request that comes from no browser.
func (h *house) do(r *http.Request) *http.Response {
	r.Host = "id.example.test"
	w := httptest.NewRecorder()
	h.web.ServeHTTP(w, r)
	return w.Result()
}

func (h *house) postForm(path string, f url.Values) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// send sends r to the token endpoint and reads the answer, which is JSON whatever it is.
func (h *house) send(r *http.Request) tokens {
	h.t.Helper()
	resp := h.do(r)
	answer := tokens{Status: resp.StatusCode, header: resp.Header}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		h.t.Errorf("the answer is %q, want JSON", got)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		h.t.Errorf("Cache-Control is %q, want no-store", got)
	}
	text := body(resp)
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		h.t.Fatalf("got %d %q: %v", resp.StatusCode, text, err)
	}
	if strings.ContainsAny(answer.Description, "\"\\") {
		h.t.Errorf("error_description has characters that it may not have: %s", answer.Description)
	}
	return answer
}

// token asks for tokens as c.
func (c *testClient) token(f url.Values) tokens {
	c.h.t.Helper()
	r := c.h.postForm("/api/oidc/token", f)
	if c.Public {
		f.Set("client_id", c.ID)
		r = c.h.postForm("/api/oidc/token", f)
	} else {
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.secret))
	}
	return c.h.send(r)
}

// redeem redeems a code with the usual parameters, changed by name and value.
func (c *testClient) redeem(code string, change ...string) tokens {
	c.h.t.Helper()
	f := form("grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURIs[0].URI, "code_verifier", testVerifier)
	for i := 0; i < len(change); i += 2 {
		if f.Set(change[i], change[i+1]); change[i+1] == "" {
			f.Del(change[i])
		}
	}
	return c.token(f)
}

func (c *testClient) refresh(token string, change ...string) tokens {
	c.h.t.Helper()
	f := form("grant_type", "refresh_token", "refresh_token", token)
	for i := 0; i < len(change); i += 2 {
		f.Set(change[i], change[i+1])
	}
	return c.token(f)
}

// ok fails unless these are tokens.
func (a tokens) ok(t testing.TB) tokens {
	t.Helper()
	if a.Status != 200 || a.Access == "" || a.Error != "" {
		t.Fatalf("got %d %s (%s), want tokens", a.Status, a.Error, a.Description)
	}
	return a
}

// fails fails unless this is an error with this code.
func (a tokens) fails(t testing.TB, status int, code string) {
	t.Helper()
	if a.Status != status || a.Error != code || a.Access != "" {
		t.Errorf("got %d %q (%s), want %d %s", a.Status, a.Error, a.Description, status, code)
	}
}

// userinfo asks for the claims of an access token.
func (h *house) userinfo(access string) (int, map[string]any) {
	h.t.Helper()
	r := httptest.NewRequest("GET", "/api/oidc/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	resp := h.do(r)
	claims := map[string]any{}
	must(h.t, json.Unmarshal([]byte(body(resp)), &claims))
	return resp.StatusCode, claims
}

// claimsOf reads a token of ours without asking whether it is good.
func claimsOf(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		plain, err := base64.RawURLEncoding.DecodeString(parts[i])
		must(t, err)
		must(t, json.Unmarshal(plain, into))
	}
	return header, claims
}
