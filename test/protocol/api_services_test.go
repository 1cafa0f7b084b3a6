package protocol

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

const serviceMembers = "createdAt description disabled displayName expiresAt id isAdmin owner state username"

// service makes a service account of the administrator and answers its id.
func (w *world) service(name string) (id string) {
	w.t.Helper()
	w.change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		u, err := d.AddService(ctx, by, "", directory.ServiceEdit{Username: name, Owner: w.admin.ID})
		id = u.ID
		return err
	})
	return id
}

func serviceContracts(w *world) []contract {
	const root = "/api/service-accounts"
	kept := root + "/" + w.service("kept")
	prove := func(p *apptest.Person) {
		if _, code := p.Prove("/login/again", "/settings/account/api-keys/new"); code != "" {
			w.t.Fatal(code)
		}
	}
	made := func() string {
		prove(w.admin)
		a := bySession(w.t, w.h, w.admin).ask("POST", kept+"/api-keys", map[string]any{"name": "Backup", "expiresAt": time.Now().Add(time.Hour)})
		if a.Status != http.StatusCreated {
			w.t.Fatalf("no key: %d %s", a.Status, a.Body)
		}
		return kept + "/api-keys/" + a.JSON()["apiKey"].(map[string]any)["id"].(string)
	}
	works := made()
	key := func(int) any { return map[string]any{"name": "Key", "expiresAt": time.Now().Add(time.Hour)} }
	return []contract{
		{route: "GET /api/service-accounts", scope: "users:read", status: 200, list: true, members: serviceMembers},
		{route: "POST /api/service-accounts", scope: "users:write", status: 201, members: serviceMembers, body: func(n int) any {
			return map[string]any{"username": numbered("robot", n), "ownerId": w.admin.ID, "description": "Runs the backup"}
		}},
		{route: "GET /api/service-accounts/{id}", at: always(kept), scope: "users:read", status: 200, members: serviceMembers},
		{route: "PUT /api/service-accounts/{id}", at: always(kept), scope: "users:write", status: 200, members: serviceMembers, conditional: true,
			body: always[any](map[string]any{"username": "kept", "displayName": "Kept"})},
		{route: "PUT /api/service-accounts/{id}/owner", at: always(kept + "/owner"), scope: "users:write", status: 200, members: serviceMembers, conditional: true,
			body: always[any](map[string]any{"ownerId": w.admin.ID})},
		{route: "POST /api/service-accounts/{id}/disable", at: func(n int) string { return root + "/" + w.service(numbered("stopped", n)) + "/disable" }, scope: "users:write", status: 204, conditional: true},
		{route: "POST /api/service-accounts/{id}/enable", at: always(kept + "/enable"), scope: "users:write", status: 204, conditional: true},
		{route: "DELETE /api/service-accounts/{id}", at: func(n int) string { return root + "/" + w.service(numbered("gone", n)) }, scope: "users:write", status: 204, conditional: true},
		{route: "GET /api/service-accounts/{id}/api-keys", at: always(kept + "/api-keys"), scope: "keys:read", status: 200, list: true, members: keyMembers},
		{route: "DELETE /api/service-accounts/{id}/api-keys/{key}", at: func(int) string { return made() }, scope: "keys:write", status: 204},
		{route: "POST /api/service-accounts/{id}/api-keys", at: always(kept + "/api-keys"), proof: true, before: prove, body: key, status: 201, members: "apiKey token"},
		{route: "POST /api/service-accounts/{id}/api-keys/{key}/renew", at: always(works + "/renew"), proof: true, before: prove, body: key, status: 409},
	}
}

