package protocol

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// Nobody registers before an administrator wants it, and with a token only those who have
// one, as often as it says.
// threats 67
func TestWhoMayRegister_RFC7591_3(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		metadata := members("redirect_uris", []string{"https://app.example/callback"})
		if a := register(t, h, metadata); a.Status != http.StatusNotFound || a.Error() != "invalid_request" {
			t.Errorf("off: %d %s", a.Status, a.Body)
		}
		if h.Program().Get("/.well-known/openid-configuration").JSON()["registration_endpoint"] != nil {
			t.Error("the endpoint is announced while it is off")
		}
		registering(t, h, settings.RegistrationWithToken)
		token, text, err := h.App.OIDC.AddRegistrationToken(t.Context(), audit.System("cli"),
			oidc.RegistrationTokenEdit{Name: "team", Uses: 2, ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		for _, headers := range [][]string{nil, {"Authorization", "Bearer x"}, {"Authorization", "Basic eDp5"}, {"Authorization", "Bearer " + text, "Authorization", "Bearer " + text}} {
			a := register(t, h, metadata, headers...)
			if a.Status != http.StatusUnauthorized || a.Error() != "invalid_token" || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%q: %d %v %s", headers, a.Status, a.Header, a.Body)
			}
		}
		if a := register(t, h, members("redirect_uris", []string{"http://app.example/"}), "Authorization", "Bearer "+text); a.Status != 400 {
			t.Errorf("a bad client: %d %s", a.Status, a.Body) // which uses nothing up
		}
		for i, want := range []int{201, 201, 401} {
			if a := register(t, h, metadata, "Authorization", "Bearer "+text); a.Status != want {
				t.Errorf("use %d: %d %s", i, a.Status, a.Body)
			}
		}
		if err := h.App.OIDC.RevokeRegistrationToken(t.Context(), audit.System("cli"), token.ID); err != nil {
			t.Fatal(err)
		}
		_, text, err = h.App.OIDC.AddRegistrationToken(t.Context(), audit.System("cli"),
			oidc.RegistrationTokenEdit{Name: "short", Uses: 2, ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if a := register(t, h, metadata, "Authorization", "Bearer "+text); a.Status != 401 {
			t.Errorf("expired: %d %s", a.Status, a.Body)
		}
		registering(t, h, settings.RegistrationOpen)
		if a := register(t, h, metadata); a.Status != 201 {
			t.Errorf("open: %d %s", a.Status, a.Body)
		}
		if got := h.Program().Get("/.well-known/openid-configuration").JSON()["registration_endpoint"]; got != apptest.URL+pathRegister {
			t.Errorf("the endpoint is announced as %v", got)
		}
	})
}

// What a client says of itself is kept and told again, what is not said has its default,
// and what nobody knows is left out (RFC 7591 §3.2.1).
func TestRegistrationIsKept_RFC7591_2(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		registering(t, h, settings.RegistrationOpen)
		usual := registeredAs(t, h)
		for name, want := range map[string]string{
			"token_endpoint_auth_method": "client_secret_basic", "grant_types": "[authorization_code]", "response_types": "[code]",
			"application_type": "web", "id_token_signed_response_alg": "RS256", "subject_type": "public", "client_secret_expires_at": "0",
		} {
			if got := fmt.Sprint(usual.Said[name]); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		sent := members(
			"redirect_uris", []any{"https://app.example/callback", "https://app.example/other?x=1", "com.example.app:/callback", "http://127.0.0.1/callback"},
			"grant_types", []any{"authorization_code", "refresh_token"}, "response_types", []any{"code"},
			"token_endpoint_auth_method", "client_secret_post", "application_type", "native", "client_name", "Ledger",
			"client_uri", "https://app.example/", "logo_uri", "https://app.example/logo.png", "policy_uri", "https://app.example/privacy",
			"tos_uri", "https://app.example/terms", "contacts", []any{"ops@app.example"}, "id_token_signed_response_alg", "ES256",
			"userinfo_signed_response_alg", "RS256", "subject_type", "public", "default_max_age", 3600.0, "require_auth_time", true,
			"default_acr_values", []any{"phr"}, "initiate_login_uri", "https://app.example/login",
			"post_logout_redirect_uris", []any{"https://app.example/bye"}, "require_pushed_authorization_requests", true,
			"backchannel_logout_uri", "https://app.example/out", "backchannel_logout_session_required", true,
			"frontchannel_logout_uri", "https://app.example/frame", "frontchannel_logout_session_required", true,
			"software_id", "ledger", "software_version", "1.2")
		more := members("client_name#ja", "台帳", "client_id", "mine", "of_tomorrow", 1, "tls_client_auth_subject_dn", "x")
		all := []any{}
		for _, m := range []map[string]any{sent, more} {
			for name, value := range m {
				all = append(all, name, value)
			}
		}
		c := registeredAs(t, h, all...)
		read := c.ask("GET", c.Token, nil)
		if read.Status != 200 {
			t.Fatalf("reading it: %d %s", read.Status, read.Body)
		}
		for name, want := range sent {
			if got := c.Said[name]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
			if got := read.JSON()[name]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("read again, %s is %v, want %v", name, got, want)
			}
		}
		for name := range more {
			if name != "client_id" && c.Said[name] != nil {
				t.Errorf("%s is returned as if it were understood", name)
			}
		}
		if c.ID == "mine" || strings.HasPrefix(c.ID, "http") {
			t.Errorf("the id is %s", c.ID)
		}
		public := registeredAs(t, h, "token_endpoint_auth_method", "none")
		if public.Secret != "" {
			t.Error("a public client has a secret")
		}
	})
}

