package jose

import (
	"bytes"
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
	return walk(data, func(string, []byte) error { return nil })
}

// walk is strict, and calls visit with the name and the raw value of each
// member of the outermost object. It runs for every token that anybody sends,
// so it keeps to the stack.
func walk(data []byte, visit func(name string, value []byte) error) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("not JSON")
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); first[0] != '{' {
		return errors.New("not a JSON object")
	}
	var (
		open  [maxDepth]members // the objects and lists that are open at i
		space [64][]byte
		names = space[:0] // of the members so far of all open objects
		depth int
		name  bool   // whether the next string names a member
		outer []byte // the name of the member of the outermost object
		value int    // where its value begins
	)
	visitOuter := func(end int) error {
		if depth != 1 || outer == nil {
			return nil
		}
		n := string(outer)
		outer = nil
		return visit(n, bytes.TrimSpace(data[value:end]))
	}
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth == maxDepth {
				return errors.New("JSON is nested too deeply")
			}
			name = data[i] == '{'
			open[depth] = members{object: name, first: len(names)}
			depth++
		case '}', ']':
			if err := visitOuter(i); err != nil {
				return err
			}
			depth--
			names = names[:open[depth].first]
			name = false
		case ',':
			if err := visitOuter(i); err != nil {
				return err
			}
			name = open[depth-1].object
		case '"':
			end := i + 1
			for data[end] != '"' {
				if data[end] == '\\' {
					end++
				}
				end++
			}
			if name {
				name = false
				n, err := unquote(data[i : end+1])
				if err != nil {
					return err
				}
				m := &open[depth-1]
				if m.has(names, n) {
					return fmt.Errorf("member %q appears twice", n)
				}
				names = append(names, n)
				if depth == 1 {
					outer, value = n, end+1+bytes.IndexByte(data[end+1:], ':')+1
				}
			}
			i = end
		}
	}
	return nil
}

// members is an open object or list.
type members struct {
	object bool
	first  int                 // index of its first name
	many   map[string]struct{} // its names, once they are too many to compare one by one
}

// has reports whether the object has a member n already; names ends with its own.
func (m *members) has(names [][]byte, n []byte) bool {
	own := names[m.first:]
	if len(own) < 32 {
		for _, o := range own {
			if bytes.Equal(o, n) {
				return true
			}
		}
		return false
	}
	if m.many == nil {
		m.many = make(map[string]struct{}, 2*len(own))
		for _, o := range own {
			m.many[string(o)] = struct{}{}
		}
	}
	_, there := m.many[string(n)]
	m.many[string(n)] = struct{}{}
	return there
}

// unquote returns what a JSON string says.
func unquote(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil, fmt.Errorf("string: %w", err)
	}
	return []byte(s), nil
}
