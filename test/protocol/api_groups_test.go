package protocol

const groupMembers = "createdAt customClaims friendlyName id ldapId name userCount"

func groupContracts(w *world) []contract {
	return []contract{
		{route: "GET /api/user-groups", scope: "groups:read", status: 200, list: true, members: groupMembers},
		{route: "POST /api/user-groups", scope: "groups:write", status: 201, members: wholeGroupMembers,
			body: func(n int) any {
				return map[string]any{"name": numbered("new", n), "friendlyName": numbered("New ", n)}
			}},
		{route: "DELETE /api/user-groups/{id}", scope: "groups:write", status: 204, conditional: true,
			at: func(n int) string { return "/api/user-groups/" + w.newGroup(numbered("gone", n)) }},
	}
}
