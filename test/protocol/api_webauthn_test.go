package protocol

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// ceremony goes through a ceremony of the API: by a GET the options, by a POST what the
// authenticator says to them.
func ceremony(p *apptest.Person, start, finish string, answer func(options string) json.RawMessage, out any) (status int, code string) {
	a := p.Raw(http.MethodGet, start, nil, "same-origin")
	if a.Status != http.StatusOK {
		code, _ = a.JSON()["code"].(string)
		return a.Status, code
	}
	time.Sleep(time.Millisecond) // a person is slower than a clock that stands still
	return p.Call(finish, answer(a.Body), out)
}

// A passkey is added, used, renamed and removed by the addresses of the API alone; a proof is
// fresh, for its purpose and of this browser; and a key is taken nowhere on the way.
func TestCeremoniesOverTheAPI(t *testing.T) { // threats 58
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		signIn := func(p *apptest.Person) (who map[string]any, status int, code string) {
			status, code = ceremony(p, "/api/webauthn/login/start", "/api/webauthn/login/finish", p.Assert, &who)
			return who, status, code
		}
		prove := func(p *apptest.Person, purpose string) (int, string) {
			return ceremony(p, "/api/webauthn/reauthenticate/start?purpose="+purpose, "/api/webauthn/reauthenticate", p.Assert, nil)
		}
		add := func(p *apptest.Person) (passkey map[string]any, status int, code string) {
			keep := func() {}
			status, code = ceremony(p, "/api/webauthn/register/start", "/api/webauthn/register/finish", func(options string) (answer json.RawMessage) {
				answer, keep = p.Attest(options)
				return answer
			}, &passkey)
			if code == "" {
				keep()
			}
			return passkey, status, code
		}
		refused := func(it string, status int, code string, wantStatus int, want string) {
			t.Helper()
			if status != wantStatus || code != want {
				t.Errorf("it %s: %d %s, want %d %s", it, status, code, wantStatus, want)
			}
		}
		me := func(p *apptest.Person) *apptest.Answer {
			return p.Raw(http.MethodGet, "/api/users/me", nil, "same-origin")
		}
		passkeys := func() []any { return ada.Raw(http.MethodGet, "/api/webauthn/credentials", nil, "same-origin").List() }

		who, status, code := signIn(ada)
		if status != http.StatusOK || who["id"] != ada.ID || me(ada).JSON()["username"] != "ada" {
			t.Fatalf("signed in: %d %s %v", status, code, who)
		}
		time.Sleep(10 * time.Minute)
		_, status, code = add(ada)
		refused("adds no passkey without a proof", status, code, 401, "reauthentication_required")
		if status, code = prove(ada, "keys"); code != "" {
			t.Fatalf("the proof: %d %s", status, code)
		}
		_, status, code = add(ada)
		refused("takes no proof for another purpose", status, code, 401, "reauthentication_required")
		handle := ada.Cookie("session")
		if status, code = prove(ada, "passkeys"); code != "" || ada.Cookie("session") == handle {
			t.Fatalf("the proof: %d %s, and the session is another: %v", status, code, ada.Cookie("session") != handle)
		}
		first := memberAt(passkeys(), "id").(string)
		second, status, code := add(ada)
		if status != http.StatusOK || len(passkeys()) != 2 {
			t.Fatalf("the second passkey: %d %s", status, code)
		}
		// A ceremony is finished once, where it was begun, and as what it was begun.
		start := ada.Raw(http.MethodGet, "/api/webauthn/reauthenticate/start?purpose=passkeys", nil, "same-origin")
		time.Sleep(time.Millisecond)
		answer := ada.Assert(start.Body)
		elsewhere := ada.Elsewhere()
		status, code = elsewhere.Call("/api/webauthn/login/finish", answer, nil)
		refused("knows no ceremony of another browser", status, code, 400, "missing_session_id")
		status, code = ada.Call("/api/webauthn/login/finish", answer, nil)
		if status < 400 || code == "" {
			t.Errorf("a proof signs in: %d", status)
		}
		status, code = ada.Call("/api/webauthn/reauthenticate", answer, nil)
		refused("finishes nothing twice", status, code, 400, "missing_session_id")

		// The new passkey signs in elsewhere; the first one goes.
		time.Sleep(time.Minute)
		if who, status, code := signIn(elsewhere); who["id"] != ada.ID {
			t.Errorf("the new passkey: %d %s", status, code)
		}
		mine := bySession(t, h, ada)
		renamed := mine.ask("PATCH", "/api/webauthn/credentials/"+second["id"].(string), map[string]any{"name": "Key ring"})
		if renamed.JSON()["name"] != "Key ring" {
			t.Errorf("renamed: %d %s", renamed.Status, renamed.Body)
		}
		time.Sleep(10 * time.Minute)
		faulty(t, "a passkey that goes without a proof", mine.ask("DELETE", "/api/webauthn/credentials/"+first, nil), 401, "reauthentication_required")
		if status, code = prove(ada, "passkeys"); code != "" {
			t.Fatalf("the proof: %d %s", status, code)
		}
		mine = bySession(t, h, ada)
		if a := mine.ask("DELETE", "/api/webauthn/credentials/"+first, nil); a.Status != http.StatusNoContent {
			t.Errorf("the first passkey: %d %s", a.Status, a.Body)
		}
		if a := mine.ask("DELETE", "/api/webauthn/credentials/"+second["id"].(string), nil); a.Status != http.StatusConflict {
			t.Errorf("the last passkey: %d %s", a.Status, a.Body)
		}

		// No key on any way to a credential, not even of an administrator.
		_, text := keyOf(t, h, ada)
		key := byKey(t, h, text)
		for _, r := range []string{"GET /api/webauthn/register/start", "POST /api/webauthn/register/finish", "GET /api/webauthn/reauthenticate/start", "POST /api/webauthn/reauthenticate",
			"POST /api/webauthn/logout", "PATCH /api/webauthn/credentials/" + second["id"].(string), "DELETE /api/webauthn/credentials/" + second["id"].(string), "POST /api/api-keys"} {
			method, path, _ := strings.Cut(r, " ")
			faulty(t, r+" by a key", key.ask(method, path, map[string]any{"name": "x"}), 403, "api_key_auth_not_allowed")
		}
		if a := bySession(t, h, ada).ask("POST", "/api/webauthn/logout", nil); a.Status != http.StatusNoContent || me(ada).Status != http.StatusUnauthorized {
			t.Errorf("signed out: %d %s", a.Status, a.Body)
		}
		if n := len(recorded(h, "PASSKEY_ADDED")); n == 0 {
			t.Error("nothing tells of the passkey")
		}
	}, "DISABLE_RATE_LIMITING=true")
}
