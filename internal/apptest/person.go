package apptest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// Person is somebody with an account, a browser and a passkey in it.
type Person struct {
	*Browser
	ID, Name string
	// Site is where the passkey signs; "" is the house.
	Site string
	// Careless people do not unlock their passkey.
	Careless bool

	h    *House
	t    testing.TB
	keys virtualwebauthn.Authenticator
}

// ceremony is the first half of one.
type ceremony struct {
	ID      string          `json:"id"`
	Options json.RawMessage `json:"options"`
}

// onward is the answer to the second half.
type onward struct {
	Next string `json:"next"`
}

// relyingParty is the house, as a passkey sees it.
var relyingParty = virtualwebauthn.RelyingParty{ID: "id.example.test", Name: "Pocket ID", Origin: URL}

// newPerson is somebody with a new browser and no passkey yet.
func (h *House) newPerson(name string) *Person {
	return &Person{Browser: h.Browser(), Name: name, h: h, t: h.t,
		keys: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true, BackupState: true})}
}

// Stranger is somebody without an account, whom a new house may take for its first.
func (h *House) Stranger(name string) *Person { return h.newPerson(name) }

// Profile is what the set-up page asks for.
func Profile(name string) map[string]string {
	return map[string]string{"username": name, "email": name + "@example.test", "firstName": name, "lastName": "Example"}
}

// SetUp makes the first account by the set-up page. Its owner is signed in.
func (h *House) SetUp() *Person {
	h.t.Helper()
	p := h.newPerson("admin")
	page := p.Open("/")
	if page.URL.Path != "/setup" || page.Status != http.StatusOK {
		h.t.Fatalf("a new house does not lead to set-up: %s", page)
	}
	if status, code := p.Create("/setup", map[string]any{"profile": Profile(p.Name)}); code != "" {
		h.t.Fatalf("set-up: %d %s", status, code)
	}
	return p
}

// User makes somebody with an account, who came in by a one-time link, added a
// passkey, and is signed out again.
func (h *House) User(name string) *Person {
	h.t.Helper()
	p := h.newPerson(name)
	h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		u, err := d.AddUserAs(ctx, by, directory.NewUser{Username: name, Email: name + "@example.test", FirstName: name, LastName: "Example"})
		p.ID = u.ID
		return err
	})
	code := h.Link(p)
	p.Open("/lc/" + code)
	if page := p.Submit("/lc", url.Values{"code": {code}}); page.URL.Path != "/settings/account/passkeys/add" {
		h.t.Fatalf("the one-time link of %s leads to %s", name, page)
	}
	if status, code := p.Create("/settings/account/passkeys", map[string]any{}); code != "" {
		h.t.Fatalf("the first passkey of %s: %d %s", name, status, code)
	}
	p.SignOut()
	return p
}

// Create makes a new passkey by the ceremony at a path. It returns the status
// and the code of the fault that refused it, if one did.
func (p *Person) Create(path string, begin any) (int, string) {
	p.t.Helper()
	var c ceremony
	if status, code := p.Call(path+"/begin", begin, &c); code != "" {
		return status, code
	}
	answer, keep := p.Attest(string(c.Options))
	var next onward
	if status, code := p.Call(path+"/finish", map[string]any{"id": c.ID, "answer": answer}, &next); code != "" {
		return status, code
	}
	keep()
	return http.StatusOK, ""
}

// newPasskey makes a key of P-256. The library leaves out leading zeros of the
// coordinates, which no authenticator does, so such keys are thrown away.
func newPasskey() virtualwebauthn.Credential {
	const whole = 77 // bytes of a COSE key whose coordinates have 32 each
	for {
		if key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(key.Key.AttestationData()) == whole {
			return key
		}
	}
}

// Prove proves with a passkey who this is, by the ceremony at a path, and
// returns where the page would go on to.
func (p *Person) Prove(path, redirect string) (next, code string) {
	p.t.Helper()
	proof, code := p.Sign(path, redirect)
	if code != "" {
		return "", code
	}
	return p.Finish(path, proof)
}

// A Proof is what a browser sends to finish a ceremony.
type Proof struct {
	ID       string          `json:"id"`
	Answer   json.RawMessage `json:"answer"`
	Redirect string          `json:"redirect"`
}

// Sign begins the ceremony at a path and lets the passkey sign its challenge.
func (p *Person) Sign(path, redirect string) (proof Proof, code string) {
	p.t.Helper()
	var c ceremony
	if _, code := p.Call(path+"/begin", map[string]any{"redirect": redirect}, &c); code != "" {
		return proof, code
	}
	time.Sleep(time.Millisecond) // a person is slower than a clock that stands still
	return Proof{c.ID, p.Assert(string(c.Options)), redirect}, ""
}

// Finish sends a proof to the ceremony at a path.
func (p *Person) Finish(path string, proof Proof) (next, code string) {
	p.t.Helper()
	var on onward
	_, code = p.Call(path+"/finish", proof, &on)
	return on.Next, code
}

// SignIn signs in by the sign-in page.
func (p *Person) SignIn() {
	p.t.Helper()
	p.Open("/login")
	if _, code := p.Prove("/login", ""); code != "" {
		p.t.Fatalf("%s cannot sign in: %s", p.Name, code)
	}
}

// SignOut ends the session of this browser.
func (p *Person) SignOut() {
	p.t.Helper()
	if page := p.Submit("/logout", url.Values{}); page.URL.Path != "/signed-out" {
		p.t.Fatalf("%s cannot sign out: %s", p.Name, page)
	}
}

// Using is the same person at somebody else's browser.
func (p *Person) Using(b *Browser) *Person {
	other := *p
	other.Browser = b
	return &other
}

// Elsewhere is the same person with the same passkeys at another browser.
func (p *Person) Elsewhere() *Person {
	return p.Using(p.h.Browser())
}

// At is the same browser with the same cookies, whose requests another replica
// answers.
func (p *Person) At(h *House) *Person {
	other, browser := *p, *p.Browser
	browser.h = h
	browser.client = &http.Client{Jar: p.client.Jar, Transport: wire{h, browser.Address}, CheckRedirect: p.client.CheckRedirect}
	other.Browser, other.h = &browser, h
	return &other
}
