package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/descope/virtualwebauthn"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
)

// What browsers and applications say of themselves.
const (
	browserHeaders = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n" +
		"Sec-Fetch-Mode: navigate\r\n"
	clientHeaders = "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n"
	ownSite       = "Sec-Fetch-Site: same-origin\r\n"
	otherSite     = "Sec-Fetch-Site: cross-site\r\n"
)

// A person has an account, a passkey, and a browser of their own in which they
// are signed in.
type person struct {
	name string
	s    *server
	web  wire // their browser
	rp   wire // the connection of the applications they use

	keys virtualwebauthn.Authenticator
	site virtualwebauthn.RelyingParty

	browser, session string // cookies

	access  map[*client]string // tokens by application
	refresh map[*client]string
}

// newPerson is somebody without an account yet.
func newPerson(s *server, name string) *person {
	p := &person{name: name, s: s, web: s.wire(browserHeaders), rp: s.wire(clientHeaders),
		site: virtualwebauthn.RelyingParty{ID: "localhost", Name: "Pocket ID", Origin: s.url()},
		keys: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true, BackupState: true}),
	}
	p.access, p.refresh = map[*client]string{}, map[*client]string{}
	return p
}

// cookies is the line of the request.
func (p *person) cookies() string {
	switch {
	case p.session != "":
		return "Cookie: browser=" + p.browser + "; session=" + p.session + "\r\n"
	case p.browser != "":
		return "Cookie: browser=" + p.browser + "\r\n"
	}
	return ""
}

// keep takes over the cookies of an answer.
func (p *person) keep(a *answer) {
	if v := a.cookie("browser"); v != "" {
		p.browser = v
	}
	if v := a.cookie("session"); v != "" {
		p.session = v
	}
}

// open visits a page.
func (p *person) open(path, site string) (answer, error) {
	a, err := p.web.get(path, site+p.cookies())
	p.keep(&a)
	return a, err
}

// submit sends a form of a page of ours.
func (p *person) submit(path string, form url.Values) (answer, error) {
	a, err := p.web.form(path, ownSite+"Origin: "+p.s.url()+"\r\n"+p.cookies(), form)
	p.keep(&a)
	return a, err
}

// call does what a module of a page does.
func (p *person) call(path string, in any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	a, err := p.web.json(path, ownSite+"Origin: "+p.s.url()+"\r\n"+p.cookies(), string(body))
	if err != nil {
		return err
	}
	if err := a.expect(200); err != nil {
		return fmt.Errorf("POST %s: %w", path, err)
	}
	p.keep(&a)
	return json.Unmarshal(a.body, out)
}

// ceremony is the first half of one, finished is what its second half sends.
type (
	ceremony struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	finished struct {
		ID     string          `json:"id"`
		Answer json.RawMessage `json:"answer"`
	}
	onward struct {
		Next string `json:"next"`
	}
)

// create makes a passkey by the ceremony at a path.
func (p *person) create(path string, begin any) error {
	var c ceremony
	if err := p.call(path+"/begin", begin, &c); err != nil {
		return err
	}
	options, err := virtualwebauthn.ParseAttestationOptions(string(c.Options))
	if err != nil {
		return err
	}
	const whole = 77 // bytes of a COSE key with all leading zeros, which the library leaves out
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	for len(key.Key.AttestationData()) != whole {
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	made := virtualwebauthn.CreateAttestationResponse(p.site, p.keys, key, *options)
	if err := p.call(path+"/finish", finished{c.ID, json.RawMessage(made)}, &onward{}); err != nil {
		return err
	}
	p.keys.Options.UserHandle = []byte(options.UserID)
	p.keys.AddCredential(key)
	return nil
}

// signIn is a whole sign-in with the passkey: both halves. It leaves out the session
// that the browser may have, and returns the new one.
func (p *person) signIn() (string, error) {
	headers := ownSite + "Origin: " + p.s.url() + "\r\nCookie: browser=" + p.browser + "\r\n"
	a, err := p.web.json("/login/begin", headers, `{"redirect":""}`)
	if err == nil {
		err = a.expect(200)
	}
	var c ceremony
	if err == nil {
		err = json.Unmarshal(a.body, &c)
	}
	if err != nil {
		return "", fmt.Errorf("begin: %w", err)
	}
	options, err := virtualwebauthn.ParseAssertionOptions(string(c.Options))
	if err != nil {
		return "", err
	}
	proof := virtualwebauthn.CreateAssertionResponse(p.site, p.keys, p.keys.Credentials[0], *options)
	a, err = p.web.json("/login/finish", headers, `{"id":"`+c.ID+`","answer":`+proof+`}`)
	if err == nil {
		err = a.expect(200)
	}
	if err != nil {
		return "", fmt.Errorf("finish: %w", err)
	}
	return a.cookie("session"), nil
}

// A client is an application that people sign in to.
type client struct {
	alg        jose.Alg
	id, secret string
}

const (
	callback = "https://shop.example/callback"
	scopes   = "openid profile email groups"
)

// authorization is the header by which the client authenticates.
func (c *client) authorization() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.id)+":"+url.QueryEscape(c.secret))) + "\r\n"
}

// authorize asks for a code and returns where the browser is sent.
func (p *person) authorize(c *client, challenge string) (string, error) {
	a, err := p.web.get("/authorize?response_type=code&client_id="+c.id+"&redirect_uri="+url.QueryEscape(callback)+
		"&scope=openid+profile+email+groups&state=af0ifjsldkj&nonce=n-0S6_WzA2Mj&code_challenge="+challenge+"&code_challenge_method=S256",
		otherSite+p.cookies())
	if err == nil {
		err = a.expect(303)
	}
	return a.location, err
}

