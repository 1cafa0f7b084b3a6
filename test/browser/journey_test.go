package browser

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// words are texts that tell in which language a page speaks.
var words = map[string]map[string]string{
	"en":    {"setup": "Set up Pocket ID", "login": "Sign in to Example", "consent": "Example wants to use your account", "two": "YubiKey", "out": "You are signed out, here and at"},
	"zh-CN": {"setup": "设置 Pocket ID", "login": "登录Example", "consent": "Example想使用你的账户", "two": "安全密钥", "out": "You are signed out, here and at"},
}

// The whole way, as an administrator and a person go it: set up, add a second passkey, register an
// application, sign in to it elsewhere, allow it, refresh, sign out.
func TestJourney(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		for _, language := range []string{"en", "zh-CN"} {
			t.Run(language, func(t *testing.T) {
				s := s
				if language != "en" { // each language has a house of its own
					dsn := ""
					if s.dsn != "" {
						dsn = postgresSchema(t)
					}
					s = start(t, dsn)
				}
				journey(t, s, language)
			})
		}
	})
}

func journey(t *testing.T, s *server, language string) {
	say := words[language]
	admin := s.newPerson(t, language)
	admin.lookAtSetUp()
	admin.setUp(say["setup"])

	// A second passkey, on another authenticator, after proving the first.
	admin.open("/settings/account/passkeys")
	admin.click(`a[href="/settings/account/passkeys/add"]`)
	admin.at("/login/again")
	admin.look("again")
	admin.ready()
	admin.click("button.primary")
	admin.at("/settings/account/passkeys/add")
	first := admin.credentials()
	admin.newAuthenticator()
	admin.look("passkey-add")
	admin.ready()
	admin.click("button.primary")
	admin.at("/settings/account/passkeys")
	admin.until(`document.querySelectorAll(".list li").length === 2`)
	admin.look("passkeys")

	port := freePort(t)
	self := "http://localhost:" + port
	id, secret := admin.addClient("Example", self+"/callback", self+"/")
	party(t, s, port, id, secret)

	// Elsewhere: another profile, whose passkey manager has a copy of the first passkey.
	person := s.newPerson(t, language)
	person.open(self + "/")
	person.click("#sign-in")
	person.at("/login")
	person.text(say["login"])
	person.ready()
	person.look("login-client")
	for _, c := range first { // not before: the field would offer it, and nobody would press the button
		person.own(c)
	}
	// The field may have been answered already, for the authenticator does so by itself.
	person.until(`location.pathname !== "/login" || (document.querySelector("button.primary").click(), true)`)
	person.at("/consent")
	person.text(say["consent"])
	person.look("consent")
	person.click(`button[value="allow"]`)
	person.see("#claims")
	person.text("ada@example.com")
	before := person.value(`document.querySelector("#claims").innerText`)
	person.click("#refresh")
	person.until(`document.querySelector("#notice") || document.querySelector("#claims").innerText !== ` + quote(before))
	person.gone("#fault")

	person.click("#sign-out")
	person.text(say["out"])
	person.newAuthenticator() // or the field of the sign-in page would sign them in again at once
	person.open("/settings/account")
	person.at("/login")
	admin.quiet()
	person.quiet()
}

// quote is s as a JavaScript string.
func quote(s string) string {
	r := strings.NewReplacer("\\", "\\\\", "`", "\\`", "$", "\\$")
	return "`" + r.Replace(s) + "`"
}

// setUp makes the first account, Ada's, from an empty house.
func (p *person) setUp(title string) {
	p.t.Helper()
	p.open("/")
	p.at("/setup")
	p.text(title)
	p.ready()
	p.fill("#firstName", "Ada")
	p.fill("#lastName", "Lovelace")
	p.fill("#username", "ada")
	p.fill("#email", "ada@example.com")
	p.click("button.primary")
	p.at("/settings/account/passkeys")
}

// lookAtSetUp looks at the page before and after a fault, and leaves nothing behind.
func (p *person) lookAtSetUp() {
	p.t.Helper()
	p.open("/setup")
	p.ready()
	p.look("setup")
	p.fill("#firstName", "Augusta")
	p.fill("#username", "a b")
	p.fill("#email", "ada@example.com")
	p.click("button.primary")
	p.see("#username[aria-invalid]")
	if got := p.value(`document.querySelector("#firstName").value`); got != "Augusta" {
		p.t.Errorf("after a fault the first name is %q", got)
	}
	p.look("setup-fault")
}

// ready waits until the module of the page runs.
func (p *person) ready() {
	p.t.Helper()
	p.until(`document.documentElement.dataset.ready === "1"`)
}

// credentials are the passkeys of the profile's authenticator.
func (p *person) credentials() []*webauthn.Credential {
	p.t.Helper()
	var all []*webauthn.Credential
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		r, err := chromedp.Call(ctx, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: p.auth})
		all = r.Credentials
		return err
	}))
	if len(all) == 0 {
		p.fail("the authenticator holds no passkey")
	}
	return all
}

// own puts a passkey into the profile's authenticator, as syncing does.
func (p *person) own(c *webauthn.Credential) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, addCredential, addCredentialParams{AuthenticatorID: p.auth, Credential: credential{
			CredentialID: c.CredentialID, IsResidentCredential: true, RpID: c.RpID, PrivateKey: c.PrivateKey, UserHandle: c.UserHandle, SignCount: c.SignCount,
		}})
		return err
	}))
}

// addCredential is the command with the members that every Chromium knows: the newest ones are
// refused by authenticators without them.
var addCredential = cdp.Command[addCredentialParams, cdp.Empty]{Method: "WebAuthn.addCredential"}

type addCredentialParams struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      credential               `json:"credential"`
}

type credential struct {
	CredentialID         []byte  `json:"credentialId"`
	IsResidentCredential bool    `json:"isResidentCredential"`
	RpID                 string  `json:"rpId"`
	PrivateKey           []byte  `json:"privateKey"`
	UserHandle           []byte  `json:"userHandle"`
	SignCount            float64 `json:"signCount"`
}

// party runs examples/relying-party at port, registered as id.
func party(t *testing.T, s *server, port, id, secret string) {
	t.Helper()
	exe := filepath.Join(filepath.Dir(program), "relying-party")
	if _, err := os.Stat(exe); err != nil {
		if out, err := exec.Command("go", "build", "-o", exe, "pocketid/examples/relying-party").CombinedOutput(); err != nil {
			t.Fatalf("build the example: %v\n%s", err, out)
		}
	}
	log := &buffer{}
	c := exec.Command(exe, "-issuer", s.URL, "-client-id", id, "-client-secret", secret, "-listen", "localhost:"+port)
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if t.Failed() {
			t.Logf("the relying party said:\n%s", log)
		}
	})
	for range 200 {
		if res, err := http.Get("http://localhost:" + port + "/"); err == nil {
			res.Body.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the relying party did not start:\n%s", log)
}

// addClient registers an application and returns its id and secret.
func (p *person) addClient(name, redirect, after string) (string, string) {
	p.t.Helper()
	p.open("/settings/admin/oidc-clients/new")
	p.fill("#name", name)
	p.fill(`[id="redirect_uris[0]"]`, redirect)
	p.click("footer button.primary")
	p.see("#new-secret")
	secret := p.value(`document.querySelector("#new-secret").textContent.trim()`)
	id := p.value(`location.pathname.split("/").pop()`)
	p.open("/settings/admin/oidc-clients/" + id)
	p.click(`[aria-controls=uris]`)
	p.fill(`[id="post_logout_uris[0]"]`, after)
	p.click("#uris footer button")
	p.see(".toast")
	return id, secret
}
