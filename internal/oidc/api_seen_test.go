package oidc

import (
	"slices"
	"testing"
	"time"
)

// Whoever was overtaken keeps what they typed, and gets what others changed.
func TestAFormOfAnAPICatchesUp(t *testing.T) {
	shown := API{ID: "a", Resource: "https://api.example.com", APIEdit: APIEdit{Name: "Weather", AccessTokenFor: time.Hour}}
	is := shown
	is.Name, is.AccessTokenFor, is.Permissions = "Climate", time.Minute, []Permission{{Name: "read", Title: "Read"}}
	if got := is.Changed(shown.Seen()); !slices.Equal(got, []string{"access_token_lifetime", "name", "permissions"}) {
		t.Errorf("changed is %q", got)
	}
	typed := shown.APIEdit
	typed.Description, typed.Name = "Of the house", "Sky"
	if got := is.CatchUp(shown.Seen(), typed); got != (APIEdit{Name: "Sky", Description: "Of the house", AccessTokenFor: time.Minute}) {
		t.Errorf("the edit is %+v", got)
	}
	for _, seen := range []string{"", "nothing", is.Seen(), is.Seen() + "x"} {
		if got := is.Changed(seen); got != nil {
			t.Errorf("seen as %q, changed is %q", seen, got)
		}
	}
	grant := &APIGrant{ForUsers: true, UserPermissions: []string{"b", "a"}}
	if got := grant.Changed((&APIGrant{ForUsers: true, ForMachine: true, UserPermissions: []string{"a", "b"}}).Seen()); !slices.Equal(got, []string{"for_machine"}) {
		t.Errorf("of the grant, %q has changed", got)
	}
	if got := grant.Changed((*APIGrant)(nil).Seen()); !slices.Equal(got, []string{"user_permissions"}) {
		t.Errorf("of a grant that was none, %q has changed", got)
	}
}
