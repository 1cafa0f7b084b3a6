package protocol

const userMembers = "createdAt customClaims disabled displayName email emailVerified expiresAt firstName id isAdmin lastName ldapId locale userGroups username"

func userContracts(w *world) []contract {
	groups := always[any](map[string]any{"userGroupIds": []string{w.group}})
	return []contract{
		{route: "GET /api/users/me", who: people, scope: "account:read", status: 200, members: userMembers},
		{route: "GET /api/users", at: always("/api/users?pagination[limit]=2"), scope: "users:read", status: 200, list: true, members: userMembers},
		{route: "POST /api/users", scope: "users:write", status: 201, members: userMembers, body: func(n int) any {
			name := numbered("new", n)
			return map[string]any{"username": name, "email": name + "@example.test", "firstName": "New", "userGroupIds": []string{w.group}}
		}},
		{route: "GET /api/users/{id}", at: always("/api/users/" + w.ada.ID), scope: "users:read", status: 200, members: userMembers},
		{route: "GET /api/users/{id}/groups", at: always("/api/users/" + w.ada.ID + "/groups"), scope: "users:read", status: 200},
		{route: "PUT /api/users/{id}/user-groups", at: always("/api/users/" + w.ada.ID + "/user-groups"), scope: "users:write", status: 200, members: userMembers, body: groups, conditional: true},
		{route: "DELETE /api/users/{id}", scope: "users:write", status: 204, conditional: true,
			at: func(n int) string { return "/api/users/" + w.user(numbered("gone", n)) }},
	}
}