// A service account has keys and nothing else: no way in, no groups, no place at an
// application. Its keys open what its owner stands for, and nothing while the owner may not
// come in. What a key did, the log says by its name.
func TestServiceAccounts(t *testing.T) { // threats 3, 58, 62, 63
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		boss, ada := h.User("boss"), h.User("ada")
		me := bySession(t, h, admin)
		be := func(id string, edit func(*directory.UserEdit)) {
			t.Helper()
			h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				u, err := d.User(ctx, id)
				if err != nil {
					return err
				}
				e := u.Edit()
				edit(&e)
				_, err = d.EditUser(ctx, by, id, e)
				return err
			})
		}
		admins := func(is bool) func(*directory.UserEdit) {
			return func(e *directory.UserEdit) { e.Admin = is }
		}
		faulty(t, "an administrator of whom no administrator answers", me.ask("POST", "/api/service-accounts", map[string]any{"username": "robot", "ownerId": boss.ID, "isAdmin": true}), 400, "validation_failed")
		faulty(t, "an owner who is not there", me.ask("POST", "/api/service-accounts", map[string]any{"username": "robot", "ownerId": "nobody"}), 400, "validation_failed")
		be(boss.ID, admins(true))
		made := me.ask("POST", "/api/service-accounts", map[string]any{"username": "robot", "ownerId": boss.ID, "isAdmin": true, "description": "Runs the cluster"}).JSON()
		at := "/api/service-accounts/" + made["id"].(string)
		if made["displayName"] != "robot" || made["state"] != "working" || memberAt(made, "owner.username") != "boss" {
			t.Errorf("made %v", made)
		}
		if a := me.ask("GET", "/api/users?search=robot", nil); memberAt(a.JSON(), "pagination.totalItems") != 0.0 {
			t.Errorf("it is among people: %s", a.Body)
		}

		// A key is made by a session with a fresh proof, and by no key.
		body := map[string]any{"name": "Cluster", "expiresAt": time.Now().Add(24 * time.Hour)}
		faulty(t, "a key without a proof", me.ask("POST", at+"/api-keys", body), 401, "reauthentication_required")
		_, whole := keyOf(t, h, admin)
		me = bySession(t, h, admin) // the proof gave the session another handle
		faulty(t, "a key makes a key", byKey(t, h, whole).ask("POST", at+"/api-keys", body), 403, "api_key_auth_not_allowed")
		a := me.ask("POST", at+"/api-keys", body)
		if a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		robot := byKey(t, h, a.JSON()["token"].(string))

		// It acts as an administrator while its owner is one, and its key stands in the log.
		if a := robot.ask("POST", "/api/user-groups", map[string]any{"name": "crew", "friendlyName": "Crew"}); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		log := me.ask("GET", "/api/audit-logs/all?filters[event]=group.created", nil).JSON()
		if memberAt(log, "data.apiKeyName") != "Cluster" || memberAt(log, "data.actorUserID") != made["id"] {
			t.Errorf("the log has %v", memberAt(log, "data"))
		}
		if file := me.ask("GET", "/api/audit-logs/export?apiKeyID="+memberAt(log, "data.apiKeyID").(string), nil); strings.Count(file.Body, "\n") != 2 || !strings.Contains(file.Body, ",Cluster,") {
			t.Errorf("what the key did: %s", file.Body)
		}
		be(boss.ID, admins(false))
		faulty(t, "of an owner who is no administrator any more", robot.ask("GET", "/api/users", nil), 403, "forbidden")
		if a := robot.ask("GET", "/api/users/me", nil); a.Status != 200 || a.JSON()["username"] != "robot" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		faulty(t, "it changes itself", robot.ask("PUT", "/api/users/me", map[string]any{"username": "root"}), 403, "service_account_fixed")

		// Its owner goes: its key opens nothing, until somebody else answers for it.
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			return d.Disable(ctx, by, boss.ID)
		})
		faulty(t, "of an owner who is disabled", robot.ask("GET", "/api/users/me", nil), 403, "service_owner_out")
		if a := me.ask("GET", at, nil); a.JSON()["state"] != "orphaned" {
			t.Errorf("its owner is gone, and it is %s", a.Body)
		}
		if a := me.ask("GET", "/api/service-accounts?filters[state]=orphaned", nil); memberAt(a.JSON(), "pagination.totalItems") != 1.0 {
			t.Errorf("those without an owner: %s", a.Body)
		}
		faulty(t, "a key while nobody answers", me.ask("POST", at+"/api-keys", body), 403, "service_owner_out")
		faulty(t, "to somebody who may less", me.ask("PUT", at+"/owner", map[string]any{"ownerId": ada.ID}), 400, "validation_failed")
		if a := me.ask("PUT", at+"/owner", map[string]any{"ownerId": admin.ID}); a.Status != 200 || a.JSON()["state"] != "working" {
			t.Errorf("handed over: %d %s", a.Status, a.Body)
		}
		if a := robot.ask("GET", "/api/users", nil); a.Status != 200 || len(recorded(h, "service_account.handed_over")) != 1 {
			t.Errorf("with its new owner: %d %s", a.Status, a.Body)
		}

		// It is nobody who comes in, is in a group, or is told of.
		id := made["id"].(string)
		faulty(t, "a sign-in code", byKey(t, h, whole).ask("POST", "/api/users/"+id+"/one-time-access-token", map[string]any{"ttl": 60}), 404, "user_not_found")
		faulty(t, "its groups", me.ask("PUT", "/api/users/"+id+"/user-groups", map[string]any{"userGroupIds": []string{}}), 404, "user_not_found")
		faulty(t, "made a person's", me.ask("PUT", "/api/users/"+id, map[string]any{"username": "robot", "email": "r@example.test"}), 404, "user_not_found")
		client := me.ask("POST", "/api/oidc/clients", map[string]any{"name": "Shop", "callbackURLs": []string{"https://shop.example/cb"}}).JSON()["id"].(string)
		if a := me.ask("GET", "/api/oidc/clients/"+client+"/preview/"+id+"?scopes=openid", nil); a.Status == 200 && strings.Contains(a.Body, `"sub"`) {
			t.Errorf("an application is told of it: %s", a.Body)
		}
		if a := robot.ask("GET", "/api/oidc/users/me/clients", nil); a.Status != 200 || memberAt(a.JSON(), "pagination.totalItems") != 0.0 {
			t.Errorf("the applications that it may use: %s", a.Body)
		}
		faulty(t, "a person as a service account", me.ask("DELETE", "/api/service-accounts/"+ada.ID, nil), 404, "service_account_not_found")

		// Disabled and deleted, it opens nothing.
		me.ask("POST", at+"/disable", nil)
		faulty(t, "of an account that is disabled", robot.ask("GET", "/api/users/me", nil), 403, "user_disabled")
		me.ask("POST", at+"/enable", nil)
		if a := robot.ask("GET", "/api/users/me", nil); a.Status != 200 {
			t.Errorf("enabled again: %d %s", a.Status, a.Body)
		}
		me.ask("DELETE", at, nil)
		faulty(t, "of an account that is gone", robot.ask("GET", "/api/users/me", nil), 401, "invalid_api_key")
	}, "DISABLE_RATE_LIMITING=true")
}

