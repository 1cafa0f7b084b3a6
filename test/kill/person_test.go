package kill

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/descope/virtualwebauthn"

	"pocketid/internal/secret"
)

// A person has an account, a passkey in software and a connection of their own.
type person struct {
	name string
	s    *server
	http *http.Client
	site virtualwebauthn.RelyingParty
	keys virtualwebauthn.Authenticator

	browser string // the cookie that binds what begins here
}

func newPerson(s *server, name string) *person {
	return &person{
		name: name, s: s, browser: secret.Token(),
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2, ResponseHeaderTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		site: virtualwebauthn.RelyingParty{ID: "localhost", Name: "Pocket ID", Origin: s.url()},
		keys: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true, BackupState: true}),
	}
}

// An answer is one that came whole.
type answer struct {
	status   int
	location string
	session  string // the cookie that it sets, if it does
	body     string
}

// ask makes a request. An error is one without an answer: nobody knows whether it was done.
func (p *person) ask(method, path, session, contentType, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, p.s.url()+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Host = strings.TrimPrefix(p.site.Origin, "http://")
	r.AddCookie(&http.Cookie{Name: "browser", Value: p.browser})
	if session != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: session})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	begun := time.Now()
	res, err := p.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if from := res.Header.Get("X-Upstream"); err != nil && from != "" { // the process died while its answer passed through
		return answer{}, &outage{method + " " + path, http.StatusBadGateway, from, "", err.Error(), begun}
	}
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, location: res.Header.Get("Location"), body: string(b)}
	for _, c := range res.Cookies() {
		switch c.Name {
		case "session":
			a.session = c.Value
		case "browser":
			p.browser = c.Value
		}
	}
	if a.status >= 500 {
		return a, &outage{method + " " + path, a.status, res.Header.Get("X-Upstream"), res.Header.Get("Retry-After"), a.body, begun}
	}
	return a, nil
}

// An outage is an answer that says that there was none.
type outage struct {
	what     string
	status   int
	upstream string // the processes that were asked, as the proxy before them says
	retry    string // when to come back
	body     string
	begun    time.Time
}

func (o *outage) Error() string {
	return fmt.Sprintf("%s: %d %q after %v %.300s", o.what, o.status, o.upstream, time.Since(o.begun).Round(time.Millisecond), o.body)
}

func (p *person) get(path, session string) (answer, error) {
	return p.ask("GET", path, session, "", "")
}

// open is get with the redirects inside the house that follow.
func (p *person) open(path, session string) (a answer, err error) {
	for range 6 {
		if a, err = p.get(path, session); err != nil || !strings.HasPrefix(a.location, "/") {
			return a, err
		}
		path = a.location
	}
	return a, err
}

func (p *person) post(path, session string, form url.Values) (answer, error) {
	return p.ask("POST", path, session, "application/x-www-form-urlencoded", form.Encode(), "Sec-Fetch-Site", "same-origin", "Origin", p.site.Origin)
}

// call does what a module of a page does.
func (p *person) call(path, session string, in, out any) (answer, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return answer{}, err
	}
	a, err := p.ask("POST", path, session, "application/json", string(b), "Sec-Fetch-Site", "same-origin", "Origin", p.site.Origin)
	if err == nil && a.status == http.StatusOK && out != nil {
		err = json.Unmarshal([]byte(a.body), out)
	}
	return a, err
}

// A proof is what finishes a ceremony, once.
type proof struct {
	ID     string          `json:"id"`
	Answer json.RawMessage `json:"answer"`
}

type ceremony struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

// sign begins a sign-in and signs its challenge.
func (p *person) sign() (proof, error) {
	var c ceremony
	if a, err := p.call("/login/begin", "", map[string]string{"redirect": ""}, &c); err != nil || a.status != http.StatusOK {
		return proof{}, unexpected("begin", a, err)
	}
	options, err := virtualwebauthn.ParseAssertionOptions(string(c.Options))
	if err != nil {
		return proof{}, err
	}
	made := virtualwebauthn.CreateAssertionResponse(p.site, p.keys, p.keys.Credentials[0], *options)
	return proof{c.ID, json.RawMessage(made)}, nil
}

