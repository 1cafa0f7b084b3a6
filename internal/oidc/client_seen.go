package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"pocketid/internal/audit"
	"pocketid/internal/fault"
	"pocketid/internal/secret"
)

// ErrStale refuses a change by somebody who saw the client as it is no more: another
// one was faster, and saving would take their change back unseen.
var ErrStale = fault.New(fault.Conflict, "edited_meanwhile")

// ClientSeen is how a client was when somebody looked at it: a short hash of each of
// its parts, by the name that the part has in records. A form carries it along.
type ClientSeen map[string]string

// Seen is how a client with this edit looks.
func (e ClientEdit) Seen() ClientSeen {
	var c Client
	c.apply(e)
	seen := ClientSeen{}
	for name, part := range c.record() {
		b, err := json.Marshal(part)
		if err != nil {
			panic("oidc: what is recorded of a client is always JSON")
		}
		if string(b) == "null" { // a list that is empty
			b = []byte("[]")
		}
		seen[name] = base64.RawURLEncoding.EncodeToString(secret.Hash(string(b))[:9])
	}
	return seen
}

// changed are the parts that are not as they were seen.
func (was ClientSeen) changed(is ClientSeen) (names []string) {
	for _, part := range clientParts {
		if was[part.name] != is[part.name] {
			names = append(names, part.name)
		}
	}
	return names
}

// ReviseClient is EditClient for somebody who saw the client as it was, or ErrStale.
func (p *Provider) ReviseClient(ctx context.Context, by audit.Actor, id string, was ClientSeen, edit ClientEdit) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	return p.editClient(ctx, by, id, edit, func(is ClientEdit) error {
		if len(was.changed(is.Seen())) > 0 {
			return ErrStale
		}
		return nil
	})
}

// CatchUp brings an edit that was overtaken up to the client as it is: parts that e did
// not touch follow it, the others stay. It also returns the names of the parts that
// somebody else has changed.
func (e ClientEdit) CatchUp(was ClientSeen, is ClientEdit) (ClientEdit, []string) {
	mine, theirs := e.Seen(), was.changed(is.Seen())
	for _, part := range clientParts {
		if mine[part.name] == was[part.name] {
			part.take(&e, &is)
		}
	}
	return e, theirs
}

// clientParts are the parts of a client, in the order of its pages.
var clientParts = []struct {
	name string
	take func(to, from *ClientEdit)
}{
	{"name", func(to, from *ClientEdit) { to.Name = from.Name }},
	{"launch_url", func(to, from *ClientEdit) { to.LaunchURL = from.LaunchURL }},
	{"description", func(to, from *ClientEdit) { to.Description = from.Description }},
	{"redirect_uris", func(to, from *ClientEdit) { to.RedirectURIs = from.RedirectURIs }},
	{"post_logout_uris", func(to, from *ClientEdit) { to.PostLogoutURIs = from.PostLogoutURIs }},
	{"group_restricted", func(to, from *ClientEdit) { to.GroupRestricted = from.GroupRestricted }},
	{"allowed_groups", func(to, from *ClientEdit) { to.AllowedGroups = from.AllowedGroups }},
	{"public", func(to, from *ClientEdit) { to.Public = from.Public }},
	{"pkce_required", func(to, from *ClientEdit) { to.PKCERequired = from.PKCERequired }},
	{"reauth_required", func(to, from *ClientEdit) { to.ReauthRequired = from.ReauthRequired }},
	{"skip_consent", func(to, from *ClientEdit) { to.SkipConsent = from.SkipConsent }},
	{"id_token_alg", func(to, from *ClientEdit) { to.IDTokenAlg = from.IDTokenAlg }},
	{"claims_at_userinfo", func(to, from *ClientEdit) { to.ClaimsAtUserinfo = from.ClaimsAtUserinfo }},
	{"refresh_issue", func(to, from *ClientEdit) { to.RefreshIssue = from.RefreshIssue }},
	{"refresh_rotation", func(to, from *ClientEdit) { to.RefreshRotation = from.RefreshRotation }},
	{"access_token_lifetime", func(to, from *ClientEdit) { to.AccessTokenFor = from.AccessTokenFor }},
	{"id_token_lifetime", func(to, from *ClientEdit) { to.IDTokenFor = from.IDTokenFor }},
	{"refresh_token_lifetime", func(to, from *ClientEdit) { to.RefreshTokenFor = from.RefreshTokenFor }},
}
