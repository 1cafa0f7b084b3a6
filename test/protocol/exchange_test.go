package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/fault"
	"pocketid/internal/oidc"
)

// swapped checks what an application hears that exchanges a token.
func swapped(t *testing.T, name string, got apptest.Tokens, want string) {
	t.Helper()
	status := http.StatusBadRequest
	if want == "" {
		status = http.StatusOK
	}
	if got.Status != status || got.Error != want || (want == "") != (got.AccessToken != "") {
		t.Errorf("%s: got %d %q, want %d %q", name, got.Status, got.Error, status, want)
	}
}

// RFC 8693 §2.2: what an exchange gives.
func TestATokenIsExchanged(t *testing.T) { // threats 13
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, web := h.User("ada"), h.Client("web", func(e *oidc.ClientEdit) { e.AccessTokenFor = 10 * time.Minute })
		api := h.Client("api", func(e *oidc.ClientEdit) { e.AccessTokenFor = time.Hour })
		api.MaySwap(web)
		f, code := web.Authorize(ada, "scope", "openid profile email offline_access")
		old := f.Exchange(code)
		before := claims(t, old.AccessToken)
		time.Sleep(4 * time.Minute)

		got := api.Swap(old.AccessToken)
		swapped(t, "an exchange", got, "")
		said := claims(t, got.AccessToken)
		if header(t, got.AccessToken)["typ"] != "at+jwt" || said["sub"] != ada.ID || said["client_id"] != api.ID || said["auth_time"] != before["auth_time"] ||
			said["act"] != nil || said["jti"] == before["jti"] || strings.HasPrefix(said["jti"].(string), before["jti"].(string)[:36]) {
			t.Errorf("the token says %v", said)
		}
		if got.IssuedType != apptest.TypeAccessToken || got.TokenType != "Bearer" || got.RefreshToken != "" || got.IDToken != "" {
			t.Errorf("the answer is %+v", got)
		}
		if got.Scope != "openid profile email" || said["scope"] != got.Scope {
			t.Errorf("the scope is %q", got.Scope)
		}
		if said["exp"] != before["exp"] || got.ExpiresIn != 6*60 {
			t.Errorf("it lives until %v for %d s, the other one until %v", said["exp"], got.ExpiresIn, before["exp"])
		}
		if status, who := api.Userinfo(got.AccessToken); status != http.StatusOK || who["sub"] != ada.ID || who["email"] == nil {
			t.Errorf("userinfo: %d %v", status, who)
		}

		got = api.Swap(old.AccessToken, "scope", "openid email", "requested_token_type", "urn:ietf:params:oauth:token-type:jwt",
			"subject_token_type", "urn:ietf:params:oauth:token-type:jwt", "audience", api.ID)
		swapped(t, "less", got, "")
		if got.Scope != "openid email" || got.IssuedType != "urn:ietf:params:oauth:token-type:jwt" {
			t.Errorf("less: %+v", got)
		}
		if status, _ := api.Userinfo(got.AccessToken); status != http.StatusOK {
			t.Errorf("userinfo with less: %d", status)
		}
		time.Sleep(6 * time.Minute)
		if status, _ := api.Userinfo(got.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("userinfo after the end: %d", status)
		}
		swapped(t, "a token that has run out", api.Swap(old.AccessToken), "invalid_request")
	})
}