// enter signs in and returns the cookie of the session.
func (p *person) enter() (string, error) {
	made, err := p.sign()
	if err != nil {
		return "", err
	}
	a, err := p.call("/login/finish", "", made, nil)
	if err != nil || a.session == "" {
		return "", unexpected("sign-in", a, err)
	}
	return a.session, nil
}

// create begins to make a passkey. The authenticator has it once keep is called.
func (p *person) create(path, session string, begin any) (made proof, keep func(), err error) {
	var c ceremony
	if a, err := p.call(path+"/begin", session, begin, &c); err != nil || a.status != http.StatusOK {
		return proof{}, nil, unexpected("begin at "+path, a, err)
	}
	options, err := virtualwebauthn.ParseAttestationOptions(string(c.Options))
	if err != nil {
		return proof{}, nil, err
	}
	const whole = 77 // bytes of a COSE key with all leading zeros, which the library leaves out
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	for len(key.Key.AttestationData()) != whole {
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	text := virtualwebauthn.CreateAttestationResponse(p.site, p.keys, key, *options)
	return proof{c.ID, json.RawMessage(text)}, func() {
		p.keys.Options.UserHandle = []byte(options.UserID)
		p.keys.AddCredential(key)
	}, nil
}

// unexpected is an error where an answer is not what it has to be.
func unexpected(what string, a answer, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %d to %q %.300s", what, a.status, a.location, a.body)
}

// A client is an application.
type client struct {
	id, secret string
	public     bool
	rotates    bool
}

const callback = "https://shop.example/callback"

// A code is one, with what its client needs to redeem it.
type code struct {
	client  *client
	session *session
	offline bool
	text    string
	check   string // the verifier
	at      time.Time
}

// authorize asks for a code, with what the person has to say to it.
func (p *person) authorize(c *client, s *session, offline bool) (*code, error) {
	k := &code{client: c, session: s, offline: offline, check: secret.Token(), at: time.Now()}
	sum := sha256.Sum256([]byte(k.check))
	scope := "openid profile"
	if offline {
		scope += " offline_access"
	}
	q := url.Values{"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {callback}, "scope": {scope}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	a, err := p.get("/authorize?"+q.Encode(), s.cookie)
	if err == nil && strings.HasPrefix(a.location, "/consent") {
		u, perr := url.Parse(a.location)
		if perr != nil {
			return nil, perr
		}
		if a, err = p.post("/consent", s.cookie, url.Values{"id": {u.Query().Get("id")}, "decision": {"allow"}}); err == nil {
			a, err = p.open(a.location, s.cookie)
		}
	}
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(a.location)
	if err != nil || u.Query().Get("code") == "" {
		return nil, unexpected("authorize", a, err)
	}
	k.text = u.Query().Get("code")
	return k, nil
}

// tokens are the answer of the token endpoint, error or not.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (p *person) token(c *client, form url.Values) (t tokens, err error) {
	var headers []string
	if c.public {
		form.Set("client_id", c.id)
	} else {
		headers = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.id)+":"+url.QueryEscape(c.secret)))}
	}
	a, err := p.ask("POST", "/api/oidc/token", "", "application/x-www-form-urlencoded", form.Encode(), headers...)
	if err != nil {
		return t, err
	}
	if err := json.NewDecoder(bytes.NewReader([]byte(a.body))).Decode(&t); err != nil {
		return t, fmt.Errorf("token: %d %.300s: %w", a.status, a.body, err)
	}
	return t, nil
}

func (p *person) redeem(k *code) (tokens, error) {
	return p.token(k.client, url.Values{"grant_type": {"authorization_code"}, "code": {k.text}, "redirect_uri": {callback}, "code_verifier": {k.check}})
}

func (p *person) refresh(c *client, token string) (tokens, error) {
	return p.token(c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// knows says whether userinfo takes an access token.
func (p *person) knows(access string) (bool, error) {
	a, err := p.ask("GET", "/api/oidc/userinfo", "", "", "", "Authorization", "Bearer "+access)
	return a.status == http.StatusOK, err
}
