package directory

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/settings"
)

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{
		{"Ada", "aDA"}, {"STRASSE", "straße"}, {"Ångström", "A\u030angström"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"王小明", "王小明"}, {"İ", "i\u0307"},
	} {
		if Fold(pair[0]) != Fold(pair[1]) {
			t.Errorf("%q and %q are two names: %q, %q", pair[0], pair[1], Fold(pair[0]), Fold(pair[1]))
		}
	}
	for _, pair := range [][2]string{{"ada", "adá"}, {"a.da", "ada"}, {"ı", "i"}} {
		if Fold(pair[0]) == Fold(pair[1]) {
			t.Errorf("%q and %q are one name", pair[0], pair[1])
		}
	}
}

func TestUsernames(t *testing.T) {
	for _, good := range []string{"a", "A1", "ada.lovelace", "ada_l-1", "ada@example.org", strings.Repeat("a", 50), " ada "} {
		if _, err := parseUsername(good); err != nil {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", " ", ".ada", "ada.", "_a", "a b", "adá", "a/b", "a\nb", strings.Repeat("a", 51), "<b>", "a'b"} {
		if _, err := parseUsername(bad); !errors.Is(err, ErrUsernameMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEmails(t *testing.T) {
	for _, good := range []string{"", "ada@example.org", "ada+tag@example.org", "root@localhost", "o'hara@example.org", "用户@例子.广告", " ada@example.org "} {
		if _, err := parseEmail(good); err != nil {
			t.Errorf("%q is refused: %v", good, err)
		}
	}
	for _, bad := range []string{"ada", "@example.org", "ada@", "Ada <ada@example.org>", "<ada@example.org>", "a b@example.org", "ada@example.org\nBcc: x@y.z",
		"ada@example.org, eve@example.org", `"ada"@example.org`, "ada@[192.0.2.1]", "ada@@example.org", strings.Repeat("a", 250) + "@example.org", "a\u202e@example.org"} {
		if got, err := parseEmail(bad); !errors.Is(err, ErrEmailMalformed) {
			t.Errorf("%q is taken as %q: %v", bad, got, err)
		}
	}
}

// A fault names the field that it is about.
func TestNewUserIsChecked(t *testing.T) {
	ok := NewUser{Username: "ada", Email: "ada@example.org"}
	tests := []struct {
		name  string
		n     func(*NewUser)
		want  error
		field string
	}{
		{"takes the least", func(*NewUser) {}, nil, ""},
		{"refuses a bad username", func(n *NewUser) { n.Username = "a b" }, ErrUsernameMalformed, "username"},
		{"refuses a bad address", func(n *NewUser) { n.Email = "ada" }, ErrEmailMalformed, "email"},
		{"needs an address", func(n *NewUser) { n.Email = "" }, ErrEmailRequired, "email"},
		{"refuses a long first name", func(n *NewUser) { n.FirstName = strings.Repeat("é", 51) }, ErrNameTooLong, "first_name"},
		{"takes fifty characters", func(n *NewUser) { n.FirstName = strings.Repeat("é", 50) }, nil, ""},
		{"refuses a long last name", func(n *NewUser) { n.LastName = strings.Repeat("a", 51) }, ErrNameTooLong, "last_name"},
		{"refuses a long display name", func(n *NewUser) { n.DisplayName = strings.Repeat("a", 101) }, ErrNameTooLong, "display_name"},
		{"refuses a line break", func(n *NewUser) { n.DisplayName = "a\nb" }, ErrNameUnprintable, "display_name"},
		{"refuses what turns the direction", func(n *NewUser) { n.FirstName = "a\u202eb" }, ErrNameUnprintable, "first_name"},
		{"refuses broken text", func(n *NewUser) { n.LastName = "\xff" }, ErrNameUnprintable, "last_name"},
		{"refuses a bad id", func(n *NewUser) { n.ID = "1" }, ErrIDMalformed, "id"},
		{"takes an id", func(n *NewUser) { n.ID = "6BA7B810-9DAD-41D1-80B4-00C04FD430C8" }, nil, ""},
		{"refuses a bad locale", func(n *NewUser) { n.Locale = "en/../x" }, ErrLocaleMalformed, "locale"},
		{"takes a locale", func(n *NewUser) { n.Locale = "zh-CN" }, nil, ""},
		{"refuses reserved claims", func(n *NewUser) { n.Claims = map[string]any{"sub": "x"} }, ErrReservedClaim, "claims"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := ok
			tt.n(&n)
			_, err := n.Check(settings.Default())
			wants(t, "checking", err, tt.want)
			if f := fault.Of(err); tt.want != nil && f.Field != tt.field {
				t.Errorf("the field is %q, want %q", f.Field, tt.field)
			}
		})
	}
	s := settings.Default()
	s.RequireUserEmail = false
	if _, err := (NewUser{Username: "ada"}).Check(s); err != nil {
		t.Errorf("no address where none is needed: %v", err)
	}
}

// threats 66: what the house says about somebody, nobody else says.
func TestReservedClaims(t *testing.T) {
	// OpenID Connect Core §2, §5.1 and §5.6.2, RFC 7519 §4.1, RFC 7800, RFC 8693, RFC 9068, RFC 9396 and those of logout.
	for _, name := range append(strings.Fields(`sub iss aud exp nbf iat jti auth_time nonce acr amr azp at_hash c_hash s_hash sid events cnf act may_act
		client_id scope authorization_details name given_name family_name middle_name nickname preferred_username profile picture website email
		email_verified gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at phone groups _claim_names _claim_sources`),
		"SUB", "Aud", "Phone_Number_Verified", "ADDRESS") {
		if err := CheckClaims(map[string]any{name: "x"}); !errors.Is(err, ErrReservedClaim) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, claims := range []map[string]any{{"": 1}, {"a b": 1}, {"a\n": 1}, {strings.Repeat("a", 101): 1}} {
		if err := CheckClaims(claims); !errors.Is(err, ErrClaimName) {
			t.Errorf("%v: %v", claims, err)
		}
	}
	if err := CheckClaims(map[string]any{"big": strings.Repeat("a", maxClaimsBytes)}); !errors.Is(err, ErrClaimsTooLarge) {
		t.Error(err)
	}
	many := map[string]any{}
	for i := range 101 {
		many[strings.Repeat("a", i+1)] = 1
	}
	if err := CheckClaims(many); !errors.Is(err, ErrClaimsTooLarge) {
		t.Error(err)
	}
	for _, name := range []string{"roles", "role", "entitlements", "username", "department"} {
		if err := CheckClaims(map[string]any{name: "x"}); err != nil {
			t.Errorf("%s, which is what somebody is to an application: %v", name, err)
		}
	}
	if err := CheckClaims(map[string]any{"department": "Field research", "quota": 250.5, "flags": []any{true, nil}, "https://example.org/x": map[string]any{"a": 1}}); err != nil {
		t.Error(err)
	}
}

// One name means one account, whatever its case and its
// encoding, and whether it is asked for as a username or as an address.
func TestNamesAreUnique(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		b.settings(func(s *settings.Settings) { s.RequireUserEmail = false })
		ada := b.make(NewUser{Username: "Ada", Email: "Ada.L\u00e9@example.org"})
		tests := []struct {
			name string
			n    NewUser
			want error
		}{
			{"the username in another case", NewUser{Username: "aDA"}, ErrUsernameTaken},
			{"the address in another case", NewUser{Username: "x1", Email: "ADA.L\u00c9@EXAMPLE.ORG"}, ErrEmailTaken},
			{"the address in another encoding", NewUser{Username: "x1", Email: "ada.le\u0301@example.org"}, ErrEmailTaken},
			{"the id", NewUser{ID: ada.ID, Username: "x1"}, ErrIDTaken},
			{"another name", NewUser{Username: "x1", Email: "x@example.org"}, nil},
			{"an address as username", NewUser{Username: "X@example.org"}, ErrUsernameTaken},
			{"a username that looks like an address", NewUser{Username: "y@example.org"}, nil},
			{"that as an address", NewUser{Username: "x2", Email: "Y@example.org"}, ErrEmailTaken},
		}
		for _, tt := range tests {
			_, err := b.AddUserAs(t.Context(), root, tt.n)
			wants(t, tt.name, err, tt.want)
		}
		must(t, b.Delete(t.Context(), root, ada.ID))
		_, err := b.AddUserAs(t.Context(), root, NewUser{Username: "ada"})
		wants(t, "the name of somebody deleted", err, ErrUsernameTaken)
		x1 := b.make(NewUser{Username: "x3"})
		_, err = b.EditProfile(t.Context(), as(x1), ProfileEdit{Username: "X1"})
		wants(t, "renaming to a taken name", err, ErrUsernameTaken)
		_, err = b.EditProfile(t.Context(), as(x1), ProfileEdit{Username: "X3", Email: "y@EXAMPLE.org"})
		wants(t, "taking a username as an address", err, ErrEmailTaken)
		_, err = b.EditProfile(t.Context(), as(x1), ProfileEdit{Username: "X3"})
		wants(t, "changing the case of one's own name", err, nil)
	})
}

func TestUserByName(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.make(NewUser{Username: "Ada", Email: "Lovelace@example.org"})
		find := func(name string) (u User, err error) {
			err = b.db.Read(t.Context(), func(tx *db.Tx) (err error) {
				u, err = UserByName(tx, name)
				return err
			})
			return u, err
		}
		for _, name := range []string{"ada", "ADA", " Ada ", "lovelace@EXAMPLE.org"} {
			if u, err := find(name); err != nil || u.ID != ada.ID {
				t.Errorf("%q is %q, %v", name, u.Username, err)
			}
		}
		for _, name := range []string{"", "ad", "lovelace", "%", ada.ID} {
			_, err := find(name)
			wants(t, "looking for "+name, err, ErrNoUser)
		}
		must(t, b.Disable(t.Context(), root, ada.ID))
		if u, err := find("ada"); err != nil || !errors.Is(u.Active(time.Now()), ErrDisabled) {
			t.Errorf("a disabled user is %v, %v", u.Active(time.Now()), err)
		}
		must(t, b.Delete(t.Context(), root, ada.ID))
		_, err := find("ada")
		wants(t, "a deleted user", err, ErrNoUser)
	})
}

