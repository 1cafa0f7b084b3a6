package directory

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pocketid/internal/fault"
)

// What is refused about the value of a claim as somebody typed it.
var (
	ErrClaimValueMissing = fault.New(fault.Invalid, "claim_value_missing").At("claims")
	ErrClaimNumber       = fault.New(fault.Invalid, "claim_number_malformed").At("claims")
	ErrClaimJSON         = fault.New(fault.Invalid, "claim_json_malformed").At("claims")
	ErrClaimTooDeep      = fault.New(fault.Invalid, "claim_too_deep").At("claims").With("max", strconv.Itoa(maxClaimDepth))
)

// maxClaimDepth bounds lists within lists and objects within objects.
const maxClaimDepth = 8

// A ClaimKind says how the value of a claim is typed. A value has the type of its
// kind: a text stays a text, whatever it looks like.
type ClaimKind string

// The kinds of claims.
const (
	ClaimText   ClaimKind = "text"
	ClaimNumber ClaimKind = "number"
	ClaimYes    ClaimKind = "yes"  // true; nothing is typed
	ClaimNo     ClaimKind = "no"   // false; nothing is typed
	ClaimList   ClaimKind = "list" // of texts, one a line
	ClaimJSON   ClaimKind = "json"
)

// ClaimKinds are the kinds in the order in which a form offers them.
var ClaimKinds = []ClaimKind{ClaimText, ClaimNumber, ClaimYes, ClaimNo, ClaimList, ClaimJSON}

// ParseClaim is the value that somebody typed as a kind. What is no kind is text.
func ParseClaim(kind ClaimKind, typed string) (any, error) {
	typed = strings.ReplaceAll(typed, "\r\n", "\n") // as browsers send what stands on several lines
	switch kind {
	case ClaimYes, ClaimNo:
		return kind == ClaimYes, nil
	case ClaimNumber:
		typed = strings.TrimSpace(typed)
		if typed == "" {
			return nil, ErrClaimValueMissing
		}
		n := json.Number(typed)
		if !json.Valid([]byte(typed)) || typed[0] != '-' && (typed[0] < '0' || typed[0] > '9') {
			return nil, ErrClaimNumber
		}
		return exact(n)
	case ClaimList:
		list := []any{}
		for line := range strings.Lines(typed) {
			if line = strings.TrimSpace(line); line != "" {
				list = append(list, line)
			}
		}
		if len(list) == 0 {
			return nil, ErrClaimValueMissing
		}
		return list, nil
	case ClaimJSON:
		if strings.TrimSpace(typed) == "" {
			return nil, ErrClaimValueMissing
		}
		return parseClaimJSON(typed)
	}
	if typed == "" {
		return nil, ErrClaimValueMissing
	}
	return typed, nil
}

// exact is n as it is stored and sent. A number that would not come out as it went in
// is refused, so that an id of twenty digits does not become a neighbour of itself.
func exact(n json.Number) (any, error) {
	f, err := n.Float64()
	if err != nil || digits(n.String()) != digits(strconv.FormatFloat(f, 'e', -1, 64)) {
		return nil, ErrClaimNumber
	}
	return f, nil
}

// digits are the significant digits of a number in JSON.
func digits(n string) string {
	n, _, _ = strings.Cut(strings.ToLower(strings.TrimPrefix(n, "-")), "e")
	n = strings.TrimLeft(strings.Replace(n, ".", "", 1), "0")
	return strings.TrimRight(n, "0")
}

// parseClaimJSON reads one value in which no member stands twice.
func parseClaimJSON(typed string) (any, error) {
	if !utf8.ValidString(typed) {
		return nil, ErrClaimJSON
	}
	d := json.NewDecoder(strings.NewReader(typed))
	d.UseNumber()
	v, err := claimValue(d, 0)
	if err != nil {
		if f := fault.Of(err); f.Kind != fault.Internal {
			return nil, f
		}
		return nil, ErrClaimJSON.Because("%w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, ErrClaimJSON.Because("there is more than one value")
	}
	return v, nil
}

func claimValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth == maxClaimDepth && (t == json.Delim('[') || t == json.Delim('{')) {
		return nil, ErrClaimTooDeep
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := claimValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			if _, twice := object[name.(string)]; twice {
				return nil, ErrClaimJSON.Because("a member stands twice")
			}
			if object[name.(string)], err = claimValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return object, err
	}
	if n, ok := t.(json.Number); ok {
		return exact(n)
	}
	return t, nil
}

// FormatClaim is how a value is typed: the plainest kind that ParseClaim turns into
// that very value again.
func FormatClaim(value any) (ClaimKind, string) {
	switch v := value.(type) {
	case bool:
		if v {
			return ClaimYes, ""
		}
		return ClaimNo, ""
	case string:
		if v != "" && !strings.Contains(v, "\r") {
			return ClaimText, v
		}
	case []any:
		lines := make([]string, len(v))
		plain := len(v) > 0
		for i, e := range v {
			line, ok := e.(string)
			plain = plain && ok && line != "" && line == strings.TrimSpace(line) && !strings.ContainsAny(line, "\r\n")
			lines[i] = line
		}
		if plain {
			return ClaimList, strings.Join(lines, "\n")
		}
	}
	b, err := json.Marshal(value)
	if err != nil {
		return ClaimText, ""
	}
	if _, ok := value.(float64); ok {
		return ClaimNumber, string(b)
	}
	var indented strings.Builder
	e := json.NewEncoder(&indented)
	e.SetEscapeHTML(false)
	if len(b) > 60 {
		e.SetIndent("", "  ")
	}
	if e.Encode(value) != nil {
		return ClaimJSON, string(b)
	}
	return ClaimJSON, strings.TrimSuffix(indented.String(), "\n")
}

// deep reports whether lists and objects of v lie more than left deep in each other.
func deep(v any, left int) bool {
	inner := func(e any) bool { return deep(e, left-1) }
	switch v := v.(type) {
	case []any:
		return left == 0 || slices.ContainsFunc(v, inner)
	case map[string]any:
		return left == 0 || slices.ContainsFunc(slices.Collect(maps.Values(v)), inner)
	}
	return false
}