// What is refused is told by the codes of RFC 7591 §3.2.2, with the member at fault.
// threats 67
func TestRegistrationRefuses_RFC7591_3_2_2(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		registering(t, h, settings.RegistrationOpen)
		uri := func(uris ...any) []any { return uris }
		many := uri()
		for i := range 21 {
			many = append(many, fmt.Sprintf("https://app.example/%d", i))
		}
		for _, tt := range []struct {
			it     string
			member string
			value  any
			want   string
		}{
			{"refuses a redirect URI with a fragment", "redirect_uris", uri("https://app.example/callback#x"), "invalid_redirect_uri"},
			{"refuses one of http", "redirect_uris", uri("http://app.example/callback"), "invalid_redirect_uri"},
			{"refuses one that runs code", "redirect_uris", uri("javascript:alert(1)"), "invalid_redirect_uri"},
			{"refuses a private scheme without a dot", "redirect_uris", uri("ledger:/callback"), "invalid_redirect_uri"},
			{"refuses a pattern", "redirect_uris", uri("https://*.app.example/callback"), "invalid_redirect_uri"},
			{"refuses dot segments", "redirect_uris", uri("https://app.example/a/../b"), "invalid_redirect_uri"},
			{"refuses too many", "redirect_uris", many, "invalid_redirect_uri"},
			{"refuses none at all", "redirect_uris", uri(), "invalid_redirect_uri"},
			{"refuses one twice", "redirect_uris", uri("https://app.example/", "https://app.example/"), "invalid_redirect_uri"},
			{"refuses what is no list", "redirect_uris", "https://app.example/", "invalid_client_metadata"},
			{"refuses the implicit flow", "response_types", uri("id_token"), "invalid_client_metadata"},
			{"refuses machines", "grant_types", uri("client_credentials"), "invalid_client_metadata"},
			{"refuses passwords", "grant_types", uri("password"), "invalid_client_metadata"},
			{"refuses the exchange of tokens", "grant_types", uri("urn:ietf:params:oauth:grant-type:token-exchange"), "invalid_client_metadata"},
			{"refuses secrets that sign", "token_endpoint_auth_method", "client_secret_jwt", "invalid_client_metadata"},
			{"refuses certificates", "token_endpoint_auth_method", "tls_client_auth", "invalid_client_metadata"},
			{"refuses assertions without keys", "token_endpoint_auth_method", "private_key_jwt", "invalid_client_metadata"},
			{"refuses tokens without a signature", "id_token_signed_response_alg", "none", "invalid_client_metadata"},
			{"refuses tokens signed by the secret", "id_token_signed_response_alg", "HS256", "invalid_client_metadata"},
			{"refuses userinfo signed by what we have not", "userinfo_signed_response_alg", "PS512", "invalid_client_metadata"},
			{"refuses encryption", "id_token_encrypted_response_alg", "RSA-OAEP", "invalid_client_metadata"},
			{"refuses a login address of http", "initiate_login_uri", "http://app.example/login", "invalid_client_metadata"},
			{"refuses a logo of http", "logo_uri", "http://app.example/logo.png", "invalid_client_metadata"},
			{"refuses a policy that runs code", "policy_uri", "javascript:alert(1)", "invalid_client_metadata"},
			{"refuses terms on a name drawn in other letters", "tos_uri", "https://xn--80ak6aa92e.com/", "invalid_client_metadata"},
			{"refuses a site on a bare address", "client_uri", "https://[2001:db8::1]/", "invalid_client_metadata"},
			{"refuses an unknown kind of subject", "subject_type", "private", "invalid_client_metadata"},
			{"refuses a negative age", "default_max_age", -1, "invalid_client_metadata"},
			{"refuses an age that is no number", "default_max_age", "soon", "invalid_client_metadata"},
			{"refuses an unknown kind of application", "application_type", "toaster", "invalid_client_metadata"},
			{"refuses a statement of others", "software_statement", "e30.e30.e30", "invalid_software_statement"},
			{"refuses a name that is no text", "client_name", "a\nb", "invalid_client_metadata"},
			{"refuses many contacts", "contacts", uri("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"), "invalid_client_metadata"},
			{"refuses back-channel logout by http", "backchannel_logout_uri", "http://app.example/out", "invalid_client_metadata"},
			{"refuses keys of http", "jwks_uri", "http://app.example/keys", "invalid_client_metadata"},
		} {
			a := register(t, h, func() map[string]any {
				m := members("redirect_uris", uri("https://app.example/callback"))
				m[tt.member] = tt.value
				return m
			}())
			if a.Status != http.StatusBadRequest || a.Error() != tt.want {
				t.Errorf("it %s: %d %s", tt.it, a.Status, a.Body)
			}
			if description, _ := a.JSON()["error_description"].(string); !strings.Contains(description, tt.member) && tt.it != "refuses a statement of others" && !strings.Contains(description, strings.TrimSuffix(tt.member, "_")) {
				t.Errorf("it %s, and says %q, which does not name %s", tt.it, description, tt.member)
			}
			time.Sleep(2 * time.Minute) // the network may ask a hundred times an hour
		}
		for _, body := range []string{"", "[]", "null", "{", `{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`, `"x"`, strings.Repeat("[", 5000)} {
			a := h.Program().Ask("POST", pathRegister, body, "Content-Type", "application/json")
			if a.Status != 400 || a.Error() != "invalid_client_metadata" {
				t.Errorf("%.40q: %d %s", body, a.Status, a.Body)
			}
		}
		if a := h.Program().Ask("POST", pathRegister, "{}", "Content-Type", "text/plain"); a.Status != 400 {
			t.Errorf("not JSON: %d %s", a.Status, a.Body)
		}
	})
}

