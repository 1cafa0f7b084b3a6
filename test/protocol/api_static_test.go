package protocol

import (
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// The key of the environment is that of an administrator who is no person, made when it is
// used first, and disabled like anybody.
func TestStaticKey(t *testing.T) { // threats 58, 64
	const key = "a key of 23 characters!"
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		if rows := strings.Join(h.Rows()["users"], "\n"); strings.Contains(rows, "static-api-user") {
			t.Error("the account is there before its key was used")
		}
		faulty(t, "another key", byKey(t, h, key+"x").ask("GET", "/api/users", nil), 401, "invalid_api_key")
		by := byKey(t, h, key)
		for range 2 {
			if a := by.ask("GET", "/api/users/me", nil); a.Status != 200 || a.JSON()["id"] != "00000000-0000-0000-0000-000000000000" || a.JSON()["isAdmin"] != true {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
		if a := by.ask("POST", "/api/user-groups", map[string]any{"name": "crew", "friendlyName": "Crew"}); a.Status != 201 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		faulty(t, "a key makes no key", by.ask("POST", "/api/api-keys", map[string]any{"name": "Key"}), 403, "api_key_auth_not_allowed")
		if strings.Contains(h.Log(), key) {
			t.Error("the log has the key")
		}
		for table, rows := range h.Rows() {
			if strings.Contains(strings.Join(rows, "\n"), key) {
				t.Errorf("%s has the key", table)
			}
		}
		h.SQL(`UPDATE users SET disabled_at = 1 WHERE kind = 'service'`)
		faulty(t, "of an account that is disabled", by.ask("GET", "/api/users/me", nil), 403, "user_disabled")
	}, "STATIC_API_KEY="+key)
}