// code is a whole code flow where session and consent are there: two requests.
func (p *person) code(c *client) error {
	verifier := secret.Token()
	to, err := p.authorize(c, base64.RawURLEncoding.EncodeToString(secret.Hash(verifier)))
	if err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	return p.redeem(c, to, verifier)
}

// redeem exchanges the code of an answer.
func (p *person) redeem(c *client, to, verifier string) error {
	_, code, ok := strings.Cut(to, "code=")
	code, _, _ = strings.Cut(code, "&")
	if !ok || !strings.HasPrefix(to, callback) {
		return fmt.Errorf("the browser is sent to %s", to)
	}
	return p.tokens(c, "grant_type=authorization_code&code="+code+"&redirect_uri="+url.QueryEscape(callback)+"&code_verifier="+verifier)
}

// renew is a refresh.
func (p *person) renew(c *client) error {
	return p.tokens(c, "grant_type=refresh_token&refresh_token="+p.refresh[c])
}

// tokens asks the token endpoint and keeps what it answers.
func (p *person) tokens(c *client, form string) error {
	a, err := p.rp.ask("POST", "/api/oidc/token", "Content-Type: application/x-www-form-urlencoded\r\n"+c.authorization(), form)
	if err == nil {
		err = a.expect(200)
	}
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	var t struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	if err := json.Unmarshal(a.body, &t); err != nil {
		return err
	}
	if t.Access == "" || t.Refresh == "" || t.ID == "" {
		return errors.New("a token is missing")
	}
	p.access[c], p.refresh[c] = t.Access, t.Refresh
	return nil
}

// allow goes through the first code flow, on which the person is asked for consent.
func (p *person) allow(c *client) error {
	verifier := secret.Token()
	to, err := p.authorize(c, base64.RawURLEncoding.EncodeToString(secret.Hash(verifier)))
	if err != nil {
		return err
	}
	u, err := url.Parse(to)
	if err != nil {
		return err
	}
	if u.Path != "/consent" {
		return fmt.Errorf("instead of being asked for consent, the browser is sent to %s", to)
	}
	a, err := p.submit("/consent", url.Values{"id": {u.Query().Get("id")}, "decision": {"allow"}})
	for range 3 {
		if err != nil || strings.HasPrefix(a.location, callback) {
			break
		}
		if err = a.expect(303); err == nil {
			a, err = p.open(a.location, ownSite)
		}
	}
	if err != nil {
		return err
	}
	return p.redeem(c, a.location, verifier)
}

// userinfo asks for the claims.
func (p *person) userinfo(c *client, headers string) error {
	a, err := p.rp.get("/api/oidc/userinfo", headers+"Authorization: Bearer "+p.access[c]+"\r\n")
	if err != nil {
		return err
	}
	return a.expect(200)
}

// A town is an installation with everybody who lives there.
type town struct {
	*server
	people  []*person
	clients map[jose.Alg]*client
	group   string // one of the groups of those who moved in later
}

// settle makes the first account by the set-up page, n-1 others by one-time links,
// and the applications; everybody is signed in and has allowed everything.
func settle(ctx context.Context, s *server, n int) (*town, error) {
	t := &town{server: s, clients: map[jose.Alg]*client{}}
	first := newPerson(s, "admin")
	if _, err := first.open("/setup", ownSite); err != nil {
		return nil, err
	}
	profile := map[string]any{"profile": map[string]string{"username": "admin", "email": "admin@example.test", "firstName": "Ada", "lastName": "Admin"}}
	if err := first.create("/setup", profile); err != nil {
		return nil, fmt.Errorf("set-up: %w", err)
	}
	t.people = append(t.people, first)
	a, err := s.house(ctx)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	for _, alg := range []jose.Alg{jose.RS256, jose.ES256} {
		edit := oidc.NewClientEdit()
		edit.Name, edit.IDTokenAlg, edit.RedirectURIs = "Shop "+string(alg), alg, []oidc.URI{{URI: callback}}
		made, plain, err := a.OIDC.AddClient(ctx, audit.System("cli"), edit)
		if err != nil {
			return nil, err
		}
		t.clients[alg] = &client{alg, made.ID, plain}
	}
	for i := 1; i < n; i++ {
		p, err := arrive(ctx, a, s, fmt.Sprintf("person%d", i))
		if err != nil {
			return nil, fmt.Errorf("person %d: %w", i, err)
		}
		t.people = append(t.people, p)
	}
	for _, p := range t.people {
		for _, c := range t.clients {
			if err := p.allow(c); err != nil {
				return nil, fmt.Errorf("consent of %s: %w", p.name, err)
			}
		}
	}
	return t, nil
}

// arrive makes an account whose owner comes in by a one-time link, adds a passkey and
// signs in with it.
func arrive(ctx context.Context, a *app.App, s *server, name string) (*person, error) {
	by := audit.System("cli")
	if _, err := a.Directory.AddUserAs(ctx, by, directory.NewUser{Username: name, Email: name + "@example.test", FirstName: name, LastName: "Example"}); err != nil {
		return nil, err
	}
	code, _, err := a.SignIn.MakeLoginLink(ctx, by, name, time.Hour)
	if err != nil {
		return nil, err
	}
	p := newPerson(s, name)
	if _, err := p.open("/lc/"+code, ownSite); err != nil {
		return nil, err
	}
	if _, err := p.submit("/lc", url.Values{"code": {code}}); err != nil {
		return nil, err
	}
	if err := p.create("/settings/account/passkeys", map[string]any{}); err != nil {
		return nil, err
	}
	p.session, err = p.signIn()
	return p, err
}

// leave closes the connections.
func (t *town) leave() {
	for _, p := range t.people {
		p.web.close()
		p.rp.close()
	}
}
