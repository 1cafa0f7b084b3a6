package api

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"pocketid/internal/edge"
)

// protocols is the section of the addresses that are no operations of this package.
const protocols = "Protocols"

const (
	formType = "application/x-www-form-urlencoded"
	pageType = "text/html"
)

// An endpoint is what the document says of an address that is no operation of this package:
// those of the protocols, whose shapes their specifications have decided, and pictures.
type endpoint struct {
	does string
	// takes are the parameters: of the query when it is a GET, of a form otherwise. One that
	// has to be there ends in an exclamation mark.
	takes string
	// metadata says that the body is JSON that describes an application.
	metadata bool
	// by are the ways in which the asker proves itself, any of them; a - is none at all.
	by string
	// status is 200 when it is not said; answer are the members of the answer, and media is
	// its type when that is not JSON.
	status        int
	answer, media string
}

const (
	authentication = " client_id client_secret client_assertion client_assertion_type"
	authorization  = "client_id! response_type redirect_uri scope state nonce response_mode code_challenge code_challenge_method prompt max_age login_hint id_token_hint ui_locales acr_values claims resource request request_uri"
	endOfSession   = "id_token_hint logout_hint client_id post_logout_redirect_uri state ui_locales"
	metadata       = "issuer! authorization_endpoint! token_endpoint! jwks_uri! response_types_supported:array! subject_types_supported:array! id_token_signing_alg_values_supported:array!"
	registration   = "client_id! client_secret client_id_issued_at:integer client_secret_expires_at:integer registration_access_token registration_client_uri redirect_uris:array grant_types:array token_endpoint_auth_method client_name"
)

// endpoints are those addresses, by their patterns. A test compares them with the routes.
var endpoints = map[string]endpoint{
	"GET /.well-known/openid-configuration":       {does: "Tells what this provider can do (OpenID Connect Discovery).", by: "-", answer: metadata},
	"GET /.well-known/oauth-authorization-server": {does: "Tells what this provider can do (RFC 8414).", by: "-", answer: metadata},
	"GET /.well-known/jwks.json":                  {does: "Tells the public keys by which tokens are verified.", by: "-", answer: "keys:array!"},
	"GET /.well-known/passkey-endpoints":          {does: "Tells passkey managers where passkeys are added and kept in order.", by: "-", answer: "enroll! manage!"},
	"GET /.well-known/webauthn":                   {does: "Tells browsers which other pages may use the passkeys of this house.", by: "-", answer: "origins:array!"},

	"GET /authorize":                          {does: "Takes a person to sign in for an application, and back to it with a code.", takes: authorization, by: "-", status: http.StatusSeeOther, media: pageType},
	"POST /authorize":                         {does: "Does as GET, with the parameters in a form.", takes: authorization, by: "-", status: http.StatusSeeOther, media: pageType},
	"POST /api/oidc/par":                      {does: "Takes the parameters of a request to authorize beforehand (RFC 9126).", takes: authorization + " client_secret client_assertion client_assertion_type", by: "client -", status: http.StatusCreated, answer: "request_uri! expires_in:integer!"},
	"POST /api/oidc/token":                    {does: "Gives tokens for a code, a refresh token, a device code, another token or the application itself.", takes: "grant_type! code redirect_uri code_verifier refresh_token device_code scope resource audience subject_token subject_token_type actor_token actor_token_type requested_token_type" + authentication, by: "client -", answer: "access_token! token_type! expires_in:integer refresh_token id_token scope issued_token_type"},
	"POST /api/oidc/device/authorize":         {does: "Begins to sign in on a device without a browser (RFC 8628).", takes: "scope resource nonce" + authentication, by: "client -", answer: "device_code! user_code! verification_uri! verification_uri_complete expires_in:integer! interval:integer"},
	"POST /api/oidc/introspect":               {does: "Tells what a token is good for (RFC 7662).", takes: "token! token_type_hint" + authentication, by: "client -", answer: "active:boolean!"},
	"POST /api/oidc/revoke":                   {does: "Ends a token (RFC 7009).", takes: "token! token_type_hint" + authentication, by: "client -"},
	"GET /api/oidc/userinfo":                  {does: "Tells of the person of an access token.", by: "token", answer: "sub!"},
	"POST /api/oidc/userinfo":                 {does: "Tells of the person of an access token.", takes: "access_token", by: "token -", answer: "sub!"},
	"GET /api/oidc/end-session":               {does: "Signs a person out at an application's wish, and takes them back to it.", takes: endOfSession, by: "-", status: http.StatusSeeOther, media: pageType},
	"POST /api/oidc/end-session":              {does: "Does as GET, with the parameters in a form.", takes: endOfSession, by: "-", status: http.StatusSeeOther, media: pageType},
	"POST /api/oidc/register":                 {does: "Registers an application (RFC 7591).", metadata: true, by: "token -", status: http.StatusCreated, answer: registration},
	"GET /api/oidc/register/{client}":         {does: "Tells an application of its registration (RFC 7592).", by: "token", answer: registration},
	"PUT /api/oidc/register/{client}":         {does: "Replaces what an application said of itself.", metadata: true, by: "token", answer: registration},
	"DELETE /api/oidc/register/{client}":      {does: "Takes the registration of an application back.", by: "token", status: http.StatusNoContent},
	"GET /api/oidc/clients/{id}/logo":         {does: "Sends the logo of an OIDC client.", takes: "light:boolean", by: "-", media: "image/*"},
	"GET /api/oidc/clients/{id}/background":   {does: "Sends the picture behind the pages on the way to an OIDC client.", by: "-", media: "image/*"},
	"GET /api/users/{id}/profile-picture.png": {does: "Sends somebody's picture.", by: "-", media: "image/*"},
	"GET /api/application-images/{name}":      {does: "Sends a picture of the house: logo, background, favicon or default-profile-picture.", takes: "light:boolean", by: "-", media: "image/*"},
}

