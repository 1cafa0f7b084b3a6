package protocol

import (
	"context"
	"image/color"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

const (
	wholeGroupMembers = "allowedOidcClients createdAt customClaims friendlyName id ldapId name userCount users"
	sessionMembers    = "createdAt device expiresAt id ipAddress isCurrent lastSeenAt signedInBy userAgent"
	passkeyMembers    = "attestationType backupEligible backupState createdAt credentialID id lastUsedAt name transport"
	batchMembers      = "changed createdAt deed endedAt groupId id refusals refused stopped total unchanged undoes undoneBy"
	entryMembers      = "actorUserID actorUsername after apiKeyID apiKeyName before city clientID clientName country createdAt data device event id ipAddress objectID objectKind objectName requestID userAgent userID username via"
)

// proved is a fresh proof for passkeys.
func proved(w *world) func(*apptest.Person) {
	return func(p *apptest.Person) {
		if _, code := p.Prove("/login/again", "/settings/account/passkeys"); code != "" {
			w.t.Fatal(code)
		}
	}
}

// deleted makes an account, deletes it and answers its id.
func (w *world) deleted(name string) string {
	id := w.user(name)
	w.change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error { return d.Delete(ctx, by, id) })
	return id
}

// batch starts a batch about a new account and answers its id.
func (w *world) batch(name string) (id string) {
	user := w.user(name)
	w.change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		b, err := d.StartBatch(ctx, by, directory.BatchOrder{Deed: directory.DeedDisable, IDs: []string{user}})
		id = b.ID
		return err
	})
	return id
}

