package protocol

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// What the community's tools send, in the order in which they send it: a provider that
// declares users and groups, and an operator that leaves out what is false or empty.
func TestToolsOfTheCommunity(t *testing.T) { // threats 58, 65
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin, tool := toolOf(t, h)
		must := tool.must
		must(200, "GET", "/api/version/current", nil)
		must(200, "GET", "/api/users?search=grace", nil)
		made := must(201, "POST", "/api/users", map[string]any{"username": "grace", "email": "grace@example.test", "firstName": "Grace", "lastName": "Hopper",
			"displayName": "Grace Hopper", "isAdmin": true, "disabled": false, "locale": nil}).JSON()
		user := "/api/users/" + made["id"].(string)
		if got := must(200, "GET", user, nil).JSON(); !reflect.DeepEqual(got, made) {
			t.Errorf("read\n%v\nmade\n%v", got, made)
		}
		must(200, "PUT", user, map[string]any{"username": "grace", "email": "grace@example.test", "emailVerified": true, "firstName": "Grace"})
		// What is left out is false or empty, but for what a tool may not know of.
		left := must(200, "PUT", user, map[string]any{"username": "grace", "email": "grace@example.test", "firstName": "Grace"}).JSON()
		if left["isAdmin"] != false || left["lastName"] != nil || left["emailVerified"] != true {
			t.Errorf("what is left out: %v", left)
		}
		// What GET answers can be sent back, with all that nobody may write, and changes nothing.
		is := must(200, "GET", user, nil).JSON()
		is["ldapId"], is["createdAt"], is["kind"], is["deletedAt"] = "cn=evil", "2001-01-01T00:00:00Z", "service", "2001-01-01T00:00:00Z"
		must(200, "PUT", user, is)
		if got := must(200, "GET", user, nil).JSON(); !reflect.DeepEqual(got, left) {
			t.Errorf("sent back, it is\n%v\nand was\n%v", got, left)
		}

		group := must(201, "POST", "/api/user-groups", map[string]any{"name": "navy", "friendlyName": "Navy"}).JSON()
		at := "/api/user-groups/" + group["id"].(string)
		must(200, "PUT", at, map[string]any{"name": "navy", "friendlyName": "The navy"})
		members := must(200, "PUT", at+"/users", map[string]any{"userIds": []any{made["id"]}}).JSON()["users"].([]any)
		if len(members) != 1 || members[0].(map[string]any)["id"] != made["id"] {
			t.Errorf("the members are %v", members)
		}
		faulty(t, "members that were forgotten", tool.ask("PUT", at+"/users", map[string]any{}), 400, "invalid_request_body")
		must(200, "PUT", user+"/user-groups", map[string]any{"userGroupIds": []string{}})
		if got := must(200, "GET", at, nil).JSON()["userCount"]; got != 0.0 {
			t.Errorf("%v members", got)
		}

		// Claims come back as they were written, and stay what they are when they are sent back.
		written := []map[string]string{{"key": "a", "value": "7"}, {"key": "b", "value": `"7"`}, {"key": "c", "value": `{ "x": [1, true] }`}, {"key": "d", "value": "plain"},
			{"key": "e", "value": `"quoted"`}, {"key": "f", "value": "1.50"}, {"key": "g", "value": "12345678901234567890"}, {"key": "h", "value": ""}}
		for _, of := range []string{"/api/custom-claims/user/" + made["id"].(string), "/api/custom-claims/user-group/" + group["id"].(string)} {
			for range 2 {
				a := tool.ask("PUT", of, written)
				for _, c := range written {
					if !strings.Contains(a.Body, `"key":"`+c["key"]+`","value":`+quoted(t, c["value"])) {
						t.Errorf("%s: %s is not in %s", of, c["value"], a.Body)
					}
				}
			}
			faulty(t, "two of a name", tool.ask("PUT", of, []map[string]string{{"key": "a", "value": "1"}, {"key": "a", "value": "2"}}), 400, "duplicate_claim")
			faulty(t, "a name of the house", tool.ask("PUT", of, []map[string]string{{"key": "sub", "value": "1"}}), 400, "reserved_claim")
		}
		if got := recorded(h, "user.claims_edited"); len(got) != 1 {
			t.Errorf("the claims were changed %d times", len(got))
		}

		// A code for somebody else opens their session, without any cookie before.
		token := must(201, "POST", user+"/one-time-access-token", map[string]any{"ttl": "15m"}).JSON()["token"].(string)
		in := nobody(t, h).ask("POST", "/api/one-time-access-token/"+token, nil)
		if in.Status != http.StatusOK || in.JSON()["username"] != "grace" || len(in.Header.Values("Set-Cookie")) == 0 {
			t.Errorf("came in as %s", in.Body)
		}
		faulty(t, "a code that was used", nobody(t, h).ask("POST", "/api/one-time-access-token/"+token, nil), 401, "token_invalid_or_expired")
		faulty(t, "a code for the owner of the key", tool.ask("POST", "/api/users/"+admin.ID+"/one-time-access-token", map[string]any{"ttl": 60}), 403, "api_key_auth_not_allowed")
		must(201, "POST", user+"/one-time-access-token", map[string]any{"ttl": 60})
		must(204, "DELETE", user+"/one-time-access-token", nil)
		if got := recorded(h, "login_code.revoked"); len(got) != 1 {
			t.Errorf("%d codes were taken back", len(got))
		}

		must(204, "DELETE", at, nil)
		faulty(t, "a group that is gone", tool.ask("GET", at, nil), 404, "not_found")
		must(204, "DELETE", user, nil)
		faulty(t, "somebody who is gone", tool.ask("GET", user, nil), 404, "user_not_found")
		faulty(t, "somebody who is gone, deleted again", tool.ask("DELETE", user, nil), 404, "user_not_found")
	}, "DISABLE_RATE_LIMITING=true")
}

