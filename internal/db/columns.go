package db

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Field maps a Go value to a column in both directions, so that one list of
// fields serves scanning, inserting and updating.
type Field interface {
	// Value is what is stored: a string, an int64, or nil.
	Value() (any, error)
	// Scan reads what was stored.
	Scan(v any) error
}

// Time maps a time.Time to a BIGINT of microseconds since 1970; the zero time
// is NULL.
func Time(t *time.Time) Field { return timeField{t} }

type timeField struct{ t *time.Time }

func (f timeField) Value() (any, error) {
	if f.t.IsZero() {
		return nil, nil
	}
	return f.t.UnixMicro(), nil
}

func (f timeField) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*f.t = time.Time{}
	case int64:
		*f.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("db.Time: %T", v)
	}
	return nil
}

// Seconds maps a time.Duration to a BIGINT of whole seconds; NULL is zero.
func Seconds(d *time.Duration) Field { return secondsField{d} }

type secondsField struct{ d *time.Duration }

func (f secondsField) Value() (any, error) { return int64(*f.d / time.Second), nil }

func (f secondsField) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*f.d = 0
	case int64:
		*f.d = time.Duration(v) * time.Second
	default:
		return fmt.Errorf("db.Seconds: %T", v)
	}
	return nil
}

// Text maps a string to TEXT; the empty string is NULL.
func Text(s *string) Field { return textField{s} }

type textField struct{ s *string }

func (f textField) Value() (any, error) {
	if *f.s == "" {
		return nil, nil
	}
	return *f.s, nil
}

func (f textField) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*f.s = ""
	case string:
		*f.s = v
	case []byte:
		*f.s = string(v)
	default:
		return fmt.Errorf("db.Text: %T", v)
	}
	return nil
}

// JSON maps what p points to to TEXT. NULL leaves it as it is.
func JSON(p any) Field { return jsonField{p} }

type jsonField struct{ p any }

func (f jsonField) Value() (any, error) {
	b, err := json.Marshal(f.p)
	return string(b), err
}

func (f jsonField) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), f.p)
	case []byte:
		return json.Unmarshal(v, f.p)
	}
	return fmt.Errorf("db.JSON: %T", v)
}

// Marks returns "$1, $2, … $n".
func Marks(n int) string { return MarksFrom(1, n) }

// MarksFrom returns n placeholders, the first of which is $first.
func MarksFrom(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}
