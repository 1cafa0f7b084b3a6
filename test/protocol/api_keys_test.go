package protocol

import (
	"time"

	"pocketid/internal/apptest"
)

const keyMembers = "createdAt description expirationEmailSent expiresAt id lastUsedAt name scopes"

func keyContracts(w *world) []contract {
	body := func(int) any { return map[string]any{"name": "Key", "expiresAt": time.Now().Add(time.Hour)} }
	id, _ := keyOf(w.t, w.h, w.admin)
	prove := func(p *apptest.Person) {
		if _, code := p.Prove("/login/again", "/settings/account/api-keys/new"); code != "" {
			w.t.Fatal(code)
		}
	}
	return []contract{
		{route: "GET /api/api-keys", who: people, scope: "keys:read", status: 200, list: true, members: keyMembers},
		{route: "POST /api/api-keys", who: people, proof: true, before: prove, body: body, status: 201, members: "apiKey token"},
		{route: "POST /api/api-keys/{id}/renew", who: people, proof: true, before: prove, at: always("/api/api-keys/" + id + "/renew"), body: body, status: 409},
		{route: "DELETE /api/api-keys/{id}", who: people, scope: "keys:write", status: 204,
			at: func(int) string { id, _ := keyOf(w.t, w.h, w.admin); return "/api/api-keys/" + id }},
	}
}