// said is what the document says of an endpoint.
func (e endpoint) said(method, path string, r *edge.Route) object {
	section := protocols
	if r.Surface == edge.Problem && strings.HasPrefix(path, "/api/") {
		section = sectionOf(path)
	}
	said := object{"operationId": idOf(method, path), "summary": e.does, "tags": []string{section}}
	var params, security []object
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for name := range strings.FieldsSeq(e.by) {
		if name == "-" {
			security = append(security, object{})
		} else {
			security = append(security, object{name: []string{}})
		}
	}
	said["security"] = security
	body := func(media string, schema object) {
		said["requestBody"] = object{"content": object{media: object{"schema": schema}}}
	}
	switch {
	case e.metadata:
		body(jsonType, object{"type": "object"})
	case method == http.MethodGet:
		for word := range strings.FieldsSeq(e.takes) {
			name, kind, needed := memberIn(word)
			params = append(params, object{"name": name, "in": "query", "required": needed, "schema": object{"type": kind}})
		}
	case e.takes != "":
		body(formType, membersSchema(e.takes))
	}
	if params != nil {
		said["parameters"] = params
	}
	good := object{"description": strings.TrimSuffix(e.does, ".") + "."}
	switch {
	case e.media == pageType:
		good["headers"] = object{"Location": object{"description": "The application, or a page for the person.", "schema": object{"type": "string"}}}
	case e.media != "":
		good["content"] = object{e.media: object{}}
	case e.answer != "":
		good["content"] = object{jsonType: object{"schema": membersSchema(e.answer)}}
	}
	var fault object
	switch r.Surface {
	case edge.Page:
		fault = object{"description": "A page that tells the person what is wrong.", "content": object{pageType: object{}}}
	case edge.OAuth, edge.Bearer:
		fault = object{"description": "A fault of OAuth.", "content": object{jsonType: object{"schema": object{"$ref": "#/components/schemas/OAuthError"}}}}
	default:
		fault = object{"$ref": "#/components/responses/problem"}
	}
	said["responses"] = object{strconv.Itoa(cmp.Or(e.status, http.StatusOK)): good, "default": fault}
	return said
}

// memberIn is a word of an endpoint: a name, and of what type it is when that is no text.
func memberIn(word string) (name, kind string, needed bool) {
	word, needed = strings.CutSuffix(word, "!")
	name, kind, _ = strings.Cut(word, ":")
	return name, cmp.Or(kind, "string"), needed
}

// membersSchema is the schema of an object with such members, and others.
func membersSchema(words string) object {
	properties, required := object{}, []string{}
	for word := range strings.FieldsSeq(words) {
		name, kind, needed := memberIn(word)
		if properties[name] = (object{"type": kind}); needed {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}
