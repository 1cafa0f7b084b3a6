package oidc

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

// allow lets whoever is signed in consent to the stored request and goes on with it.
func (b *testBrowser) allow(id string) string {
	b.h.t.Helper()
	next, err := b.h.p.Allow(b.h.t.Context(), b.visitor(), b.hash(), id)
	must(b.h.t, err)
	return next
}

// consent signs u in, if nobody is, and goes through a whole flow once.
func (b *testBrowser) consent(u directory.User, c Client, change ...string) {
	b.h.t.Helper()
	if b.cookies["__Host-session"] == "" {
		b.signIn(u)
	}
	wantCode(b.h.t, b.get(b.allow(wantStep(b.h.t, b.authorize(c, change...), "/consent"))), c)
}

// The budget of a code flow is 16 statements; /authorize has to leave most to /token.
func TestAuthorizeIssuesTheCodeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.consent(ada, c)
		before := h.d.Statements()
		params := wantAnswer(t, b.authorize(c), c)
		if params.Get("code") == "" || params.Get("state") != "a state" || len(params) != 3 {
			t.Errorf("got %v, want code, state and iss", params)
		}
		if n := h.d.Statements() - before; n != 2+6 {
			t.Errorf("%d statements, want 2 for the session and 6 for the code", n)
		}
		if n := h.count(`SELECT count(*) FROM authorizations WHERE done_at IS NULL`); n != 0 {
			t.Errorf("%d requests are stored and wait, want none", n)
		}
	})
}

// threats 27: nobody is sent anywhere until client and address are known to belong together.
func TestFaultsOfClientAndAddressArePages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada := h.client(ClientEdit{}), h.user("ada")
		two := h.client(ClientEdit{RedirectURIs: []URI{{URI: "https://shop.example/1"}, {URI: "https://shop.example/2"}}})
		gone := h.client(ClientEdit{})
		must(t, h.p.DeleteClient(t.Context(), admin, gone.ID))
		anonymous, signedIn := h.browser(), h.browser()
		signedIn.signIn(ada)
		for _, b := range []*testBrowser{anonymous, signedIn} {
			for _, mode := range []string{"prompt", "response_mode"} {
				value := map[string]string{"prompt": "none", "response_mode": "form_post"}[mode]
				wantPage(t, b.authorize(c, "client_id", "nobody", mode, value), ErrClientUnknown)
				wantPage(t, b.authorize(gone, mode, value), ErrClientUnknown)
				wantPage(t, b.authorize(c, "client_id", "", mode, value), ErrClientMissing)
				wantPage(t, b.authorize(c, "redirect_uri", "", mode, value), ErrRedirectMissing)
				wantPage(t, b.authorize(two, "redirect_uri", "", "scope", "profile", mode, value), ErrRedirectMissing)
				for _, uri := range []string{"https://evil.example/cb", c.RedirectURIs[0].URI + "x", "https://shop.example@evil.example/cb", "javascript:alert(1)", "/cb"} {
					text := wantPage(t, b.authorize(c, "redirect_uri", uri, mode, value), ErrUnregistered)
					if !strings.Contains(text, "client=Shop") {
						t.Errorf("the page does not name the client: %s", text)
					}
				}
				// A fault of the rest changes nothing about that.
				wantPage(t, b.authorize(c, "redirect_uri", "https://evil.example/cb", "response_type", "token", mode, value), ErrUnregistered)
			}
			wantPage(t, b.get("/authorize?"+usual(c).Encode()+"&client_id="+c.ID), ErrRepeated)
			wantPage(t, b.get("/authorize?"+usual(c).Encode()+"&redirect_uri=https://evil.example/"), ErrRepeated)
			wantPage(t, b.get("/authorize?client_id=a;b"), ErrMalformed)
		}
	})
}

// What the operator refuses today is named, though it is registered.
func TestARefusedAddressIsNamed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.p.insecure = true
		c := h.client(ClientEdit{RedirectURIs: []URI{{URI: "http://nas.lan/cb"}}})
		wantStep(t, h.browser().authorize(c), "/login")
		h.p.insecure = false
		wantPage(t, h.browser().authorize(c), ErrRefused)
	})
}

