package apptest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
)

// Client is an application that people sign in to.
type Client struct {
	ID, Secret string
	// RedirectURI is where it wants its answers.
	RedirectURI string

	h    *House
	t    testing.TB
	http *http.Client
	// signer makes assertions instead of the secret; nil is none.
	signer *Signer
}

// Client registers a confidential application. Each change adjusts it.
func (h *House) Client(name string, change ...func(*oidc.ClientEdit)) *Client {
	h.t.Helper()
	c := &Client{h: h, t: h.t, RedirectURI: "https://" + name + ".example/callback"}
	c.http = &http.Client{Transport: h.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	edit := oidc.ClientEdit{Name: name, RedirectURIs: []oidc.URI{{URI: c.RedirectURI}}, PostLogoutURIs: []oidc.URI{{URI: "https://" + name + ".example/"}}}
	for _, fn := range change {
		fn(&edit)
	}
	made, plain, err := h.App.OIDC.AddClient(h.t.Context(), audit.System("cli"), edit)
	if err != nil {
		h.t.Fatal(err)
	}
	c.ID, c.Secret = made.ID, plain
	if len(edit.RedirectURIs) > 0 {
		c.RedirectURI = edit.RedirectURIs[0].URI
	}
	return c
}

// Public makes the application one that cannot keep a secret.
func Public(e *oidc.ClientEdit) { e.Public = true }

// Flow is one sign-in to an application: what it keeps for itself meanwhile.
type Flow struct {
	c        *Client
	Verifier string
	State    string
	Nonce    string
	Query    url.Values
	// Answer is what came back.
	Answer url.Values
}

// Begin makes a request. Changes are pairs of a parameter and its value; an
// empty value leaves the parameter out.
func (c *Client) Begin(changes ...string) *Flow {
	f := &Flow{c: c, Verifier: secret.Token(), State: secret.Token(), Nonce: secret.Token()}
	sum := sha256.Sum256([]byte(f.Verifier))
	f.Query = url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURI}, "scope": {"openid profile email groups offline_access"},
		"state": {f.State}, "nonce": {f.Nonce}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			f.Query.Del(changes[i])
		} else {
			f.Query.Set(changes[i], changes[i+1])
		}
	}
	return f
}

// URL is where the application sends the browser.
func (f *Flow) URL() string { return "/authorize?" + f.Query.Encode() }

// By goes through the whole flow as p would: signs in where it is asked to,
// proves itself again, agrees. It returns the last page: Away is the way back
// to the application.
func (f *Flow) By(p *Person) *Page {
	p.t.Helper()
	return f.From(p, p.Open(f.URL()))
}

// From goes on from a page as p would.
func (f *Flow) From(p *Person, page *Page) *Page {
	p.t.Helper()
	for range 8 {
		if page.Away != nil {
			f.Answer = page.Answer()
			return page
		}
		redirect := page.URL.Query().Get("redirect")
		switch page.URL.Path {
		case "/login", "/login/again":
			next, code := p.Prove(page.URL.Path, redirect)
			if code != "" {
				p.t.Fatalf("%s cannot sign in: %s", p.Name, code)
			}
			page = p.Open(next)
		case "/login/select":
			next, err := url.Parse(redirect)
			if err != nil {
				p.t.Fatal(err)
			}
			page = p.Submit("/login/select", url.Values{"id": {next.Query().Get("id")}})
		case "/consent":
			page = p.Submit("/consent", url.Values{"id": {page.URL.Query().Get("id")}, "decision": {"allow"}})
		default:
			return page
		}
	}
	p.t.Fatalf("the flow does not end: %s", page)
	return nil
}

// Authorize lets p sign in to the application and returns the code. The
// application has checked state and issuer.
func (c *Client) Authorize(p *Person, changes ...string) (*Flow, string) {
	p.t.Helper()
	f := c.Begin(changes...)
	page := f.By(p)
	if page.Away == nil {
		p.t.Fatalf("%s does not come back to the application: %s", p.Name, page)
	}
	if to, _, _ := strings.Cut(page.Away.String(), "?"); to != c.RedirectURI || f.Answer.Get("state") != f.State || f.Answer.Get("iss") != URL || f.Answer.Get("code") == "" {
		p.t.Fatalf("the answer is wrong: %s", page)
	}
	return f, f.Answer.Get("code")
}