// What looks after a cluster comes by its key on this way: an account, a one-time code for
// it, the session of that, a key. It is open while the account has no passkey.
func TestAKeyByAOneTimeCode(t *testing.T) { // threats 58
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		_, key := keyOf(t, h, admin)
		tool := byKey(t, h, key)
		in := func(id string) caller {
			t.Helper()
			token := tool.ask("POST", "/api/users/"+id+"/one-time-access-token", map[string]any{"ttl": "15m"}).JSON()["token"].(string)
			a := nobody(t, h).ask("POST", "/api/one-time-access-token/"+token, nil)
			cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
			return caller{t, h.Program(), []string{"Cookie", cookie}}
		}
		body := map[string]any{"name": "Operator", "expiresAt": time.Now().Add(24 * time.Hour)}
		id := tool.ask("POST", "/api/users", map[string]any{"username": "operator", "email": "op@example.test", "firstName": "Op", "isAdmin": true}).JSON()["id"].(string)
		made := in(id).ask("POST", "/api/api-keys", body)
		if made.Status != http.StatusCreated {
			t.Fatalf("without a passkey: %d %s", made.Status, made.Body)
		}
		if a := byKey(t, h, made.JSON()["token"].(string)).ask("GET", "/api/users/me", nil); a.Status != 200 || a.JSON()["username"] != "operator" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if got := strings.Join(recorded(h, "api_key.made"), "\n"); !strings.Contains(got, "Operator") {
			t.Error("the log does not say so")
		}
		// With a passkey there is a better proof, and nothing less will do.
		bob := h.User("bob")
		faulty(t, "of an account with a passkey", in(bob.ID).ask("POST", "/api/api-keys", body), 403, "code_session")
		// And never for another account.
		robot := tool.ask("POST", "/api/service-accounts", map[string]any{"username": "robot", "ownerId": admin.ID}).JSON()["id"].(string)
		faulty(t, "for a service account", in(id).ask("POST", "/api/service-accounts/"+robot+"/api-keys", body), 403, "code_session")
	}, "DISABLE_RATE_LIMITING=true")
}
