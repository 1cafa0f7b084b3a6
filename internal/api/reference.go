package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"pocketid/internal/edge"
)

// A Section is a part of the reference: operations about one kind of object.
type Section struct {
	ID, Name, About string
	Entries         []Entry
}

// An Entry is an operation as the reference shows it.
type Entry struct {
	ID, Method, Path, Does string
	// Who may: "everybody", "people" or "admins".
	Who string
	// Scope is that which a key needs; AnyKey says that each is taken. Without either only
	// sessions are.
	Scope  string
	AnyKey bool
	Params []Row
	// Body are the members of what is sent; File says that it is a file.
	Body []Row
	File bool
	// Status is that of the answer, whose members are Answer; List says that it is a page
	// of a list of such.
	Status int
	Answer []Row
	List   bool
	Curl   string
}

// A Row is a parameter or a member.
type Row struct {
	Name, Type, Does string
	Required         bool
}

// Reference is what the page about the API shows, made of the operations.
func (a *API) Reference() []Section {
	var list []Section
	s := newSchemas()
	for _, o := range a.Operations() {
		name := o.Section()
		at := slices.IndexFunc(list, func(s Section) bool { return s.Name == name })
		if at < 0 {
			at = len(list)
			section := Section{ID: strings.ReplaceAll(strings.ToLower(name), " ", "-"), Name: name}
			for _, known := range sections {
				if known.name == name && section.About == "" {
					section.About = known.about
				}
			}
			list = append(list, section)
		}
		list[at].Entries = append(list[at].Entries, s.entry(&o))
	}
	order := func(s Section) int {
		for i, known := range sections {
			if known.name == s.Name {
				return i
			}
		}
		return len(sections)
	}
	slices.SortStableFunc(list, func(x, y Section) int { return order(x) - order(y) })
	return list
}

func (s *schemas) entry(o *Operation) Entry {
	e := Entry{ID: o.ID(), Method: o.Method(), Path: o.Path(), Does: o.Does, Scope: o.Key, Status: o.status(), File: o.MaxFile > 0, List: o.listed()}
	switch {
	case o.Access == edge.Open || o.Access == edge.Public:
		e.Who = "everybody"
	case o.Access == edge.Admin:
		e.Who = "admins"
	default:
		e.Who = "people"
	}
	if e.AnyKey = o.Key == edge.AnyKey; e.AnyKey {
		e.Scope = ""
	}
	for _, p := range s.parameters(o) {
		if p["in"] != "path" {
			does, _ := p["description"].(string)
			e.Params = append(e.Params, Row{Name: p["name"].(string), Type: typeOf(p["schema"].(object)), Does: does})
		}
	}
	if o.Body != nil {
		e.Body = s.rows(reflect.TypeOf(o.Body), true)
	}
	if o.Answer != nil && o.Media == "" {
		e.Answer = s.rows(reflect.TypeOf(o.Answer), false)
	}
	e.Curl = s.curl(o)
	return e
}

// rows are the members of a struct, or of what a list has in it.
func (s *schemas) rows(t reflect.Type, in bool) (rows []Row) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return []Row{{Type: typeOf(s.of(t, in))}}
	}
	for _, m := range s.membersOf(t, in) {
		rows = append(rows, Row{Name: m.name, Type: typeOf(m.schema), Required: m.required && in})
	}
	return rows
}

// typeOf is a schema in a few words.
func typeOf(schema object) string {
	if ref, ok := schema["$ref"].(string); ok {
		return ref[strings.LastIndex(ref, "/")+1:]
	}
	if list, ok := schema["anyOf"].([]object); ok {
		return typeOf(list[0]) + " | null"
	}
	var words []string
	switch kind := schema["type"].(type) {
	case string:
		words = append(words, kind)
	case []string:
		words = append(words, strings.Join(kind, " | "))
	default:
		return "any"
	}
	if items, ok := schema["items"].(object); ok {
		words[0] += " of " + typeOf(items)
	}
	if format, ok := schema["format"].(string); ok {
		words = append(words, format)
	}
	for _, end := range []struct{ key, word string }{{"minLength", "from"}, {"minItems", "from"}, {"minimum", "from"}, {"maxLength", "to"}, {"maxItems", "to"}, {"maximum", "to"}} {
		if n, ok := schema[end.key]; ok {
			words = append(words, fmt.Sprint(end.word, " ", n))
		}
	}
	switch values := schema["enum"].(type) {
	case []string:
		words = append(words, strings.Join(values, " | "))
	case []any:
		words = append(words, fmt.Sprintf("%d values", len(values)))
	}
	return strings.Join(words, ", ")
}

// curl is an example of an operation for a shell, with the house and the key as variables.
func (s *schemas) curl(o *Operation) string {
	var b strings.Builder
	b.WriteString("curl")
	if o.Method() != "GET" {
		b.WriteString(" -X " + o.Method())
	}
	if o.Access == edge.SignedIn || o.Access == edge.Admin {
		b.WriteString(` -H "X-API-Key: $KEY"`)
	}
	if o.MaxFile > 0 {
		b.WriteString(" -F file=@picture.png")
	}
	if o.Body != nil {
		body, err := json.Marshal(s.example(reflect.TypeOf(o.Body)))
		if err == nil {
			b.WriteString(` -H "Content-Type: application/json" -d '` + string(body) + "'")
		}
	}
	b.WriteString(` "$APP_URL` + wildcard.ReplaceAllString(o.Path(), "$$${1}") + `"`)
	return b.String()
}

// example is a body with what has to be in it, or with its first member.
func (s *schemas) example(t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		return []any{s.example(t.Elem())}
	}
	if t.Kind() != reflect.Struct {
		return map[string]any{}
	}
	members := s.membersOf(t, true)
	o := map[string]any{}
	for i, m := range members {
		if m.required || i == 0 && !slices.ContainsFunc(members, func(m member) bool { return m.required }) {
			o[m.name] = sample(m.name, m.schema)
		}
	}
	return o
}

// sample is a value that fits a schema.
func sample(name string, schema object) any {
	if values, ok := schema["enum"].([]string); ok {
		return values[0]
	}
	kind, _ := schema["type"].(string)
	switch {
	case schema["format"] == "date-time":
		return "2030-01-01T00:00:00Z"
	case kind == "boolean":
		return true
	case kind == "integer" || kind == "number":
		return 1
	case kind == "array":
		return []any{}
	case kind == "object" || kind == "" && schema["type"] == nil:
		return map[string]any{}
	}
	return name
}
