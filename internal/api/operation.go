package api

import (
	"net/http"
	"strings"

	"pocketid/internal/edge"
)

// An Operation is one address of the API and all that is said of it. The route, the
// OpenAPI document and the page about the API are made of it, so none of them can say
// something else.
type Operation struct {
	// Pattern is a method and a path, as http.ServeMux has them.
	Pattern string
	Access  edge.Access
	// Key is the scope that a key needs, or edge.AnyKey; without it only sessions are taken.
	Key string
	// Does is one English sentence that says what it does.
	Does string
	// Body is a value of the type that the body is read into; nil takes none.
	Body any
	// MaxFile makes the body a form with a file in the field "file", and bounds it in bytes.
	MaxFile int64
	// MaxBody is the bound of another body in bytes; 0 is edge.MaxBody.
	MaxBody int64
	// Answer is a value of the type of the answer, or of what a list is of; nil is none.
	Answer any
	// Media is the type of an answer that is not JSON.
	Media  string
	Status int
	// Columns are those of a list, which takes the parameters of lists.
	Columns *columns
	// Params are what the address takes beside its wildcards and the parameters of lists.
	Params []Param
	// Limit is the class that the route counts in, beside the general one.
	Limit string
	// State makes a change depend on If-Match; see holds.
	State state
	// Secret says that the answer tells a secret, so it is told once.
	Secret  bool
	Handler edge.Handler
}

// A Param is a parameter of the query.
type Param struct {
	Name string
	// Type is a value of its type: "", 0, true.
	Type any
	Does string
}

// open is an operation for everybody, whoever asks.
func open(pattern, does string, h edge.Handler) Operation {
	return Operation{Pattern: pattern, Access: edge.Open, Does: does, Handler: h}
}

// public is an operation for everybody; who is signed in is known.
func public(pattern, does string, h edge.Handler) Operation {
	return Operation{Pattern: pattern, Access: edge.Public, Does: does, Handler: h}
}

// mine is an operation for everybody who is known, by a session or by a key with a scope.
// Without a scope it takes sessions alone.
func mine(pattern, scope, does string, h edge.Handler) Operation {
	return Operation{Pattern: pattern, Access: edge.SignedIn, Key: scope, Does: does, Handler: h}
}

// admins is an operation for administrators, by a session or by a key with a scope.
func admins(pattern, scope, does string, h edge.Handler) Operation {
	return Operation{Pattern: pattern, Access: edge.Admin, Key: scope, Does: does, Handler: h}
}

// takes says what the body is read into.
func (o Operation) takes(body any) Operation { o.Body = body; return o }

// upTo says how many bytes the body may have.
func (o Operation) upTo(most int64) Operation { o.MaxBody = most; return o }

// takesFile says that the body is a form with a file of at most so many bytes.
func (o Operation) takesFile(most int64) Operation { o.MaxFile = most; return o }

// answers says what the answer is. An operation that does not say answers 204 and nothing.
func (o Operation) answers(status int, v any) Operation { o.Status, o.Answer = status, v; return o }

// sends says that the answer is not JSON, but of a media type.
func (o Operation) sends(media string) Operation {
	o.Status, o.Media = http.StatusOK, media
	return o
}

// lists says that the answer is a page of a list of such values.
func (o Operation) lists(v any, c columns) Operation {
	o.Status, o.Answer, o.Columns = http.StatusOK, v, &c
	return o
}

// param says which parameter of the query is heard.
func (o Operation) param(name string, of any, does string) Operation {
	o.Params = append(o.Params[:len(o.Params):len(o.Params)], Param{name, of, does})
	return o
}

// counts says in which class of limits the operation counts.
func (o Operation) counts(class string) Operation { o.Limit = class; return o }

// holds says of which object the operation is, so that If-Match is heard.
func (o Operation) holds(s state) Operation { o.State = s; return o }

// tellsSecret says that the answer has a secret in it, which nobody is told again.
func (o Operation) tellsSecret() Operation { o.Secret = true; return o }

// Method and Path are the two halves of the pattern.
func (o *Operation) Method() string { method, _, _ := strings.Cut(o.Pattern, " "); return method }

// Path is the path of the pattern.
func (o *Operation) Path() string { _, path, _ := strings.Cut(o.Pattern, " "); return path }

// route is the route of an operation.
func (a *API) route(o Operation) edge.Route {
	return edge.Route{Pattern: o.Pattern, Access: o.Access, Surface: edge.Problem, Key: o.Key, Limit: o.Limit,
		MaxBody: o.MaxBody, MaxFile: o.MaxFile, Handler: coded(a.once(o, conditional(o, o.Handler)))}
}
