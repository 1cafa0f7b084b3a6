package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"pocketid/internal/fault"
)

var (
	errBody     = fault.New(fault.Invalid, "invalid_request_body")
	errRepeated = fault.New(fault.Invalid, "parameter_repeated")
)

// Nothing is the answer of a JSON function that has none: 204.
type Nothing struct{}

// JSON adapts a function from a request body to a response body.
func JSON[In, Out any](fn func(context.Context, In) (Out, error)) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in In
		if err := ReadJSON(r, &in); err != nil {
			return err
		}
		out, err := fn(r.Context(), in)
		if err != nil {
			return err
		}
		if _, ok := any(out).(Nothing); ok {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return WriteJSON(w, http.StatusOK, out)
	}
}

// ReadJSON reads the body into v: one value, said to be JSON, with no member
// twice. That it must be said keeps forms of other sites out, which cannot.
// Members that v does not know are ignored. The fault names the member.
func ReadJSON(r *http.Request, v any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return errBody.Because("the Content-Type is not JSON")
	}
	body, err := ReadBody(r)
	if err != nil {
		return err
	}
	if err := checkJSON(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return errBody.At(e.Field).Because("a JSON %s where %s belongs", strings.Fields(e.Value)[0], e.Type)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok {
			return f
		}
		return errBody.Because("%w", err)
	}
	return nil
}

// ReadBody reads a body to its bound, which leaves no room for files.
func ReadBody(r *http.Request) ([]byte, error) {
	st := stateOf(r.Context())
	bound := st.maxBody
	if st.route != nil {
		bound -= st.route.MaxFile
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bound+1))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || int64(len(body)) > bound {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errBody.Because("read the body: %w", err)
	}
	return body, nil
}

// checkJSON refuses what encoding/json lets pass: a member that stands twice
// (whoever looked at it before us may have read the other one), also in other
// case at the top, broken UTF-8, a NUL, and nesting beyond a bound.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return errBody.Because("the text is not UTF-8")
	}
	type level struct {
		seen map[string]bool // nil in an array
		key  bool            // a key comes next
	}
	var open []level
	value := func() {
		if n := len(open); n > 0 && open[n-1].seen != nil {
			open[n-1].key = true
		}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			return errBody.Because("read JSON: %w", err)
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, level{seen: map[string]bool{}, key: true})
			case '[':
				open = append(open, level{})
			default:
				open = open[:len(open)-1]
				value()
			}
			if len(open) > maxDepth {
				return errBody.Because("deeper than %d", maxDepth)
			}
		case string:
			if strings.ContainsRune(t, 0) {
				return errBody.Because("a NUL in a string")
			}
			if n := len(open); n > 0 && open[n-1].key {
				name := t
				if n == 1 {
					name = strings.ToLower(t)
				}
				if open[n-1].seen[name] {
					return errBody.At(t).Because("a member stands twice")
				}
				open[n-1].seen[name] = true
				open[n-1].key = false
			} else {
				value()
			}
		default:
			value()
		}
		if len(open) == 0 {
			break
		}
	}
	if _, err := d.Token(); err != io.EOF {
		return errBody.Because("something follows the JSON")
	}
	return nil
}

// WriteJSON answers v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	return writeJSON(w, "application/json", status, v)
}

func writeJSON(w http.ResponseWriter, mediaType string, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}

// Form is the form in the body, with files (see File) or without, and nothing of the query: what stands in an
// address ends up in logs and histories. r.PostForm is it afterwards.
func Form(r *http.Request) (url.Values, error) {
	if r.PostForm != nil {
		return r.PostForm, nil
	}
	form, err := readForm(r)
	if err != nil {
		return nil, err
	}
	for name, values := range form {
		for _, v := range append(values, name) {
			if strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
				return nil, errBody.At(cut(strings.ReplaceAll(name, "\x00", ""), 50)).Because("a value is not text")
			}
		}
	}
	r.PostForm = form
	return form, nil
}

// readForm reads the body in whichever of the forms that HTML has.
func readForm(r *http.Request) (url.Values, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if st := stateOf(r.Context()); err == nil && mediaType == "multipart/form-data" && st.route != nil && st.route.MaxFile > 0 {
		return st.readParts(r, params["boundary"])
	}
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return nil, errBody.Because("the Content-Type is not that of a form")
	}
	body, err := ReadBody(r)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errBody.Because("read the form: %w", err)
	}
	return form, nil
}

// Single refuses a form or query in which a parameter stands twice (RFC 6749
// §3.1), but for those that may.
func Single(form url.Values, except ...string) error {
	for name, values := range form {
		if len(values) > 1 && !slices.Contains(except, name) {
			name = cut(name, 50)
			return errRepeated.At(name).With("name", name)
		}
	}
	return nil
}