func TestWords(t *testing.T) {
	got := words(&User{Username: "ada.l", Email: "Ada@example.org", FirstName: "Ada", LastName: "King-Noël", DisplayName: "王小明 Ada"})
	want := []string{"ada.l", "l", "ada@example.org", "example.org", "org", "ada", "king-noël", "noël", "王小明 ada", "小明 ada", "明 ada"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	long := words(&User{DisplayName: strings.Repeat("a ", 60) + strings.Repeat("b", 100)})
	if len(long) > maxWords {
		t.Errorf("%d words are kept", len(long))
	}
	for _, w := range long {
		if len([]rune(w)) > maxWord {
			t.Errorf("a word has %d characters", len([]rune(w)))
		}
	}
}

// Words are kept in step with the names.
func TestWordsFollowTheNames(t *testing.T) {
	each(t, func(t *testing.T, b *book) {
		ada := b.make(NewUser{Username: "ada", Email: "ada@example.org", LastName: "Byron"})
		found := func(word string) bool {
			return b.count(`SELECT count(*) FROM user_words WHERE word >= $1 AND word < $2 AND user_id = $3`, word, word+"\U0010ffff", ada.ID) > 0
		}
		if !found("byr") || !found("exam") || found("love") {
			t.Error("the words are not those of the names")
		}
		_, err := b.EditProfile(t.Context(), as(ada), ProfileEdit{Username: "ada", Email: "ada@example.org", LastName: "Lovelace"})
		must(t, err)
		if found("byr") || !found("lovel") {
			t.Error("the words are those of before")
		}
	})
}

func TestLocales(t *testing.T) {
	for _, good := range []string{"", "en", "zh-CN", "zh_Hant_TW", "de-DE-1996", "sr-Latn-RS"} {
		if err := checkLocale(good); err != nil {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"e", "1n", "en-", "-en", "en--US", "en US", "en/x", "<x>", "é", "abcdefghi", "-", strings.Repeat("en-", 12) + "en"} {
		if err := checkLocale(bad); !errors.Is(err, ErrLocaleMalformed) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUUIDs(t *testing.T) {
	if !isUUID("6ba7b810-9dad-41d1-80b4-00c04fd430c8") {
		t.Error("a UUID is refused")
	}
	for _, bad := range []string{"", "6ba7b810-9dad-41d1-80b4-00c04fd430c", "6ba7b810-9dad-41d1-80b4-00c04fd430c88", "6BA7B810-9dad-41d1-80b4-00c04fd430c8",
		"6ba7b8109dad-41d1-80b4-00c04fd430c8-", "6ba7b810-9dad-41d1-80b4-00c04fd430cg", "------------------------------------"} {
		if isUUID(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}