// A client looks after itself with its token, and nobody else does (RFC 7592).
// threats 67
func TestClientsLookAfterThemselves_RFC7592(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		registering(t, h, settings.RegistrationOpen)
		ada := h.User("ada")
		c, other := registeredAs(t, h, "grant_types", []string{"authorization_code", "refresh_token"}), registeredAs(t, h)
		for _, token := range []string{"", "x", other.Token, c.Secret} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				a := c.ask(method, token, members("client_id", c.ID, "redirect_uris", []string{"https://evil.example/"}))
				if a.Status != 401 || a.Error() != "invalid_token" {
					t.Errorf("%s with the token %.5q: %d %s", method, token, a.Status, a.Body)
				}
			}
		}
		rewrite := func(pairs ...any) *apptest.Answer {
			body := members("client_id", c.ID, "redirect_uris", []string{"https://suite.example/callback"}, "client_name", "suite",
				"grant_types", []string{"authorization_code", "refresh_token"})
			for name, value := range members(pairs...) {
				body[name] = value
			}
			return c.ask("PUT", c.Token, body)
		}
		for _, tt := range []struct {
			it     string
			member string
			value  any
		}{
			{"refuses another id", "client_id", other.ID}, {"refuses no id", "client_id", ""},
			{"refuses a token", "registration_access_token", c.Token}, {"refuses an address", "registration_client_uri", c.URI},
			{"refuses the end of a secret", "client_secret_expires_at", 0}, {"refuses the birth of an id", "client_id_issued_at", 1},
			{"refuses a secret of its own choice", "client_secret", "chosen by a stranger"},
		} {
			if a := rewrite(tt.member, tt.value); a.Status != 400 || a.Error() != "invalid_client_metadata" {
				t.Errorf("it %s: %d %s", tt.it, a.Status, a.Body)
			}
		}

		// What an administrator set stays, what the client no longer says has its default.
		edit, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		limited := edit.Edit()
		limited.AccessTokenFor, limited.GroupRestricted, limited.SkipConsent = 5*time.Minute, true, true
		if _, err := h.App.OIDC.EditClient(t.Context(), audit.System("cli"), c.ID, limited); err != nil {
			t.Fatal(err)
		}
		if a := rewrite("client_name", "renamed", "client_secret", c.Secret, "policy_uri", "https://suite.example/privacy"); a.Status != 200 ||
			a.JSON()["client_name"] != "renamed" || a.JSON()["registration_access_token"] != c.Token {
			t.Errorf("changing it: %d %s", a.Status, a.Body)
		}
		if a := rewrite(); a.JSON()["policy_uri"] != nil {
			t.Errorf("what was left out stays: %s", a.Body)
		}
		is, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), c.ID)
		if err != nil || is.AccessTokenFor != 5*time.Minute || !is.GroupRestricted {
			t.Errorf("what the administrator set is %v %v, %v", is.AccessTokenFor, is.GroupRestricted, err)
		}
		limited.GroupRestricted = false
		if _, err := h.App.OIDC.EditClient(t.Context(), audit.System("cli"), c.ID, limited); err != nil {
			t.Fatal(err)
		}

		// People are asked although the administrator spares them that, with the host; and
		// again when answers go elsewhere.
		if page := ada.Open(c.Begin(withoutPKCE...).URL()); page.URL.Path != "/login" {
			t.Fatalf("got %s", page)
		}
		f := c.Begin(append([]string{"scope", "openid"}, withoutPKCE...)...)
		if page := f.By(ada); page.Away == nil {
			t.Fatalf("got %s", page)
		}
		if page := ada.Open(c.Begin(append([]string{"scope", "openid email"}, withoutPKCE...)...).URL()); page.URL.Path != "/consent" || !strings.Contains(page.Body, "registered itself") {
			t.Errorf("a scope more is not asked for: %s", page)
		}
		tokens := f.Exchange(f.Answer.Get("code"))
		if a := rewrite("redirect_uris", []string{"https://suite.example/callback", "https://evil.example/"}); a.Status != 200 {
			t.Fatalf("got %d %s", a.Status, a.Body)
		}
		if page := ada.Open(c.Begin(append([]string{"scope", "openid"}, withoutPKCE...)...).URL()); page.URL.Path != "/consent" {
			t.Errorf("the consent outlives the address it was given for: %s", page)
		}

		// When registration is off a client may be read and deleted, and not changed.
		registering(t, h, settings.RegistrationDisabled)
		if a := rewrite("client_name", "again"); a.Status != 400 || a.Error() != "access_denied" {
			t.Errorf("changed while registration is off: %d %s", a.Status, a.Body)
		}
		if a := c.ask("GET", c.Token, nil); a.Status != 200 {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
		if a := c.ask("DELETE", c.Token, nil); a.Status != 204 || a.Body != "" {
			t.Errorf("deleting: %d %s", a.Status, a.Body)
		}
		if status, _ := c.Userinfo(tokens.AccessToken); status != 401 {
			t.Errorf("an access token lives on: %d", status)
		}
		if got := c.Refresh(tokens.RefreshToken); got.Status < 400 {
			t.Errorf("a refresh token lives on: %+v", got)
		}
		if page := ada.Open(c.Begin(withoutPKCE...).URL()); page.Status != 400 || page.Away != nil {
			t.Errorf("the client lives on: %s", page)
		}
		if a := c.ask("GET", c.Token, nil); a.Status != 401 {
			t.Errorf("its token lives on: %d %s", a.Status, a.Body)
		}
	})
}

