package protocol

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

// oidcc-rp-initiated-logout and its modules -no-state, -bad-post-logout-redirect-uri,
// -modified-id-token-hint, -bad-id-token-hint, -no-id-token-hint, -no-params,
// -no-post-logout-redirect-uri, -only-state, -query-added-to-post-logout-redirect-uri:
// nobody is sent anywhere on any doubt, and a session ends only by its own token or by
// its person.
func TestEndSession_OIDC_RPInitiated_2(t *testing.T) { // threats 7, 8, 23, 27, 32
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, bob := h.User("ada"), h.User("bob")
		shop := h.Client("shop", plain, func(e *oidc.ClientEdit) {
			e.PostLogoutURIs = []oidc.URI{{URI: bye}, {URI: "https://shop.example/bye?a=b"}}
		})
		other := h.Client("other", plain)
		f, code := shop.Authorize(ada)
		old := f.Exchange(code) // its session is gone below
		ada.SignOut()
		f, code = other.Authorize(ada)
		elsewhere := f.Exchange(code)
		f, code = shop.Authorize(bob)
		bobs := f.Exchange(code)
		time.Sleep(3 * time.Hour) // hints are old
		const asked, done = "/logout", "/signed-out"
		for _, test := range []struct {
			name  string
			query func(hint string, tokens apptest.Tokens) []string
			want  string
		}{
			{"hint, address and state", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", bye, "state", long}
			}, bye},
			{"no state", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", bye}
			}, bye},
			{"an address with a query", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", "https://shop.example/bye?a=b", "client_id", shop.ID}
			}, "https://shop.example/bye?a=b"},
			{"no address", func(hint string, _ apptest.Tokens) []string { return []string{"id_token_hint", hint} }, done},
			{"nothing", func(string, apptest.Tokens) []string { return nil }, asked},
			{"a state alone", func(string, apptest.Tokens) []string { return []string{"state", "s"} }, asked},
			{"an address alone", func(string, apptest.Tokens) []string { return []string{"post_logout_redirect_uri", bye} }, asked},
			{"an address that is not registered", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", "https://shop.example/other"}
			}, asked},
			{"a query more", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", bye + "?foo=bar"}
			}, asked},
			{"somebody else's host", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", "https://shop.example@evil.example/"}
			}, asked},
			{"script", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "post_logout_redirect_uri", "javascript:alert(1)"}
			}, asked},
			{"alg none", func(hint string, _ apptest.Tokens) []string {
				parts := strings.Split(hint, ".")
				return []string{"id_token_hint", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", "post_logout_redirect_uri", bye}
			}, asked},
			{"a signature of nobody", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint[:len(hint)-6] + "AAAAAA", "post_logout_redirect_uri", bye}
			}, asked},
			{"an access token", func(_ string, tokens apptest.Tokens) []string {
				return []string{"id_token_hint", tokens.AccessToken, "post_logout_redirect_uri", bye}
			}, asked},
			{"another client_id", func(hint string, _ apptest.Tokens) []string {
				return []string{"id_token_hint", hint, "client_id", other.ID, "post_logout_redirect_uri", bye}
			}, asked},
			{"a client_id alone", func(string, apptest.Tokens) []string {
				return []string{"client_id", shop.ID, "post_logout_redirect_uri", bye}
			}, asked},
			{"the hint of a session that is gone", func(string, apptest.Tokens) []string {
				return []string{"id_token_hint", old.IDToken, "post_logout_redirect_uri", bye}
			}, asked},
			{"somebody else's hint", func(string, apptest.Tokens) []string {
				return []string{"id_token_hint", bobs.IDToken, "post_logout_redirect_uri", bye}
			}, asked},
			{"another application's hint for an address of ours", func(string, apptest.Tokens) []string {
				return []string{"id_token_hint", elsewhere.IDToken, "post_logout_redirect_uri", bye}
			}, asked},
		} {
			for _, method := range []string{"GET", "POST"} {
				f, code := shop.Authorize(ada, "scope", "openid")
				tokens := f.Exchange(code)
				query := form(test.query(tokens.IDToken, tokens)...)
				page := ada.Open("/api/oidc/end-session?" + query.Encode())
				if method == "POST" {
					page = ada.Post("/api/oidc/end-session", query)
				}
				if !strings.Contains(page.Header.Get("Cache-Control"), "no-store") {
					t.Errorf("%s by %s: the answer may be kept", test.name, method)
				}
				if test.want == asked || test.want == done {
					if page.Away != nil || page.URL.Path != test.want || page.Status != http.StatusOK {
						t.Errorf("%s by %s: %s", test.name, method, page)
					}
				} else if want := test.want; page.Away == nil {
					t.Errorf("%s by %s: %s", test.name, method, page)
				} else if got := page.Away.Query(); got.Get("state") != query.Get("state") || got.Has("state") != query.Has("state") || !strings.HasPrefix(page.Away.String(), want) || !query.Has("state") && page.Away.String() != want {
					t.Errorf("%s by %s: %s", test.name, method, page)
				}
				status, _ := shop.Userinfo(tokens.AccessToken)
				if inside := test.want == asked; inside != (ada.Cookie("session") != "") || inside != (status == http.StatusOK) {
					t.Errorf("%s by %s: the session goes on: %t, its token is answered %d", test.name, method, !inside, status)
				}
				if test.want != asked {
					mustBeOut(t, shop, ada)
				}
				time.Sleep(time.Minute)
			}
		}
		told(t, ada.Open(endSession("state", "a")+"&state=b"), http.StatusBadRequest)
		for _, method := range []string{"PUT", "DELETE"} {
			if a := h.Program().Ask(method, "/api/oidc/end-session", ""); a.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d", method, a.Status)
			}
		}
	})
}

// Nobody else's page can sign a person out: not by a link, not by a form to the page
// that asks, and the question cannot be framed.
func TestOtherSitesSignNobodyOut(t *testing.T) { // threats 31, 32
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		session := ada.Cookie("session")
		for name, page := range map[string]*apptest.Page{
			"a link":              ada.Open("/api/oidc/end-session"),
			"a link to the page":  ada.Open("/logout"),
			"a form":              ada.Post("/api/oidc/end-session", nil),
			"a form to the page":  ada.Post("/logout", form("request", "")),
			"a form to all pages": ada.Post("/settings/account/sessions/everywhere", nil),
		} {
			if !strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || page.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s: the page may be framed", name)
			}
			if page := ada.Open("/settings/account"); page.URL.Path != "/settings/account" || ada.Cookie("session") != session {
				t.Errorf("%s signs the person out: %s", name, page)
			}
		}
	})
}
