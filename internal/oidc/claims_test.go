package oidc

import (
	"reflect"
	"testing"
	"time"

	"pocketid/internal/directory"
)

// threats 66
func TestClaimsOfScopes(t *testing.T) {
	p := &Provider{issuer: testIssuer}
	ada := directory.User{ID: "u1", Username: "ada", Email: "ada@example.test", EmailVerified: true, FirstName: "Ada", LastName: "Lovelace",
		DisplayName: "Countess", Locale: "en", PictureID: "p1", UpdatedAt: time.Unix(1000000000, 5000)}
	profile := map[string]any{"name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "display_name": "Countess",
		"preferred_username": "ada", "locale": "en", "updated_at": int64(1000000000),
		"picture": testIssuer + "/api/users/u1/profile-picture.png"}
	with := func(u directory.User, change func(*directory.User)) directory.User { change(&u); return u }
	plus := func(more map[string]any) map[string]any {
		all := map[string]any{}
		for _, m := range []map[string]any{profile, more} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	groups := []directory.Group{
		{ID: "g1", Name: "admins", FriendlyName: "Admins", Claims: map[string]any{"team": "first", "floor": 1.0, "name": "nobody"}},
		{ID: "g2", Name: "staff", FriendlyName: "Staff", Claims: map[string]any{"team": "second", "desk": true}},
	}
	for _, test := range []struct {
		name   string
		user   directory.User
		groups []directory.Group
		scopes []string
		want   map[string]any
	}{
		{"it says nothing for openid", ada, groups, []string{"openid", "offline_access"}, map[string]any{}},
		{"it says the profile", ada, nil, []string{"openid", "profile"}, profile},
		{"it says the address", ada, nil, []string{"email"}, map[string]any{"email": "ada@example.test", "email_verified": true}},
		{"it says that an address is not verified", with(ada, func(u *directory.User) { u.EmailVerified = false }), nil, []string{"email"},
			map[string]any{"email": "ada@example.test", "email_verified": false}},
		{"it says nothing about an address that is not there", with(ada, func(u *directory.User) { u.Email = "" }), nil, []string{"email"}, map[string]any{}},
		{"it says the names of groups", ada, groups, []string{"groups"}, map[string]any{"groups": []string{"admins", "staff"}}},
		{"it says that there are no groups", ada, nil, []string{"groups"}, map[string]any{"groups": []string{}}},
		{"it leaves out what is not there", directory.User{ID: "u2", Username: "bob"}, nil, []string{"profile"}, map[string]any{"preferred_username": "bob"}},
		{"it makes a name of one half", directory.User{Username: "bob", FirstName: "Bob"}, nil, []string{"profile"},
			map[string]any{"preferred_username": "bob", "given_name": "Bob", "name": "Bob"}},
		{"it takes the display name for a name", directory.User{Username: "bob", DisplayName: "Bobby"}, nil, []string{"profile"},
			map[string]any{"preferred_username": "bob", "display_name": "Bobby", "name": "Bobby"}},
		{"it says the claims of groups, the first name before the second", ada, groups, []string{"profile"},
			plus(map[string]any{"team": "first", "floor": 1.0, "desk": true})},
		{"it says the claims of the user before those of groups", with(ada, func(u *directory.User) {
			u.Claims = map[string]any{"team": "own", "list": []any{"a"}, "object": map[string]any{"a": 1.0}}
		}), groups, []string{"profile"}, plus(map[string]any{"team": "own", "floor": 1.0, "desk": true, "list": []any{"a"}, "object": map[string]any{"a": 1.0}})},
		{"it keeps what is the house's to say", with(ada, func(u *directory.User) {
			u.Claims = map[string]any{"sub": "root", "email": "x@y", "email_verified": true, "groups": []any{"root"}, "Groups": []any{"root"}, "iss": "x",
				"preferred_username": "root", "picture": "https://x", "updated_at": "never", "locale": "xx", "nickname": "ace"}
			u.Standard = directory.Standard{Nickname: "lady", Website: "https://ada.example", Birthdate: "1815-12-10", PhoneNumber: "+1 555 0100"}
		}), nil, []string{"profile"}, plus(map[string]any{"nickname": "lady", "website": "https://ada.example", "birthdate": "1815-12-10"})},
		{"it leaves out what is empty", with(ada, func(u *directory.User) {
			u.Claims = map[string]any{"a": "", "b": nil, "c": false, "d": 0.0}
		}), nil, []string{"profile"}, plus(map[string]any{"c": false, "d": 0.0})},
		{"it keeps custom claims to the profile", with(ada, func(u *directory.User) { u.Claims = map[string]any{"team": "own"} }), groups,
			[]string{"email"}, map[string]any{"email": "ada@example.test", "email_verified": true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := p.claims(pass{test.user, &Client{}}, test.groups, test.scopes, nil); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}
