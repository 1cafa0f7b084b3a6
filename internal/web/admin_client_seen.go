package web

import (
	"cmp"
	"strings"

	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// clientLabels are the keys of what the parts of a client are called on its page.
var clientLabels = map[string]string{
	"name": "client.name", "launch_url": "client.launch_url", "description": "client.description",
	"redirect_uris": "client.uris", "post_logout_uris": "client.logout_uris",
	"group_restricted": "client.access.restricted", "allowed_groups": "client.access.groups",
	"public": "client.public", "pkce_required": "client.pkce", "reauth_required": "client.reauth", "skip_consent": "client.skip_consent",
	"id_token_alg": "client.alg", "claims_at_userinfo": "client.claims_at_userinfo",
	"refresh_issue": "client.refresh_issue", "refresh_rotation": "client.rotation",
	"access_token_lifetime": "client.lifetime.access", "id_token_lifetime": "client.lifetime.id", "refresh_token_lifetime": "client.lifetime.refresh",
}

// caughtUp is a form that was overtaken with the client as it is now: what the person
// did not touch follows it, what they typed stays, and Meanwhile says what somebody
// else has changed.
func (f clientForm) caughtUp(words *i18n.Locale, c *oidc.Client) clientForm {
	is := c.Edit()
	edit, theirs := f.CatchUp(f.was(), is)
	now := clientFormOf(c)
	shown := map[string]string{
		"name": is.Name, "launch_url": is.LaunchURL, "description": is.Description,
		"redirect_uris": addresses(is.RedirectURIs), "post_logout_uris": addresses(is.PostLogoutURIs),
		"group_restricted": onOff(words, is.GroupRestricted), "allowed_groups": words.T("meanwhile.changed"),
		"public": onOff(words, is.Public), "pkce_required": onOff(words, is.PKCERequired),
		"reauth_required": onOff(words, is.ReauthRequired), "skip_consent": onOff(words, is.SkipConsent),
		"id_token_alg": string(is.IDTokenAlg), "claims_at_userinfo": onOff(words, is.ClaimsAtUserinfo),
		"refresh_issue": words.T("meanwhile.changed"), "refresh_rotation": words.T("meanwhile.changed"),
		"access_token_lifetime": now.AccessToken, "id_token_lifetime": now.IDToken, "refresh_token_lifetime": now.RefreshToken,
	}
	for _, name := range theirs {
		now.Meanwhile = append(now.Meanwhile, meanwhile{words.T(clientLabels[name]), cmp.Or(shown[name], words.T("meanwhile.empty"))})
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
