package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"pocketid/internal/edge"
)

// openAPI is the version of the specification that the document keeps to.
const openAPI = "3.1.0"

const jsonType = "application/json"

// sections are what the addresses are ordered by: the first word after /api, and what it
// is about.
var sections = []struct{ word, name, about string }{
	{"users", "Users", "Accounts of people and of services, and what belongs to them."},
	{"user-groups", "User groups", "Groups, which decide who may use what and are told to applications."},
	{"custom-claims", "Custom claims", "What is told of people and groups beside the standard claims."},
	{"webauthn", "Passkeys", "Signing in by passkey, and one's own passkeys."},
	{"one-time-access-token", "One-time access", "Signing in once without a passkey."},
	{"signup", "Sign-up", "The first account of the house."},
	{"oidc", "OIDC clients", "Applications that people sign in to."},
	{"apis", "APIs", "Resource servers and their permissions."},
	{"api-access", "API access", "What an application may ask of APIs."},
	{"api-keys", "API keys", "Keys for programs."},
	{"audit-logs", "Audit log", "What happened, and who did it."},
	{"service-accounts", "Users", ""},
	{"user-batches", "Users", ""},
	{"client-registration-tokens", "OIDC clients", ""},
	{"application-configuration", "Configuration", "The settings of the house."},
	{"application-images", "Images", "Logo, background and icon of the house."},
	{"version", "System", "The program itself."},
	{"openapi.json", "System", ""},
	{"health-checks", "System", ""},
	{"jobs", "System", ""},
	{"signing-keys", "System", ""},
	{"", protocols, "What applications speak by OAuth 2.0 and OpenID Connect. These addresses take no API keys; their faults are those of OAuth."},
}

// Section is the name of the section that an operation belongs to.
func (o *Operation) Section() string { return sectionOf(o.Path()) }

func sectionOf(path string) string {
	word, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/"), "/")
	for _, s := range sections {
		if s.word == word {
			return s.name
		}
	}
	return "Other"
}

var wildcard = regexp.MustCompile(`\{([^}.$]+)\}`)

// ID names an operation by its method and path: getUsersById.
func (o *Operation) ID() string { return idOf(o.Method(), o.Path()) }

