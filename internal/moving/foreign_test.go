package moving

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// The key for sealed columns is the one that the other program derives.
func TestForeignKeyIsDerivedAsThere(t *testing.T) {
	if _, err := foreignKey("test-encryption-key").text("AAAA"); err != errForeignKey {
		t.Errorf("a text that is too short: %v", err)
	}
	key, err := foreignKey("test-encryption-key").columnKey()
	if err != nil || hex.EncodeToString(key) != "8a08281e815dac248bd216b8ceff063c390f3515475909bfd4380ed640bd854e" {
		t.Errorf("the key is %x, %v", key, err)
	}
}

func TestUnpack(t *testing.T) {
	for _, tt := range []struct {
		hex  string
		want any
	}{
		{"c0", nil}, {"c3", true}, {"7f", int64(127)}, {"e0", int64(-32)}, {"cc80", int64(128)}, {"d1ff7f", int64(-129)}, {"cfffffffffffffffff", uint64(1<<64 - 1)},
		{"a3616263", "abc"}, {"d903616263", "abc"}, {"c403010203", []byte{1, 2, 3}}, {"9201c0", []any{int64(1), nil}}, {"81a16101", map[string]any{"a": int64(1)}},
		{"cb3ff8000000000000", 1.5}, {"d6ff00000001", time.Unix(1, 0).UTC()}, {"d40100", nil},
	} {
		b, err := hex.DecodeString(tt.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(b); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %#v, %v", tt.hex, got, err)
		}
	}
	for _, bad := range []string{"", "c1", "a3", "dd7fffffff", "c6ffffffff", "8101", "9191919191919191919191919191919191919100", "0000"} {
		b, _ := hex.DecodeString(bad)
		if got, err := unpack(b); err == nil {
			t.Errorf("%s is read as %#v", bad, got)
		}
	}
}

// The same value is read in every way in which it was ever written.
func TestColumnsAreReadInEveryForm(t *testing.T) {
	at := time.Date(2026, 1, 11, 10, 0, 0, 0, time.UTC)
	r := &rowReader{row: foreignRow{"a": at.Unix(), "b": at.Format(time.RFC3339), "c": json.Number("1768125600"), "d": "2026-01-11 10:00:00+00",
		"yes": int64(1), "true": true, "one": json.Number("1"), "list": "WyJhIl0=", "plain": `["a"]`, "raw": []byte(`["a"]`), "old": "a b", "new": "WyJhIiwiYiJd"}}
	for _, c := range []string{"a", "b", "c", "d"} {
		if got := r.time(c); !got.Equal(at) {
			t.Errorf("%s is %v", c, got)
		}
	}
	if !r.yes("yes") || !r.yes("true") || !r.yes("one") || r.yes("none") {
		t.Error("a boolean is read wrongly")
	}
	for _, c := range []string{"list", "plain", "raw"} {
		var list []string
		if !r.json(c, &list) || len(list) != 1 || list[0] != "a" {
			t.Errorf("%s is %v", c, list)
		}
	}
	for _, c := range []string{"old", "new"} {
		if got := r.words(c); !reflect.DeepEqual(got, []string{"a", "b"}) {
			t.Errorf("%s is %v", c, got)
		}
	}
	if r.err != nil {
		t.Error(r.err)
	}
	if r.time("list"); r.err == nil {
		t.Error("a list is a time")
	}
}

func FuzzUnpack(f *testing.F) { // threats 79
	f.Fuzz(func(t *testing.T, data []byte) {
		p := packReader{r: bytes.NewReader(data)}
		for range 100 {
			if _, err := p.value(); err != nil {
				return
			}
		}
	})
}

func FuzzForeignRows(f *testing.F) { // threats 79
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &rowDecoder{in: &rationed{r: bytes.NewReader(data)}}
		d.json = json.NewDecoder(d.in)
		d.json.UseNumber()
		d.tables(t.Context(), map[string]func(foreignRow) error{"users": func(row foreignRow) error {
			for name := range row {
				r := rowReader{row: row}
				var any []string
				r.text(name)
				r.whole(name, 0)
				r.yes(name)
				r.time(name)
				r.bytes(name)
				r.json(name, &any)
				r.words(name)
			}
			return nil
		}})
	})
}
