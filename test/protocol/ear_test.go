package protocol

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
)

// An ear is where an application hears that a session ended.
type ear struct {
	t  *testing.T
	h  *apptest.House
	mu sync.Mutex
	// heard are the claims of each logout token, in the order in which they came.
	heard []map[string]any
	// answer says what the n-th request gets, from 1; nil is always 200.
	answer func(w http.ResponseWriter, n int)
	asked  int
	c      *apptest.Client
}

// listens is the address of the ear at a host, for a client's edit.
func listens(host string) func(*oidc.ClientEdit) {
	return func(e *oidc.ClientEdit) { e.BackchannelLogout = "https://" + host + "/backchannel?a=b" }
}

// listen opens the ear of c at a host.
func listen(t *testing.T, h *apptest.House, c *apptest.Client, host string, answer func(w http.ResponseWriter, n int)) *ear {
	t.Helper()
	e := &ear{t: t, h: h, c: c, answer: answer}
	h.Site(host, e.hear)
	return e
}

// hear checks what the house sends as an application should (OpenID Connect
// Back-Channel Logout §2.5, §2.6).
func (e *ear) hear(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		e.t.Error(err)
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.URL.RequestURI() != "/backchannel?a=b" {
		e.t.Errorf("it hears by %s %s with %q", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	if len(r.PostForm) != 1 || len(r.PostForm["logout_token"]) != 1 {
		e.t.Errorf("it hears %v, want a logout_token and nothing else", r.PostForm)
	}
	if r.Header.Get("Authorization")+r.Header.Get("Cookie") != "" {
		e.t.Errorf("it is given %v", r.Header)
	}
	claims := logoutToken(e.t, e.h, e.c, r.PostForm.Get("logout_token"))
	e.mu.Lock()
	e.heard = append(e.heard, claims)
	e.asked++
	n := e.asked
	e.mu.Unlock()
	if r.TLS == nil || r.TLS.Version < tls.VersionTLS12 {
		e.t.Error("it is told without TLS 1.2")
	}
	w.Header().Set("Cache-Control", "no-store")
	if e.answer != nil {
		e.answer(w, n)
	}
}

// times is how often it heard something.
func (e *ear) times() int { e.mu.Lock(); defer e.mu.Unlock(); return len(e.heard) }

// sids are the sessions that it heard of, each as often as it did.
func (e *ear) sids() (sids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.heard {
		sids = append(sids, c["sid"].(string))
	}
	return sids
}

// wants fails unless it has heard of these sessions, in whatever order.
func (e *ear) wants(when string, sids ...string) {
	e.t.Helper()
	got := e.sids()
	slices.Sort(got)
	slices.Sort(sids)
	if !slices.Equal(got, sids) {
		e.t.Errorf("%s: it heard of %v, want %v", when, got, sids)
	}
}

// logoutToken checks a logout token for c and returns its claims (OpenID Connect
// Back-Channel Logout §2.4, §2.6).
func logoutToken(t *testing.T, h *apptest.House, c *apptest.Client, token string) map[string]any {
	t.Helper()
	s := &suite{t: t, h: h}
	head, payload, err := jose.Verify(token, jose.Want{Algs: oidc.KeyAlgs, Typs: []string{"logout+jwt"}, Keys: s.key})
	if err != nil {
		t.Errorf("the logout token %q: %v", token, err)
		return map[string]any{"sid": ""}
	}
	if raw := header(t, token); raw["typ"] != "logout+jwt" || head.Alg != jose.RS256 {
		t.Errorf("the header of the logout token is %v", raw)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Error(err)
	}
	now := float64(time.Now().Unix())
	iat, _ := claims["iat"].(float64)
	exp, _ := claims["exp"].(float64)
	if claims["iss"] != apptest.URL || claims["aud"] != c.ID || iat < now-10 || iat > now || exp <= now || exp > iat+120 {
		t.Errorf("the claims of the logout token are %v", claims)
	}
	if id, _ := claims["jti"].(string); len(id) < 16 {
		t.Errorf("the jti is %v", claims["jti"])
	}
	events, _ := json.Marshal(claims["events"])
	if string(events) != `{"http://schemas.openid.net/event/backchannel-logout":{}}` {
		t.Errorf("the events are %s", events)
	}
	sub, _ := claims["sub"].(string)
	sid, _ := claims["sid"].(string)
	if sub == "" || sid == "" {
		t.Errorf("the logout token names neither person nor session: %v", claims)
	}
	for name := range claims {
		if !slices.Contains(strings.Fields("iss sub aud iat exp jti events sid"), name) {
			t.Errorf("the logout token says %s", name)
		}
	}
	return claims
}

// sidOf signs p in to c and returns the sid of the session there with the tokens.
func sidOf(t *testing.T, c *apptest.Client, p *apptest.Person, changes ...string) (string, apptest.Tokens) {
	t.Helper()
	f, code := c.Authorize(p, changes...)
	tokens := f.Exchange(code)
	sid, _ := claims(t, tokens.IDToken)["sid"].(string)
	if sid == "" {
		t.Fatal("the ID token has no sid")
	}
	return sid, tokens
}

// framed are the addresses of the frames of a page.
func framed(page *apptest.Page) (frames []*url.URL) {
	for _, part := range strings.Split(page.Body, "<iframe ")[1:] {
		_, rest, _ := strings.Cut(part, `src="`)
		src, _, _ := strings.Cut(rest, `"`)
		u, err := url.Parse(strings.ReplaceAll(src, "&amp;", "&"))
		if err == nil {
			frames = append(frames, u)
		}
	}
	return frames
}
