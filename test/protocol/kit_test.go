package protocol

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
	"pocketid/internal/oidc"
)

// modes are the ways in which an answer reaches an application. What holds for
// one has to hold for the other (OAuth 2.0 Form Post Response Mode §2).
var modes = []string{"query", "form_post"}

// long is a state of 128 characters, as the conformance suite sends it.
var long = strings.Repeat("0aZ-._~!$'()*,;:@/?+% #[]&=<>\"\\`", 4)

// plain is an application as the conformance suite plays it: no PKCE, and claims
// of scopes at userinfo alone.
func plain(e *oidc.ClientEdit) { e.ClaimsAtUserinfo = true }

// withoutPKCE are changes to a request.
var withoutPKCE = []string{"code_challenge", "", "code_challenge_method", ""}

// form makes parameters of pairs.
func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// header and claims are the two readable parts of a token.
func header(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 0) }
func claims(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 1) }

func part(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	var v map[string]any
	if len(parts) != 3 || json.Unmarshal([]byte(decoded(t, parts[n])), &v) != nil {
		t.Fatalf("%q is no token", token)
	}
	return v
}

// answered checks what every answer to an application has in common and returns
// it: where it goes, state and issuer, no member too many, kept by nobody.
func answered(t *testing.T, page *apptest.Page, f *apptest.Flow) url.Values {
	t.Helper()
	uri, mode := f.Query.Get("redirect_uri"), f.Query.Get("response_mode")
	if page.Away == nil || !strings.HasPrefix(page.Away.String(), uri) {
		t.Errorf("the application hears nothing: %s", page)
		return url.Values{}
	}
	if (mode == "form_post") != (page.Posted != nil) {
		t.Errorf("the answer does not come by %q: %s", mode, page)
	}
	if page.Posted != nil && page.Away.String() != uri {
		t.Errorf("the address has something in it: %s", page.Away)
	}
	if page.Posted == nil && page.Status != http.StatusSeeOther {
		t.Errorf("the redirect is a %d", page.Status)
	}
	if got := page.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("the answer may be kept: Cache-Control %q", got)
	}
	if got := page.Header.Get("Referrer-Policy"); !slices.Contains([]string{"no-referrer", "same-origin", "strict-origin"}, got) {
		t.Errorf("the address of the answer may leak: Referrer-Policy %q", got)
	}
	answer := page.Answer()
	for name, values := range answer {
		if !slices.Contains([]string{"code", "state", "iss", "error", "error_description"}, name) || len(values) != 1 {
			t.Errorf("the answer has %s %q", name, values)
		}
	}
	if answer.Get("state") != f.Query.Get("state") || answer.Has("state") != f.Query.Has("state") {
		t.Errorf("the state is %q, want %q", answer.Get("state"), f.Query.Get("state"))
	}
	if answer.Get("iss") != apptest.URL { // RFC 9207 §2
		t.Errorf("the issuer is %q", answer.Get("iss"))
	}
	return answer
}

// granted is the code of an answer that has to have one.
func granted(t *testing.T, page *apptest.Page, f *apptest.Flow) string {
	t.Helper()
	answer := answered(t, page, f)
	if answer.Get("code") == "" || answer.Has("error") {
		t.Errorf("got %v, want a code", answer)
	}
	return answer.Get("code")
}

// refused checks that the application hears an error, and this one.
func refused(t *testing.T, page *apptest.Page, f *apptest.Flow, want string) {
	t.Helper()
	answer := answered(t, page, f)
	if answer.Get("error") != want || answer.Has("code") {
		t.Errorf("got %v, want %s (%s)", answer, want, f.Query.Encode())
	}
	if wrong := strings.Trim(answer.Get("error_description"), descriptions); wrong != "" { // RFC 6749 §4.1.2.1
		t.Errorf("the description has %q in it", wrong)
	}
}

// descriptions are the characters of error_description.
var descriptions = func() string {
	var b strings.Builder
	for c := byte(0x20); c <= 0x7e; c++ {
		if c != '"' && c != '\\' {
			b.WriteByte(c)
		}
	}
	return b.String()
}()

// told checks that the person gets a page of an error and is sent nowhere.
func told(t *testing.T, page *apptest.Page, status int) {
	t.Helper()
	if page.Away != nil || page.Status != status || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Body, "<h1>") {
		t.Errorf("got %s, want a page with %d", page, status)
	}
	if got := page.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("the page of the error may be kept: Cache-Control %q", got)
	}
}

// basic is the header by which an application authenticates.
func basic(c *apptest.Client) []string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	return []string{"Authorization", r.Header.Get("Authorization")}
}

// jsonError checks an error of an endpoint for programs: JSON that nobody keeps.
func jsonError(t *testing.T, name string, a *apptest.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Error() != code {
		t.Errorf("%s: got %d %.200s, want %d %s", name, a.Status, a.Body, status, code)
	}
	if a.Header.Get("Content-Type") != "application/json" || !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("%s: Content-Type %q, Cache-Control %q", name, a.Header.Get("Content-Type"), a.Header.Get("Cache-Control"))
	}
	if strings.Contains(a.Body, "<") {
		t.Errorf("%s: there is markup in %s", name, a.Body)
	}
	if description, _ := a.JSON()["error_description"].(string); strings.Trim(description, descriptions) != "" {
		t.Errorf("%s: the description is %q", name, description)
	}
}