// RFC 8693 §2.1, §2.2.2: who may exchange, and what is refused.
func TestAnExchangeIsRefused(t *testing.T) { // threats 6, 7, 8, 13
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		web, api, phone := h.Client("web"), h.Client("api"), h.Client("phone", apptest.Public)
		f, code := web.Authorize(ada, "scope", "openid email offline_access")
		tokens := f.Exchange(code)
		swapped(t, "nobody allowed it", api.Swap(tokens.AccessToken), "unauthorized_client")
		swapped(t, "nobody allowed it for one's own", web.Swap(tokens.AccessToken), "unauthorized_client")
		swapped(t, "a public client", phone.Swap(tokens.AccessToken), "unauthorized_client")
		by := audit.System("cli")
		o := h.App.OIDC
		if err := o.AllowExchange(t.Context(), by, phone.ID, web.ID); fault.Of(err).Code != oidc.ErrExchangePublic.Code {
			t.Errorf("a public client may: %v", err)
		}
		api.MaySwap(web)
		api.MaySwap(web) // once more changes nothing
		swapped(t, "now it is allowed", api.Swap(tokens.AccessToken), "")
		swapped(t, "it is not allowed the other way round", web.Swap(api.Swap(tokens.AccessToken).AccessToken), "unauthorized_client")

		other, code := phone.Authorize(ada, "scope", "openid")
		foreign := other.Exchange(code)
		swapped(t, "a token of a client that was not named", api.Swap(foreign.AccessToken), "unauthorized_client")
		parts := strings.Split(tokens.AccessToken, ".")
		for _, row := range []struct {
			name    string
			token   string
			changes []string
			want    string
		}{
			{"no token", "", nil, "invalid_request"},
			{"no type", tokens.AccessToken, []string{"subject_token_type", ""}, "invalid_request"},
			{"another type", tokens.AccessToken, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"},
			{"an ID token", tokens.IDToken, nil, "invalid_request"},
			{"an ID token as a JWT", tokens.IDToken, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"},
			{"an ID token as what it is", tokens.IDToken, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"},
			{"a refresh token", tokens.RefreshToken, nil, "invalid_request"},
			{"a token without its signature", parts[0] + "." + parts[1] + ".", nil, "invalid_request"},
			{"a token with a bent signature", parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), nil, "invalid_request"},
			{"something long", strings.Repeat("a", 20_000), nil, "invalid_request"},
			{"an actor without a type", tokens.AccessToken, []string{"actor_token", tokens.AccessToken}, "invalid_request"},
			{"a type without an actor", tokens.AccessToken, []string{"actor_token_type", apptest.TypeAccessToken}, "invalid_request"},
			{"a person as the actor", tokens.AccessToken, []string{"actor_token", tokens.AccessToken, "actor_token_type", apptest.TypeAccessToken}, "invalid_request"},
			{"a refresh token as what is wanted", tokens.AccessToken, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
			{"more scope", tokens.AccessToken, []string{"scope", "openid email profile"}, "invalid_scope"},
			{"a scope for when nobody is there", tokens.AccessToken, []string{"scope", "openid offline_access"}, "invalid_scope"},
			{"a resource that there is not", tokens.AccessToken, []string{"resource", "https://nowhere.example/"}, "invalid_target"},
			{"a resource with a fragment", tokens.AccessToken, []string{"resource", "https://nowhere.example/#a"}, "invalid_target"},
			{"a resource that is no address", tokens.AccessToken, []string{"resource", "nowhere"}, "invalid_target"},
			{"the audience of another client", tokens.AccessToken, []string{"audience", web.ID}, "invalid_target"},
		} {
			swapped(t, row.name, api.Swap(row.token, row.changes...), row.want)
		}
		if a := h.Program().Post("/api/oidc/token", apptest.SwapForm(tokens.AccessToken, "client_id", api.ID)); a.Status != 401 || a.Error() != "invalid_client" {
			t.Errorf("without a secret: %d %s", a.Status, a.Body)
		}
		// A client that was told which grants it has obeys.
		kept := h.Client("kept", func(e *oidc.ClientEdit) { e.GrantTypes = []string{"authorization_code"} })
		kept.MaySwap(web)
		swapped(t, "a client that has other grants", kept.Swap(tokens.AccessToken), "unauthorized_client")
		// How often in a row tokens are exchanged has a bound.
		api.MaySwap(api)
		token, n := tokens.AccessToken, 0
		for ; n < 10; n++ {
			got := api.Swap(token)
			if got.Status != http.StatusOK {
				swapped(t, "once too often", got, "invalid_request")
				break
			}
			token = got.AccessToken
		}
		if n != 4 {
			t.Errorf("a token is exchanged %d times in a row", n)
		}
		if status, _ := api.Userinfo(token); status != http.StatusOK {
			t.Errorf("the last of them: %d", status)
		}
	})
}

// What was exchanged ends with what it was exchanged for, and with the leave to do it.
func TestWhatWasExchangedEnds(t *testing.T) { // threats 3, 21, 62
	for _, row := range []struct {
		name string
		end  func(v *visit, api *apptest.Client)
		want string // of another exchange
	}{
		{"the person is disabled", func(v *visit, _ *apptest.Client) { v.h.Disable(v.person) }, "invalid_request"},
		{"the person leaves the group of the other client", func(v *visit, _ *apptest.Client) { v.members(v.admin.ID) }, "invalid_request"},
		{"the consent is taken back", func(v *visit, _ *apptest.Client) {
			v.deed(v.person, "/settings/account/apps/"+v.client.ID+"/revoke")
		}, "invalid_request"},
		{"the other client is deleted", func(v *visit, _ *apptest.Client) {
			v.deed(v.admin, "/settings/admin/oidc-clients/"+v.client.ID+"/delete")
		}, "invalid_request"},
		{"the person signs out everywhere", func(v *visit, _ *apptest.Client) {
			v.deed(v.person, "/settings/account/sessions/everywhere")
		}, "invalid_request"},
		{"the other grant ends", func(v *visit, _ *apptest.Client) {
			v.h.SQL(`UPDATE grants SET revoked_at = $1, revoked_reason = 'reuse' WHERE client_id = $2`, time.Now().UnixMicro(), v.client.ID)
		}, "invalid_request"},
		{"the session ends", func(v *visit, _ *apptest.Client) { v.person.SignOut() }, "invalid_request"},
		{"the person may not use the client that exchanges", func(v *visit, api *apptest.Client) {
			by := audit.System("cli")
			c, err := v.h.App.OIDC.Client(v.t.Context(), by, api.ID)
			if err != nil {
				v.t.Fatal(err)
			}
			edit := c.Edit()
			edit.GroupRestricted = true
			if _, err := v.h.App.OIDC.EditClient(v.t.Context(), by, api.ID, edit); err != nil {
				v.t.Fatal(err)
			}
		}, "invalid_request"},
		{"the leave is taken back", func(v *visit, api *apptest.Client) {
			if err := v.h.App.OIDC.ForbidExchange(v.t.Context(), audit.System("cli"), api.ID, v.client.ID); err != nil {
				v.t.Fatal(err)
			}
		}, "unauthorized_client"},
	} {
		t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
			apptest.Both(t, func(t *testing.T, h *apptest.House) {
				v := visitOf(t, h, h.SetUp(), "shop")
				api := h.Client("api")
				api.MaySwap(v.client)
				got := api.Swap(v.online.access)
				swapped(t, "before", got, "")
				if status, _ := api.Userinfo(got.AccessToken); status != http.StatusOK {
					t.Errorf("userinfo before: %d", status)
				}
				time.Sleep(time.Second)
				row.end(v, api)
				if status, _ := api.Userinfo(got.AccessToken); status != http.StatusUnauthorized {
					t.Errorf("userinfo afterwards: %d", status)
				}
				swapped(t, "afterwards", api.Swap(v.online.access), row.want)
			})
		})
	}
}

