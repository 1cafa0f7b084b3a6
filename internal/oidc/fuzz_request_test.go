package oidc

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
)

// told fails unless err is a fault that a client may be told: of a code that OAuth knows,
// with a description in the characters of RFC 6749 §4.1.2.1.
func told(t *testing.T, err error) {
	t.Helper()
	f := fault.Of(err)
	if code, _ := edge.OAuthCode(f); code != f.Code {
		t.Fatalf("a client is told %q", f.Code)
	}
	if strings.ContainsFunc(f.Description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		t.Fatalf("a client is told %q", f.Description)
	}
}

// FuzzAuthorizationRequest: whatever comes is refused in words, or becomes a request within
// its bounds that a database gives back as it was.
func FuzzAuthorizationRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := parseTarget(form)
		if err != nil {
			return
		}
		if err := q.parseRequest(form); err != nil {
			told(t, err)
			return
		}
		if q.State != form.Get("state") || q.Nonce != form.Get("nonce") || q.RedirectURI != form.Get("redirect_uri") || form.Get("response_type") != "code" {
			t.Fatalf("%q is read as %+v", query, q)
		}
		for name, values := range form {
			if len(values) > 1 && name != "resource" {
				t.Fatalf("%s stands twice", name)
			}
		}
		if !covers(scopes, q.Scopes) || q.MaxAge != nil && (*q.MaxAge < 0 || *q.MaxAge > maxMaxAge) || q.Challenge != "" && len(q.Challenge) != challengeLen {
			t.Fatalf("out of bounds: %+v", q)
		}
		if q.asks(promptNone) && len(q.Prompt) != 1 {
			t.Fatalf("prompt is %q", q.Prompt)
		}
		if _, err := parseAddress(q.RedirectURI); q.RedirectURI != "" && err != nil {
			return // no client has it, so nothing is stored
		}
		q.IDTokenHint = "" // is not stored
		stored, err := json.Marshal(&q)
		if err != nil {
			t.Fatal(err)
		}
		var back authRequest
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(&back)
		if err != nil || string(again) != string(stored) || back.State != q.State || back.Nonce != q.Nonce || !reflect.DeepEqual(back.ACR, q.ACR) {
			t.Fatalf("%+v comes back as %+v", q, back)
		}
	})
}

// FuzzClaimsParameter: what is taken is JSON of objects within the bounds, says what
// encoding/json finds in it, and asks for nobody's consent to what is no claim.
func FuzzClaimsParameter(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseClaims(s)
		if err != nil {
			told(t, err)
			return
		}
		if s == "" {
			return
		}
		var loose map[string]any
		if err := json.Unmarshal([]byte(s), &loose); err != nil {
			t.Fatalf("%q is taken: %v", s, err)
		}
		for name, place := range map[string]map[string]*claimAsked{"userinfo": r.Userinfo, "id_token": r.IDToken} {
			asked, _ := loose[name].(map[string]any)
			if len(asked) != len(place) || len(place) > maxClaimAsked {
				t.Fatalf("%q: %d claims of %s, encoding/json finds %d", s, len(place), name, len(asked))
			}
			for claim, a := range place {
				if _, there := asked[claim]; !there || len(claim) > maxClaimName {
					t.Fatalf("%q: nobody asked for %q", s, claim)
				}
				a.takes("a value")
				a.takes(nil)
			}
		}
		if !covers(scopes, r.scopes()) || len(r.Userinfo)+len(r.IDToken) == 0 && len(r.scopes()) > 0 {
			t.Fatalf("%q needs %q", s, r.scopes())
		}
		r.values("sub")
		r.essential("acr")
	})
}

