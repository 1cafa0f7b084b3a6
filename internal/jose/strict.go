package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	gojson "github.com/go-jose/go-jose/v4/json"
)

// Unmarshal decodes a JSON object of a token into v. Unlike encoding/json it
// matches names exactly: "Sub" never lands in a field named "sub". It refuses
// what [Verify] refuses in a payload.
func Unmarshal(data []byte, v any) error {
	if err := strict(data); err != nil {
		return err
	}
	if err := gojson.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	return nil
}

// strict reports whether data is one JSON object that every parser reads the
// same way: valid UTF-8, nested to a bound, no member twice in any object
// (RFC 7515 §4, RFC 8725 §2.4).
func strict(data []byte) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("not JSON")
	}
	var objects [maxDepth]map[string]struct{} // nil for an array
	depth := 0
	name := false // whether the next string names a member
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth == maxDepth {
				return errors.New("JSON is nested too deeply")
			}
			if depth == 0 && data[i] == '[' {
				return errors.New("not a JSON object")
			}
			objects[depth] = nil
			if name = data[i] == '{'; name {
				objects[depth] = map[string]struct{}{}
			}
			depth++
		case '}', ']':
			depth--
			name = false
		case ',':
			name = objects[depth-1] != nil
		case '"':
			end := i + 1
			for data[end] != '"' {
				if data[end] == '\\' {
					end++
				}
				end++
			}
			if name {
				var s string
				if err := json.Unmarshal(data[i:end+1], &s); err != nil {
					return fmt.Errorf("member name: %w", err)
				}
				if _, twice := objects[depth-1][s]; twice {
					return fmt.Errorf("member %q appears twice", s)
				}
				objects[depth-1][s] = struct{}{}
				name = false
			}
			i = end
		default: // a number, a word, a colon or space
			if depth == 0 && data[i] > ' ' {
				return errors.New("not a JSON object")
			}
		}
	}
	return nil
}
