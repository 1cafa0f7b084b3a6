package api

import (
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/oidc"
	"pocketid/internal/signin"
)

// The command line prints the same JSON as the API answers.

// ShowUser is an account as the API shows it.
func ShowUser(u *directory.User, groups []directory.Group) any { return userOf(u, groups) }

// ShowService is a service account as the API shows it at the instant now.
func ShowService(r *directory.ServiceRow, now time.Time) any { return serviceOf(r, now) }

// ShowGroup is a group as the API shows it.
func ShowGroup(g *directory.Group) any { return groupOf(g) }

// ShowKey is an API key as the API shows it.
func ShowKey(k signin.Key) any { return keyOf(k) }

// ShowNewKey is an API key with its text, as the API answers once.
func ShowNewKey(k signin.Key, text string) any { return keyOut{keyOf(k), text} }

// ShowPasskey is a passkey as the API shows it.
func ShowPasskey(p *signin.Passkey) any { return passkeyOf(p) }

// ShowClient is a client as the API shows it at the instant now.
func ShowClient(c *oidc.WholeClient, now time.Time) any { return clientOf(c, now) }

// ShowSecret is a secret of a client as the API shows it at the instant now.
func ShowSecret(s *oidc.Secret, now time.Time) any {
	return secretSeen{secretOf(s, now), instant(s.LastUsedAt)}
}

// ShowNewSecret is a secret with its text, as the API answers once.
func ShowNewSecret(s *oidc.Secret, text string, now time.Time) any {
	return secretMade{secretOf(s, now), text}
}