// Who exchanges whose tokens stands in the log: each permission, and that it was used.
func TestExchangesAreRecorded(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, web, api := h.User("ada"), h.Client("web"), h.Client("api")
		api.MaySwap(web)
		f, code := web.Authorize(ada, "scope", "openid")
		token := f.Exchange(code).AccessToken
		for range 3 {
			swapped(t, "an exchange", api.Swap(token), "")
		}
		by, o := audit.System("cli"), h.App.OIDC
		list, err := o.Exchanges(t.Context(), by, api.ID)
		if err != nil || len(list) != 1 || list[0].ClientID != web.ID || list[0].Name != "web" {
			t.Errorf("the list is %v, %v", list, err)
		}
		if err := o.ForbidExchange(t.Context(), by, api.ID, web.ID); err != nil {
			t.Error(err)
		}
		if err := o.ForbidExchange(t.Context(), by, api.ID, web.ID); fault.Of(err).Code != oidc.ErrNoExchange.Code {
			t.Errorf("taken back twice: %v", err)
		}
		log := strings.Join(h.Rows()["audit"], "\n")
		for _, event := range []audit.Name{audit.ExchangeAllowed, audit.TokenExchanged, audit.ExchangeForbidden} {
			if n := strings.Count(log, "event="+event.String()+" "); n != 1 {
				t.Errorf("%s is recorded %d times", event, n)
			}
		}
		if a := h.Program().Post("/api/oidc/token", url.Values{"grant_type": {apptest.GrantExchange}}, basic(api)...); a.Error() != "invalid_request" {
			t.Errorf("nothing to exchange: %s", a.Body)
		}
	})
}

