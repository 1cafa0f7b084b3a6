package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"regexp"
	"strings"
	"testing"

	"pocketid/internal/jose"
)

var (
	inputs  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	actions = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	scripts = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// OAuth 2.0 Form Post Response Mode §2; threats 28, 37.
func TestFormPost(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const nasty = `"><svg onload=alert(1)>'</script><script>alert(2)</script>{{.}}`
		c := h.client(ClientEdit{Name: nasty[:40], SkipConsent: true, RedirectURIs: []URI{{URI: "https://shop.example:8443/cb?a=b&c=d"}}})
		ada, b := h.user("ada"), h.browser()
		b.signIn(ada)
		for _, row := range []struct {
			change []string
			member string
			error  string
		}{
			{nil, "code", ""},
			{[]string{"prompt", "none", "max_age", "0"}, "error", "login_required"},
			{[]string{"response_type", "token"}, "error", "unsupported_response_type"},
		} {
			resp := b.authorize(c, append([]string{"response_mode", "form_post", "state", nasty}, row.change...)...)
			page := body(resp)
			if resp.StatusCode != 200 || resp.Header.Get("Location") != "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
				t.Fatalf("got %d to %q: %s", resp.StatusCode, resp.Header.Get("Location"), page)
			}
			params := map[string]string{}
			for _, m := range inputs.FindAllStringSubmatch(page, -1) {
				params[html.UnescapeString(m[1])] = html.UnescapeString(m[2])
			}
			if params["state"] != nasty || params["iss"] != testIssuer || params[row.member] == "" || params["error"] != row.error {
				t.Errorf("the form carries %v", params)
			}
			if action := actions.FindStringSubmatch(page); action == nil || html.UnescapeString(action[1]) != c.RedirectURIs[0].URI {
				t.Errorf("the form goes to %v", action)
			}
			// The one script on the page is the one that the policy lets run.
			found := scripts.FindAllStringSubmatch(page, -1)
			if len(found) != 1 {
				t.Fatalf("%d scripts in %s", len(found), page)
			}
			sum := sha256.Sum256([]byte(found[0][1]))
			policy := resp.Header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || strings.Contains(policy, "unsafe") {
				t.Errorf("the policy is %s", policy)
			}
			if !strings.Contains(policy, "form-action 'self' https://shop.example:8443") {
				t.Errorf("the policy lets no form go to the client: %s", policy)
			}
			if strings.Contains(page, "<svg") || strings.Contains(page, "alert(2)</script>") {
				t.Errorf("what came in is markup: %s", page)
			}
			if !strings.Contains(page, "<noscript><p>") || !strings.Contains(page, "<button>") {
				t.Errorf("there is no way on without scripts: %s", page)
			}
			if got := resp.Header.Get("Referrer-Policy"); got != "strict-origin" {
				t.Errorf("Referrer-Policy is %q", got)
			}
			if got := resp.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("Cache-Control is %q", got)
			}
		}
	})
}

func TestFormPostSpeaksTheLanguageOfThePerson(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{SkipConsent: true}), h.user("ada"), h.browser()
		b.signIn(ada)
		page := body(b.authorize(c, "response_mode", "form_post", "ui_locales", "zh-CN"))
		if !strings.Contains(page, `<html lang="zh-CN" dir="ltr">`) || !strings.Contains(page, "返回 Shop") {
			t.Errorf("got %s", page)
		}
	})
}

// threats 28: nothing of a request leaves its place in the Location.
func TestStateStaysInItsPlace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, b := h.client(ClientEdit{}), h.browser()
		for _, state := range []string{"a&code=evil", "a#b", "a b+c", "%0d%0aX: y", "&error=", "a;b=c", `"><svg onload=alert(1)>`} {
			params := wantError(t, b.authorize(c, "prompt", "none", "state", state), c, "login_required")
			if params.Get("state") != state || params.Has("code") || len(params["error"]) != 1 {
				t.Errorf("%q comes back as %v", state, params)
			}
		}
	})
}

// OpenID Connect Core §3.1.2.1: a hint names somebody and proves nothing.
func TestIDTokenHint(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, bob, b := h.client(ClientEdit{}), h.user("ada"), h.user("bob"), h.browser()
		hint := func(sub, typ string, more ...any) string {
			claims := map[string]any{"iss": testIssuer, "sub": sub, "aud": c.ID, "exp": 1, "iat": 0}
			for i := 0; i < len(more); i += 2 {
				claims[more[i].(string)] = more[i+1]
			}
			token, err := h.p.keys.Sign(t.Context(), jose.ES256, typ, claims)
			must(t, err)
			return token
		}
		its := hint(ada.ID, "JWT") // expired long ago
		wantError(t, b.authorize(c, "prompt", "none", "id_token_hint", its), c, "login_required")
		wantStep(t, b.authorize(c, "id_token_hint", its), "/login")
		b.consent(ada, c)
		wantCode(t, b.authorize(c, "prompt", "none", "id_token_hint", its), c)
		for name, bad := range map[string]string{
			"another person":    hint(bob.ID, "JWT"),
			"nobody":            hint("nobody", "JWT"),
			"another issuer":    hint(ada.ID, "JWT", "iss", "https://evil.example"),
			"an access token":   hint(ada.ID, "at+jwt"),
			"a changed token":   its[:len(its)-4] + "AAAA",
			"no token":          "x",
			"no algorithm":      "eyJhbGciOiJub25lIn0.e30.",
			"too many segments": its + ".x",
		} {
			params := wantError(t, b.authorize(c, "prompt", "none", "id_token_hint", bad), c, "login_required")
			if t.Failed() {
				t.Fatalf("%s: %v", name, params)
			}
		}
		// Where a person may be asked, another person may go on as who they are by choice, and
		// the client hears that it was not the one it meant.
		id := wantStep(t, b.authorize(c, "id_token_hint", hint(bob.ID, "JWT")), "/login/select")
		next, err := h.p.SelectAccount(t.Context(), b.visitor(), b.hash(), id)
		must(t, err)
		wantError(t, b.get(next), c, "login_required")
		// A hint that cannot be verified is no obstacle to somebody who can be asked.
		wantCode(t, b.authorize(c, "id_token_hint", "x"), c)
	})
}
