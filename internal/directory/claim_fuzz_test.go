package directory

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// What somebody types as the value of a claim is refused, or it is the same value when it
// is stored, read again and shown in a form again.
func FuzzParseClaim(f *testing.F) {
	for _, kind := range ClaimKinds {
		for _, seed := range []string{
			"", " ", "admin", "3", "-0", "0.1", "1e3", "12345678901234567890", "1e400", "0x1", "true", "null", "a\nb\r\nc", " a \n\n b ",
			`"a"`, `[1,"a",null,true,{"b":[]}]`, `{"a":{"b":{"c":1}}}`, `{"a":1,"a":2}`, `{"a":1}{"b":2}`, `[[[[[[[[[1]]]]]]]]]`, `[`, `{"a"`,
			`"\ud800"`, `"\u0000"`, "\xff", "{\"\xff\":1}", "<script>&", `{"role":"<b>"}`, "\u202e", strings.Repeat("[", 100),
		} {
			f.Add(string(kind), seed)
		}
	}
	f.Fuzz(func(t *testing.T, kind, typed string) {
		value, err := ParseClaim(ClaimKind(kind), typed)
		if err != nil {
			return
		}
		if !utf8.ValidString(typed) {
			return // forms are text; what is none is replaced as it is stored
		}
		stored, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%s %q is a value that cannot be stored: %v", kind, typed, err)
		}
		var again any
		if err := json.Unmarshal(stored, &again); err != nil || !reflect.DeepEqual(again, value) {
			t.Fatalf("%s %q is stored as %s and read as %#v", kind, typed, stored, again)
		}
		if err := CheckClaims(map[string]any{"a": value}); err != nil && len(stored) < maxClaimsBytes/2 {
			t.Fatalf("%s %q is parsed and refused: %v", kind, typed, err)
		}
		shownKind, shown := FormatClaim(value)
		if back, err := ParseClaim(shownKind, shown); err != nil || !reflect.DeepEqual(back, value) {
			t.Fatalf("%s %q is shown as %s %q, which is %#v, %v", kind, typed, shownKind, shown, back, err)
		}
	})
}

// A standard claim is refused, or it is stored as it would be checked again, and says
// nothing that a page or a line of an application cannot hold.
func FuzzStandardClaim(f *testing.F) {
	for i := range StandardFields {
		for _, seed := range []string{"", " ", "Lady A", "1815-12-10", "0000-02-29", "1815", "Europe/London", "+44 20 7946 0123", "+1 (604) 555-1234;ext=5678",
			"https://ada.example/a?b#c", "javascript:alert(1)", "https://a@b.example", "a\r\n\r\nb", "\u202e", "\xff", "e\u0301", strings.Repeat("界", 600)} {
			f.Add(i, seed)
		}
	}
	f.Fuzz(func(t *testing.T, i int, typed string) {
		field := StandardFields[uint(i)%uint(len(StandardFields))]
		var s Standard
		field.Set(&s, typed)
		first, err := s.checked()
		if err != nil {
			return
		}
		if second, err := first.checked(); err != nil || second != first {
			t.Fatalf("%s %q is %q, and then %q, %v", field.Name, typed, field.Of(&first), field.Of(&second), err)
		}
		value := field.Of(&first)
		if !utf8.ValidString(value) || len(value) > 4*500 || strings.ContainsAny(value, "\x00\r\u202e") || value != strings.TrimSpace(value) {
			t.Fatalf("%s %q is %q", field.Name, typed, value)
		}
		if strings.Contains(value, "\n") && field.Name != "street_address" && field.Name != "formatted" {
			t.Fatalf("%s %q has two lines", field.Name, typed)
		}
	})
}
