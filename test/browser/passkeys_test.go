package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// authenticator takes away what the profile has and gives it another authenticator, empty, as change
// makes it of one in the device that keeps its passkeys to itself.
func (p *person) authenticator(change func(o *webauthn.VirtualAuthenticatorOptions)) {
	p.t.Helper()
	p.take(p.auth)
	p.auth = p.oneMore(change)
}

func (p *person) take(id webauthn.AuthenticatorID) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: id})
		return err
	}))
}

// oneMore gives the profile an authenticator beside the one it has.
func (p *person) oneMore(change func(o *webauthn.VirtualAuthenticatorOptions)) (id webauthn.AuthenticatorID) {
	p.t.Helper()
	o := webauthn.VirtualAuthenticatorOptions{Protocol: "ctap2", Ctap2version: "ctap2_1", Transport: "internal",
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}
	change(&o)
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		r, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &o})
		id = r.AuthenticatorID
		return err
	}))
	return id
}

func phone(o *webauthn.VirtualAuthenticatorOptions)       { o.Transport = "hybrid" }
func securityKey(o *webauthn.VirtualAuthenticatorOptions) { o.Transport = "usb" }
func inDevice(*webauthn.VirtualAuthenticatorOptions)      {}
func synced(o *webauthn.VirtualAuthenticatorOptions) {
	o.DefaultBackupEligibility, o.DefaultBackupState = true, true
}

// A signal is what a page told passkey managers.
type signal struct {
	Method string
	RPID   string
	UserID string
	// Accepted is nil when it was not said.
	Accepted     []string `json:"allAcceptedCredentialIds"`
	CredentialID string
	Name         string
	DisplayName  string
}

