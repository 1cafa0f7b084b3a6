package oidc

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"pocketid/internal/secret"
)

// seenPart is how many characters of what a form carries along are of one field.
const seenPart = 8

// seenOf is what a form carries along of what it showed: a short hash of each field of a
// record, in the order of their names, so that it can be told which of them have changed.
func seenOf(record map[string]any) (seen string) {
	for _, name := range slices.Sorted(maps.Keys(record)) {
		b, err := json.Marshal(record[name])
		if err != nil {
			panic("oidc: what is recorded is always JSON")
		}
		seen += base64.RawURLEncoding.EncodeToString(secret.Hash(string(b))[:seenPart*3/4])
	}
	return seen
}

// changedSince are the fields of a record that are not as seen says. Of what nobody was
// shown like this, nothing can be said.
func changedSince(seen string, record map[string]any) (names []string) {
	now := seenOf(record)
	if len(seen) != len(now) {
		return nil
	}
	for i, name := range slices.Sorted(maps.Keys(record)) {
		if at := i * seenPart; seen[at:at+seenPart] != now[at:at+seenPart] {
			names = append(names, name)
		}
	}
	return names
}

// Seen is a short text that is another one once the API is. A form carries it along.
func (a *API) Seen() string { return seenOf(a.record()) }

// Changed are the parts of an API, as the log names them, that are not as somebody saw them.
func (a *API) Changed(seen string) []string { return changedSince(seen, a.record()) }

// CatchUp is an edit that was overtaken: what nobody touched since it was seen is as it is
// now, and what was typed stays.
func (a *API) CatchUp(seen string, typed APIEdit) APIEdit {
	edit := a.APIEdit
	theirs := API{ID: a.ID, APIEdit: typed, Resource: a.Resource, Permissions: a.Permissions}
	for _, name := range theirs.Changed(seen) {
		switch name {
		case "name":
			edit.Name = typed.Name
		case "description":
			edit.Description = typed.Description
		case "access_token_lifetime":
			edit.AccessTokenFor = typed.AccessTokenFor
		case "access_token_alg":
			edit.AccessTokenAlg = typed.AccessTokenAlg
		case "introspector":
			edit.Introspector = typed.Introspector
		}
	}
	return edit
}

// seenGrant is a grant as a form carries it along, whatever the order of its permissions.
func (g *APIGrant) seenGrant() map[string]any {
	in := func(names []string) []string {
		return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(slices.Values(names))))
	}
	return map[string]any{"for_users": g.ForUsers, "user_permissions": in(g.UserPermissions), "for_machine": g.ForMachine, "machine_permissions": in(g.MachinePermissions)}
}

// Seen is a short text that is another one once the grant is; nil is that there is none.
func (g *APIGrant) Seen() string {
	if g == nil {
		return "none"
	}
	return seenOf(g.seenGrant())
}

// Changed are the parts of a grant that are not as somebody saw them.
func (g *APIGrant) Changed(seen string) []string {
	if seen == (*APIGrant)(nil).Seen() {
		seen = (&APIGrant{ForUsers: true}).Seen() // as the form shows it
	}
	return changedSince(seen, g.seenGrant())
}
