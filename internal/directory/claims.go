package directory

import (
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"

	"pocketid/internal/fault"
)

// What is refused about the claims of a user or a group.
var (
	ErrReservedClaim  = fault.New(fault.Invalid, "reserved_claim").At("claims")
	ErrClaimName      = fault.New(fault.Invalid, "claim_name_malformed").At("claims")
	ErrClaimsTooLarge = fault.New(fault.Invalid, "claims_too_large").At("claims")
)

// The bounds of the claims of one user or group: they travel in every token.
const (
	maxClaims      = 100
	maxClaimName   = 100
	maxClaimsBytes = 16 << 10
)

// reservedClaims are the names that the house itself speaks under, so that
// nobody can say by a claim of their own who somebody is or what they may.
var reservedClaims = []string{
	"given_name", "family_name", "name", "email", "email_verified", "preferred_username", "display_name", "groups",
	"type", "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "client_id", "nbf", "jti",
	"sid", "at_hash", "c_hash", "s_hash", "cnf", "scope", "events", "act", "may_act", "authorization_details",
}

// ReservedClaim says whether the house itself speaks under a name, in whatever case.
func ReservedClaim(name string) bool { return slices.Contains(reservedClaims, Fold(name)) }

// CheckClaims says what is wrong with claims, or nil. Their values are any
// JSON; the names of reservedClaims are refused in any case.
func CheckClaims(claims map[string]any) error {
	if len(claims) > maxClaims {
		return ErrClaimsTooLarge
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if name == "" || utf8.RuneCountInString(name) > maxClaimName {
			return ErrClaimName.With("name", name)
		}
		for _, r := range name {
			if !printable(r) || r == ' ' {
				return ErrClaimName.With("name", name)
			}
		}
		if ReservedClaim(name) {
			return ErrReservedClaim.With("name", name)
		}
		if deep(claims[name], maxClaimDepth) {
			return ErrClaimTooDeep.With("name", name)
		}
	}
	b, err := json.Marshal(claims)
	if err != nil || len(b) > maxClaimsBytes {
		return ErrClaimsTooLarge
	}
	return nil
}
