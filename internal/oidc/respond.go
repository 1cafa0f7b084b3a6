package oidc

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"

	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// An answer is what a client gets by way of the browser: a code or an error.
type answer struct {
	uri    string
	client string // its name, for the page of form_post
	mode   string
	params url.Values
	// fault is why there is no code; nil when there is one.
	fault *fault.Error
}

func (p *Provider) answer(q *authRequest, target place) answer {
	// iss tells the client which server answers, in success and in error (RFC 9207).
	params := url.Values{"iss": {p.issuer}}
	if q.State != "" {
		params.Set("state", q.State)
	}
	return answer{uri: target.uri, client: target.client, mode: q.Mode, params: params}
}

func (p *Provider) success(q *authRequest, target place, code string) answer {
	a := p.answer(q, target)
	a.params.Set("code", code)
	return a
}

func (p *Provider) failure(q *authRequest, target place, f *fault.Error) answer {
	a := p.answer(q, target)
	a.fault = f
	a.params.Set("error", f.Code)
	if f.Description != "" {
		a.params.Set("error_description", f.Description)
	}
	return a
}

// send hands a to the browser in the response mode that the client asked for.
func (a answer) send(w http.ResponseWriter, r *http.Request) error {
	if a.fault != nil {
		edge.Note(r.Context(), "answer", a.fault.Error())
	}
	switch a.mode {
	case modeFormPost:
		return a.post(w, r)
	case modeFragment: // no redirect URI has one of its own
		seeOther(w, a.uri+"#"+a.params.Encode())
	default:
		seeOther(w, withQuery(a.uri, a.params))
	}
	return nil
}

// seeOther redirects by 303, which never repeats a form elsewhere (RFC 9700 §4.12).
// The location is one of our own paths or a URI that parseAddress knows.
func seeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// noStore keeps answers and the pages on the way out of every cache.
func noStore(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

// submit is the whole script of the form_post page.
const submit = `document.forms[0].submit()`

// formPost is the page that carries an answer in a form (OAuth 2.0 Form Post Response
// Mode §2). It is gone before anybody sees it; without scripts a button is left.
var formPost = template.Must(template.New("form_post").Parse(`<!doctype html>
<html lang="{{.Lang}}" dir="{{.Dir}}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.Title}}</title></head>
<body>
<form method="post" action="{{.Action}}">
{{range $name, $values := .Params}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><p>{{.Text}}</p><button>{{.Button}}</button></noscript>
</form>
<script>` + submit + `</script>
</body>
</html>
`))

func (a answer) post(w http.ResponseWriter, r *http.Request) error {
	words := i18n.For(edge.Locale(r, ""))
	var page bytes.Buffer
	err := formPost.Execute(&page, map[string]any{
		"Lang": words.ID, "Dir": words.Dir(), "Params": a.params,
		"Action": template.URL(a.uri), // parseAddress knows its scheme
		"Title":  words.T("form_post.title", "client", a.client),
		"Text":   words.T("form_post.text", "client", a.client),
		"Button": words.T("form_post.button"),
	})
	if err != nil {
		return err
	}
	edge.AllowFormTo(w, a.uri)
	edge.AllowScript(w, submit)
	// The client sees who posts, and not what the address was (threats 37).
	w.Header().Set("Referrer-Policy", "strict-origin")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err = page.WriteTo(w)
	return err
}
