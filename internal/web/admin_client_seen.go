package web

import (
	"cmp"
	"strings"

	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
)

// clientLabels are the keys of what the parts of a client are called on its page, where
// that is not client.NAME.
var clientLabels = map[string]string{
	"redirect_uris": "client.uris", "post_logout_uris": "client.logout_uris",
	"group_restricted": "client.access.restricted", "allowed_groups": "client.access.groups",
	"pkce_required": "client.pkce", "reauth_required": "client.reauth", "refresh_rotation": "client.rotation",
	"grant_types": "client.grants",
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
		"claims_at_userinfo": onOff(words, is.ClaimsAtUserinfo), "grant_types": words.T("meanwhile.changed"),
		"refresh_issue": words.T("meanwhile.changed"), "refresh_rotation": words.T("meanwhile.changed"),
		"federated": words.T("meanwhile.changed"), "jwks": words.T("meanwhile.changed"),
	}
	for i := range clientFields {
		switch f := &clientFields[i]; {
		case f.as == asSwitch:
			shown[f.name] = onOff(words, *f.on(&is))
		case shown[f.name] == "":
			shown[f.name] = strings.ReplaceAll(f.value(&is), "\n", ", ")
		}
	}
	for _, name := range theirs {
		label := words.T(cmp.Or(clientLabels[name], "client."+name))
		now.Meanwhile = append(now.Meanwhile, meanwhile{label, cmp.Or(shown[name], words.T("meanwhile.empty"))})
	}
	now.ClientEdit = edit
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
