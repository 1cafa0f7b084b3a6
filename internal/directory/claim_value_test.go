package directory

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseClaim(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tt := range []struct {
		name  string
		kind  ClaimKind
		typed string
		want  any
		err   error
	}{
		{"keeps a text that looks like a number", ClaimText, "007", "007", nil},
		{"keeps a text that looks like JSON", ClaimText, `{"a": true}`, `{"a": true}`, nil},
		{"keeps the blanks of a text", ClaimText, " a ", " a ", nil},
		{"has one kind of end of line", ClaimText, "a\r\nb", "a\nb", nil},
		{"takes what is no kind for text", "bool", "true", "true", nil},
		{"refuses a text without a letter", ClaimText, "", nil, ErrClaimValueMissing},
		{"reads a number", ClaimNumber, " 250 ", 250.0, nil},
		{"reads a number with a fraction", ClaimNumber, "-1.50", -1.5, nil},
		{"reads a number with an exponent", ClaimNumber, "1e3", 1000.0, nil},
		{"refuses a number that would become another", ClaimNumber, "12345678901234567891", nil, ErrClaimNumber},
		{"refuses a number that begins with zero", ClaimNumber, "007", nil, ErrClaimNumber},
		{"refuses a number that is none", ClaimNumber, "true", nil, ErrClaimNumber},
		{"refuses a number beyond all", ClaimNumber, "1e999", nil, ErrClaimNumber},
		{"refuses a number of nothing", ClaimNumber, " ", nil, ErrClaimValueMissing},
		{"knows yes", ClaimYes, "whatever", true, nil},
		{"knows no", ClaimNo, "", false, nil},
		{"reads a list by its lines", ClaimList, "a b\r\n\r\n 007 \r\n", []any{"a b", "007"}, nil},
		{"refuses a list of nothing", ClaimList, "\r\n", nil, ErrClaimValueMissing},
		{"reads JSON", ClaimJSON, `{"a": [1, "x", null, true]}`, map[string]any{"a": []any{1.0, "x", nil, true}}, nil},
		{"refuses JSON that ends early", ClaimJSON, `{"a": 1`, nil, ErrClaimJSON},
		{"refuses JSON with something behind it", ClaimJSON, `1 2`, nil, ErrClaimJSON},
		{"refuses a member that stands twice", ClaimJSON, `{"a": 1, "a": 2}`, nil, ErrClaimJSON},
		{"refuses a number within JSON that would become another", ClaimJSON, `[12345678901234567891]`, nil, ErrClaimNumber},
		{"refuses broken UTF-8", ClaimJSON, "\"\xff\"", nil, ErrClaimJSON},
		{"refuses JSON of nothing", ClaimJSON, " ", nil, ErrClaimValueMissing},
		{"refuses JSON that is too deep", ClaimJSON, nested(maxClaimDepth + 1), nil, ErrClaimTooDeep},
	} {
		got, err := ParseClaim(tt.kind, tt.typed)
		if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("it %s: got %#v, %v", tt.name, got, err)
		}
	}
	v, err := ParseClaim(ClaimJSON, nested(maxClaimDepth))
	if err != nil || CheckClaims(map[string]any{"a": v}) != nil {
		t.Errorf("as deep as allowed: %v %v", err, CheckClaims(map[string]any{"a": v}))
	}
	if err := CheckClaims(map[string]any{"a": []any{v}}); !errors.Is(err, ErrClaimTooDeep) {
		t.Errorf("deeper than allowed: %v", err)
	}
}

// What is stored comes out of a form as it went in.
func TestFormatClaim(t *testing.T) {
	for _, tt := range []struct {
		value any
		kind  ClaimKind
		typed string
	}{
		{"007", ClaimText, "007"},
		{"two\nlines ", ClaimText, "two\nlines "},
		{"", ClaimJSON, `""`},
		{"a\r", ClaimJSON, `"a\r"`},
		{250.0, ClaimNumber, "250"},
		{1e21, ClaimNumber, "1e+21"},
		{true, ClaimYes, ""},
		{false, ClaimNo, ""},
		{[]any{"a b", "c"}, ClaimList, "a b\nc"},
		{[]any{}, ClaimJSON, "[]"},
		{[]any{"a", 1.0}, ClaimJSON, `["a",1]`},
		{[]any{" a"}, ClaimJSON, `[" a"]`},
		{[]any{"a", ""}, ClaimJSON, `["a",""]`},
		{map[string]any{"a": "<b>"}, ClaimJSON, `{"a":"<b>"}`},
		{nil, ClaimJSON, "null"},
		{map[string]any{"a": strings.Repeat("long", 20)}, ClaimJSON, "{\n  \"a\": \"" + strings.Repeat("long", 20) + "\"\n}"},
	} {
		kind, typed := FormatClaim(tt.value)
		if kind != tt.kind || typed != tt.typed {
			t.Errorf("%#v: got %s %q, want %s %q", tt.value, kind, typed, tt.kind, tt.typed)
		}
		if again, err := ParseClaim(kind, typed); err != nil || !reflect.DeepEqual(again, tt.value) {
			t.Errorf("%#v: comes back as %#v, %v", tt.value, again, err)
		}
	}
}
