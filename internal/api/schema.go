package api

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/signin"
)

// An object is one of the document.
type object = map[string]any

// schemas makes schemas of Go types. Structs become components of their own, one for what
// is sent to us and one for what we answer: of an answer every member is there, of a
// request only those with the tag doc:"required".
type schemas struct {
	components object
	names      map[typeUse]string
}

type typeUse struct {
	t  reflect.Type
	in bool
}

// enums are the types that have a few values only.
var enums = map[reflect.Type]func() []any{
	reflect.TypeFor[signin.Scope](): func() (all []any) {
		for _, s := range signin.Scopes(&directory.User{Admin: true}) {
			all = append(all, s)
		}
		return all
	},
}

func newSchemas() *schemas { return &schemas{components: object{}, names: map[typeUse]string{}} }

// of is the schema of a type, for requests or for answers.
func (s *schemas) of(t reflect.Type, in bool) object {
	if values := enums[t]; values != nil {
		return object{"type": "string", "enum": values()}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	case t == reflect.TypeFor[lifetime]():
		return object{"type": []string{"string", "integer"}}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Pointer:
		return nullable(s.of(t.Elem(), in))
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": s.of(t.Elem(), in)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem(), in)}
	case reflect.Struct:
		return s.ref(t, in)
	}
	return object{} // any value
}

// nullable is a schema that null fits as well.
func nullable(schema object) object {
	if kinds, ok := schema["type"].([]string); ok {
		schema["type"] = append(kinds, "null")
		return schema
	}
	if kind, ok := schema["type"].(string); ok {
		schema["type"] = []string{kind, "null"}
		if values, ok := schema["enum"].([]any); ok {
			schema["enum"] = append(values, nil)
		}
		return schema
	}
	if len(schema) == 0 {
		return schema
	}
	return object{"anyOf": []object{schema, {"type": "null"}}}
}

// ref is a reference to the component of a struct, which it makes the first time.
func (s *schemas) ref(t reflect.Type, in bool) object {
	use := typeUse{t, in}
	name := s.names[use]
	if name == "" {
		name = s.name(t, in)
		s.names[use] = name
		component := object{"type": "object"}
		s.components[name] = component // before its members, which may be of its type
		properties, required := object{}, []string{}
		s.members(t, in, properties, &required)
		component["properties"] = properties
		if len(required) > 0 {
			component["required"] = required
		}
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// name is a name for the component of t that no other one has.
func (s *schemas) name(t reflect.Type, in bool) string {
	name := t.Name()
	name = strings.ToUpper(name[:1]) + name[1:]
	if in && !strings.HasSuffix(name, "In") {
		name += "In"
	}
	for n, base := 2, name; s.components[name] != nil; n++ {
		name = base + strconv.Itoa(n)
	}
	return name
}

// A member is one of a struct, as JSON has it.
type member struct {
	name     string
	schema   object
	required bool
}

// membersOf are the members of a struct in their order, those of embedded structs among them.
func (s *schemas) membersOf(t reflect.Type, in bool) (list []member) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			list = append(list, s.membersOf(f.Type, in)...)
			continue
		}
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		schema := s.of(f.Type, in)
		tag := f.Tag.Get("doc")
		required := !in && !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")
		for word := range strings.FieldsSeq(tag) {
			required = bound(schema, word) || required
		}
		list = append(list, member{name, schema, required})
	}
	return list
}

func (s *schemas) members(t reflect.Type, in bool, properties object, required *[]string) {
	for _, m := range s.membersOf(t, in) {
		properties[m.name] = m.schema
		if m.required {
			*required = append(*required, m.name)
		}
	}
}

// bound adds a word of the tag doc to a schema, and tells whether it is "required": min
// and max are of the length of a text or a list, or of a number; format, pattern and enum (a|b) are
// those of JSON Schema.
func bound(schema object, word string) (required bool) {
	key, value, _ := strings.Cut(word, "=")
	kind, _ := schema["type"].(string)
	if kinds, ok := schema["type"].([]string); ok {
		kind = kinds[0]
	}
	ends := map[string][2]string{"string": {"minLength", "maxLength"}, "array": {"minItems", "maxItems"}, "integer": {"minimum", "maximum"}}
	switch key {
	case "required":
		return true
	case "min", "max":
		n, err := strconv.Atoi(value)
		end, ok := ends[kind]
		if err != nil || !ok {
			panic("api: the tag " + word + " is not for " + kind)
		}
		if key == "min" {
			schema[end[0]] = n
		} else {
			schema[end[1]] = n
		}
	case "format", "pattern":
		schema[key] = value
	case "enum":
		schema["enum"] = strings.Split(value, "|")
	case "nullable":
		nullable(schema)
	default:
		panic("api: there is no tag " + word)
	}
	return false
}
