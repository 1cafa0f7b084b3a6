package protocol

func systemContracts(*world) []contract {
	return []contract{
		{route: "GET /api/version/current", who: people, scope: "*", status: 200, members: "currentVersion"},
	}
}
