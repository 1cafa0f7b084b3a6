package apptest

import (
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A Form is a form of a page, as a browser reads it.
type Form struct {
	// Action is where it goes; "" is the page itself.
	Action string
	// Post says that it is sent by POST.
	Post   bool
	Fields []Field
}

// A Field is a control of a form. Several may have one name.
type Field struct {
	Name string
	// Kind is the type of an input, "textarea", "select" or "button".
	Kind  string
	Value string
	// Options are the values of a select.
	Options []string
	// On says that it is sent as it stands: a box that is ticked, a choice that is made, and
	// everything that is no box.
	On bool
}

var (
	markup     = regexp.MustCompile(`(?s)<!--.*?-->|<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s+[^\s=>/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+))?)*)\s*/?>`)
	attributes = regexp.MustCompile(`([^\s=>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?`)
)

// Forms are the forms of a page of the house, in order. A control that stands outside and
// names its form by an attribute belongs to that.
func Forms(page string) []*Form {
	var all []*Form
	byID := map[string]*Form{}
	var at *Form
	var open *Field // a select or textarea whose content comes
	var openIn string
	text := 0
	type stray struct {
		id    string
		field Field
	}
	var strays []stray
	add := func(f Field, id string) {
		switch {
		case id != "":
			strays = append(strays, stray{id, f})
		case at != nil:
			at.Fields = append(at.Fields, f)
		}
	}
	for _, m := range markup.FindAllStringSubmatchIndex(page, -1) {
		if m[4] < 0 {
			continue // a comment
		}
		closes, name, attrs := m[2] < m[3], strings.ToLower(page[m[4]:m[5]]), map[string]string{}
		for _, a := range attributes.FindAllStringSubmatch(page[m[6]:m[7]], -1) {
			attrs[strings.ToLower(a[1])] = html.UnescapeString(a[2] + a[3] + a[4])
		}
		_, checked := attrs["checked"]
		_, selected := attrs["selected"]
		_, disabled := attrs["disabled"]
		switch {
		case name == "form" && closes:
			at = nil
		case name == "form":
			at = &Form{Action: attrs["action"], Post: strings.EqualFold(attrs["method"], "post")}
			all = append(all, at)
			if id := attrs["id"]; id != "" {
				byID[id] = at
			}
		case (name == "textarea" || name == "select") && closes && open != nil:
			if name == "textarea" {
				open.Value = html.UnescapeString(strings.TrimPrefix(page[text:m[0]], "\n"))
			}
			if open.Kind == "select" && !open.On && len(open.Options) > 0 {
				open.Value, open.On = open.Options[0], true
			}
			add(*open, openIn)
			open = nil
		case name == "option" && !closes && open != nil:
			open.Options = append(open.Options, attrs["value"])
			if selected && open.Kind == "select-multiple" && open.On { // one more
				add(*open, openIn)
			}
			if selected {
				open.Value, open.On = attrs["value"], true
			}
		case closes || attrs["name"] == "" || disabled:
		case name == "textarea", name == "select":
			open, openIn, text = &Field{Name: attrs["name"], Kind: name, On: name == "textarea"}, attrs["form"], m[1]
			if _, multiple := attrs["multiple"]; multiple {
				open.Kind = "select-multiple"
			}
		case name == "input" || name == "button":
			f := Field{Name: attrs["name"], Kind: attrs["type"], Value: attrs["value"], On: name == "input"}
			if name == "button" {
				f.Kind = "button"
			}
			if f.Kind == "" {
				f.Kind = "text"
			}
			if f.Kind == "checkbox" || f.Kind == "radio" {
				if _, has := attrs["value"]; !has {
					f.Value = "on"
				}
				f.On = checked
			}
			add(f, attrs["form"])
		}
	}
	for _, s := range strays {
		if f := byID[s.id]; f != nil {
			f.Fields = append(f.Fields, s.field)
		}
	}
	return all
}

// Values are what a browser sends of a form that nobody touched.
func (f *Form) Values() url.Values {
	v := url.Values{}
	for _, field := range f.Fields {
		if field.On {
			v.Add(field.Name, field.Value)
		}
	}
	return v
}

// Names are the names of its controls, each once.
func (f *Form) Names() []string {
	var names []string
	for _, field := range f.Fields {
		if !slices.Contains(names, field.Name) {
			names = append(names, field.Name)
		}
	}
	return names
}

// Save opens a page and sends the form on it that leads to action with what is typed, and
// with what the page said that it showed.
func (b *Browser) Save(page, action string, typed url.Values) *Page {
	b.t.Helper()
	for _, f := range Forms(b.Open(page).Body) {
		if f.Action == action && f.Post {
			typed = maps.Clone(typed)
			for name, values := range f.Values() {
				if name == "was" || strings.HasPrefix(name, "was_") {
					typed[name] = values
				}
			}
			return b.Submit(action, typed)
		}
	}
	b.t.Fatalf("%s has no form for %s", page, action)
	return nil
}
