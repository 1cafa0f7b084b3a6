package i18n

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Sorted is the text of a catalogue with its keys in order, one on each line,
// so that two people who add words seldom meet. A key that stands twice is an
// error, because one of its texts would be lost.
func Sorted(catalogue []byte) ([]byte, error) {
	entries := map[string][]byte{}
	d := json.NewDecoder(bytes.NewReader(catalogue))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("a catalogue is one JSON object: %v", err)
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string)
		if _, twice := entries[key]; twice {
			return nil, fmt.Errorf("%s stands twice", key)
		}
		var m message
		if err := d.Decode(&m); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if m.forms == nil {
			entries[key] = quoted(m.text)
			continue
		}
		var forms []string
		for _, form := range slices.Sorted(maps.Keys(m.forms)) {
			forms = append(forms, string(quoted(form))+": "+string(quoted(m.forms[form])))
		}
		entries[key] = []byte("{" + strings.Join(forms, ", ") + "}")
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the catalogue")
	}
	var b bytes.Buffer
	b.WriteString("{\n")
	for i, key := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "  %s: %s", quoted(key), entries[key])
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

// quoted is s as a JSON string that people can read.
func quoted(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s) // a string always encodes
	return bytes.TrimRight(b.Bytes(), "\n")
}
