package oidc

import (
	"cmp"
	"slices"
	"strings"

	"pocketid/internal/directory"
)

// The scopes of the house (OpenID Connect Core §5.4); groups is customary.
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeAddress = "address"
	scopePhone   = "phone"
	scopeGroups  = "groups"
	scopeOffline = "offline_access"
)

// claims are what a client with these scopes is told about a user. What is absent
// is left out: no null, no empty text (OpenID Connect Core §5.3.2).
//
// Custom claims come with the profile. One of the user counts before one of a group,
// one of the group whose name comes first before one of another, and the house's own
// before them all; under the names that the house itself speaks they are not heard
// (threats 66).
//
// asked are claims that the client wants one by one, which come beside those of the
// scopes; scopeOf says what the person allows with one of them.
func (p *Provider) claims(of pass, groups []directory.Group, scopes []string, asked map[string]*claimAsked) map[string]any {
	said := p.claimsOf(of, groups, scopes)
	if len(asked) == 0 {
		return said
	}
	more := []string{}
	for name := range asked {
		if scope := scopeOf(name); scope != "" && !slices.Contains(more, scope) {
			more = append(more, scope)
		}
	}
	all := p.claimsOf(of, groups, more)
	for name, a := range asked {
		if a.takes(all[name]) {
			say(said, name, all[name])
		}
	}
	return said
}

// scopeOf is the scope that a claim comes with; "" is that it is about the token or the
// sign-in. Who asks for the claim alone asks the person for what that scope says; what
// nobody knows may be a custom claim of the profile.
func scopeOf(claim string) string {
	switch claim {
	case "email", "email_verified":
		return scopeEmail
	case "address":
		return scopeAddress
	case "phone_number", "phone_number_verified":
		return scopePhone
	case "groups":
		return scopeGroups
	case "name", "given_name", "family_name", "display_name", "preferred_username", "locale", "updated_at",
		"middle_name", "nickname", "profile", "picture", "website", "gender", "birthdate", "zoneinfo":
		return scopeProfile
	}
	if directory.ReservedClaim(claim) {
		return ""
	}
	return scopeProfile
}

// claimsOf are the claims that come with scopes.
func (p *Provider) claimsOf(of pass, groups []directory.Group, scopes []string) map[string]any {
	u := &of.user
	said := map[string]any{}
	if slices.Contains(scopes, scopeProfile) {
		for _, g := range slices.Backward(groups) {
			customClaims(said, g.Claims)
		}
		customClaims(said, u.Claims)
		for _, f := range directory.StandardFields {
			if value := f.Of(&u.Standard); value != "" && scopeOf(f.Claim) == scopeProfile {
				said[f.Claim] = value
			}
		}
		say(said, "name", cmp.Or(strings.TrimSpace(u.FirstName+" "+u.LastName), u.DisplayName))
		say(said, "given_name", u.FirstName)
		say(said, "family_name", u.LastName)
		say(said, "display_name", u.DisplayName)
		say(said, "preferred_username", u.Username)
		say(said, "locale", strings.ReplaceAll(u.Locale, "_", "-"))        // as BCP 47 has it
		if u.PictureID != "" && of.client.SubjectType != SubjectPairwise { // its address has the id of the user
			said["picture"] = p.issuer + "/api/users/" + u.ID + "/profile-picture.png"
		}
		if !u.UpdatedAt.IsZero() {
			said["updated_at"] = u.UpdatedAt.Unix()
		}
	}
	if slices.Contains(scopes, scopeEmail) && u.Email != "" {
		said["email"], said["email_verified"] = u.Email, u.EmailVerified
	}
	if slices.Contains(scopes, scopeAddress) && u.Standard.Address != (directory.Address{}) {
		address := u.Standard.Address
		address.Formatted = address.Letter()
		said["address"] = address
	}
	if slices.Contains(scopes, scopePhone) && u.Standard.PhoneNumber != "" {
		said["phone_number"], said["phone_number_verified"] = u.Standard.PhoneNumber, u.Standard.PhoneVerified
	}
	if slices.Contains(scopes, scopeGroups) {
		names := make([]string, len(groups))
		for i, g := range groups {
			names[i] = g.Name
		}
		said["groups"] = names
	}
	return said
}

// customClaims adds claims that an administrator wrote.
func customClaims(said, claims map[string]any) {
	for name, value := range claims {
		if !directory.ReservedClaim(name) {
			say(said, name, value)
		}
	}
}

// say adds a claim unless there is nothing to say.
func say(said map[string]any, name string, value any) {
	if value != nil && value != "" {
		said[name] = value
	}
}