// However many come, there are no more of them than the settings allow, and no network
// asks without end.
// threats 67
func TestRegistrationsHaveQuotas(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		registering(t, h, settings.RegistrationOpen, func(c *settings.Registration) { c.ClientRegistrationLimit = 2 })
		metadata := members("redirect_uris", []string{"https://app.example/callback"})
		first := registeredAs(t, h)
		registeredAs(t, h)
		if a := register(t, h, metadata); a.Status != 429 || a.Error() != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d %v %s", a.Status, a.Header, a.Body)
		}
		if a := first.ask("DELETE", first.Token, nil); a.Status != 204 {
			t.Fatal(a.Body)
		}
		registeredAs(t, h)

		registering(t, h, settings.RegistrationOpen)
		program, full := h.Program(), 0
		for range 150 {
			a := program.Ask("POST", pathRegister, "{}", "Content-Type", "application/json")
			if a.Status == 429 {
				full++
			}
			time.Sleep(time.Second)
		}
		if full != 50 {
			t.Errorf("%d of 150 requests were refused, want 50", full)
		}
		if a := register(t, h, metadata); a.Status != 201 {
			t.Errorf("another network waits too: %d %s", a.Status, a.Body)
		}
	})
}

// Clients that nobody uses go, those in use stay, and so do those of administrators.
// threats 67
func TestUnusedRegistrationsExpire(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		registering(t, h, settings.RegistrationOpen, func(c *settings.Registration) { c.ClientRegistrationDays = 3 })
		ada, ours := h.User("ada"), h.Client("shop")
		unused, used := registeredAs(t, h), registeredAs(t, h)
		time.Sleep(2 * 24 * time.Hour)
		if page := used.Begin(withoutPKCE...).By(ada); page.Away == nil {
			t.Fatalf("got %s", page)
		}
		time.Sleep(2 * 24 * time.Hour)
		registeredAs(t, h) // a commit, which wakes the jobs
		time.Sleep(time.Hour)
		h.Settle()
		for _, tt := range []struct {
			name, id string
			there    bool
		}{{"unused", unused.ID, false}, {"used", used.ID, true}, {"of an administrator", ours.ID, true}} {
			if _, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), tt.id); (err == nil) != tt.there {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	})
}
