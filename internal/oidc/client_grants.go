package oidc

import (
	"slices"

	"pocketid/internal/fault"
)

// errUnauthorizedClient answers a client that asks for a grant which it may not use
// (RFC 6749 §4.1.2.1, §5.2).
var errUnauthorizedClient = fault.New(fault.Invalid, "unauthorized_client")

// The grants, by the names of grant_type (RFC 7591 §2).
const (
	grantTypeCode     = "authorization_code"
	grantTypeRefresh  = "refresh_token"
	grantTypeClient   = "client_credentials"
	grantTypeDevice   = "urn:ietf:params:oauth:grant-type:device_code"
	grantTypeExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// uses says whether c may use a grant, by its grant_type. Without a list these are the
// ones of its kind: what a person takes part in, and for those that can prove who they
// are what they do for themselves, which each needs a permission of its own besides.
func (c *Client) uses(grant string) bool {
	if len(c.GrantTypes) > 0 {
		return slices.Contains(c.GrantTypes, grant)
	}
	switch grant {
	case grantTypeCode, grantTypeRefresh, grantTypeDevice:
		return true
	case grantTypeClient, grantTypeExchange:
		return !c.Public
	}
	return false
}