// People write no rights into their own account, whatever they send.
func TestNobodyWritesTheirOwnRights(t *testing.T) { // threats 65
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		a := bySession(t, h, ada).ask("PUT", "/api/users/me", map[string]any{"username": "ada", "email": "ada@example.test", "firstName": "Ada", "isAdmin": true, "disabled": true,
			"emailVerified": true, "id": "other", "ldapId": "x", "userGroupIds": []string{"x"}, "expiresAt": "2999-01-01T00:00:00Z", "customClaims": []map[string]string{{"key": "role", "value": "boss"}}})
		got := a.JSON()
		if a.Status != http.StatusOK || got["isAdmin"] != false || got["disabled"] != false || got["emailVerified"] != false || got["id"] != ada.ID || got["ldapId"] != nil ||
			len(got["userGroups"].([]any))+len(got["customClaims"].([]any)) != 0 || got["expiresAt"] != nil || got["firstName"] != "Ada" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		b := bySession(t, h, ada).ask("PUT", "/api/users/me/preferences", map[string]any{"locale": "en", "isAdmin": true})
		if b.Status != http.StatusOK || bySession(t, h, ada).ask("GET", "/api/users/me", nil).JSON()["isAdmin"] != false {
			t.Errorf("%d %s", b.Status, b.Body)
		}
		if c := bySession(t, h, ada).ask("GET", "/api/audit-logs?filters[userID]=other", nil); c.Status != 200 || strings.Contains(c.Body, "admin@example.test") {
			t.Errorf("the log of others: %d %s", c.Status, c.Body)
		}
	})
}

// A program makes the first account by the token of the operator and by nothing else.
func TestAProgramSetsUp(t *testing.T) { // threats 56
	first := map[string]any{"username": "root", "email": "root@example.test", "firstName": "Root"}
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		if a := nobody(t, h).ask("GET", "/api/signup/setup", nil); a.Status != http.StatusNoContent {
			t.Errorf("it is not open: %d %s", a.Status, a.Body)
		}
		faulty(t, "without a token of the operator", nobody(t, h).ask("POST", "/api/signup/setup", first), 403, "setup_by_passkey")
		h.SetUp()
		faulty(t, "afterwards", nobody(t, h).ask("POST", "/api/signup/setup", first), 409, "setup_already_completed")
	})
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		faulty(t, "without the token", nobody(t, h).ask("POST", "/api/signup/setup", first), 403, "setup_token_wrong")
		first := map[string]any{"username": "root", "email": "root@example.test", "firstName": "Root", "token": "the token of the operator"}
		a := nobody(t, h).ask("POST", "/api/signup/setup", first)
		if a.Status != http.StatusOK || a.JSON()["isAdmin"] != true {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
		in := caller{t, h.Program(), []string{"Cookie", cookie}}
		if b := in.ask("GET", "/api/users/me", nil); b.Status != http.StatusOK || b.JSON()["username"] != "root" {
			t.Errorf("%d %s", b.Status, b.Body)
		}
		faulty(t, "a second time", nobody(t, h).ask("POST", "/api/signup/setup", first), 409, "setup_already_completed")
		faulty(t, "the probe", nobody(t, h).ask("GET", "/api/signup/setup", nil), 404, "setup_not_available")
	}, "SETUP_TOKEN=the token of the operator")
}

// quoted is s as JSON.
func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