// Tokens is what the token endpoint answers.
type Tokens struct {
	Status       int    `json:"-"`
	Error        string `json:"error"`
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	IssuedType   string `json:"issued_token_type"`
}

// Token asks the token endpoint, with the application's own credentials.
func (c *Client) Token(form url.Values) Tokens {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, URL+"/api/oidc/token", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.signer != nil {
		for name, values := range c.Assertion(nil) {
			form[name] = values
		}
	} else if c.Secret == "" {
		form.Set("client_id", c.ID)
	} else {
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Body = io.NopCloser(strings.NewReader(form.Encode()))
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	var t Tokens
	if err := json.NewDecoder(res.Body).Decode(&t); err != nil {
		c.t.Fatal(err)
	}
	t.Status = res.StatusCode
	return t
}

// Form is how the application asks for tokens for a code, but for its
// credentials. A flow without a challenge has no verifier.
func (f *Flow) Form(code string) url.Values {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {f.c.RedirectURI}}
	if f.Query.Has("code_challenge") {
		form.Set("code_verifier", f.Verifier)
	}
	return form
}

// Redeem asks for tokens for a code, whatever comes of it.
func (f *Flow) Redeem(code string) Tokens {
	f.c.t.Helper()
	return f.c.Token(f.Form(code))
}

// Exchange gets tokens for a code.
func (f *Flow) Exchange(code string) Tokens {
	f.c.t.Helper()
	t := f.Redeem(code)
	if t.Status != http.StatusOK || t.AccessToken == "" || t.IDToken == "" {
		f.c.t.Fatalf("the code was refused: %d %s", t.Status, t.Error)
	}
	return t
}

// Refresh asks for new tokens, whatever comes of it.
func (c *Client) Refresh(token string) Tokens {
	c.t.Helper()
	return c.Token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// Userinfo asks who a token is about.
func (c *Client) Userinfo(token string) (int, map[string]any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, URL+"/api/oidc/userinfo", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	var claims map[string]any
	if err := json.NewDecoder(res.Body).Decode(&claims); err != nil && res.StatusCode == http.StatusOK {
		c.t.Fatal(err)
	}
	return res.StatusCode, claims
}

// At is the same application, whose requests another replica answers.
func (c *Client) At(h *House) *Client {
	other := *c
	other.h = h
	other.http = &http.Client{Transport: h.Transport(), CheckRedirect: c.http.CheckRedirect}
	return &other
}

// At is the same flow, the rest of which another replica answers.
func (f *Flow) At(h *House) *Flow {
	other := *f
	other.c = f.c.At(h)
	return &other
}

// The names of token exchange (RFC 8693 §2.1, §3).
const (
	GrantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
)

// Swap exchanges an access token, whatever comes of it. Changes are pairs of a parameter
// and its value; an empty value leaves the parameter out.
func (c *Client) Swap(token string, changes ...string) Tokens {
	c.t.Helper()
	return c.Token(SwapForm(token, changes...))
}

// SwapForm is how an application asks for an exchange, but for its credentials.
func SwapForm(token string, changes ...string) url.Values {
	form := url.Values{"grant_type": {GrantExchange}, "subject_token": {token}, "subject_token_type": {TypeAccessToken}}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			form.Del(changes[i])
		} else {
			form.Set(changes[i], changes[i+1])
		}
	}
	return form
}

// MaySwap lets the application exchange the tokens of another one.
func (c *Client) MaySwap(from *Client) {
	c.t.Helper()
	if err := c.h.App.OIDC.AllowExchange(c.t.Context(), audit.System("cli"), c.ID, from.ID); err != nil {
		c.t.Fatal(err)
	}
}

// Known is an application that is there already, as after it registered itself.
func (h *House) Known(id, plain, redirectURI string) *Client {
	c := &Client{ID: id, Secret: plain, RedirectURI: redirectURI, h: h, t: h.t}
	c.http = &http.Client{Transport: h.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}
