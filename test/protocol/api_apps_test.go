package protocol

import (
	"strings"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

const (
	theirClient = "accessTokenDurationMinutes callbackURLs clientType credentials description hasDarkLogo hasLogo id isGroupRestricted isPublic launchURL logoutCallbackURLs name " +
		"pkceEnabled pkceSupported refreshTokenDurationMinutes requiresPushedAuthorizationRequests requiresReauthentication skipConsent"
	ourClient = "accentColor accessTokenSigningAlg assertionAudience assertionSigningAlg authMethod backchannelLogoutSessionRequired backchannelLogoutURL claimsAtUserinfoOnly " +
		"contacts createdAt defaultAcrValues defaultMaxAgeSeconds frontchannelLogoutSessionRequired frontchannelLogoutURL grantTypes greeting hasBackground idTokenDurationMinutes " +
		"idTokenSigningAlg initiateLoginURL isDisabled jwks jwksURL policyURL refreshTokenIssue refreshTokenMaxDurationMinutes refreshTokenRotation remoteLogoURL " +
		"requestObjectSigningAlg requestURLs requiresAuthTime sector subjectType termsURL userinfoSigningAlg websiteURL"
	secretMembers   = "createdAt expiresAt id isActive prefix"
	metaMembers     = "clientType description hasDarkLogo hasLogo id launchURL name requiresReauthentication"
	resourceMembers = "accessTokenDurationMinutes accessTokenSigningAlg allowCimdClients createdAt description id introspectionClientId name permissions resource"
	accessMembers   = "clientAccess clientPermissionIds userDelegatedAccess userDelegatedPermissionIds"
	reachMembers    = accessMembers + " cimdGrantedAccess cimdGrantedPermissionIds"
	tokenMembers    = "createdAt expiresAt id lastUsedAt name usageCount usageLimit"
)

// allOf are names in the order of membersOf.
func allOf(names ...string) string { return inOrder(strings.Join(names, " ")) }

// newClient makes a client, with which somebody did something.
func (w *world) newClient(n int, change ...func(*oidc.ClientEdit)) *apptest.Client {
	w.t.Helper()
	return w.h.Client(numbered("app", n), change...)
}

// consented makes a client that a person allowed something, and answers its id.
func (w *world) consented(n int, p *apptest.Person) string {
	w.t.Helper()
	c, now := w.newClient(n), time.Now().UnixMicro()
	w.h.SQL(`INSERT INTO consents (user_id, client_id, scopes, created_at, updated_at, last_used_at) VALUES ($1, $2, '["openid","email"]', $3, $3, $3)`, p.ID, c.ID, now)
	return c.ID
}

func clientContracts(w *world) []contract {
	whole := allOf(theirClient, ourClient, "allowedUserGroups")
	shop := w.h.Client("contracted")
	at := func(rest string) func(int) string { return always("/api/oidc/clients/" + shop.ID + rest) }
	each := func(rest string) func(int) string {
		return func(n int) string { return "/api/oidc/clients/" + w.newClient(n).ID + rest }
	}
	other := w.h.Client("other")
	w.h.Client("third").MaySwap(other)
	third := w.h.Client("fourth")
	third.MaySwap(other)
	said := func(n int) any {
		return map[string]any{"name": numbered("App ", n), "callbackURLs": []string{"https://app.example/cb"}, "pkceEnabled": true}
	}
	image := painted(w.t, red, 8, 8)
	return []contract{
		{route: "GET /api/oidc/clients", at: always("/api/oidc/clients?search=contracted"), scope: "clients:read", status: 200, list: true, members: allOf(theirClient, ourClient, "allowedUserGroupsCount lastUsedAt")},
		{route: "POST /api/oidc/clients", scope: "clients:write", status: 201, members: whole, body: said},
		{route: "GET /api/oidc/clients/{id}", at: at(""), scope: "clients:read", status: 200, members: whole},
		{route: "PUT /api/oidc/clients/{id}", at: each(""), scope: "clients:write", status: 200, members: whole, body: said, conditional: true},
		{route: "DELETE /api/oidc/clients/{id}", at: each(""), scope: "clients:write", status: 204, conditional: true},
		{route: "GET /api/oidc/clients/{id}/meta", at: at("/meta"), who: everybody, status: 200, members: metaMembers},
		{route: "POST /api/oidc/clients/{id}/refresh", at: at("/refresh"), scope: "clients:write", status: 409},
		{route: "POST /api/oidc/clients/{id}/disable", at: each("/disable"), scope: "clients:write", status: 200, members: whole, conditional: true},
		{route: "POST /api/oidc/clients/{id}/enable", at: each("/enable"), scope: "clients:write", status: 200, members: whole, conditional: true},
		{route: "PUT /api/oidc/clients/{id}/allowed-user-groups", at: at("/allowed-user-groups"), scope: "clients:write", status: 200, members: whole,
			body: always[any](map[string]any{"userGroupIds": []string{w.group}}), conditional: true},

		{route: "GET /api/oidc/clients/{id}/secrets", at: at("/secrets"), scope: "clients:read", status: 200, members: allOf(secretMembers, "lastUsedAt")},
		{route: "POST /api/oidc/clients/{id}/secrets", at: at("/secrets"), scope: "clients:write", status: 201, members: allOf(secretMembers, "secret"), body: always[any](map[string]any{})},
		{route: "DELETE /api/oidc/clients/{id}/secrets/{secret}", scope: "clients:write", status: 204, at: func(n int) string {
			c := w.newClient(n)
			list := byKey(w.t, w.h, w.key()).ask("GET", "/api/oidc/clients/"+c.ID+"/secrets", nil).List()
			return "/api/oidc/clients/" + c.ID + "/secrets/" + list[0].(map[string]any)["id"].(string)
		}},
		{route: "POST /api/oidc/clients/{id}/secret", at: each("/secret"), scope: "clients:write", status: 200, members: "secret", body: always[any](map[string]any{})},

		{route: "POST /api/oidc/clients/{id}/logo", at: at("/logo?light=false"), file: image, scope: "clients:write", status: 204},
		{route: "DELETE /api/oidc/clients/{id}/logo", scope: "clients:write", status: 204, at: func(n int) string {
			to := each("/logo?light=true")(n)
			byKey(w.t, w.h, w.key()).send("POST", to, image)
			return to
		}},
		{route: "POST /api/oidc/clients/{id}/background", at: at("/background"), file: image, scope: "clients:write", status: 204},
		{route: "DELETE /api/oidc/clients/{id}/background", scope: "clients:write", status: 204, at: func(n int) string {
			to := each("/background")(n)
			byKey(w.t, w.h, w.key()).send("POST", to, image)
			return to
		}},

		{route: "GET /api/oidc/clients/{id}/preview/{user}", at: always("/api/oidc/clients/" + other.ID + "/preview/" + w.ada.ID + "?scopes=openid,email"), scope: "clients:read", status: 200, members: "accessToken idToken refused scope userInfo"},
		{route: "GET /api/oidc/clients/{id}/exchanges", at: always("/api/oidc/clients/" + third.ID + "/exchanges"), scope: "clients:read", status: 200, members: "clientId createdAt name"},
		{route: "PUT /api/oidc/clients/{id}/exchanges/{from}", at: at("/exchanges/" + other.ID), scope: "clients:write", status: 204},
		{route: "DELETE /api/oidc/clients/{id}/exchanges/{from}", scope: "clients:write", status: 204, at: func(n int) string {
			c := w.newClient(n)
			c.MaySwap(other)
			return "/api/oidc/clients/" + c.ID + "/exchanges/" + other.ID
		}},
		{route: "GET /api/oidc/clients/{id}/registration", at: at("/registration"), scope: "clients:read", status: 200, members: "host metadata metadataExpiresAt registrationTokenName"},

		{route: "GET /api/client-registration-tokens", scope: "clients:read", status: 200, at: func(n int) string {
			byKey(w.t, w.h, w.key()).ask("POST", "/api/client-registration-tokens", map[string]any{"name": "For a list", "usageLimit": 2, "expiresAt": time.Now().Add(time.Hour)})
			return "/api/client-registration-tokens"
		}, members: tokenMembers},
		{route: "POST /api/client-registration-tokens", scope: "clients:write", status: 201, members: allOf(tokenMembers, "token"),
			body: func(int) any {
				return map[string]any{"name": "For CI", "usageLimit": 2, "expiresAt": time.Now().Add(time.Hour)}
			}},
		{route: "DELETE /api/client-registration-tokens/{id}", scope: "clients:write", status: 204, at: func(n int) string {
			made := byKey(w.t, w.h, w.key()).ask("POST", "/api/client-registration-tokens", map[string]any{"name": "To go", "usageLimit": 2, "expiresAt": time.Now().Add(time.Hour)}).JSON()
			return "/api/client-registration-tokens/" + made["id"].(string)
		}},

		{route: "GET /api/oidc/users/me/authorized-clients", who: people, scope: "account:read", status: 200, list: true, members: "client lastUsedAt scope",
			at: func(n int) string { w.consented(n, w.admin); return "/api/oidc/users/me/authorized-clients" }},
		{route: "DELETE /api/oidc/users/me/authorized-clients/{id}", who: people, scope: "account:write", status: 204,
			at: func(n int) string { return "/api/oidc/users/me/authorized-clients/" + w.consented(n, w.admin) }},
		{route: "GET /api/oidc/users/me/clients", who: people, scope: "account:read", status: 200, list: true, members: allOf(metaMembers, "lastUsedAt")},
		{route: "GET /api/oidc/users/{id}/authorized-clients", scope: "users:read", status: 200, list: true, members: "client lastUsedAt scope",
			at: func(n int) string {
				w.consented(n, w.ada)
				return "/api/oidc/users/" + w.ada.ID + "/authorized-clients"
			}},
		{route: "DELETE /api/oidc/users/{id}/authorized-clients/{client}", scope: "users:write", status: 204,
			at: func(n int) string {
				return "/api/oidc/users/" + w.ada.ID + "/authorized-clients/" + w.consented(n, w.ada)
			}},

		{route: "GET /api/oidc/device/info", who: people, status: 200, members: "authorizationRequired client reauthenticationRequired scope scopeInfo",
			at: func(n int) string { return query("/api/oidc/device/info", "code", w.newClient(n).Device().User) }},
		{route: "POST /api/oidc/device/verify", who: people, status: 204,
			at: func(n int) string { return query("/api/oidc/device/verify", "code", w.newClient(n).Device().User) }},
	}
}

func accessContracts(w *world) []contract {
	shop, api := w.h.Client("reaching"), w.h.API("https://api.example/contracts", "read", "write")
	api.Allow(shop, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read"}})
	w.h.API("https://api.example/free", "read")
	at := func(rest string) func(int) string { return always("/api/apis/" + api.ID + rest) }
	name := func(n int) any { return map[string]any{"name": numbered("API ", n)} }
	return []contract{
		{route: "GET /api/apis", scope: "apis:read", status: 200, list: true, members: resourceMembers},
		{route: "POST /api/apis", scope: "apis:write", status: 201, members: resourceMembers, body: func(n int) any {
			return map[string]any{"name": "New", "resource": numbered("https://new.example/", n)}
		}},
		{route: "GET /api/apis/{id}", at: at(""), scope: "apis:read", status: 200, members: resourceMembers},
		{route: "PUT /api/apis/{id}", at: at(""), body: name, scope: "apis:write", status: 200, members: resourceMembers, conditional: true},
		{route: "DELETE /api/apis/{id}", scope: "apis:write", status: 204, conditional: true,
			at: func(n int) string { return "/api/apis/" + w.h.API(numbered("https://gone.example/", n)).ID }},
		{route: "PUT /api/apis/{id}/permissions", at: at("/permissions"), scope: "apis:write", status: 200, members: resourceMembers, conditional: true,
			body: always[any](map[string]any{"permissions": []any{map[string]any{"key": "read", "name": "May read"}}})},
		{route: "PUT /api/apis/{id}/cimd-access", at: at("/cimd-access"), scope: "apis:write", status: 200, members: resourceMembers, conditional: true,
			body: always[any](map[string]any{"enabled": true, "permissionIds": []string{}})},
		{route: "GET /api/apis/{id}/clients", at: at("/clients"), scope: "apis:read", status: 200, list: true, members: allOf(reachMembers, "client")},
		{route: "GET /api/apis/{id}/assignable-clients", at: at("/assignable-clients"), scope: "apis:read", status: 200, list: true, members: "clientType hasDarkLogo hasLogo id isPublic name"},
		{route: "PUT /api/apis/{id}/clients/{client}", at: at("/clients/" + shop.ID), scope: "apis:write", status: 200, members: inOrder(accessMembers),
			body: always[any](map[string]any{"userDelegatedAccess": true})},
		{route: "GET /api/api-access/{client}/apis", at: always("/api/api-access/" + shop.ID + "/apis"), scope: "apis:read", status: 200, members: allOf(reachMembers, "api")},
		{route: "GET /api/api-access/{client}/assignable-apis", at: always("/api/api-access/" + shop.ID + "/assignable-apis"), scope: "apis:read", status: 200, list: true, members: resourceMembers},
		{route: "DELETE /api/apis/{id}/clients/{client}", at: at("/clients/" + shop.ID), scope: "apis:write", status: 204},
	}
}

func houseContracts(w *world) []contract {
	image := painted(w.t, blue, 8, 8)
	resting := func(n int) string {
		id := numbered("job", n)
		w.h.SQL(`INSERT INTO jobs (id, kind, body, run_at, tries, rests, error, created_at) VALUES ($1, 'oidc.user_out', 'nobody', $2, 10, TRUE, 'it broke', $2)`, id, time.Now().UnixMicro())
		return "/api/jobs/" + id
	}
	picture := func(name string) []contract {
		put := "/api/application-images/" + name
		return []contract{
			{route: "PUT " + put, file: image, scope: "settings:write", status: 204},
			{route: "DELETE " + put, scope: "settings:write", status: 204, at: func(int) string { byKey(w.t, w.h, w.key()).send("PUT", put, image); return put }},
		}
	}
	list := []contract{
		{route: "GET /api/application-configuration", who: everybody, status: 200, members: "key type value"},
		{route: "GET /api/application-configuration/all", scope: "settings:read", status: 200, members: "key type value"},
		{route: "PUT /api/application-configuration", scope: "settings:write", status: 200, members: "key type value", body: always[any](map[string]string{"appName": "Pocket ID"}), conditional: true},
		{route: "GET /api/version/latest", who: everybody, status: 200, members: "latestVersion"},
		{route: "GET /api/signing-keys", scope: "settings:read", status: 200, members: "activeAt alg createdAt id retiredAt retiringAt state verifiesUntil"},
		{route: "POST /api/signing-keys/rotate", scope: "settings:write", status: 200, members: "alg alreadyBegun keyId previousKeyId signs signsAt", body: always[any](map[string]any{"alg": "ES256"})},
		{route: "POST /api/signing-keys/{id}/compromise", scope: "settings:write", status: 404, at: always("/api/signing-keys/nobody/compromise")},
		{route: "GET /api/jobs", scope: "settings:read", status: 200, members: "createdAt error id kind lastTriedAt tries", at: func(n int) string { resting(n); return "/api/jobs" }},
		{route: "POST /api/jobs/{id}/retry", scope: "settings:write", status: 204, at: func(n int) string { return resting(n) + "/retry" }},
		{route: "DELETE /api/jobs/{id}", scope: "settings:write", status: 204, at: resting},
		{route: "GET /api/health-checks", scope: "settings:read", status: 200, members: "cure finding name state text title"},
	}
	for _, name := range []string{"logo", "background", "favicon", "default-profile-picture"} {
		list = append(list, picture(name)...)
	}
	return list
}
