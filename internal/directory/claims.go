package directory

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
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

// reservedClaims are the names that the house itself speaks under, and those by which a
// token says something about itself (the registry of RFC 7519 §10.1), so that nobody can
// say by a claim of their own who somebody is or what they may. What somebody is to an
// application, like roles and entitlements, is free.
var reservedClaims = strings.Fields(`
	name given_name family_name middle_name nickname preferred_username display_name profile picture website gender birthdate
	zoneinfo locale updated_at email email_verified phone phone_number phone_number_verified address groups type
	sub iss aud exp nbf iat jti auth_time nonce acr amr azp sid at_hash c_hash s_hash sub_id sub_jwk
	client_id scope cnf act may_act authorization_details events txn toe _claim_names _claim_sources verified_claims`)

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