// What the API does to accounts and groups beside the lists.
func peopleContracts(w *world) []contract {
	ada, group := "/api/users/"+w.ada.ID, "/api/user-groups/"+w.group
	picture := painted(w.t, color.NRGBA{200, 0, 0, 255}, 64, 64)
	w.deleted("reserved")
	named := func(n int) any {
		return map[string]any{"username": "ada", "email": "ada@example.test", "firstName": numbered("Ada", n), "userGroupIds": []string{w.group}}
	}
	claims := always[any]([]map[string]string{{"key": "desk", "value": "7"}})
	return []contract{
		{route: "PUT /api/users/{id}", at: always(ada), scope: "users:write", status: 200, members: userMembers, body: named, conditional: true},
		{route: "PUT /api/users/me", who: people, scope: "account:write", status: 200, members: userMembers, conditional: true,
			body: always[any](map[string]any{"username": "admin", "email": "admin@example.test", "firstName": "Admin", "isAdmin": false})},
		{route: "PUT /api/users/{id}/expiry", at: always(ada + "/expiry"), scope: "users:write", status: 200, members: userMembers, conditional: true,
			body: always[any](map[string]any{"expiresAt": time.Now().Add(1000 * time.Hour)})},
		{route: "POST /api/users/{id}/disable", at: func(n int) string { return "/api/users/" + w.user(numbered("out", n)) + "/disable" }, scope: "users:write", status: 204, conditional: true},
		{route: "POST /api/users/{id}/enable", at: func(n int) string { return "/api/users/" + w.user(numbered("in", n)) + "/enable" }, scope: "users:write", status: 204, conditional: true},
		{route: "GET /api/users/deleted", scope: "users:read", status: 200, list: true, members: "deletedAt email id username"},
		{route: "POST /api/users/{id}/release", at: func(n int) string { return "/api/users/" + w.deleted(numbered("free", n)) + "/release" }, scope: "users:write", status: 204},
		{route: "DELETE /api/users/me", who: people, proof: true, status: 401},
		{route: "PUT /api/users/{id}/profile-picture", at: always(ada + "/profile-picture"), scope: "users:write", status: 204, file: picture},
		{route: "DELETE /api/users/{id}/profile-picture", at: always(ada + "/profile-picture"), scope: "users:write", status: 204},
		{route: "PUT /api/users/me/profile-picture", who: people, scope: "account:write", status: 204, file: picture},
		{route: "DELETE /api/users/me/profile-picture", who: people, scope: "account:write", status: 204},
		{route: "PUT /api/users/{id}/details", at: always(ada + "/details"), scope: "users:write", status: 200, members: "nickname", body: always[any](map[string]any{"nickname": "Countess"}), conditional: true},
		{route: "GET /api/users/{id}/details", at: always(ada + "/details"), scope: "users:read", status: 200, members: "nickname"},
		{route: "GET /api/users/me/details", who: people, scope: "account:read", status: 200},
		{route: "PUT /api/users/me/details", who: people, scope: "account:write", status: 200, members: "nickname", body: always[any](map[string]any{"nickname": "Boss"}), conditional: true},
		{route: "GET /api/users/me/preferences", who: people, scope: "account:read", status: 200, members: "dates locale theme"},
		{route: "PUT /api/users/me/preferences", who: people, scope: "account:write", status: 200, members: "dates locale theme", body: always[any](map[string]any{"locale": "en", "theme": "dark"}), conditional: true},

		{route: "GET /api/user-batches/{id}", at: func(n int) string { return "/api/user-batches/" + w.batch(numbered("batched", n)) }, scope: "users:read", status: 200, members: batchMembers},
		{route: "GET /api/user-batches", scope: "users:read", status: 200, members: batchMembers},
		{route: "POST /api/user-batches", scope: "users:write", status: 201, members: batchMembers, body: func(n int) any {
			return map[string]any{"deed": "join", "groupId": w.group, "userIds": []string{w.user(numbered("joins", n))}}
		}},
		{route: "POST /api/user-batches/{id}/undo", at: func(n int) string { return "/api/user-batches/" + w.batch(numbered("undone", n)) + "/undo" }, scope: "users:write", status: 201, members: batchMembers},
		{route: "POST /api/user-batches/{id}/stop", at: func(n int) string { return "/api/user-batches/" + w.batch(numbered("done", n)) + "/stop" }, scope: "users:write", status: 409},

		{route: "GET /api/user-groups/{id}", at: always(group), scope: "groups:read", status: 200, members: wholeGroupMembers},
		{route: "PUT /api/user-groups/{id}", at: always(group), scope: "groups:write", status: 200, members: wholeGroupMembers, conditional: true,
			body: func(n int) any { return map[string]any{"name": numbered("crew", n), "friendlyName": "Crew"} }},
		{route: "GET /api/user-groups/{id}/users", at: always(group + "/users"), scope: "groups:read", status: 200, list: true, members: userMembers},
		{route: "PUT /api/user-groups/{id}/users", at: always(group + "/users"), scope: "groups:write", status: 200, members: wholeGroupMembers, conditional: true,
			body: always[any](map[string]any{"userIds": []string{w.ada.ID}})},
		{route: "PUT /api/user-groups/{id}/users/{user}", at: always(group + "/users/" + w.ada.ID), scope: "groups:write", status: 204, conditional: true},
		{route: "DELETE /api/user-groups/{id}/users/{user}", at: always(group + "/users/" + w.ada.ID), scope: "groups:write", status: 204, conditional: true},
		{route: "PUT /api/user-groups/{id}/allowed-oidc-clients", at: always(group + "/allowed-oidc-clients"), scope: "groups:write", status: 200, members: wholeGroupMembers, conditional: true,
			body: always[any](map[string]any{"oidcClientIds": []string{}})},

		{route: "GET /api/custom-claims/suggestions", scope: "users:read", status: 200},
		{route: "PUT /api/custom-claims/user/{id}", at: always("/api/custom-claims/user/" + w.ada.ID), scope: "users:write", status: 200, members: "key value", body: claims, conditional: true},
		{route: "PUT /api/custom-claims/user-group/{id}", at: always("/api/custom-claims/user-group/" + w.group), scope: "groups:write", status: 200, members: "key value", body: claims, conditional: true},
	}
}