// threats 36: iss stands in every answer, also in errors.
func TestFaultsOfTheRestGoToTheClient(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, b := h.client(ClientEdit{PKCERequired: true}), h.browser()
		for _, row := range []struct {
			change []string
			want   string
		}{
			{[]string{"response_type", ""}, "invalid_request"},
			{[]string{"response_type", "token"}, "unsupported_response_type"},
			{[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
			{[]string{"request", "x"}, "invalid_request_object"},
			{[]string{"prompt", "none"}, "login_required"},
		} {
			params := wantError(t, b.authorize(c, row.change...), c, row.want)
			if params.Get("state") != "a state" {
				t.Errorf("%v: state is %q", row.change, params.Get("state"))
			}
			for name := range params {
				if !slices.Contains([]string{"error", "error_description", "state", "iss"}, name) {
					t.Errorf("%v: %s is in the answer", row.change, name)
				}
			}
		}
		if params := wantError(t, b.authorize(c, "state", "", "prompt", "none"), c, "login_required"); params.Has("state") {
			t.Errorf("state is invented: %v", params)
		}
		long := strings.Repeat("s", 2048)
		if params := wantError(t, b.authorize(c, "state", long, "prompt", "none"), c, "login_required"); params.Get("state") != long {
			t.Error("a long state is not answered as it was")
		}
		if n := h.count(`SELECT count(*) FROM authorizations`); n != 0 {
			t.Errorf("%d requests are stored that nobody has to act on", n)
		}
	})
}

// threats 11: public clients always, others where the administrator says so.
func TestPKCEIsRequired(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		without := []string{"code_challenge", "", "code_challenge_method", ""}
		public, strict, lax := h.client(ClientEdit{Public: true}), h.client(ClientEdit{PKCERequired: true}), h.client(ClientEdit{})
		b := h.browser()
		wantError(t, b.authorize(public, without...), public, "invalid_request")
		wantError(t, b.authorize(strict, without...), strict, "invalid_request")
		wantStep(t, b.authorize(lax, without...), "/login")

		ada := h.user("ada")
		b.consent(ada, lax, without...)
		if n := h.count(`SELECT count(*) FROM clients WHERE pkce_seen = TRUE`); n != 0 {
			t.Error("a client that did not use PKCE is said to have used it")
		}
		wantCode(t, b.authorize(lax), lax)
		if n := h.count(`SELECT count(*) FROM clients WHERE id = $1 AND pkce_seen = TRUE`, lax.ID); n != 1 {
			t.Error("it is not noted that the client can do PKCE")
		}
	})
}

func TestTheOneAddressMayBeLeftOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{SkipConsent: true}), h.user("ada"), h.browser()
		b.signIn(ada)
		wantCode(t, b.authorize(c, "redirect_uri", "", "scope", "profile"), c)
		if n := h.count(`SELECT count(*) FROM codes WHERE redirect_uri = ''`); n != 1 {
			t.Error("the code does not know that no address was sent")
		}
	})
}

// threats 34: signing in and consent, each page coming back to the same place.
// threats 34, 53: a stored request belongs to the browser that brought it.
// A POST from another site comes without cookies, the session's included (SameSite=Lax).
func TestPromptNone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		wantError(t, b.authorize(c, "prompt", "none"), c, "login_required")
		b.signIn(ada)
		wantError(t, b.authorize(c, "prompt", "none"), c, "consent_required")
		b.consent(ada, c)
		wantCode(t, b.authorize(c, "prompt", "none"), c)
		wantError(t, b.authorize(c, "prompt", "none", "scope", "openid groups"), c, "consent_required")
		wantError(t, b.authorize(c, "prompt", "none", "max_age", "0"), c, "login_required")
		time.Sleep(2 * time.Second)
		wantError(t, b.authorize(c, "prompt", "none", "max_age", "1"), c, "login_required")
		wantCode(t, b.authorize(c, "prompt", "none", "max_age", "10000"), c)
		b.signOut()
		wantError(t, b.authorize(c, "prompt", "none"), c, "login_required")
	})
}

