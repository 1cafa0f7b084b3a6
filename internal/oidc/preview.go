package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
)

// A Preview is what a client would be told about a person if they signed in now. There is
// no token in it: what is shown is not signed, so nobody can use it.
type Preview struct {
	// Refused is why the gate would not let the person pass, a fault with words; nil is
	// that it would. Whoever is refused is told about to nobody, so all else is empty then.
	Refused error
	// Scopes are those of the asked that count.
	Scopes []string
	// IDToken, AccessToken and Userinfo are JSON over several lines; "" is that there is
	// none, because the scope openid is missing.
	IDToken     string
	AccessToken string
	Userinfo    string
	// Custom are the custom claims that the person has, sorted by name, with where each
	// comes from.
	Custom []ClaimSource
}

// A ClaimSource says where a custom claim comes from.
type ClaimSource struct {
	Claim string
	// Value is the claim as JSON.
	Value string
	// GroupID and Group, which people call it, are the group that gives it; "" is that it
	// is the person's own.
	GroupID string
	Group   string
	// Over are the groups that would give another value and are not heard.
	Over []string
}

// Preview is what the client would be told about the user with scopes and resources, for
// administrators.
func (p *Provider) Preview(ctx context.Context, by audit.Actor, clientID, userID string, scopes, resources []string) (Preview, error) {
	if err := by.MustAdmin(); err != nil {
		return Preview{}, err
	}
	var v Preview
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, clientID)
		if err != nil {
			return err
		}
		user, err := directory.UserByID(tx, userID)
		if err != nil {
			return err
		}
		if !user.DeletedAt.IsZero() {
			return directory.ErrNoUser
		}
		through, err := mayUse(tx, user, c)
		if err != nil {
			if refused := refusal(err); !errors.Is(refused, errEnded) {
				return err
			}
			v = Preview{Refused: err}
			return nil
		}
		groups, err := directory.GroupsOf(tx, user.ID)
		if err != nil {
			return err
		}
		v, err = p.preview(tx, through, groups, scopes, resources)
		return err
	})
	return v, err
}

// preview is the preview of somebody whom the gate lets pass.
func (p *Provider) preview(tx *db.Tx, through pass, groups []directory.Group, asked, resources []string) (Preview, error) {
	v := Preview{Custom: sources(through, groups)}
	for _, scope := range scopes {
		if slices.Contains(asked, scope) {
			v.Scopes = append(v.Scopes, scope)
		}
	}
	targets, err := targetsOf(tx, through.client, forUsers, resources, permissionWords(asked))
	if err != nil {
		return v, err
	}
	g := &Grant{ID: secret.ID(), Kind: grantByCode, UserID: through.user.ID, ClientID: through.client.ID, Scopes: v.Scopes,
		Resources: targets, AuthTime: tx.Now(), AMR: []string{"phr", "user", "mfa"}, ACR: "phr", CreatedAt: tx.Now()}
	i := &issue{holding: holding{pass: through, grant: g, groups: groups}, at: tx.Now()}
	if err := i.holding.reach(tx); err != nil {
		return v, err
	}
	if err := i.narrow(nil, nil); err != nil {
		return v, err
	}
	v.Scopes = i.scopes
	if v.AccessToken, err = indented(p.accessClaims(i)); err != nil || !slices.Contains(v.Scopes, scopeOpenID) {
		return v, err
	}
	if v.IDToken, err = indented(p.idClaims(i, "")); err != nil {
		return v, err
	}
	v.Userinfo, err = indented(p.userinfo(i.holding, v.Scopes))
	return v, err
}

// indented is a value as JSON for people.
func indented(value any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return "", fmt.Errorf("write claims: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// sources says where each custom claim of a person comes from: the order is that of
// claimsOf.
func sources(of pass, groups []directory.Group) []ClaimSource {
	byName := map[string]*ClaimSource{}
	add := func(from ClaimSource, claims map[string]any) {
		for name, value := range claims {
			if directory.ReservedClaim(name) || value == nil || value == "" {
				continue
			}
			b, err := json.Marshal(value)
			if err != nil {
				panic("oidc: a claim is always JSON")
			}
			s := from
			s.Claim, s.Value = name, string(b)
			switch first := byName[name]; {
			case first == nil:
				byName[name] = &s
			case first.Value != s.Value:
				first.Over = append(first.Over, s.Group)
			}
		}
	}
	add(ClaimSource{}, of.user.Claims)
	for _, g := range groups {
		add(ClaimSource{GroupID: g.ID, Group: g.Called()}, g.Claims)
	}
	list := []ClaimSource{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, *byName[name])
	}
	return list
}
