package protocol

func systemContracts(*world) []contract {
	return []contract{
		{route: "GET /api/openapi.json", who: everybody, status: 200, members: "components info openapi paths servers tags"},
		{route: "GET /api/version/current", who: people, scope: "*", status: 200, members: "currentVersion release"},
	}
}