// threats 38: what asks for a passkey gets a fresh one of this very request.
func TestFreshPasskey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.consent(ada, c)
		for _, change := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "1"}} {
			time.Sleep(2 * time.Second)
			id := wantStep(t, b.authorize(c, change...), "/login/again")
			wantStep(t, b.get(nextURL(id)), "/login/again")
			time.Sleep(time.Second)
			b.reauth()
			time.Sleep(time.Second)
			wantCode(t, b.get(nextURL(id)), c)
			// The next request wants another one.
			time.Sleep(time.Second)
			wantStep(t, b.authorize(c, change...), "/login/again")
		}
		strict := h.client(ClientEdit{ReauthRequired: true, SkipConsent: true})
		id := wantStep(t, b.authorize(strict), "/login/again")
		b.reauth()
		wantStep(t, b.get(nextURL(id)), "/login/again") // in the same instant is not later
		time.Sleep(time.Microsecond)
		b.reauth()
		wantCode(t, b.get(nextURL(id)), strict)

		// Signing in for the request counts, a code never does.
		for _, amr := range [][]string{nil, {"otp"}} {
			b.signOut()
			id := wantStep(t, b.authorize(c, "prompt", "login"), "/login")
			time.Sleep(time.Second)
			b.signIn(ada, amr...)
			if resp := b.get(nextURL(id)); amr == nil {
				wantCode(t, resp, c)
			} else {
				wantStep(t, resp, "/login/again")
				wantStep(t, b.authorize(c, "max_age", "10000"), "/login/again")
				wantCode(t, b.authorize(c), c)
			}
		}
	})
}

// threats 13, 22: consent is remembered, grows and never shrinks; not for what runs on
// somebody's own device.
func TestConsent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		scopes := func() (s string) {
			must(t, h.d.Read(t.Context(), func(tx *db.Tx) error {
				return tx.One([]any{&s}, `SELECT scopes FROM consents WHERE user_id = $1 AND client_id = $2`, ada.ID, c.ID)
			}))
			return s
		}
		b.consent(ada, c, "scope", "openid email")
		b.consent(ada, c, "scope", "openid profile")
		if got, want := scopes(), `["openid","email","profile"]`; got != want {
			t.Errorf("remembered %s, want %s", got, want)
		}
		wantCode(t, b.authorize(c, "scope", "openid profile email"), c)
		wantCode(t, b.authorize(c, "scope", "openid"), c)
		b.consent(ada, c, "scope", "openid", "prompt", "consent")
		if got, want := scopes(), `["openid","email","profile"]`; got != want {
			t.Errorf("remembered %s, want %s", got, want)
		}
		wantStep(t, b.authorize(c, "scope", "openid offline_access"), "/consent")
		// What is asked for is what the code is for, not what is remembered.
		if n := h.count(`SELECT count(*) FROM grants WHERE scopes = '["openid"]'`); n != 2 {
			t.Errorf("%d grants of openid alone, want 2", n)
		}

		for _, uri := range []string{"http://127.0.0.1/cb", "http://[::1]:8000/cb", "http://localhost/cb", "com.example.app:/cb"} {
			c := h.client(ClientEdit{Public: true, SkipConsent: true, RedirectURIs: []URI{{URI: uri}}})
			b.consent(ada, c)
			b.consent(ada, c)
			wantError(t, b.authorize(c, "prompt", "none"), c, "consent_required")
		}
		own := h.client(ClientEdit{SkipConsent: true})
		wantCode(t, b.authorize(own), own)
		if n := h.count(`SELECT count(*) FROM consents WHERE client_id = $1`, own.ID); n != 0 {
			t.Error("a consent is remembered that nobody gave")
		}
	})
}