// RFC 8707 §2: at an API a device and an exchange get what their client may have there for
// people, and never more than was asked for before.
func TestDevicesAndExchangesReachAPIs(t *testing.T) { // threats 13
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, tv, service := h.User("ada"), h.Client("tv"), h.Client("service")
		by, o := audit.System("cli"), h.App.OIDC
		permit := func(resource string, to map[*apptest.Client][]string) {
			t.Helper()
			a, err := o.AddAPI(t.Context(), by, resource, oidc.APIEdit{Name: resource[8:14]})
			if err == nil {
				_, err = o.SetPermissions(t.Context(), by, a.ID, []oidc.Permission{{Name: "read", Title: "Read"}, {Name: "write", Title: "Write"}, {Name: "purge", Title: "Purge"}})
			}
			for c, names := range to {
				if err == nil {
					err = o.SetAPIClient(t.Context(), by, a.ID, c.ID, oidc.APIGrant{ForUsers: true, UserPermissions: names})
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		permit("https://films.example/", map[*apptest.Client][]string{tv: {"read", "write"}})
		permit("https://store.example/", map[*apptest.Client][]string{service: {"read", "purge"}})
		service.MaySwap(tv)

		if a := tv.AskDevice("resource", "https://store.example/"); a.Status != http.StatusBadRequest || a.Error() != "invalid_target" {
			t.Errorf("a device asks for an API that is not for it: %d %s", a.Status, a.Body)
		}
		d := tv.Device("scope", "read write purge", "resource", "https://films.example/")
		question := d.Question(ada)
		for _, want := range []string{"films.", "Read", "Write"} {
			if !strings.Contains(question.Body, want) {
				t.Errorf("the question does not say %q: %s", want, question.Body[strings.Index(question.Body, "<main"):])
			}
		}
		if strings.Contains(question.Body, "Purge") || strings.Contains(question.Body, "registered itself") {
			t.Error("the question says too much")
		}
		if page := d.Answer(ada, question, "allow"); page.Status != http.StatusOK {
			t.Fatalf("ada is told: %s", page)
		}
		tokens := d.Poll()
		polled(t, "a device at an API", tokens, "")
		if said := claims(t, tokens.AccessToken); tokens.Scope != "read write" || said["aud"].([]any)[0] != "https://films.example/" {
			t.Errorf("the device gets %q for %v", tokens.Scope, said["aud"])
		}

		for _, row := range []struct {
			name    string
			changes []string
			scope   string
			want    string
		}{
			{"all that both have", []string{"resource", "https://store.example/"}, "read", ""},
			{"by the name of the audience", []string{"audience", "https://store.example/"}, "read", ""},
			{"what was asked for", []string{"resource", "https://store.example/", "scope", "read"}, "read", ""},
			{"nothing of what the client may not have", []string{"resource", "https://store.example/", "scope", "write"}, "", ""},
			{"nothing that the token has not", []string{"resource", "https://store.example/", "scope", "purge"}, "", "invalid_scope"},
			{"nothing of an API without its name", []string{"scope", "read"}, "", "invalid_scope"},
			{"no API of others", []string{"resource", "https://films.example/"}, "", "invalid_target"},
			{"one API at a time", []string{"resource", "https://store.example/", "audience", "https://films.example/"}, "", "invalid_target"},
			{"nothing at the house", nil, "", ""},
		} {
			got := service.Swap(tokens.AccessToken, row.changes...)
			swapped(t, row.name, got, row.want)
			if got.Scope != row.scope {
				t.Errorf("%s: the scope is %q", row.name, got.Scope)
			}
			if row.want != "" {
				continue
			}
			said := claims(t, got.AccessToken)
			if audience := said["aud"].([]any); row.changes != nil && (len(audience) != 1 || audience[0] != "https://store.example/") {
				t.Errorf("%s: it is for %v", row.name, audience)
			}
			if said["sub"] != ada.ID || said["client_id"] != service.ID {
				t.Errorf("%s: it says %v", row.name, said)
			}
		}
	})
}