// recordSignals writes down what pages tell passkey managers from now on, instead of telling them.
func (p *person) recordSignals() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, page.Enable, page.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			for (const method of ["signalAllAcceptedCredentials", "signalCurrentUserDetails", "signalUnknownCredential"])
				PublicKeyCredential[method] = async what => {
					const all = JSON.parse(sessionStorage.getItem("signals") || "[]");
					all.push({Method: method, ...what});
					sessionStorage.setItem("signals", JSON.stringify(all));
				};`})
		return err
	}))
}

// signals waits until a page has told something by method and returns all that was told, which is forgotten.
func (p *person) signals(method string) []signal {
	p.t.Helper()
	p.until(`(sessionStorage.getItem("signals") || "").includes(` + quote(method) + `)`)
	var all []signal
	if err := json.Unmarshal([]byte(p.value(`const all = sessionStorage.getItem("signals"); sessionStorage.removeItem("signals"); all`)), &all); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// last is the last signal by a method.
func last(all []signal, method string) (s signal) {
	for _, one := range all {
		if one.Method == method {
			s = one
		}
	}
	return s
}

var b64 = base64.RawURLEncoding

// ids are the ids of credentials as pages write them, in order.
func ids(all ...*webauthn.Credential) (out []string) {
	for _, c := range all {
		out = append(out, b64.EncodeToString(c.CredentialID))
	}
	slices.Sort(out)
	return out
}

// Passkey managers hear which passkeys count, whole, after what changes them; what the account is called,
// after that changes; and that one is not known here.
func TestPasskeyManagersAreKeptInStep(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.newPerson(t, "en")
		p.recordSignals()
		p.setUp("Set up Pocket ID")
		first := p.credentials()
		user := b64.EncodeToString(first[0].UserHandle)
		wants := func(what string, got signal, accepted []string) {
			t.Helper()
			slices.Sort(got.Accepted)
			if got.RPID != "localhost" || got.UserID != user || !slices.Equal(got.Accepted, accepted) {
				t.Errorf("%s: passkey managers hear %+v, want user %s and %q", what, got, user, accepted)
			}
		}
		wants("after set-up", last(p.signals("signalAllAcceptedCredentials"), "signalAllAcceptedCredentials"), ids(first...))

		// One more, on another device: the list has both.
		p.open("/settings/account/passkeys/add")
		p.at("/login/again")
		p.ready()
		p.click("button.primary")
		p.at("/settings/account/passkeys/add")
		p.ready()
		p.authenticator(phone)
		p.look("passkey-add-no-platform")
		p.click(`button[value="hybrid"]`)
		p.text("was added")
		second := p.credentials()
		wants("after adding", last(p.signals("signalAllAcceptedCredentials"), "signalAllAcceptedCredentials"), ids(first[0], second[0]))

		// Without the first, the list has the second alone.
		p.click(".list li:first-child .menu button")
		p.click(`.list li:first-child .pop a[href$="/remove"]`)
		p.text("stays until you delete it there")
		p.click("button.danger.primary")
		p.at("/settings/account/passkeys")
		p.text("Delete the copy in your passkey manager as well")
		wants("after removing", last(p.signals("signalAllAcceptedCredentials"), "signalAllAcceptedCredentials"), ids(second...))

		p.open("/settings/account")
		p.fill("#username", "augusta")
		p.fill("#display_name", "Augusta King")
		p.value(`sessionStorage.removeItem("signals"), ""`)
		p.click(`form[action="/settings/account"] footer button`)
		p.text("Your profile was saved.")
		all := p.signals("signalCurrentUserDetails")
		if got := last(all, "signalCurrentUserDetails"); got.RPID != "localhost" || got.UserID != user || got.Name != "augusta" || got.DisplayName != "Augusta King" {
			t.Errorf("after a rename passkey managers hear %+v", got)
		}
		wants("on the page of the account", last(all, "signalAllAcceptedCredentials"), ids(second...))

		// What comes back from the history may be out of date, and says nothing.
		p.open("/settings/account/passkeys")
		p.signals("signalAllAcceptedCredentials")
		p.open("/settings/account/sessions")
		p.value(`history.back(), ""`)
		p.at("/settings/account/passkeys")
		p.until(`document.querySelector(".list li")`)
		if got := p.value(`sessionStorage.getItem("signals") || ""`); got != "" {
			t.Errorf("a page of the history says %s", got)
		}
		p.quiet()

		// The passkey that was removed, in somebody's manager still.
		stranger := s.newPerson(t, "en")
		stranger.recordSignals()
		stranger.open("/login")
		stranger.ready()
		stranger.own(first[0])
		stranger.click("button.primary")
		stranger.see("[data-problem]:not([hidden])")
		stranger.text("This passkey is not known here")
		all = stranger.signals("signalUnknownCredential")
		for _, got := range all { // the field may have offered it as well
			if got.Method != "signalUnknownCredential" || got.RPID != "localhost" || got.CredentialID != ids(first...)[0] || got.UserID != "" {
				t.Errorf("after an unknown passkey managers hear %+v", got)
			}
		}
		stranger.quiet()
	})
}

// Whoever has no passkey must not hide those of their manager: the list of one is never empty.
func TestNoPasskeyIsNoSignal(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		s.admin(t, "en")
		p := s.newPerson(t, "en")
		p.recordSignals()
		link := regexp.MustCompile(`http://\S+/lc/\S+`).FindString(s.cli(t, "one-time-access-token", "--lost-passkeys", "ada@example.com"))
		p.open(link)
		p.click("button.primary")
		p.at("/settings/account/passkeys/add")
		p.ready()
		p.look("passkey-add-first")
		p.open("/settings/account/passkeys")
		p.text("You have no passkey yet")
		p.look("passkeys-none")
		if all := p.signals("signalCurrentUserDetails"); last(all, "signalAllAcceptedCredentials").Method != "" {
			t.Errorf("without a passkey managers hear %+v", all)
		}
		p.click("main .empty a.btn.primary")
		p.at("/settings/account/passkeys/add")
		p.ready()
		p.click("button.primary")
		p.at("/settings/account/passkeys")
		p.text("was added")
		p.quiet()
	})
}

