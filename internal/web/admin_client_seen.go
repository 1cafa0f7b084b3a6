package web

import (
	"cmp"
	"strings"

	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// clientLabels are the keys of what the parts of a client are called on its page.
var clientLabels = map[string]string{
	"name":                   "client.name",
	"launch_url":             "client.launch_url",
	"description":            "client.description",
	"client_uri":             "client.client_uri",
	"accent":                 "client.accent",
	"greeting":               "client.greeting",
	"logo_uri":               "client.logo_uri",
	"policy_uri":             "client.policy_uri",
	"tos_uri":                "client.tos_uri",
	"contacts":               "client.contacts",
	"initiate_login":         "client.initiate_login",
	"backchannel_logout":     "client.backchannel_logout",
	"backchannel_needs_sid":  "client.backchannel_needs_sid",
	"frontchannel_logout":    "client.frontchannel_logout",
	"frontchannel_needs_sid": "client.frontchannel_needs_sid",
	"request_uris":           "client.request_uris",
	"default_max_age":        "client.default_max_age",
	"auth_time_required":     "client.auth_time_required",
	"default_acr_values":     "client.default_acr_values",
	"auth_method":            "client.auth_method",
	"grant_types":            "client.grant_types",
	"par_required":           "client.par_required",
	"request_object_alg":     "client.request_object_alg",
	"access_token_alg":       "client.access_token_alg",
	"userinfo_alg":           "client.userinfo_alg",
	"subject_type":           "client.subject_type",
	"sector":                 "client.sector",
	"jwks":                   "client.jwks",
	"jwks_uri":               "client.jwks_uri",
	"assertion_alg":          "client.assertion_alg",
	"assertion_audience":     "client.assertion_audience",
	"federated":              "client.federated",
	"skip_consent":           "client.skip_consent",
	"claims_at_userinfo":     "client.claims_at_userinfo",
	"refresh_issue":          "client.refresh_issue",
	"redirect_uris":          "client.uris",
	"post_logout_uris":       "client.logout_uris",
	"group_restricted":       "client.access.restricted",
	"allowed_groups":         "client.access.groups",
	"public":                 "client.public",
	"pkce_required":          "client.pkce",
	"reauth_required":        "client.reauth",
	"id_token_alg":           "client.alg",
	"refresh_rotation":       "client.rotation",
	"access_token_lifetime":  "client.lifetime.access",
	"id_token_lifetime":      "client.lifetime.id",
	"refresh_token_lifetime": "client.lifetime.refresh",
	"refresh_max_lifetime":   "client.lifetime.refresh_max",
}

// caughtUp is a form that was overtaken with the client as it is now: what the person
// did not touch follows it, what they typed stays, and Meanwhile says what somebody
// else has changed.
func (f clientForm) caughtUp(words *i18n.Locale, c *oidc.Client) clientForm {
	is := c.Edit()
	edit, theirs := f.CatchUp(f.was(), is)
	now := clientFormOf(c)
	shown := map[string]string{
		"redirect_uris": addresses(is.RedirectURIs), "post_logout_uris": addresses(is.PostLogoutURIs),
		"group_restricted": onOff(words, is.GroupRestricted), "public": onOff(words, is.Public),
	}
	for field, at := range clientSwitches {
		shown[field] = onOff(words, *at(&is))
	}
	for _, name := range []string{"allowed_groups", "refresh_issue", "refresh_rotation", "auth_method", "grant_types", "subject_type",
		"assertion_audience", "jwks", "federated"} {
		shown[name] = words.T("meanwhile.changed")
	}
	for _, name := range theirs {
		now.Meanwhile = append(now.Meanwhile, meanwhile{words.T(clientLabels[name]), cmp.Or(shown[name], strings.ReplaceAll(now.value(name), "\n", ", "), words.T("meanwhile.empty"))})
	}
	now.set(edit)
	return now
}

// onOff is a switch in words.
func onOff(words *i18n.Locale, on bool) string {
	if on {
		return words.T("meanwhile.on")
	}
	return words.T("meanwhile.off")
}

// addresses are the addresses of a list in one line.
func addresses(uris []oidc.URI) string {
	list := make([]string, len(uris))
	for i, u := range uris {
		list[i] = u.URI
	}
	return strings.Join(list, ", ")
}
