package i18n

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

func TestCataloguesAreInOrder(t *testing.T) {
	for _, id := range Locales() {
		b, err := files.ReadFile("locales/" + id + ".json")
		if err != nil {
			t.Fatal(err)
		}
		sorted, err := Sorted(b)
		if err != nil {
			t.Errorf("%s: %v", id, err)
		} else if !bytes.Equal(b, sorted) {
			t.Errorf("%s: the keys are not in order; run go run ./internal/i18n/sortkeys", id)
		}
	}
}

func TestCataloguesSayTheSameThings(t *testing.T) {
	source := For(Source)
	for _, id := range Locales()[1:] {
		l := For(id)
		for key := range source.words {
			if !l.Has(key) {
				t.Errorf("%s: there are no words for %s", id, key)
			}
		}
		for key := range l.words {
			if !source.Has(key) {
				t.Errorf("%s: %s is not in the source", id, key)
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// places are the placeholders of a text, each once.
func places(s string) []string {
	all := placeholder.FindAllString(s, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

func TestCataloguesKeepThePlaceholders(t *testing.T) {
	source := For(Source)
	for _, id := range Locales() {
		l := For(id)
		for key, m := range l.words {
			if strings.HasPrefix(key, "format.") {
				continue // dates are written differently
			}
			want := places(source.words[key].text + source.words[key].forms["other"])
			texts := slices.Collect(maps.Values(m.forms))
			if m.forms == nil {
				texts = []string{m.text}
			}
			for _, text := range texts {
				if strings.Count(text, "{") != len(placeholder.FindAllString(text, -1)) {
					t.Errorf("%s: %s has a brace that does not close", id, key)
				}
				got := places(text)
				if m.forms != nil && !slices.Contains(got, "{n}") && slices.Contains(want, "{n}") {
					got = append(got, "{n}") // "one day" may leave the number out
					slices.Sort(got)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %s has the placeholders %v, the source %v", id, key, got, want)
				}
			}
		}
	}
}

func TestCataloguesHaveTheirPluralForms(t *testing.T) {
	source := For(Source)
	for _, id := range Locales() {
		l := For(id)
		for key, m := range l.words {
			if (m.forms != nil) != (source.words[key].forms != nil) {
				t.Errorf("%s: %s has plural forms in one catalogue only", id, key)
			}
			if m.forms == nil {
				if strings.TrimSpace(m.text) == "" {
					t.Errorf("%s: %s is empty", id, key)
				}
				continue
			}
			if got := slices.Sorted(maps.Keys(m.forms)); !slices.Equal(got, l.Forms()) {
				t.Errorf("%s: %s has the forms %v, want %v", id, key, got, l.Forms())
			}
			for form, text := range m.forms {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s: %s is empty for %s", id, key, form)
				}
			}
		}
	}
}

// An error says what happened and what to do. It does not blame, and it does
// not say words that say nothing.
func TestErrorsAreSaidInPlainWords(t *testing.T) {
	empty := regexp.MustCompile(`(?i)\b(invalid|failed|oops|illegal|bad request|forbidden|unauthorized)\b|!`)
	for key, m := range For(Source).words {
		if strings.HasPrefix(key, "error.") {
			if found := empty.FindString(m.text); found != "" {
				t.Errorf("%s says %q", key, found)
			}
		}
	}
	for key, m := range For("zh-CN").words {
		if strings.HasPrefix(key, "error.") && strings.ContainsAny(m.text, "!！") {
			t.Errorf("zh-CN: %s shouts", key)
		}
	}
}

func TestEveryKindHasItsWords(t *testing.T) {
	for _, id := range Locales() {
		for _, k := range fault.Kinds() {
			for _, part := range []string{"", ".title", ".cure"} {
				if key := "error." + k.String() + part; !For(id).Has(key) {
					t.Errorf("%s: there are no words for %s", id, key)
				}
			}
		}
	}
}

func TestMissingNamesLocaleAndKey(t *testing.T) {
	got := Missing([]string{"not_found", "eaten_by_the_dog"})
	want := []string{"en: error.eaten_by_the_dog", "zh-CN: error.eaten_by_the_dog"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// testLocale has words that no catalogue has.
func testLocale() *Locale {
	l := *For(Source)
	l.words = maps.Clone(l.words)
	for key, m := range map[string]message{
		"test.plain":   {text: "plain"},
		"test.greet":   {text: "{name} from {place}, {name}"},
		"test.people":  {forms: map[string]string{"one": "{n} person in {group}", "other": "{n} people in {group}"}},
		"error.t_only": {text: "{what} is gone"},
		"error.t_all":  {text: "text"}, "error.t_all.title": {text: "title of {what}"}, "error.t_all.cure": {text: "cure"},
	} {
		l.words[key] = m
	}
	return &l
}

func TestText(t *testing.T) {
	tests := []struct {
		name string
		key  string
		args []any
		want string
	}{
		{"is the words of its key", "test.plain", nil, "plain"},
		{"is the key itself when there are no words", "test.nothing", nil, "test.nothing"},
		{"fills each placeholder wherever it stands", "test.greet", []any{"place", "London", "name", "Ada"}, "Ada from London, Ada"},
		{"keeps a placeholder that got no value", "test.greet", []any{"name", "Ada"}, "Ada from {place}, Ada"},
		{"does not read what it filled in", "test.greet", []any{"name", "{place}", "place", "{name}"}, "{place} from {name}, {place}"},
		{"has a form for one", "test.people", []any{"n", 1, "group", "x"}, "1 person in x"},
		{"has a form for none", "test.people", []any{"n", 0, "group", "x"}, "0 people in x"},
		{"groups the digits of numbers", "test.people", []any{"n", int64(12345), "group", "x"}, "12,345 people in x"},
		{"speaks of several when no number came", "test.people", []any{"group", "x"}, "{n} people in x"},
		{"does not mind an odd argument", "test.greet", []any{"name"}, "{name} from {place}, {name}"},
	}
	l := testLocale()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := l.T(tt.key, tt.args...); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestChineseHasOneFormForAllNumbers(t *testing.T) {
	zh := For("zh-CN")
	for n, want := range map[int]string{1: "1 天前", 5: "5 天前"} {
		if got := zh.T("time.ago_days", "n", n); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestUnknownLocaleIsTheSource(t *testing.T) {
	if got := For("tlh").ID; got != Source {
		t.Errorf("got %s, want %s", got, Source)
	}
}

func TestFaultWords(t *testing.T) {
	l := testLocale()
	kind := l.T("error.conflict.title")
	tests := []struct {
		name, code string
		want       Words
	}{
		{"has all the words of its code", "t_all", Words{"title of it", "text", "cure"}},
		{"takes the title of its kind, but no cure that may not fit", "t_only", Words{kind, "it is gone", ""}},
		{"takes all from its kind when the code has no words", "t_none", Words{kind, l.T("error.conflict"), l.T("error.conflict.cure")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := l.Fault(tt.code, "conflict", map[string]string{"what": "it"}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestSortedRefuses(t *testing.T) {
	tests := []struct{ name, catalogue string }{
		{"a key that stands twice", `{"a": "1", "a": "2"}`},
		{"a number", `{"a": 1}`},
		{"a list", `["a"]`},
		{"two catalogues", `{"a": "1"} {"b": "2"}`},
		{"half a catalogue", `{"a": "1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Sorted([]byte(tt.catalogue)); err == nil {
				t.Errorf("got %s", got)
			}
		})
	}
	got, err := Sorted([]byte(`{"b":"<x> & “y”","a":{"other":"2","one":"1"}}`))
	if want := "{\n  \"a\": {\"one\": \"1\", \"other\": \"2\"},\n  \"b\": \"<x> & “y”\"\n}\n"; err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}
