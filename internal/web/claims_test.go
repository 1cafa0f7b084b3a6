package web

import (
	"errors"
	"net/url"
	"reflect"
	"testing"

	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// TestClaimsOf reads claims from a form, and says at which field they are wrong.
// threats 66
func TestClaimsOf(t *testing.T) {
	form := func(rows ...string) url.Values {
		f := url.Values{}
		for i := 0; i < len(rows); i += 3 {
			f.Add("claims", rows[i])
			f.Add("claims_kind", rows[i+1])
			f.Add("claims_value", rows[i+2])
		}
		return f
	}
	for _, tt := range []struct {
		name  string
		form  url.Values
		want  map[string]any
		err   error
		field string
	}{
		{"is empty without fields", nil, map[string]any{}, nil, ""},
		{"reads what has no kind as text", url.Values{"claims": {"a"}, "claims_value": {"007"}}, map[string]any{"a": "007"}, nil, ""},
		{"reads each kind and drops empty rows", form("", "text", "", " role ", "text", "editor", "", "text", " ", "quota", "number", "250", "vip", "yes", "", "off", "no", "x", "teams", "list", "a\r\nb", "o", "json", `{"x":1}`),
			map[string]any{"role": "editor", "quota": 250.0, "vip": true, "off": false, "teams": []any{"a", "b"}, "o": map[string]any{"x": 1.0}}, nil, ""},
		{"refuses a value without a name", form("a", "text", "b", "", "text", "x"), nil, errClaimNameMissing, "claims[1]"},
		{"refuses a name twice", form("a", "text", "b", "", "text", "", "a", "text", "c"), nil, errClaimRepeated, "claims[1]"},
		{"refuses a reserved name", form("ok", "text", "b", "Email_Verified", "yes", ""), nil, directory.ErrReservedClaim, "claims[1]"},
		{"refuses a name with blanks", form("my role", "text", "b"), nil, directory.ErrClaimName, "claims[0]"},
		{"refuses a value that is not of its kind", form("a", "text", "b", "n", "number", "seven"), nil, directory.ErrClaimNumber, "claims_value[1]"},
		{"refuses a name without a value", form("a", "text", ""), nil, directory.ErrClaimValueMissing, "claims_value[0]"},
	} {
		got, err := claimsOf(tt.form)
		if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("it %s: got %v, %v", tt.name, got, err)
			continue
		}
		if err == nil {
			continue
		}
		if f := fault.Of(err); f.Field != tt.field {
			t.Errorf("it %s: at %q, want %q", tt.name, f.Field, tt.field)
		}
		f := &Frame{Fault: &Problem{Field: fault.Of(err).Field}}
		f.Fault.Text = "here"
		found := 0
		for _, row := range typedClaims(f, tt.form).Rows {
			if row.Err == "here" || row.ValueErr == "here" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("it %s: %d rows of the page say so", tt.name, found)
		}
	}
}