// threats 3, 62: what changes in the middle of a flow counts.
func TestTheGateIsAskedAtTheEnd(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ada, b := h.user("ada"), h.browser()
		group, err := h.dir.AddGroup(t.Context(), admin, directory.GroupEdit{Name: "staff", FriendlyName: "Staff"})
		must(t, err)
		c := h.client(ClientEdit{GroupRestricted: true, AllowedGroups: []string{group.ID}, LaunchURL: "https://shop.example/"})
		b.signIn(ada)
		wantError(t, b.authorize(c), c, "access_denied")
		wantError(t, b.authorize(c, "prompt", "none"), c, "access_denied")
		must(t, h.dir.SetMembers(t.Context(), admin, group.ID, []string{ada.ID}))
		allowed := b.allow(wantStep(t, b.authorize(c), "/consent"))
		must(t, h.dir.SetMembers(t.Context(), admin, group.ID, nil))
		wantError(t, b.get(allowed), c, "access_denied")
		must(t, h.dir.SetMembers(t.Context(), admin, group.ID, []string{ada.ID}))

		// An address that is taken away gets no answer any more.
		id := wantStep(t, b.authorize(c), "/consent")
		edit := c.Edit()
		edit.RedirectURIs = []URI{{URI: "https://shop.example/new"}}
		_, err = h.p.EditClient(t.Context(), admin, c.ID, edit)
		must(t, err)
		wantPage(t, b.get(nextURL(id)), ErrUnregistered)
		_, err = h.p.EditClient(t.Context(), admin, c.ID, c.Edit())
		must(t, err)

		// A session that ended, and a user who was disabled, have to sign in.
		id = wantStep(t, b.authorize(c), "/consent")
		v := b.visitor()
		must(t, h.in.SignOut(t.Context(), v))
		wantStep(t, b.get(nextURL(id)), "/login")
		if _, err := h.p.Allow(t.Context(), v, b.hash(), id); err != nil {
			t.Error(err)
		}
		b.signIn(ada)
		wantStep(t, b.get(nextURL(id)), "/consent")
		v = b.visitor()
		must(t, h.dir.Disable(t.Context(), admin, ada.ID))
		wantStep(t, b.get(nextURL(id)), "/login")
		// Who is disabled between the look at the cookie and the code gets none.
		ctx := signin.With(t.Context(), v)
		must(t, h.d.Read(ctx, func(tx *db.Tx) error {
			d, err := doorOf(tx, c.ID, ada.ID, v.Session.ID)
			must(t, err)
			s, err := h.p.situation(tx, &authRequest{}, d, place{}, caller{visitor: v, known: true})
			must(t, err)
			if s.session.ID != "" && s.gate == nil {
				t.Error("a disabled user is let through")
			}
			return nil
		}))
		// Nor does who signed out everywhere, though the row of the session is as it was.
		bob := h.user("bob")
		v.User, v.Session = bob, h.browser().signIn(bob)
		h.write(func(tx *db.Tx) { directory.Invalidate(tx, bob.ID) })
		must(t, h.d.Read(ctx, func(tx *db.Tx) error {
			d, err := doorOf(tx, c.ID, bob.ID, v.Session.ID)
			must(t, err)
			s, err := h.p.situation(tx, &authRequest{}, d, place{}, caller{visitor: v, known: true})
			must(t, err)
			if s.session.ID != "" {
				t.Error("a session that was signed out everywhere is let through")
			}
			return nil
		}))

		must(t, h.dir.Enable(t.Context(), admin, ada.ID))
		b.signOut()
		time.Sleep(time.Second)
		b.signIn(ada)
		id = wantStep(t, b.authorize(c), "/consent")
		must(t, h.p.DeleteClient(t.Context(), admin, c.ID))
		wantPage(t, b.get(nextURL(id)), ErrClientUnknown)
	})
}

