package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"pocketid/internal/apptest"
)

// openapi is the schema that the OpenAPI Initiative publishes for documents of 3.1.
func openapi(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile("testdata/openapi/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	const address = "https://spec.openapis.org/oas/3.1/schema/2022-10-07"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(address, v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	template    = regexp.MustCompile(`\{([^}]+)\}`)
	operationID = regexp.MustCompile(`^[A-Za-z0-9]+$`)
)

// flaws are what is wrong with a document: by the schema of OpenAPI, and by those of its
// rules that a schema cannot say.
func flaws(schema *jsonschema.Schema, text []byte) (list []string) {
	all, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []string{err.Error()}
	}
	if err := schema.Validate(all); err != nil {
		list = append(list, err.Error())
	}
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("https://api.test/openapi.json", all); err != nil {
		return append(list, err.Error())
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "[", "%5B", "]", "%5D")
	var walk func(v any, at string, named bool)
	walk = func(v any, at string, named bool) { // named says that the members of v are names, not words of OpenAPI
		switch v := v.(type) {
		case []any:
			for i := range v {
				walk(v[i], fmt.Sprint(at, "/", i), false)
			}
		case map[string]any:
			for name, member := range v {
				to := at + "/" + escape.Replace(name)
				if ref, ok := member.(string); ok && name == "$ref" && !named {
					if pointed(all, ref) == nil {
						add("%s: %s leads nowhere", at, ref)
					}
				}
				if name == "schema" && !named || strings.HasSuffix(at, "/components/schemas") {
					if _, err := compiler.Compile("https://api.test/openapi.json#" + to); err != nil {
						add("%s is no schema: %v", to, err)
					}
				}
				walk(member, to, !named && slices.Contains([]string{"properties", "schemas", "headers", "paths", "content", "responses"}, name))
			}
		}
	}
	walk(all, "", false)

	doc := all.(map[string]any)
	var tags []any
	for _, tag := range doc["tags"].([]any) {
		name := tag.(map[string]any)["name"]
		if slices.Contains(tags, name) {
			add("the tag %v is there twice", name)
		}
		tags = append(tags, name)
	}
	schemes := pointed(all, "#/components/securitySchemes").(map[string]any)
	ids, shapes := map[any]string{}, map[string]string{}
	for path, item := range doc["paths"].(map[string]any) {
		shape := template.ReplaceAllString(path, "{}")
		if other := shapes[shape]; other != "" {
			add("%s and %s cannot be told from another", path, other)
		}
		shapes[shape] = path
		var wild []string
		for _, m := range template.FindAllStringSubmatch(path, -1) {
			wild = append(wild, m[1])
		}
		slices.Sort(wild)
		for method, o := range item.(map[string]any) {
			o, name := o.(map[string]any), method+" "+path
			id, _ := o["operationId"].(string)
			if other := ids[id]; other != "" || !operationID.MatchString(id) {
				add("%s: the operationId is %q, as that of %q", name, id, other)
			}
			ids[id] = name
			var in, seen []string
			params, _ := o["parameters"].([]any)
			for _, p := range params {
				p := p.(map[string]any)
				if p["in"] == "path" {
					in = append(in, p["name"].(string))
				}
				if who := fmt.Sprint(p["in"], " ", p["name"]); slices.Contains(seen, who) {
					add("%s: the parameter %s is there twice", name, who)
				} else {
					seen = append(seen, who)
				}
			}
			if slices.Sort(in); !slices.Equal(in, wild) {
				add("%s: the parameters of the path are %v", name, in)
			}
			responses, _ := o["responses"].(map[string]any)
			good := 0
			for status := range responses {
				if status[0] == '2' || status[0] == '3' {
					good++
				}
			}
			if good == 0 || responses["default"] == nil {
				add("%s: it does not say how it answers: %d answers, and faults: %v", name, good, responses["default"] != nil)
			}
			if summary, _ := o["summary"].(string); summary == "" {
				add("%s: nothing is said of it", name)
			}
			if security, ok := o["security"].([]any); ok {
				for _, way := range security {
					for scheme := range way.(map[string]any) {
						if schemes[scheme] == nil {
							add("%s: there is no way to prove oneself called %s", name, scheme)
						}
					}
				}
			} else {
				add("%s: it does not say who may", name)
			}
			for _, tag := range o["tags"].([]any) {
				if !slices.Contains(tags, tag) {
					add("%s: the tag %v is nowhere", name, tag)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// pointed is what a reference within a document leads to.
func pointed(all any, ref string) (v any) {
	v = all
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		object, _ := v.(map[string]any)
		v = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return v
}

// The document is one of OpenAPI 3.1, and has every address that is for programs. What makes
// a document wrong is found.
func TestDocumentOfTheAPI(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		text := []byte(nobody(t, h).ask("GET", "/api/openapi.json", nil).Body)
		schema := openapi(t)
		for _, flaw := range flaws(schema, text) {
			t.Error(flaw)
		}

		spoilt := func(from, to string) []byte {
			b := bytes.Replace(text, []byte(from), []byte(to), 1)
			if bytes.Equal(b, text) {
				t.Errorf("the document has no %s", from)
			}
			return b
		}
		for it, text := range map[string][]byte{
			"is of another version":            spoilt(`"openapi":"3.1.0"`, `"openapi":"2.0"`),
			"has a member that there is not":   spoilt(`"operationId"`, `"operationName":"x","operationId"`),
			"has one operationId twice":        spoilt(`"operationId":"getUsersMe"`, `"operationId":"getUsersById"`),
			"refers to what is not there":      spoilt(`"$ref":"#/components/schemas/Problem"`, `"$ref":"#/components/schemas/Nothing"`),
			"forgets a parameter of a path":    spoilt(`"in":"path"`, `"in":"query"`),
			"has a schema that is none":        spoilt(`"type":"boolean"`, `"type":"truth"`),
			"wants a proof that there is not":  spoilt(`"security":[{"key"`, `"security":[{"lock"`),
			"has a tag that is nowhere":        spoilt(`"tags":["Users"]`, `"tags":["Other"]`),
			"does not say what comes of it":    spoilt(`"responses":{"200"`, `"responses":{"500"`),
			"has two paths that are the same":  spoilt(`"/api/users/{id}":`, `"/api/user-groups/{user}":`),
			"is a document without a title":    spoilt(`"title":"Pocket ID"`, `"description":"Pocket ID"`),
			"has a parameter without a schema": spoilt(`"schema":{"type":"string"}`, `"x-schema":{"type":"string"}`),
		} {
			if len(flaws(schema, text)) == 0 {
				t.Errorf("no flaw is found where a document %s", it)
			}
		}

		// Every route for programs, and no other.
		var routed []string
		for _, r := range routes(t) {
			program := strings.HasPrefix(r.path, "/api/") && r.path != "/api/docs" || strings.HasPrefix(r.path, "/.well-known/") || r.path == "/authorize"
			if program {
				routed = append(routed, r.method+" "+r.path)
			}
		}
		slices.Sort(routed)
		if said := documentOf(t, h).routes(); !slices.Equal(said, routed) {
			t.Errorf("the document has\n%s\nand the routes are\n%s", strings.Join(said, "\n"), strings.Join(routed, "\n"))
		}
	})
}

// What the protocols answer is what the document says of them.
func TestDocumentOfTheProtocols(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		doc := documentOf(t, h)
		client, program := h.Client("shop"), h.Program()
		client.Authorize(admin)
		flow := client.Begin("scope", "openid offline_access")
		code := granted(t, admin.Open(flow.URL()), flow)
		tokens := program.Post("/api/oidc/token", form("grant_type", "authorization_code", "code", code, "redirect_uri", flow.Query.Get("redirect_uri"), "code_verifier", flow.Verifier), basic(client)...)
		access, _ := tokens.JSON()["access_token"].(string)
		bearer := []string{"Authorization", "Bearer " + access}
		for route, a := range map[string]*apptest.Answer{
			"GET /.well-known/openid-configuration":       program.Get("/.well-known/openid-configuration"),
			"GET /.well-known/oauth-authorization-server": program.Get("/.well-known/oauth-authorization-server"),
			"GET /.well-known/jwks.json":                  program.Get("/.well-known/jwks.json"),
			"GET /.well-known/passkey-endpoints":          program.Get("/.well-known/passkey-endpoints"),
			"POST /api/oidc/token":                        tokens,
			"GET /api/oidc/userinfo":                      program.Get("/api/oidc/userinfo", bearer...),
			"POST /api/oidc/userinfo":                     program.Post("/api/oidc/userinfo", form(), bearer...),
			"POST /api/oidc/introspect":                   program.Post("/api/oidc/introspect", form("token", access), basic(client)...),
			"POST /api/oidc/par":                          program.Post("/api/oidc/par", flow.Query, basic(client)...),
			"POST /api/oidc/revoke":                       program.Post("/api/oidc/revoke", form("token", access), basic(client)...),
		} {
			if a.Status >= 300 {
				t.Errorf("%s: %d %s", route, a.Status, a.Body)
			}
			doc.tells(route, route, a)
		}
		// What is refused is refused as the document says, too.
		for _, route := range doc.routes() {
			method, path, _ := strings.Cut(route, " ")
			if !doc.protocol(route) || strings.HasPrefix(path, "/.well-known/") || path == "/authorize" || strings.HasSuffix(path, "/end-session") || strings.HasSuffix(path, "/userinfo") {
				continue
			}
			a := program.Ask(method, template.ReplaceAllString(path, "x"), "{}", "Content-Type", "application/json")
			var fault map[string]any
			if err := json.Unmarshal([]byte(a.Body), &fault); err != nil || a.Status < 400 || a.Status > 499 {
				t.Errorf("%s: %d %s", route, a.Status, a.Body)
			}
			doc.tells(route, route, a)
		}
	}, "DISABLE_RATE_LIMITING=true")
}
