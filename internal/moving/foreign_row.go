package moving

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// errValue is said of a value that is not what its column holds.
var errValue = errors.New("a value is not what its column holds")

// A foreignRow is a row of a table of the incumbent, by the names of its columns: from a
// database nil, bool, int64, float64, string or []byte; from an archive what JSON has, with
// numbers as json.Number.
//
// The same column was a text in one version and a blob in another, a number here and a
// boolean there, and an archive writes bytes and JSON as base64 and times as texts. So the
// reader of a column says what it wants, and takes every way in which that was ever written.
// A column that there is not is one that is NULL.
type foreignRow map[string]any

// A rowReader reads columns of a row and keeps the first thing that is wrong.
type rowReader struct {
	row foreignRow
	err error
}

func (r *rowReader) fail(column, why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s %s", errValue, column, why)
	}
}

// has says whether a column is there and not NULL.
func (r *rowReader) has(column string) bool { return r.row[column] != nil }

// text is a column as text; NULL is "".
func (r *rowReader) text(column string) string {
	var s string
	switch v := r.row[column].(type) {
	case nil:
		return ""
	case string:
		s = v
	case []byte:
		s = string(v)
	case json.Number:
		s = v.String()
	case int64:
		s = strconv.FormatInt(v, 10)
	default:
		r.fail(column, "is no text")
		return ""
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		r.fail(column, "is no text in UTF-8")
		return ""
	}
	return s
}

// must is a text that is there.
func (r *rowReader) must(column string) string {
	s := r.text(column)
	if s == "" {
		r.fail(column, "is empty")
	}
	return s
}

// whole is a column as a whole number; fallback is what NULL stands for.
func (r *rowReader) whole(column string, fallback int64) int64 {
	switch v := r.row[column].(type) {
	case nil:
		return fallback
	case int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
	}
	r.fail(column, "is no whole number")
	return fallback
}

// yes is a column as a boolean; NULL is no.
func (r *rowReader) yes(column string) bool {
	switch v := r.row[column].(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case json.Number:
		return v.String() != "0"
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
	}
	r.fail(column, "is neither yes nor no")
	return false
}

// timeForms are the ways in which times were written down as texts.
var timeForms = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999 -0700 MST", "2006-01-02 15:04:05.999999999"}

// time is a column as an instant; NULL is none. Numbers are seconds since 1970.
func (r *rowReader) time(column string) time.Time {
	switch v := r.row[column].(type) {
	case nil:
		return time.Time{}
	case int64:
		if t, ok := instant(v); ok {
			return t
		}
	case float64:
		if t, ok := instant(int64(v)); ok {
			return t
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			if t, ok := instant(n); ok {
				return t
			}
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			if t, ok := instant(n); ok {
				return t
			}
		}
		for _, form := range timeForms {
			if t, err := time.Parse(form, v); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
				return t.UTC().Truncate(time.Microsecond)
			}
		}
	}
	r.fail(column, "is no time")
	return time.Time{}
}

func instant(seconds int64) (time.Time, bool) {
	return time.Unix(seconds, 0).UTC(), seconds >= minSeconds && seconds <= maxSeconds
}

// bytes is a column as bytes; NULL is none. A text is base64, as archives have it.
func (r *rowReader) bytes(column string) []byte {
	switch v := r.row[column].(type) {
	case nil:
		return nil
	case []byte:
		return v
	case string:
		if b, err := base64.StdEncoding.DecodeString(v); err == nil {
			return b
		}
	}
	r.fail(column, "is no run of bytes")
	return nil
}

// json reads a column of JSON into what dst points to, and says whether there was any.
func (r *rowReader) json(column string, dst any) bool {
	var plain []byte
	switch v := r.row[column].(type) {
	case nil:
		return false
	case []byte:
		plain = v
	case string:
		plain = []byte(v)
		if !beginsJSON(plain) {
			b, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				r.fail(column, "is no JSON")
				return false
			}
			plain = b
		}
	default:
		r.fail(column, "is no JSON")
		return false
	}
	if plain = bytes.TrimSpace(plain); len(plain) == 0 || string(plain) == "null" {
		return false
	}
	if err := json.Unmarshal(plain, dst); err != nil {
		r.fail(column, "is no JSON of the sort that it holds")
		return false
	}
	return true
}

// beginsJSON says whether b is a list, an object or nothing of JSON, which no base64 is.
func beginsJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) == 0 || b[0] == '[' || b[0] == '{' || string(b) == "null"
}

// words is a column that holds a list of words: as JSON in newer versions, with blanks
// between them in older ones.
func (r *rowReader) words(column string) []string {
	var list []string
	text := ""
	switch v := r.row[column].(type) {
	case nil:
		return nil
	case []byte:
		text = string(v)
	case string:
		text = v
		if b, err := base64.StdEncoding.DecodeString(v); err == nil && bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
			text = string(b)
		}
	}
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		if json.Unmarshal([]byte(text), &list) != nil {
			r.fail(column, "is no list of words")
		}
		return list
	}
	return strings.Fields(text)
}