// After a sign-in with another device the pages of the account offer a passkey on this one, where it can
// keep one, until that is done or declined.
func TestOfferAfterASignInWithAnotherDevice(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		owner := s.newPerson(t, "en")
		owner.authenticator(phone)
		owner.setUp("Set up Pocket ID")
		key := owner.credentials()[0]
		in := func(with func(*webauthn.VirtualAuthenticatorOptions)) *person {
			p := s.newPerson(t, "en")
			p.authenticator(with)
			p.open("/login")
			p.ready()
			p.own(key)
			key.SignCount += 100 // the same key in another profile counts on
			// The field may have been answered already, for the authenticator does so by itself.
			p.until(`location.pathname !== "/login" || (document.querySelector('button[value="hybrid"]').click(), true)`)
			p.at("/settings/account")
			return p
		}

		p := in(securityKey)
		p.see("main .card")
		p.until(`document.querySelector("passkey-offer").hidden`) // this device keeps none
		p.oneMore(inDevice)
		p.open("/settings/account")
		p.see("passkey-offer .note")
		p.look("offer")
		p.open("/settings/account/passkeys")
		p.see("passkey-offer .note")
		p.click("passkey-offer button")
		p.at("/settings/account/passkeys")
		p.gone("passkey-offer")
		p.open("/settings/account")
		p.see("main .card")
		p.gone("passkey-offer")
		p.quiet()

		// Who takes the offer is not asked again; signing in here shows nothing of it either.
		q := in(phone)
		here := q.oneMore(inDevice)
		q.open("/settings/account/passkeys")
		q.click("passkey-offer a.btn.primary")
		q.at("/login/again")
		q.ready()
		q.click("button.primary")
		q.at("/settings/account/passkeys/add")
		q.ready()
		q.click("button.primary")
		q.at("/settings/account/passkeys")
		q.text("was added")
		q.gone("passkey-offer")
		q.auth = here
		if got := len(q.credentials()); got != 1 {
			t.Errorf("the device keeps %d passkeys, want the new one", got)
		}
		q.look("passkeys-two-kinds")
		q.quiet()

		r := in(inDevice)
		r.see("main .card")
		if r.value(`String(document.querySelector("passkey-offer"))`) != "null" {
			t.Error("a passkey in the device leads to an offer")
		}
	})
}

// One passkey that stays on one device is a warning.
func TestTheOnlyPasskey(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.newPerson(t, "en")
		p.authenticator(inDevice)
		p.setUp("Set up Pocket ID")
		p.text("It stays on one device. If that is lost, only an admin can let you back in.")
		p.see(".note.warn")
		p.look("passkeys-device-bound")
	})
}

// One that is synced leads to a milder one.
func TestTheOnlyPasskeyIsSynced(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.newPerson(t, "en")
		p.authenticator(synced)
		p.setUp("Set up Pocket ID")
		p.text("Synced between your devices.")
		p.text("You have one passkey")
		p.look("passkeys-synced")
		p.quiet()
	})
}

// A device without a place for passkeys says what to use, before and after.
func TestDeviceThatKeepsNoPasskeys(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.newPerson(t, "en")
		p.authenticator(securityKey)
		p.open("/setup")
		p.ready()
		p.text("This device keeps no passkeys itself")
		p.setUp("Set up Pocket ID")
		p.text("Security key, stays on this one device.")
		p.open("/settings/account/passkeys/add")
		p.at("/login/again")
		p.ready()
		p.click("button.primary")
		p.at("/settings/account/passkeys/add")
		p.ready()
		p.see(`button.primary[value="hybrid"]`)
		p.click("button.primary") // this key has one of this account
		p.see("[data-problem]:not([hidden])")
		p.text("This device already has your passkey")
		p.until(`document.activeElement.matches("[data-problem]")`)
		p.look("passkey-add-exists")

		q := s.newPerson(t, "en")
		q.authenticator(securityKey)
		q.open("/login")
		q.ready()
		q.click("button.primary")
		q.see("[data-problem]:not([hidden])")
		q.text("This device keeps no passkeys itself")
		q.look("login-no-platform")
		p.quiet()
		q.quiet()
	})
}

