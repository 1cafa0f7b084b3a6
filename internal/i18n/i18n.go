// Package i18n holds the words of the product in every language: flat keys,
// named placeholders, plural forms, and the way each language writes dates and
// numbers. A catalogue is one JSON file, complete at every commit.
package i18n

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// Source is the locale that the others are translated from, and the one that
// everybody gets who asks for a language that we do not speak.
const Source = "en"

//go:embed locales/*.json
var files embed.FS

// Locale is one language. Its methods are safe to use at the same time.
type Locale struct {
	// ID is the name that users, cookies and the API carry: "en", "zh-CN".
	ID string

	words  map[string]message
	months []string
	// iso says that dates are written as ISO 8601 has them.
	iso bool
}

// message is a text, or one text for each plural form.
type message struct {
	text  string
	forms map[string]string
}

func (m *message) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, &m.forms)
	}
	return json.Unmarshal(b, &m.text)
}

var catalogues = sync.OnceValues(func() (map[string]*Locale, error) {
	names, err := files.ReadDir("locales")
	if err != nil {
		return nil, fmt.Errorf("read the catalogues: %w", err)
	}
	all := map[string]*Locale{}
	for _, n := range names {
		b, err := files.ReadFile(path.Join("locales", n.Name()))
		if err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", n.Name(), err)
		}
		l := &Locale{ID: strings.TrimSuffix(n.Name(), ".json")}
		if l.words, err = read(string(b)); err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", n.Name(), err)
		}
		l.months = strings.Split(l.words["format.months"].text, "|")
		if len(l.months) != 12 {
			return nil, fmt.Errorf("read catalogue %s: format.months has %d names", n.Name(), len(l.months))
		}
		all[l.ID] = l
	}
	if all[Source] == nil {
		return nil, fmt.Errorf("read the catalogues: there is no %s.json", Source)
	}
	return all, nil
})

// Load reads the catalogues, so that a broken one stops the start. Without it
// they are read on first use.
func Load() error {
	_, err := catalogues()
	return err
}

// For is the locale of that id, or the source when there is none.
func For(id string) *Locale {
	all, err := catalogues()
	if err != nil {
		panic(err) // the catalogues are part of the program, and tests read them
	}
	if l := all[id]; l != nil {
		return l
	}
	return all[Source]
}

// Locales are the ids of all locales, the source first.
func Locales() []string {
	all, err := catalogues()
	if err != nil {
		panic(err)
	}
	ids := make([]string, 0, len(all))
	for id := range all {
		if id != Source {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return append([]string{Source}, ids...)
}

// Has tells whether the locale has words for a key.
func (l *Locale) Has(key string) bool {
	_, ok := l.words[key]
	return ok
}

// T is the text of a key. The arguments are pairs of a name and its value, for
// the placeholders {name}; numbers are written as the language writes them, and
// the argument n picks the plural form. A key without words is its own text.
func (l *Locale) T(key string, args ...any) string {
	m, ok := l.words[key]
	if !ok {
		if l.ID != Source {
			return For(Source).T(key, args...)
		}
		return key
	}
	text := m.text
	if m.forms != nil {
		text = m.forms[l.form(args)]
		if text == "" {
			text = m.forms["other"]
		}
	}
	if len(args) == 0 || !strings.Contains(text, "{") {
		return text
	}
	return fill(text, func(name string) (string, bool) {
		for i := 0; i+1 < len(args); i += 2 {
			if args[i] == name {
				return l.show(args[i+1]), true
			}
		}
		return "", false
	})
}

// Words are what a person is told about a fault.
type Words struct {
	// Title is a heading of a few words.
	Title string
	// Text says what happened and why, and, when Cure is empty, what to do.
	Text string
	// Cure says what to do, where that stands by itself.
	Cure string
}

// Fault are the words for a code: error.<code>, error.<code>.title and
// error.<code>.cure. What the code does not say its kind says (error.<kind>).
func (l *Locale) Fault(code, kind string, params map[string]string) Words {
	args := make([]any, 0, 2*len(params))
	for name, value := range params {
		args = append(args, name, value)
	}
	own, general := "error."+code, "error."+kind
	w := Words{Title: l.T(general+".title", args...)}
	if l.Has(own + ".title") {
		w.Title = l.T(own+".title", args...)
	}
	if l.Has(own) {
		w.Text = l.T(own, args...)
		if l.Has(own + ".cure") {
			w.Cure = l.T(own+".cure", args...)
		}
		return w
	}
	w.Text, w.Cure = l.T(general, args...), l.T(general+".cure", args...)
	return w
}

// Missing are the codes of faults that lack words, each as "locale: key".
func Missing(codes []string) []string {
	var missing []string
	for _, id := range Locales() {
		l := For(id)
		for _, c := range codes {
			if !l.Has("error." + c) {
				missing = append(missing, id+": error."+c)
			}
		}
	}
	return missing
}

// fill replaces each {name} that value knows, once: what it puts in is not read again.
func fill(text string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			break
		}
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			break
		}
		v, ok := value(text[open+1 : open+end])
		if !ok {
			v = text[open : open+end+1]
		}
		b.WriteString(text[:open])
		b.WriteString(v)
		text = text[open+end+1:]
	}
	b.WriteString(text)
	return b.String()
}
