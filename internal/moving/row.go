package moving

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"pocketid/internal/db"
)

// maxRow is how long the line of a row may be: more than the largest picture takes.
const maxRow = 64 << 20

// A rowWriter writes rows as lines of JSON: an array with a value for each column, which
// is a text, a number, true or false, bytes in base64, or null.
type rowWriter struct {
	enc *json.Encoder
	row []any
	// mended counts texts that no text can be: with NUL, or not in UTF-8. PostgreSQL stores
	// none of them, SQLite does; what cannot be read in them is written as U+FFFD.
	mended int64
}

func newRowWriter(w io.Writer) *rowWriter {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &rowWriter{enc: enc}
}

func (w *rowWriter) write(values []any) error {
	w.row = append(w.row[:0], values...)
	for i, v := range w.row {
		if s, ok := v.(string); ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			w.row[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
			w.mended++
		}
	}
	return w.enc.Encode(w.row)
}

// parseRow reads a line of JSON into the values of a row, which it appends to into.
func parseRow(into []any, line []byte, columns []db.Column) ([]any, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("it is not in UTF-8")
	}
	if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '[' {
		return nil, errors.New("it is no row")
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return nil, errors.New("it is no row of JSON")
	}
	if len(raw) != len(columns) {
		return nil, fmt.Errorf("it has %d values for %d columns", len(raw), len(columns))
	}
	for i, c := range columns {
		v, err := parseValue(raw[i], c)
		if err != nil {
			return nil, fmt.Errorf("its column %s %w", c.Name, err)
		}
		into = append(into, v)
	}
	return into, nil
}

func parseValue(raw json.RawMessage, c db.Column) (any, error) {
	text := string(raw)
	if text == "null" {
		if !c.Null {
			return nil, errors.New("has no value, and needs one")
		}
		return nil, nil
	}
	switch c.Kind {
	case db.IntegerColumn:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
			return n, nil
		}
		return nil, errors.New("is no whole number")
	case db.BooleanColumn:
		if text != "true" && text != "false" {
			return nil, errors.New("is neither true nor false")
		}
		return text == "true", nil
	}
	var s string
	if text[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return nil, fmt.Errorf("is no %s", c.Kind)
	}
	if c.Kind == db.BytesColumn {
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil || strings.ContainsAny(s, "\r\n") {
			return nil, errors.New("is not base64")
		}
		return b, nil
	}
	if strings.IndexByte(s, 0) >= 0 {
		return nil, errors.New("has a NUL, which no text may have")
	}
	return s, nil
}
