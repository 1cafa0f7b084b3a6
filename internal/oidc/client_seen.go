package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
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
	seen := ClientSeen{}
	for name, part := range e.record() {
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

// A clientPart is one thing that can be set about a client: its name in records and
// forms, and how it is read and taken over.
type clientPart struct {
	name  string
	value func(*ClientEdit) any
	take  func(to, from *ClientEdit)
}

// part is the part of a client that lies at at. Durations are recorded in seconds.
func part[T any](name string, at func(*ClientEdit) *T) clientPart {
	return clientPart{name,
		func(e *ClientEdit) any {
			if d, ok := any(*at(e)).(time.Duration); ok {
				return int64(d / time.Second)
			}
			return *at(e)
		},
		func(to, from *ClientEdit) { *at(to) = *at(from) }}
}

// clientParts are the parts of a client, in the order of its pages. Whatever can be set
// is here, or its change would be neither recorded nor seen by somebody who edits at the
// same time; a test compares.
var clientParts = []clientPart{
	part("name", func(e *ClientEdit) *string { return &e.Name }),
	part("launch_url", func(e *ClientEdit) *string { return &e.LaunchURL }),
	part("description", func(e *ClientEdit) *string { return &e.Description }),
	part("client_uri", func(e *ClientEdit) *string { return &e.ClientURI }),
	part("logo_uri", func(e *ClientEdit) *string { return &e.LogoURI }),
	part("policy_uri", func(e *ClientEdit) *string { return &e.PolicyURI }),
	part("tos_uri", func(e *ClientEdit) *string { return &e.TOSURI }),
	part("contacts", func(e *ClientEdit) *[]string { return &e.Contacts }),
	part("accent", func(e *ClientEdit) *string { return &e.Accent }),
	part("greeting", func(e *ClientEdit) *string { return &e.Greeting }),
	part("redirect_uris", func(e *ClientEdit) *[]URI { return &e.RedirectURIs }),
	part("post_logout_uris", func(e *ClientEdit) *[]URI { return &e.PostLogoutURIs }),
	part("initiate_login", func(e *ClientEdit) *string { return &e.InitiateLogin }),
	part("request_uris", func(e *ClientEdit) *[]string { return &e.RequestURIs }),
	part("group_restricted", func(e *ClientEdit) *bool { return &e.GroupRestricted }),
	part("allowed_groups", func(e *ClientEdit) *[]string { return &e.AllowedGroups }),
	part("skip_consent", func(e *ClientEdit) *bool { return &e.SkipConsent }),
	part("reauth_required", func(e *ClientEdit) *bool { return &e.ReauthRequired }),
	part("default_max_age", func(e *ClientEdit) *time.Duration { return &e.DefaultMaxAge }),
	part("auth_time_required", func(e *ClientEdit) *bool { return &e.AuthTimeRequired }),
	part("default_acr_values", func(e *ClientEdit) *[]string { return &e.DefaultACRValues }),
	part("public", func(e *ClientEdit) *bool { return &e.Public }),
	part("auth_method", func(e *ClientEdit) *string { return &e.AuthMethod }),
	part("grant_types", func(e *ClientEdit) *[]string { return &e.GrantTypes }),
	part("pkce_required", func(e *ClientEdit) *bool { return &e.PKCERequired }),
	part("par_required", func(e *ClientEdit) *bool { return &e.PARRequired }),
	part("request_object_alg", func(e *ClientEdit) *jose.Alg { return &e.RequestObjectAlg }),
	part("id_token_alg", func(e *ClientEdit) *jose.Alg { return &e.IDTokenAlg }),
	part("access_token_alg", func(e *ClientEdit) *jose.Alg { return &e.AccessTokenAlg }),
	part("userinfo_alg", func(e *ClientEdit) *jose.Alg { return &e.UserinfoAlg }),
	part("claims_at_userinfo", func(e *ClientEdit) *bool { return &e.ClaimsAtUserinfo }),
	part("subject_type", func(e *ClientEdit) *string { return &e.SubjectType }),
	part("sector", func(e *ClientEdit) *string { return &e.Sector }),
	part("refresh_issue", func(e *ClientEdit) *string { return &e.RefreshIssue }),
	part("refresh_rotation", func(e *ClientEdit) *string { return &e.RefreshRotation }),
	part("access_token_lifetime", func(e *ClientEdit) *time.Duration { return &e.AccessTokenFor }),
	part("id_token_lifetime", func(e *ClientEdit) *time.Duration { return &e.IDTokenFor }),
	part("refresh_token_lifetime", func(e *ClientEdit) *time.Duration { return &e.RefreshTokenFor }),
	part("refresh_max_lifetime", func(e *ClientEdit) *time.Duration { return &e.RefreshMaxFor }),
	part("backchannel_logout", func(e *ClientEdit) *string { return &e.BackchannelLogout }),
	part("backchannel_needs_sid", func(e *ClientEdit) *bool { return &e.BackchannelNeedsSid }),
	part("frontchannel_logout", func(e *ClientEdit) *string { return &e.FrontchannelLogout }),
	part("frontchannel_needs_sid", func(e *ClientEdit) *bool { return &e.FrontchannelNeedsSid }),
	part("jwks", func(e *ClientEdit) *string { return &e.JWKS }),
	part("jwks_uri", func(e *ClientEdit) *string { return &e.JWKSURI }),
	part("assertion_alg", func(e *ClientEdit) *jose.Alg { return &e.AssertionAlg }),
	part("assertion_audience", func(e *ClientEdit) *string { return &e.AssertionAudience }),
	part("federated", func(e *ClientEdit) *[]Federated { return &e.Federated }),
}