func idOf(method, path string) string {
	var b strings.Builder
	b.WriteString(strings.ToLower(method))
	for word := range strings.FieldsFuncSeq(wildcard.ReplaceAllString(strings.TrimPrefix(path, "/api"), "by-$1"), func(r rune) bool { return strings.ContainsRune("/-._{}", r) }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// Document is the OpenAPI document of all operations, and of those of the other routes that
// are for programs, as JSON.
func Document(version string, list []Operation, others []edge.Route) ([]byte, error) {
	s := newSchemas()
	paths := object{}
	add := func(method, path string, said object) {
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(method)] = said
	}
	for i := range list {
		o := &list[i]
		add(o.Method(), o.Path(), s.operation(o))
	}
	for _, r := range others {
		e, ok := endpoints[r.Pattern]
		if method, path, _ := strings.Cut(r.Pattern, " "); ok {
			add(method, path, e.said(method, path, &r))
		}
	}
	s.components["Problem"], s.components["OAuthError"] = problemSchema, membersSchema("error! error_description")
	var tags []object
	seen := map[string]bool{}
	for _, section := range sections {
		if !seen[section.name] {
			seen[section.name] = true
			tags = append(tags, object{"name": section.name, "description": section.about})
		}
	}
	b, err := json.Marshal(object{
		"openapi": openAPI,
		"info": object{
			"title": "Pocket ID", "version": version,
			"description": "The API of this provider. Programs show an API key in the header X-API-Key; without scopes it can do what its owner can, with scopes these things alone. Lists are asked for by pagination[page], pagination[limit], sort[column], sort[direction], search and filters[name]. Faults have a stable code.",
		},
		"servers":    []object{{"url": "/"}},
		"tags":       tags,
		"paths":      paths,
		"components": object{"schemas": s.components, "securitySchemes": securitySchemes, "responses": responses},
	})
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return b, nil
}

var securitySchemes = object{
	"session": object{"type": "apiKey", "in": "cookie", "name": "__Host-session", "description": "The session of a browser, on our own pages."},
	"client":  object{"type": "http", "scheme": "basic", "description": "The id and the secret of an application; or in the body, or by an assertion, as the application is set."},
	"token":   object{"type": "http", "scheme": "bearer", "description": "An access token, or a token of the registration of applications."},
	"key":     object{"type": "apiKey", "in": "header", "name": edge.KeyHeader, "description": "An API key. The names beside it are the scopes that a key with scopes needs."},
}

// responses are the answers that many operations have.
var responses = object{"problem": object{
	"description": "A fault: code says which, details what of it, request_id where the log tells of it.",
	"content": object{
		jsonType:                   object{"schema": object{"$ref": "#/components/schemas/Problem"}},
		"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}},
	},
}}

// problemSchema is that of every fault that the protocols do not know.
var problemSchema = object{
	"type": "object",
	"properties": object{
		"error": object{"type": "string"}, "code": object{"type": "string", "pattern": "^[a-z0-9_]+$"}, "request_id": object{"type": "string"},
		"type": object{"type": "string"}, "title": object{"type": "string"}, "status": object{"type": "integer"}, "detail": object{"type": "string"},
		"instance": object{"type": "string"},
		"details": object{"type": "object", "properties": object{"fields": object{"type": "array", "items": object{
			"type":       "object",
			"properties": object{"field": object{"type": "string"}, "code": object{"type": "string"}, "message": object{"type": "string"}},
			"required":   []string{"field", "code", "message"},
		}}}},
	},
	"required": []string{"error", "code", "details", "request_id", "type", "title", "status", "detail"},
}

// faults are what goes wrong, by status, beside what only one operation knows.
var faults = map[int]string{
	400: "What was sent cannot be understood or is not allowed to look so.", 401: "Nobody is known, or a fresh proof is missing.",
	403: "It is known who asks, and they may not.", 404: "There is no such thing.", 409: "It does not fit what is there.",
	412: "It is not any more as If-Match says.", 413: "It is too large.", 415: "It is of a type that is not taken.",
	429: "Too many requests; Retry-After says in how many seconds to ask again.",
}

// operation is what the document says of one operation.
func (s *schemas) operation(o *Operation) object {
	said := object{"operationId": o.ID(), "summary": o.Does, "tags": []string{o.Section()}}
	if params := s.parameters(o); len(params) > 0 {
		said["parameters"] = params
	}
	switch {
	case o.Access == edge.Open || o.Access == edge.Public:
		said["security"] = []object{{}}
	case o.Key == "":
		said["security"] = []object{{"session": []string{}}}
	default:
		scopes := []string{}
		if o.Key != edge.AnyKey {
			scopes = append(scopes, o.Key)
		}
		said["security"] = []object{{"key": scopes}, {"session": []string{}}}
	}
	if o.Access == edge.Admin {
		said["description"] = "For administrators."
	}
	if o.Body != nil {
		said["requestBody"] = object{"required": true, "content": object{jsonType: object{"schema": s.of(reflect.TypeOf(o.Body), true)}}}
	}
	if o.MaxFile > 0 {
		said["requestBody"] = object{"required": true, "content": object{"multipart/form-data": object{"schema": object{
			"type": "object", "properties": object{"file": object{"type": "string", "contentMediaType": "application/octet-stream"}}, "required": []string{"file"},
		}}}}
	}
	answers := object{strconv.Itoa(o.status()): s.answer(o)}
	if o.tagged() || o.Media != "" {
		answers["304"] = object{"description": "It is as If-None-Match says."}
	}
	for _, status := range o.faults() {
		fault := object{"description": faults[status], "content": responses["problem"].(object)["content"]}
		if status == 429 {
			fault["headers"] = object{"Retry-After": object{"schema": object{"type": "integer"}}}
		}
		answers[strconv.Itoa(status)] = fault
	}
	answers["default"] = object{"$ref": "#/components/responses/problem"}
	said["responses"] = answers
	return said
}

// status is that of the answer when all goes well.
func (o *Operation) status() int { return cmp.Or(o.Status, http.StatusNoContent) }

func (o *Operation) listed() bool { return o.Columns != nil }

// tagged reports whether the answer has a validator: a single object that can be asked for by If-Match.
func (o *Operation) tagged() bool {
	return o.State != nil && o.Method() == http.MethodGet
}

// faults are the statuses of faults that the operation can have.
func (o *Operation) faults() (list []int) {
	add := func(status int, when bool) {
		if when {
			list = append(list, status)
		}
	}
	known := o.Access == edge.SignedIn || o.Access == edge.Admin
	add(400, o.Body != nil || o.MaxFile > 0)
	add(401, known)
	add(403, known)
	add(404, wildcard.MatchString(o.Path()))
	add(409, o.Method() != http.MethodGet)
	add(412, o.State != nil && o.Method() != http.MethodGet)
	add(413, o.Body != nil || o.MaxFile > 0)
	add(415, o.MaxFile > 0)
	add(429, true)
	return list
}

func (s *schemas) answer(o *Operation) object {
	said := object{"description": strings.TrimSuffix(o.Does, ".") + "."}
	var schema object
	switch {
	case o.Media != "":
		said["content"] = object{o.Media: object{}}
		return said
	case o.Answer == nil:
		return said
	case o.listed():
		schema = object{"type": "object", "properties": object{
			"data":       object{"type": "array", "items": s.of(reflect.TypeOf(o.Answer), false)},
			"pagination": s.ref(reflect.TypeFor[pagination](), false),
		}, "required": []string{"data", "pagination"}}
	default:
		schema = s.of(reflect.TypeOf(o.Answer), false)
	}
	said["content"] = object{jsonType: object{"schema": schema}}
	if o.tagged() {
		said["headers"] = object{"ETag": object{"description": "A validator for If-Match.", "schema": object{"type": "string"}}}
	}
	return said
}

// parameters are those of the path, the query and the header.
func (s *schemas) parameters(o *Operation) (list []object) {
	for _, m := range wildcard.FindAllStringSubmatch(o.Path(), -1) {
		list = append(list, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	query := func(name, does string, schema object) {
		list = append(list, object{"name": name, "in": "query", "description": does, "schema": schema})
	}
	for _, p := range o.Params {
		query(p.Name, p.Does, s.of(reflect.TypeOf(p.Type), true))
	}
	if c := o.Columns; c != nil {
		query("pagination[page]", "Which page, from 1 on.", object{"type": "integer", "minimum": 1, "maximum": maxListPage, "default": 1})
		query("pagination[limit]", "How many on a page.", object{"type": "integer", "minimum": 1, "maximum": maxListLimit, "default": listLimit})
		if len(c.sortable) > 0 {
			query("sort[column]", "What to sort by. Another column is as if it had not been said.", object{"type": "string", "enum": c.sortable})
			query("sort[direction]", "Which way.", object{"type": "string", "enum": []string{"asc", "desc"}, "default": "asc"})
		}
		query("search", "Text anywhere in a name.", object{"type": "string", "maxLength": maxSearch})
		for _, name := range c.filterable {
			item := object{"type": "string"}
			if values := c.values[name]; values != nil {
				item["enum"] = values
			}
			query("filters["+name+"]", "One of these values; also as filters["+name+"][0], filters["+name+"][1].", object{"type": "array", "items": item})
		}
	}
	header := func(name, does string) {
		list = append(list, object{"name": name, "in": "header", "description": does, "schema": object{"type": "string"}})
	}
	switch {
	case o.tagged():
		header("If-None-Match", "Answer 304 if this ETag still holds.")
	case o.State != nil:
		header("If-Match", "Change it only if this ETag still holds; otherwise 412.")
	}
	if o.repeatable() {
		header(idempotencyKey, "A text of your own, once for each thing that is made: asked again with the same, the first answer comes again and nothing is made.")
	}
	return list
}
