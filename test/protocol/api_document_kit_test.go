package protocol

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pocketid/internal/apptest"
)

// A document is the OpenAPI document of the house, read as a program reads it.
type document struct {
	t        *testing.T
	all      map[string]any
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

func documentOf(t *testing.T, h *apptest.House) *document {
	t.Helper()
	a := nobody(t, h).ask(http.MethodGet, "/api/openapi.json", nil)
	all, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Body))
	if err != nil || a.Status != 200 {
		t.Fatalf("no document: %d %v", a.Status, err)
	}
	d := &document{t, all.(map[string]any), jsonschema.NewCompiler(), map[string]*jsonschema.Schema{}}
	if err := d.compiler.AddResource("https://api.test/openapi.json", all); err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows a path of members.
func (d *document) at(path ...string) (v any) {
	v = d.all
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// operation is what the document says of a route.
func (d *document) operation(route string) map[string]any {
	method, path, _ := strings.Cut(route, " ")
	o, _ := d.at("paths", path, strings.ToLower(method)).(map[string]any)
	return o
}

// operations are the routes of the document that contracts are about: all but those of the
// protocols and of pictures.
func (d *document) operations() (list []string) {
	for _, route := range d.routes() {
		if _, other := otherwise[route]; !other && !d.protocol(route) {
			list = append(list, route)
		}
	}
	return list
}

// routes are all routes of the document.
func (d *document) routes() (list []string) {
	for path, item := range d.at("paths").(map[string]any) {
		for method := range item.(map[string]any) {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// protocol reports whether the document has a route among those of the protocols.
func (d *document) protocol(route string) bool {
	return d.operation(route)["tags"].([]any)[0] == "Protocols"
}

// schema compiles the schema at a path of members.
func (d *document) schema(path ...string) *jsonschema.Schema {
	d.t.Helper()
	pointer := "https://api.test/openapi.json#"
	for _, name := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "[", "%5B", "]", "%5D").Replace(name)
	}
	if s := d.compiled[pointer]; s != nil {
		return s
	}
	s, err := d.compiler.Compile(pointer)
	if err != nil {
		d.t.Fatalf("the schema at %v: %v", path, err)
	}
	d.compiled[pointer] = s
	return s
}

// tells checks that an answer is one that the document tells of.
func (d *document) tells(route, name string, a *apptest.Answer) {
	d.t.Helper()
	if d.operation(route) == nil {
		d.t.Errorf("%s: the document does not know %s", name, route)
		return
	}
	method, path, _ := strings.Cut(route, " ")
	at := []string{"paths", path, strings.ToLower(method), "responses", strconv.Itoa(a.Status)}
	said, _ := d.at(at...).(map[string]any)
	if said == nil {
		if a.Status < 400 {
			d.t.Errorf("%s: the document does not know the status %d", name, a.Status)
			return
		}
		at = []string{"components", "responses", "problem"}
		if d.protocol(route) {
			at = []string{"paths", path, strings.ToLower(method), "responses", "default"}
		}
		said, _ = d.at(at...).(map[string]any)
	}
	content, _ := said["content"].(map[string]any)
	media, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	if (a.Body == "") != (content == nil) || content != nil && content[media] == nil {
		d.t.Errorf("%s: %d with %q, and the document says %v", name, a.Status, media, content)
		return
	}
	if content == nil || !strings.HasSuffix(media, "json") || content[media].(map[string]any)["schema"] == nil {
		return
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Body))
	if err == nil {
		err = d.schema(append(at, "content", media, "schema")...).Validate(v)
	}
	if err != nil {
		d.t.Errorf("%s: the answer is not as the document says: %v\n%.300s", name, err, a.Body)
	}
	for name, values := range a.Header {
		if name == "Etag" && said["headers"] == nil && a.Status != http.StatusCreated && !d.protocol(route) {
			d.t.Errorf("%s: the document does not know of the ETag %v", route, values)
		}
	}
}

// accepts reports whether a body is one that the document lets a program send.
func (d *document) accepts(route string, body any) error {
	method, path, _ := strings.Cut(route, " ")
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		return err
	}
	return d.schema("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema").Validate(v)
}
