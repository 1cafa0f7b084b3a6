package i18n

import (
	"encoding/json"
	"path"
	"reflect"
	"testing"
)

// What is read without copies is what encoding/json reads.
func TestReadReadsJSON(t *testing.T) {
	names, err := files.ReadDir("locales")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{`{}`, " {\r\n}\t", `{"a":""}`, `{"a":"b\\\"\u00e9\n" , "c" : {"one":"\\","other":"\ud83d\ude00 é"},"d":{}}`}
	for _, n := range names {
		b, err := files.ReadFile(path.Join("locales", n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	for _, text := range texts {
		var want map[string]message
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := read(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.60q: got %d words, %v", text, len(got), err)
		}
	}
}

func TestReadRefusesWhatIsNoCatalogue(t *testing.T) {
	for _, text := range []string{``, `[]`, `{`, `{"a"`, `{"a":`, `{"a":"b`, `{"a":"b\`, `{"a":"b"`, `{"a":"b",}`, `{"a":"b" "c":"d"}`, `{"a":1}`, `{"a":null}`, `{"a":["b"]}`,
		`{"a":{"one":{}}}`, `{"a":"b"}}`, `{"a":"b"} x`, "{\"a\":\"b\n\"}", `{"a":"\x"}`, `{a:"b"}`} {
		if words, err := read(text); err == nil {
			t.Errorf("%q is read as %v", text, words)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	text, err := files.ReadFile("locales/en.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(string(text)); err != nil {
			b.Fatal(err)
		}
	}
}