// Rules of the administrator hold for new passkeys. Those that are there go on working, and both the
// person and the administrator are told.
func TestRulesForPasskeys(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.newPerson(t, "en")
		p.authenticator(synced)
		p.setUp("Set up Pocket ID")
		p.rules(func() { p.click("label:has(#webauthnAllowSyncedPasskeys)") })
		p.text("1 passkey is older than these rules")
		p.look("settings-passkeys")
		p.open("/settings/account/passkeys")
		p.text("This one goes on working.")
		p.look("passkeys-outside")

		p.open("/settings/account/passkeys/add")
		p.at("/login/again")
		p.ready()
		p.look("again-two-ways")
		p.click("button.primary")
		p.at("/settings/account/passkeys/add")
		p.authenticator(synced)
		p.ready()
		p.until(`document.readyState === "complete"`) // what comes late moves the button
		p.click("button.primary")
		p.see("[data-problem]:not([hidden])")
		p.text("Only passkeys that stay on one device")
		p.look("passkey-add-synced")
		p.authenticator(inDevice)
		p.click("button.primary")
		p.text("was added")

		p.rules(func() { p.click(`label:has([name="webauthnAuthenticatorAttachment"][value="cross-platform"])`) })
		p.open("/settings/account/passkeys/add")
		p.ready()
		if p.value(`location.pathname`) == "/login/again" { // the proof of before counts for three minutes
			p.click("button.primary")
		}
		p.at("/settings/account/passkeys/add")
		p.ready()
		p.gone(`button[value="client-device"]`)
		p.see(`button.primary[value="hybrid"]`)
		p.quiet()
	})
}

// rules changes the rules for passkeys on the page of the settings.
func (p *person) rules(change func()) {
	p.t.Helper()
	p.open("/settings/admin/application-configuration#signin")
	p.see(`form[action$="/passkeys"] button.primary`)
	change()
	p.click(`form[action$="/passkeys"] footer button.primary`)
	p.at("/settings/admin/application-configuration")
	p.see(".toast")
}

// What the browser says by the names of errors, the page says in words, and gives the keyboard a place to
// go on from. While the browser asks, the page says so.
func TestErrorsOfTheBrowserInPlainWords(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		s.admin(t, "en")
		p := s.newPerson(t, "en")
		p.open("/login")
		p.ready()
		p.value(`navigator.credentials.get = () => new Promise(() => {}), ""`)
		p.click("button.primary")
		p.until(`document.querySelector("[role=status][data-status]").innerText.startsWith("Your browser asks you now")`)
		p.look("login-waiting")
		for name, title := range map[string]string{
			"NotAllowedError":   "Nothing was confirmed",
			"NotSupportedError": "This browser cannot use passkeys",
			"SecurityError":     "Passkeys do not work at this address",
			"ConstraintError":   "This device cannot verify you",
			"AbortError":        "The request was interrupted",
			"UnknownError":      "The browser could not use the passkey",
		} {
			p.open("/login")
			p.ready()
			p.value(`navigator.credentials.get = async () => { throw new DOMException("in no words of ours", ` + quote(name) + `) }, ""`)
			p.click("button.primary")
			p.text(title)
			p.until(`document.activeElement.matches("[data-problem][role=alert]") && document.querySelector("[data-status]").textContent === ""`)
			p.until(`!document.body.innerText.includes("in no words of ours") && !document.querySelector("button.primary").disabled && document.body.innerText.includes("Try again")`)
		}
		p.open("/login")
		p.ready()
		p.value(`window.fetch = async () => { throw new TypeError("Failed to fetch") }, ""`)
		p.click("button.primary")
		p.text("The server did not answer")
		p.quiet()
	})
}