// session signs p in at another browser and answers the id of that session.
func (w *world) session(p *apptest.Person) string {
	w.t.Helper()
	ids := func() map[string]bool {
		list, err := w.h.App.SignIn.SessionsOf(w.t.Context(), audit.System("cli"), p.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		m := map[string]bool{}
		for _, s := range list {
			m[s.ID] = true
		}
		return m
	}
	was := ids()
	p.Elsewhere().SignIn()
	for id := range ids() {
		if !was[id] {
			return id
		}
	}
	w.t.Fatal("no new session")
	return ""
}

// Where people are signed in, by what, and what the log says of them.
func whereContracts(w *world) []contract {
	for _, scopes := range [][]string{nil, {"account:write"}, {"account:read"}} {
		w.key(scopes...) // as long as there is a session
	}
	ada, prove, back := "/api/users/"+w.ada.ID, proved(w), func(p *apptest.Person) { p.SignIn(); w.ada.SignIn() }
	empty := always[any](map[string]any{})
	list, err := w.h.App.SignIn.PasskeysOf(w.t.Context(), audit.System("cli"), w.admin.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	entries, _, err := w.h.App.Audit.Query(w.t.Context(), audit.System("cli"), audit.Query{Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return []contract{
		{route: "GET /api/users/me/sessions", who: people, scope: "account:read", status: 200, members: sessionMembers},
		{route: "GET /api/users/{id}/sessions", at: always(ada + "/sessions"), scope: "users:read", status: 200, members: sessionMembers},
		{route: "DELETE /api/users/me/sessions/{session}", who: people, scope: "account:write", status: 204,
			at: func(int) string { return "/api/users/me/sessions/" + w.session(w.admin) }},
		{route: "DELETE /api/users/{id}/sessions/{session}", scope: "users:write", status: 204, at: func(int) string { return ada + "/sessions/" + w.session(w.ada) }},

		{route: "GET /api/webauthn/credentials", who: people, scope: "account:read", status: 200, members: passkeyMembers},
		{route: "PATCH /api/webauthn/credentials/{id}", who: people, at: always("/api/webauthn/credentials/" + list[0].ID), status: 200, members: passkeyMembers,
			body: always[any](map[string]any{"name": "Key ring"})},
		{route: "DELETE /api/webauthn/credentials/{id}", who: people, proof: true, at: always("/api/webauthn/credentials/none"), status: 404, before: prove},
		{route: "GET /api/users/{id}/webauthn-credentials", at: always(ada + "/webauthn-credentials"), scope: "users:read", status: 200, members: passkeyMembers},
		{route: "DELETE /api/users/{id}/webauthn-credentials/{credential}", proof: true, at: always(ada + "/webauthn-credentials/none"), status: 404, before: prove},
		{route: "GET /api/webauthn/register/start", who: people, proof: true, status: 200, before: prove,
			members: "attestation authenticatorSelection challenge excludeCredentials extensions pubKeyCredParams rp timeout user"},
		{route: "POST /api/webauthn/register/finish", who: people, status: 400, body: empty},
		{route: "GET /api/webauthn/login/start", who: everybody, status: 200, members: "challenge rpId timeout userVerification"},
		{route: "POST /api/webauthn/login/finish", who: everybody, status: 400, body: empty},
		{route: "GET /api/webauthn/reauthenticate/start", who: people, status: 200, members: "allowCredentials challenge rpId timeout userVerification"},
		{route: "POST /api/webauthn/reauthenticate", who: people, status: 400, body: empty},

		{route: "POST /api/users/{id}/one-time-access-token", proof: true, at: always(ada + "/one-time-access-token"), scope: "*", status: 201, members: "expiresAt token", before: prove,
			body: always[any](map[string]any{"ttl": "15m"})},
		{route: "DELETE /api/users/{id}/one-time-access-token", at: always(ada + "/one-time-access-token"), scope: "users:write", status: 204},
		{route: "POST /api/one-time-access-token/{token}", who: everybody, at: always("/api/one-time-access-token/wrong"), status: 401},
		{route: "GET /api/signup/setup", who: everybody, status: 404},
		{route: "POST /api/signup/setup", who: everybody, status: 409, body: always[any](map[string]any{"username": "first"})},

		{route: "GET /api/audit-logs", who: people, scope: "account:read", status: 200, list: true, members: entryMembers},
		{route: "GET /api/audit-logs/all", scope: "audit:read", status: 200, list: true, members: entryMembers},
		{route: "GET /api/audit-logs/{id}", at: always("/api/audit-logs/" + entries[0].ID), scope: "audit:read", status: 200, members: entryMembers},
		{route: "GET /api/audit-logs/filters/client-names", scope: "audit:read", status: 200},
		{route: "GET /api/audit-logs/filters/users", scope: "audit:read", status: 200},
		{route: "GET /api/audit-logs/export", scope: "audit:read", status: 200, media: "text/csv"},

		// What ends sessions comes last, each time after coming in anew.
		{route: "DELETE /api/users/me/sessions", who: people, scope: "account:write", status: 204, before: back},
		{route: "POST /api/users/{id}/sign-out-everywhere", at: always(ada + "/sign-out-everywhere"), scope: "users:write", status: 204, before: back},
		{route: "POST /api/users/me/sign-out-everywhere", who: people, scope: "account:write", status: 204, before: back},
		{route: "POST /api/webauthn/logout", who: people, status: 204, before: back},
	}
}
