package oidc

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

const testChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

func TestParseTarget(t *testing.T) {
	for _, row := range []struct {
		name  string
		query string
		want  *fault.Error
	}{
		{"takes a client and an address", "client_id=shop&redirect_uri=https://shop.example/cb", nil},
		{"takes a client without an address", "client_id=shop", nil},
		{"refuses no client", "redirect_uri=https://shop.example/cb", ErrClientMissing},
		{"refuses an empty client", "client_id=", ErrClientMissing},
		{"refuses two clients", "client_id=shop&client_id=shop", ErrRepeated},                  // threats 18
		{"refuses two addresses", "client_id=shop&redirect_uri=a&redirect_uri=b", ErrRepeated}, // threats 18
		{"knows no client of 129 characters", "client_id=" + strings.Repeat("a", 129), ErrClientUnknown},
		{"knows no client with a zero byte", "client_id=a%00", ErrClientUnknown},
		{"knows no client that is not ASCII", "client_id=%C3%A9", ErrClientUnknown},
		{"knows no client that is not UTF-8", "client_id=%ff", ErrClientUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			form, err := url.ParseQuery(row.query)
			must(t, err)
			_, err = parseTarget(form)
			if row.want == nil && err != nil || row.want != nil && (err == nil || fault.Of(err).Code != row.want.Code) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

func TestParseRequest(t *testing.T) {
	for _, row := range []struct {
		name   string
		change []string
		want   string // the code of the fault
	}{
		{"takes the usual", nil, ""},
		{"ignores what it does not know", []string{"extra", "foobar"}, ""},
		{"wants a response type", []string{"response_type", ""}, "invalid_request"},
		{"does not do the implicit flow", []string{"response_type", "token"}, "unsupported_response_type"},
		{"does not do the hybrid flow", []string{"response_type", "code id_token"}, "unsupported_response_type"},
		{"takes response_mode query", []string{"response_mode", "query"}, ""},
		{"takes response_mode form_post", []string{"response_mode", "form_post"}, ""},
		{"takes response_mode fragment", []string{"response_mode", "fragment"}, ""},
		{"refuses a response_mode of JARM", []string{"response_mode", "jwt"}, "invalid_request"},
		{"refuses response_mode jwt", []string{"response_mode", "jwt"}, "invalid_request"},
		{"refuses registration", []string{"registration", "{}"}, "registration_not_supported"},

		{"takes no state", []string{"state", ""}, ""},
		{"takes a state of 2048 characters", []string{"state", strings.Repeat("s", 2048)}, ""},
		{"refuses one more", []string{"state", strings.Repeat("s", 2049)}, "invalid_request"},
		{"takes any ASCII as state", []string{"state", ` !"#$%&'()*+,-./:;<=>?@[\]^_{|}~` + "`"}, ""},
		{"refuses a state with a line break", []string{"state", "a\r\nb"}, "invalid_request"},
		{"refuses a state that is not ASCII", []string{"state", "é"}, "invalid_request"},
		{"takes no nonce", []string{"nonce", ""}, ""},
		{"takes a nonce of 1024 characters", []string{"nonce", strings.Repeat("n", 1024)}, ""},
		{"refuses one more", []string{"nonce", strings.Repeat("n", 1025)}, "invalid_request"},
		{"refuses a nonce that is no text", []string{"nonce", "\xff"}, "invalid_request"},
		{"refuses a nonce with a zero byte", []string{"nonce", "a\x00"}, "invalid_request"},

		// threats 11
		{"takes no challenge", []string{"code_challenge", "", "code_challenge_method", ""}, ""},
		{"refuses plain", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"refuses a challenge without a method", []string{"code_challenge_method", ""}, "invalid_request"},
		{"refuses a method without a challenge", []string{"code_challenge", ""}, "invalid_request"},
		{"refuses an unknown method", []string{"code_challenge_method", "S512"}, "invalid_request"},
		{"refuses another spelling of the method", []string{"code_challenge_method", "s256"}, "invalid_request"},
		{"refuses a challenge of 42 characters", []string{"code_challenge", testChallenge[1:]}, "invalid_request"},
		{"refuses a challenge of 44 characters", []string{"code_challenge", testChallenge + "A"}, "invalid_request"},
		{"refuses a challenge in base64", []string{"code_challenge", "+" + testChallenge[1:]}, "invalid_request"},
		{"refuses a challenge with padding", []string{"code_challenge", testChallenge[1:] + "="}, "invalid_request"},

		{"takes prompt none", []string{"prompt", "none"}, ""},
		{"takes prompts together", []string{"prompt", "login consent select_account"}, ""},
		{"refuses none with another", []string{"prompt", "none login"}, "invalid_request"},
		{"refuses another with none", []string{"prompt", "consent none"}, "invalid_request"},
		{"takes none twice for none", []string{"prompt", "none none"}, ""},
		{"refuses an unknown prompt", []string{"prompt", "nudge"}, "invalid_request"},
		{"refuses prompt create", []string{"prompt", "create"}, "invalid_request"},
		{"minds the case of prompts", []string{"prompt", "Login"}, "invalid_request"},
		{"refuses prompts without end", []string{"prompt", strings.Repeat("login ", 100)}, "invalid_request"},

		{"takes max_age 0", []string{"max_age", "0"}, ""},
		{"takes a large max_age", []string{"max_age", "999999999999"}, ""},
		{"refuses a negative max_age", []string{"max_age", "-1"}, "invalid_request"},
		{"refuses a max_age that is no number", []string{"max_age", "1h"}, "invalid_request"},
		{"refuses a max_age with a fraction", []string{"max_age", "1.5"}, "invalid_request"},
		{"refuses a max_age beyond 64 bits", []string{"max_age", "99999999999999999999"}, "invalid_request"},

		{"takes no scope", []string{"scope", ""}, ""},
		{"takes unknown scopes for none", []string{"scope", "openid https://example.com/x"}, ""},
		{"refuses scopes without end", []string{"scope", strings.Repeat("a ", 1025)}, "invalid_scope"},

		{"never minds display", []string{"display", "page"}, ""},
		{"never minds an unknown display", []string{"display", "hologram"}, ""},
		{"never minds ui_locales", []string{"ui_locales", "se \xff"}, ""},
		{"never minds claims_locales", []string{"claims_locales", "se"}, ""},
		{"never minds acr_values", []string{"acr_values", "1 2"}, ""},
		{"refuses claims that are cut off", []string{"claims", "{"}, "invalid_request"},
		{"takes claims", []string{"claims", `{"userinfo":{"name":{"essential":true}},"id_token":{"email":null}}`}, ""},
		{"never minds a login_hint", []string{"login_hint", `"><svg onload=alert(1)>`}, ""},
		{"never minds a long login_hint", []string{"login_hint", strings.Repeat("a", 100_000)}, ""},
		{"refuses an id_token_hint without end", []string{"id_token_hint", strings.Repeat("a", 8193)}, "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			form := usual(Client{ClientEdit: ClientEdit{ID: "shop"}}, row.change...)
			q, err := parseTarget(form)
			must(t, err)
			got := ""
			if err := q.parseRequest(form); err != nil {
				f := fault.Of(err)
				if got = f.Code; strings.ContainsAny(f.Description, `"\`) {
					t.Errorf("the description %q has characters that RFC 6749 §4.1.2.1 forbids", f.Description)
				}
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// threats 18: RFC 6749 §3.1, whatever the parameter but resource (RFC 8707 §2).
func TestRepeatedParametersAreRefused(t *testing.T) {
	for _, name := range []string{"response_type", "scope", "state", "nonce", "prompt", "max_age", "code_challenge", "extra", "\"\\\n"} {
		form := usual(Client{ClientEdit: ClientEdit{ID: "shop"}})
		form[name] = []string{"a", "a"}
		q, err := parseTarget(form)
		must(t, err)
		err = q.parseRequest(form)
		if fault.Of(err).Code != "invalid_request" || strings.ContainsAny(fault.Of(err).Description, "\"\\\n") {
			t.Errorf("two of %s: got %v", name, err)
		}
		if name == "state" && q.State != "" {
			t.Errorf("one of two states is answered: %q", q.State)
		}
	}
}

func TestParseRequestReads(t *testing.T) {
	form := usual(Client{ClientEdit: ClientEdit{ID: "shop", RedirectURIs: []URI{{URI: "https://shop.example/cb"}}}},
		"scope", "groups email openid unknown email", "prompt", "login  consent login", "max_age", "60", "login_hint", "ada@example.test",
		"ui_locales", "zh-CN en", "response_mode", "form_post", "id_token_hint", "a.b.c")
	q, err := parseTarget(form)
	must(t, err)
	must(t, q.parseRequest(form))
	want := authRequest{
		ClientID: "shop", RedirectURI: "https://shop.example/cb", State: "a state", Mode: modeFormPost,
		Scopes: []string{"openid", "email", "groups"}, Words: []string{"unknown"}, Nonce: "a nonce", Challenge: testChallenge,
		Prompt: []string{"login", "consent"}, MaxAge: seconds(60), LoginHint: "ada@example.test", UILocales: "zh-CN en", IDTokenHint: "a.b.c",
	}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("got %+v\nwant %+v", q, want)
	}
}

// FuzzParseRequest: whatever comes, an answer can be made of it.
func FuzzParseRequest(f *testing.F) {
	f.Add("client_id=shop&response_type=code&state=x&prompt=none&max_age=1")
	f.Add("client_id=%00&state=%0d%0a&nonce=%ff&scope=openid+openid&code_challenge_method=S256")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, err := parseTarget(form)
		if err != nil {
			return
		}
		err = q.parseRequest(form)
		p := &Provider{issuer: testIssuer}
		to := place{uri: "https://shop.example/cb"}
		a := p.success(&q, to, "code")
		if err != nil {
			a = p.failure(&q, to, fault.Of(err))
		}
		u, err := url.Parse(withQuery(a.uri, a.params))
		if err != nil || u.Host != "shop.example" {
			t.Fatalf("%q leads to %v", query, u)
		}
		if got := u.Query().Get("state"); got != q.State || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q: state %q", query, got)
		}
	})
}
