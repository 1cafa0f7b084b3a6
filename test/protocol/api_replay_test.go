package protocol

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// Programs written for the incumbent keep applications as they are described: they make
// them, look whether they are so, change them, give them secrets, groups and APIs, and take
// them away again, with the members that they know and no others.
func TestWhatKeepsApplicationsByDescriptionWorks(t *testing.T) { // threats 64, 65, 74
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		_, me := toolOf(t, h)
		ask := me.must
		crew := ask(201, "POST", "/api/user-groups", map[string]any{"name": "crew", "friendlyName": "Crew"}).JSON()["id"].(string)

		// A client is made with an id, read, and changed as a whole.
		made := ask(201, "POST", "/api/oidc/clients", map[string]any{"id": "grafana", "name": "Grafana", "callbackURLs": []string{"https://g.example/cb", "https://*.g.example/cb"},
			"isPublic": false, "pkceEnabled": true, "isGroupRestricted": true, "requiresPushedAuthorizationRequests": false, "credentials": map[string]any{}}).JSON()
		if made["id"] != "grafana" || len(memberAt(made, "credentials.secrets").([]any)) != 0 || made["accessTokenDurationMinutes"] != 60.0 || memberAt(made, "credentials.federatedIdentities") == nil {
			t.Errorf("made %v", made)
		}
		faulty(t, "the same id", me.ask("POST", "/api/oidc/clients", map[string]any{"id": "grafana", "name": "Again"}), 409, "client_id_already_exists")
		ask(200, "PUT", "/api/oidc/clients/grafana/allowed-user-groups", map[string]any{"userGroupIds": []string{crew}})
		// What they do not know stays, what they leave out of theirs is as it was at first.
		ask(200, "PUT", "/api/oidc/clients/grafana", map[string]any{"name": "Grafana", "isGroupRestricted": true, "pkceEnabled": true, "skipConsent": true,
			"refreshTokenIssue": "offline_access", "idTokenSigningAlg": "ES256", "greeting": "Hello", "accentColor": "teal"})
		is := ask(200, "PUT", "/api/oidc/clients/grafana", map[string]any{"name": "Grafana 2", "callbackURLs": []string{"https://g.example/cb"}, "isGroupRestricted": true, "pkceEnabled": true,
			"id": "other", "kind": "cimd", "createdBy": "me", "pkceSupported": true, "hasLogo": true, "clientType": "cimd", "allowedUserGroups": []any{}}).JSON()
		for member, want := range map[string]any{"name": "Grafana 2", "skipConsent": false, "refreshTokenIssue": "offline_access", "idTokenSigningAlg": "ES256", "greeting": "Hello",
			"accentColor": "teal", "id": "grafana", "clientType": "standard", "pkceSupported": false, "hasLogo": false, "allowedUserGroups.id": crew} {
			if got := memberAt(is, member); got != want {
				t.Errorf("after an edit that does not know of it %s is %v, want %v", member, got, want)
			}
		}
		faulty(t, "a bad address", me.ask("PUT", "/api/oidc/clients/grafana", map[string]any{"name": "Grafana", "callbackURLs": []string{"no address"}}), 400, "validation_failed")
		if a := me.ask("PUT", "/api/oidc/clients/grafana", map[string]any{"name": "Grafana", "callbackURLs": []string{"no address"}}); !strings.Contains(a.Body, `"field":"callbackURLs[0]"`) {
			t.Errorf("the fault is at %s", a.Body)
		}
		open := ask(200, "PUT", "/api/oidc/clients/grafana", map[string]any{"name": "Grafana", "pkceEnabled": true}).JSON()
		if groups := open["allowedUserGroups"].([]any); len(groups) != 0 {
			t.Errorf("a client for everybody has groups: %v", groups)
		}
		if restricted := ask(200, "PUT", "/api/oidc/clients/grafana/allowed-user-groups", map[string]any{"userGroupIds": []string{crew}}).JSON(); restricted["isGroupRestricted"] != true {
			t.Error("a client with groups is for everybody")
		}

		// Secrets: another one, by a list, away again; and as older versions did.
		first := me.program.Ask(http.MethodPost, "/api/oidc/clients/grafana/secrets", "", me.headers...).JSON()
		second := ask(201, "POST", "/api/oidc/clients/grafana/secrets", map[string]any{"secret": "chosen-by-somebody-else", "expiresAt": time.Now().Add(time.Hour)}).JSON()
		list := ask(200, "GET", "/api/oidc/clients/grafana/secrets", nil)
		if rows := list.List(); len(rows) != 2 || memberAt(rows, "prefix") == nil || memberAt(rows, "isActive") != true || strings.Contains(list.Body, first["secret"].(string)) || strings.Contains(list.Body, "chosen-by") {
			t.Errorf("the secrets are %s", list.Body)
		}
		ask(204, "DELETE", "/api/oidc/clients/grafana/secrets/"+second["id"].(string), nil)
		faulty(t, "a secret twice", me.ask("DELETE", "/api/oidc/clients/grafana/secrets/"+second["id"].(string), nil), 404, "not_found")
		old := ask(200, "POST", "/api/oidc/clients/grafana/secret", map[string]any{"secret": ""}).JSON()["secret"].(string)
		if rows := ask(200, "GET", "/api/oidc/clients/grafana/secrets", nil).List(); len(rows) != 1 || memberAt(rows, "prefix") != old[:4] {
			t.Errorf("after the one secret there are %v", rows)
		}

		// An API, its permissions, and what the client may do there.
		api := ask(201, "POST", "/api/apis", map[string]any{"name": "Orders", "resource": "https://orders.example"}).JSON()["id"].(string)
		keyed := map[string]any{"permissions": []any{map[string]any{"key": "read", "name": "Read", "description": nil}, map[string]any{"key": "write", "name": "Write", "description": "All"}}}
		permissions := ask(200, "PUT", "/api/apis/"+api+"/permissions", keyed).JSON()["permissions"].([]any)
		read := memberAt(permissions, "id").(string)
		again := ask(200, "PUT", "/api/apis/"+api+"/permissions", keyed).JSON()
		if memberAt(again, "permissions.id") != read {
			t.Error("a permission that stays has another id")
		}
		grant := ask(200, "PUT", "/api/apis/"+api+"/clients/grafana", map[string]any{"userDelegatedAccess": false, "clientAccess": true, "userDelegatedPermissionIds": []string{read}, "clientPermissionIds": []string{}}).JSON()
		if grant["userDelegatedAccess"] != true || grant["clientAccess"] != true {
			t.Errorf("granted %v", grant)
		}
		reached := ask(200, "GET", "/api/api-access/grafana/apis", nil).List()
		if memberAt(reached, "api.id") != api || memberAt(reached, "userDelegatedPermissionIds").([]any)[0] != read || memberAt(reached, "cimdGrantedAccess") != false {
			t.Errorf("reached %v", reached)
		}
		faulty(t, "a permission that there is not", me.ask("PUT", "/api/apis/"+api+"/clients/grafana", map[string]any{"clientPermissionIds": []string{crew}}), 400, "validation_failed")
		ask(200, "PUT", "/api/apis/"+api+"/clients/grafana", map[string]any{"userDelegatedAccess": false, "clientAccess": false, "userDelegatedPermissionIds": []string{}, "clientPermissionIds": []string{}})
		if rows := ask(200, "GET", "/api/api-access/grafana/apis", nil).List(); len(rows) != 0 {
			t.Errorf("taken away, and reached %v", rows)
		}
		ask(204, "DELETE", "/api/apis/"+api+"/clients/grafana", nil)
		ask(204, "DELETE", "/api/apis/"+api, nil)
		if a := me.ask("GET", "/api/apis/"+api, nil); memberAt(a.JSON(), "details.resource") != "API" {
			t.Errorf("an API that is gone: %s", a.Body)
		}

		// The settings as a whole: what comes goes back and changes nothing, and a mask is no secret.
		texts := func() map[string]string {
			all := map[string]string{}
			for _, row := range ask(200, "GET", "/api/application-configuration/all", nil).List() {
				all[memberAt(row, "key").(string)] = memberAt(row, "value").(string)
			}
			return all
		}
		set := texts()
		ask(200, "PUT", "/api/application-configuration", set)
		if now := texts(); len(now) != len(set) || now["sessionDuration"] != "60" {
			t.Errorf("what came went back, and it is %v", now)
		}
		set["smtpHost"], set["smtpPassword"], set["defaultLocale"] = "mail.example", "canary of a password", "zh-CN"
		ask(200, "PUT", "/api/application-configuration", set)
		now := texts()
		if now["smtpPassword"] != "XXXXXXXXXX" || strings.Contains(h.Log(), "canary") {
			t.Errorf("the password is %q", now["smtpPassword"])
		}
		sealed := strings.Join(h.Rows()["settings"], "")
		now["appName"] = "Home"
		delete(now, "defaultLocale") // a program that does not know of it
		ask(200, "PUT", "/api/application-configuration", now)
		if is := texts(); is["smtpPassword"] != "XXXXXXXXXX" || is["defaultLocale"] != "zh-CN" || is["appName"] != "Home" || strings.Contains(strings.Join(h.Rows()["settings"], ""), "XXXX") || sealed == "" {
			t.Errorf("the mask went back, and it is %v", is)
		}
		now["smtpHost"] = "evil.example"
		ask(200, "PUT", "/api/application-configuration", now)
		if is := texts()["smtpPassword"]; is != "" {
			t.Errorf("the server is another, and the password still %q", is)
		}
		faulty(t, "a setting that is neither", me.ask("PUT", "/api/application-configuration", map[string]string{"emailsVerified": "perhaps"}), 400, "validation_failed")

		// A logo is fetched where everybody may look, and nowhere else, by redirects neither.
		inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("an inner address was asked") }))
		defer inner.Close()
		for _, address := range []string{inner.URL + "/logo.png", "http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "file:///etc/passwd", "http://10.0.0.1/x.png"} {
			a := me.ask("PUT", "/api/oidc/clients/grafana", map[string]any{"name": "Fetched", "logoUrl": address})
			faulty(t, address, a, 422, "logo_download_failed")
			if strings.Contains(a.Body, "127.0.0.1") && !strings.Contains(address, "127.0.0.1") {
				t.Errorf("%s tells %s", address, a.Body)
			}
		}
		if name := ask(200, "GET", "/api/oidc/clients/grafana", nil).JSON()["name"]; name == "Fetched" {
			t.Error("what could not be fetched changed the client all the same")
		}
		ask(204, "DELETE", "/api/oidc/clients/grafana", nil)
		gone := me.ask("GET", "/api/oidc/clients/grafana", nil)
		if faulty(t, "a client that is gone", gone, 404, "not_found"); memberAt(gone.JSON(), "details.resource") != "OIDC client" {
			t.Errorf("it is called %s", gone.Body)
		}
		if !json.Valid([]byte(gone.Body)) {
			t.Error("no JSON")
		}
	}, "DISABLE_RATE_LIMITING=true")
}