// RFC 9700 §2.1.1: what a code is bound to.
func TestTheCodeAndItsGrant(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, other, ada, b := h.client(ClientEdit{SkipConsent: true}), h.client(ClientEdit{SkipConsent: true}), h.user("ada"), h.browser()
		session := b.signIn(ada)
		code := wantCode(t, b.authorize(c, "max_age", "1000"), c)
		if len(code) < 43 {
			t.Errorf("the code has %d characters, want 256 bits", len(code))
		}
		var grant, client, uri, challenge, nonce, user, sessionID, sid, scopes string
		var asked bool
		var lifetime int64
		var browser []byte
		must(t, h.d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.One([]any{&grant, &client, &uri, &challenge, &nonce, &asked, &lifetime, &browser, &user, &sessionID, &sid, &scopes}, `
				SELECT c.grant_id, c.client_id, c.redirect_uri, c.challenge, c.nonce, c.max_age_asked, c.expires_at - c.created_at, c.browser,
					g.user_id, g.session_id, g.sid, g.scopes
				FROM codes c JOIN grants g ON g.id = c.grant_id WHERE c.hash = $1`, secret.Hash(code))
		}))
		want := usual(c)
		if client != c.ID || uri != want.Get("redirect_uri") || challenge != want.Get("code_challenge") || nonce != want.Get("nonce") || !asked ||
			lifetime != time.Minute.Microseconds() || !secret.Equal(browser, b.hash()) || user != ada.ID || sessionID != session.ID || scopes != `["openid","profile"]` {
			t.Errorf("the code is for %s %s %s %s %v %d %s %s %s", client, uri, challenge, nonce, asked, lifetime, user, sessionID, scopes)
		}
		// One session has one sid at a client, and another one at another.
		wantCode(t, b.authorize(c), c)
		wantCode(t, b.authorize(other), other)
		if n := h.count(`SELECT count(DISTINCT sid) FROM grants WHERE client_id = $1`, c.ID); n != 1 {
			t.Errorf("%d sids at one client, want 1", n)
		}
		if n := h.count(`SELECT count(DISTINCT sid) FROM session_clients`); n != 2 {
			t.Errorf("%d sids at two clients, want 2", n)
		}
		if sid == "" || sid == session.ID {
			t.Errorf("sid is %q", sid)
		}
	})
}

func TestAuthorizationsAreRecorded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		count := func(event audit.Name) int {
			return h.count(`SELECT count(*) FROM audit WHERE event = $1 AND user_id = $2 AND client_id = $3 AND actor_id = $2 AND object_name = 'Shop'`, event.String(), ada.ID, c.ID)
		}
		b.consent(ada, c)
		wantCode(t, b.authorize(c), c)
		wantCode(t, b.authorize(c), c)
		b.consent(ada, c, "scope", "openid groups")
		if n, m := count(audit.NewClientAuthorization), count(audit.ClientAuthorization); n != 2 || m != 2 {
			t.Errorf("%d new and %d known authorizations, want 2 and 2", n, m)
		}
	})
}

func TestLastUseIsWrittenOnceAnHour(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.consent(ada, c)
		used := func(table string) int {
			return h.count(`SELECT count(*) FROM ` + table + ` WHERE last_used_at > (SELECT max(created_at) FROM clients)`)
		}
		before := h.count(`SELECT max(last_used_at) FROM clients`)
		time.Sleep(59 * time.Minute)
		wantCode(t, b.authorize(c), c)
		if after := h.count(`SELECT max(last_used_at) FROM clients`); after != before {
			t.Error("written after 59 minutes")
		}
		time.Sleep(2 * time.Minute)
		wantCode(t, b.authorize(c), c)
		if used("clients") != 1 || used("consents") != 1 {
			t.Error("not written after an hour")
		}
	})
}

// threats 4: however often it is asked for at once, a stored request gives one code.
// threats 30, 37: 303 after whatever method, and nothing is kept on the way.
func TestAnswersAreNotKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		first := b.authorize(c)
		b.consent(ada, c)
		stored := b.authorize(c, "prompt", "consent")
		done := b.authorize(c)
		page := b.authorize(c, "client_id", "nobody")
		for name, resp := range map[string]struct{ cache, referrer string }{
			"first":  {first.Header.Get("Cache-Control"), first.Header.Get("Referrer-Policy")},
			"stored": {stored.Header.Get("Cache-Control"), stored.Header.Get("Referrer-Policy")},
			"done":   {done.Header.Get("Cache-Control"), done.Header.Get("Referrer-Policy")},
			"page":   {page.Header.Get("Cache-Control"), page.Header.Get("Referrer-Policy")},
		} {
			if !strings.Contains(resp.cache, "no-store") {
				t.Errorf("%s: Cache-Control is %q", name, resp.cache)
			}
			if resp.referrer != "same-origin" && resp.referrer != "no-referrer" {
				t.Errorf("%s: Referrer-Policy is %q", name, resp.referrer)
			}
		}
	})
}