// FuzzRequestObject: of what a client signs only what is for us, of that client, in time and
// no assertion is taken, and the parameters are the members.
func FuzzRequestObject(f *testing.F) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, payload []byte) {
		form, err := parseObject(payload, "shop", "https://id.example.test", now)
		if err != nil {
			told(t, err)
			return
		}
		var loose map[string]any
		if err := json.Unmarshal(payload, &loose); err != nil {
			t.Fatalf("%q is taken: %v", payload, err)
		}
		switch aud := loose["aud"].(type) {
		case string:
			if aud != "https://id.example.test" {
				t.Fatalf("the audience is %q", aud)
			}
		case []any:
			if !slices.Contains(aud, any("https://id.example.test")) {
				t.Fatalf("the audience is %q", aud)
			}
		default:
			t.Fatalf("the audience is %v", aud)
		}
		if loose["iss"] != "shop" || loose["sub"] == "shop" || loose["request"] != nil || loose["request_uri"] != nil {
			t.Fatalf("%q is taken", payload)
		}
		if exp, has := loose["exp"].(float64); has && exp <= float64(now.Unix())-60 {
			t.Fatalf("it expired at %v", exp)
		}
		if form.Get("client_id") != "shop" || len(form["client_id"]) != 1 || form.Has("iss") || form.Has("aud") {
			t.Fatalf("the parameters are %v", form)
		}
		for name := range form {
			if _, there := loose[name]; !there && name != "client_id" {
				t.Fatalf("%s is not in %q", name, payload)
			}
			if s, is := loose[name].(string); is && name != "client_id" && form.Get(name) != s {
				t.Fatalf("%s is %q, want %q", name, form.Get(name), s)
			}
		}
		if q, err := parseTarget(form); err == nil {
			_ = q.parseRequest(form)
		}
	})
}

// FuzzRedirect: where an answer goes, net/url finds the host that was registered, or for a
// pattern one with as many labels and the same domain behind the star; loopback addresses
// differ in their port alone.
func FuzzRedirect(f *testing.F) {
	f.Fuzz(func(t *testing.T, registered, asked string, pattern bool) {
		for _, r := range []rules{{public: true}, {public: false, insecure: true}} {
			if checkURI(URI{URI: registered, Pattern: pattern}, r) != nil {
				continue
			}
			c := Client{ClientEdit: ClientEdit{RedirectURIs: []URI{{URI: registered, Pattern: pattern}}}}
			if _, err := c.redirect(asked, r); err != nil {
				continue
			}
			to, err := url.Parse(asked)
			if err != nil {
				t.Fatalf("%q is a way out that net/url refuses: %v", asked, err)
			}
			if to.User != nil || to.Fragment != "" || to.Scheme == "javascript" || to.Scheme == "data" {
				t.Fatalf("%q is a way out", asked)
			}
			if !pattern {
				from, err := url.Parse(registered)
				if err != nil || to.Scheme != from.Scheme || to.Hostname() != from.Hostname() || to.Opaque != from.Opaque || to.EscapedPath() != from.EscapedPath() || to.RawQuery != from.RawQuery {
					t.Fatalf("%q lets %q be a way out", registered, asked)
				}
				loopback := to.Scheme == "http" && (to.Hostname() == "127.0.0.1" || to.Hostname() == "::1")
				if to.Port() != from.Port() && !loopback {
					t.Fatalf("%q lets %q be a way out", registered, asked)
				}
				continue
			}
			scheme, rest, _ := strings.Cut(registered, "://")
			host, _, _ := strings.Cut(rest, "/")
			host, _, _ = strings.Cut(host, "?")
			name, _, _ := strings.Cut(host, ":")
			if strings.HasPrefix(host, "[") {
				name = host[1:strings.IndexByte(host, ']')]
			}
			_, domain, starred := strings.Cut(name, "*")
			if to.Scheme != scheme || strings.Count(to.Hostname(), ".") != strings.Count(name, ".") || starred && !strings.HasSuffix(to.Hostname(), domain) || !starred && to.Hostname() != name {
				t.Fatalf("%q lets %q be a way out", registered, asked)
			}
		}
	})
}
