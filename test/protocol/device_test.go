package protocol

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/dbtest"
	"pocketid/internal/oidc"
)

// userCode is how a device shows its code (RFC 8628 §6.1).
var userCode = regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)

// polled checks what a device hears.
func polled(t *testing.T, name string, got apptest.Tokens, want string) {
	t.Helper()
	status := http.StatusBadRequest
	if want == "" {
		status = http.StatusOK
	}
	if got.Status != status || got.Error != want || (want == "") != (got.AccessToken != "") {
		t.Errorf("%s: the device hears %d %q, want %d %q", name, got.Status, got.Error, status, want)
	}
}

// RFC 8628 §3.1, §3.2: what a device is told to show, and what is kept of it.
func TestADeviceIsToldWhatToShow(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		tv := h.Client("tv", apptest.Public)
		a := tv.AskDevice()
		said := a.JSON()
		if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %v", a.Status, a.Header)
		}
		code, _ := said["user_code"].(string)
		secret, _ := said["device_code"].(string)
		if !userCode.MatchString(code) || len(secret) < 43 {
			t.Errorf("the codes are %q and %q", code, secret)
		}
		for name, want := range map[string]any{
			"verification_uri": apptest.URL + "/device", "verification_uri_complete": apptest.URL + "/device?user_code=" + code,
			"expires_in": 900.0, "interval": 5.0,
		} {
			if said[name] != want {
				t.Errorf("%s is %v, want %v", name, said[name], want)
			}
		}
		if len(said) != 6 {
			t.Errorf("the answer is %v", said)
		}
		for table, rows := range h.Rows() {
			for _, row := range rows {
				if strings.Contains(row, secret) || strings.Contains(row, code) || strings.Contains(row, strings.ReplaceAll(code, "-", "")) {
					t.Errorf("%s holds a code: %s", table, row)
				}
			}
		}
	})
}

// RFC 8628 §3.1: clients authenticate as at the token endpoint, and may be kept from it.
func TestADeviceIsAClient(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		shop := h.Client("shop")
		codeOnly := h.Client("code-only", func(e *oidc.ClientEdit) { e.GrantTypes = []string{"authorization_code"} })
		p := h.Program()
		for _, row := range []struct {
			name   string
			form   url.Values
			header []string
			status int
			code   string
		}{
			{"nobody", form("scope", "openid"), nil, 401, "invalid_client"},
			{"a confidential client without its secret", form("client_id", shop.ID), nil, 401, "invalid_client"},
			{"a wrong secret", form("client_id", shop.ID, "client_secret", "of another client"), nil, 401, "invalid_client"},
			{"two ways at once", form("client_secret", shop.Secret), basic(shop), 400, "invalid_request"},
			{"a client that nobody knows", form("client_id", "nobody"), nil, 401, "invalid_client"},
			{"a client that has no devices", form(), basic(codeOnly), 400, "unauthorized_client"},
			{"a scope twice", form("scope", "openid", "scope", "email"), basic(shop), 400, "invalid_request"},
			{"a nonce that is too long", form("nonce", strings.Repeat("n", 1025)), basic(shop), 400, "invalid_request"},
		} {
			jsonError(t, row.name, p.Post(apptest.DevicePath, row.form, row.header...), row.status, row.code)
		}
		if a := p.Get(apptest.DevicePath); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("GET: %d", a.Status)
		}
		if a := p.Post(apptest.DevicePath+"?client_id="+shop.ID+"&client_secret="+shop.Secret, form()); a.Error() != "invalid_client" {
			t.Errorf("credentials in the address count: %d %s", a.Status, a.Body)
		}
	})
}

// RFC 8628 §3.4, §3.5: what a device hears while it waits, and afterwards.
func TestADeviceThatWaitsIsTold(t *testing.T) { // threats 6, 19
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, tv, other := h.User("ada"), h.Client("tv", apptest.Public), h.Client("other")

		d := tv.Device("nonce", "of the device", "scope", "openid profile email offline_access")
		polled(t, "at first", d.Poll(), "authorization_pending")
		polled(t, "at once", d.Poll(), "slow_down")
		time.Sleep(6 * time.Second)
		polled(t, "after 6 s, though it is 10 now", d.Poll(), "slow_down")
		time.Sleep(12 * time.Second)
		polled(t, "after 12 s, though it is 15 now", d.Poll(), "slow_down")
		time.Sleep(20 * time.Second)
		polled(t, "after 20 s", d.Poll(), "authorization_pending")
		polled(t, "with another client", other.Token(d.Form()), "invalid_grant")
		polled(t, "with another code", tv.Token(form("grant_type", d.Form().Get("grant_type"), "device_code", "nobody's")), "invalid_grant")
		polled(t, "without a code", tv.Token(form("grant_type", d.Form().Get("grant_type"))), "invalid_request")
		polled(t, "with its user code", tv.Token(form("grant_type", d.Form().Get("grant_type"), "device_code", d.User)), "invalid_grant")
		polled(t, "as a code", tv.Token(form("grant_type", "authorization_code", "code", d.Code, "redirect_uri", tv.RedirectURI)), "invalid_grant")

		if page := d.By(ada); page.Status != http.StatusOK || page.URL.Path != "/device/confirm" {
			t.Fatalf("ada is told: %s", page)
		}
		polled(t, "another client after the yes", other.Token(d.Form()), "invalid_grant")
		got := d.Poll()
		polled(t, "after the yes", got, "")
		said := claims(t, got.IDToken)
		if said["nonce"] != "of the device" || said["sub"] != ada.ID || said["aud"] != tv.ID || said["auth_time"] == nil || said["sid"] != nil {
			t.Errorf("the ID token says %v", said)
		}
		if got.Scope != "openid profile email offline_access" || got.RefreshToken == "" {
			t.Errorf("the tokens are %+v", got)
		}
		if status, who := tv.Userinfo(got.AccessToken); status != http.StatusOK || who["sub"] != ada.ID {
			t.Errorf("userinfo: %d %v", status, who)
		}
		polled(t, "once more", d.Poll(), "invalid_grant")
		if status, _ := tv.Userinfo(got.AccessToken); status != http.StatusOK {
			t.Errorf("the tokens ended with a second question: %d", status)
		}
		// What the device has is not the browser's: it goes on when the session ends.
		ada.SignOut()
		h.Settle()
		if again := tv.Refresh(got.RefreshToken); again.Status != http.StatusOK || claims(t, again.IDToken)["nonce"] != nil {
			t.Errorf("refresh after signing out: %+v", again)
		}

		d = tv.Device()
		if page := d.Answer(ada, d.Question(ada), "cancel"); page.Status != http.StatusOK {
			t.Errorf("ada is told: %s", page)
		}
		polled(t, "after the no", d.Poll(), "access_denied")
		polled(t, "after the no, again", d.Poll(), "access_denied")

		d = tv.Device()
		question := d.Question(ada)
		time.Sleep(15*time.Minute - time.Second)
		polled(t, "just before the end", d.Poll(), "authorization_pending")
		time.Sleep(2 * time.Second)
		polled(t, "after the end", d.Poll(), "expired_token")
		told(t, d.Answer(ada, question, "allow"), http.StatusBadRequest)
		polled(t, "after a yes that came too late", d.Poll(), "expired_token")
		told(t, d.Question(ada), http.StatusBadRequest)
		time.Sleep(2 * time.Hour)
		h.Settle()
		ada.SignIn()
		told(t, d.Question(ada), http.StatusUnprocessableEntity) // nobody remembers it
	})
}

// RFC 8628 §6.1: what a person types is read with good will, and nothing is done by a link.
func TestTheCodeOfADeviceIsTypedAsOneLikes(t *testing.T) { // threats 19
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, tv := h.User("ada"), h.Client("tv", apptest.Public)
		for _, change := range []func(string) string{
			strings.ToLower,
			func(s string) string { return strings.ReplaceAll(s, "-", "") },
			func(s string) string { return " " + strings.ReplaceAll(s, "-", " – ") + " " },
			func(s string) string { return strings.ToLower(s[:1]) + s[1:4] + s[5:8] + "-" + s[8:] },
		} {
			d := tv.Device()
			d.User = change(d.User)
			if page := d.By(ada); page.Status != http.StatusOK {
				t.Errorf("%q: %s", d.User, page)
			}
			polled(t, d.User, d.Poll(), "")
		}
		d := tv.Device()
		for _, address := range []string{d.Link, "/device?code=" + strings.ReplaceAll(d.User, "-", "")} {
			page := ada.Open(address)
			if page.Status != http.StatusOK || page.URL.Path != "/device" || !strings.Contains(page.Body, `value="`+d.User+`"`) {
				t.Errorf("%s: %s", address, page)
			}
		}
		polled(t, "a link that was opened", d.Poll(), "authorization_pending")
		if page := ada.Open(`/device?user_code="><svg onload=alert(1)>`); page.Status != http.StatusOK || strings.Contains(page.Body, "<svg onload") {
			t.Errorf("a link with markup: %s", page)
		}
	})
}

// RFC 8628 §5.4: the question says what a person has to know to find out that somebody
// else asks.
func TestTheQuestionOfADeviceWarns(t *testing.T) { // threats 19, 31
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, tv := h.User("ada"), h.Client("tv", apptest.Public)
		d := tv.Device("scope", "openid email offline_access")
		time.Sleep(2 * time.Minute)
		page := d.Question(ada)
		for _, want := range []string{d.User, "Connect a device to tv?", "tv on TV", "Asked 2 minutes ago from 2001:db8:", ada.Name + "@", "Stay connected", "Did somebody send you this code or link?", "Only go on if a screen in front of you shows this code."} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("the question does not say %q: %s", want, page.Body[strings.Index(page.Body, "<main"):])
			}
		}
		if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "form-action 'self';") && !strings.HasSuffix(policy, "form-action 'self'") {
			t.Errorf("the policy of the question is %s", policy)
		}
		if page.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the question may be kept: %s", page.Header.Get("Cache-Control"))
		}
		// Whoever registered themselves is told by their host, for the name is their own word.
		h.SQL(`UPDATE clients SET kind = 'dynamic' WHERE id = $1`, tv.ID)
		if again := ada.Open(page.URL.RequestURI()); !strings.Contains(again.Body, "registered itself") || !strings.Contains(again.Body, "tv.example") || strings.Contains(page.Body, "registered itself") {
			t.Errorf("a client that registered itself: %s", again)
		}
		// Nobody makes a browser answer from elsewhere.
		for _, path := range []string{"/device", "/device/confirm"} {
			if a := ada.Raw(http.MethodPost, path, form("user_code", d.User, "ticket", page.Ticket(), "decision", "allow"), "cross-site"); a.Status != http.StatusForbidden {
				t.Errorf("%s from another site: %d", path, a.Status)
			}
		}
		polled(t, "after a forged yes", d.Poll(), "authorization_pending")
	})
}

// names says whether a page names somebody. The letters alone may be part of a reference.
func names(page *apptest.Page, who *apptest.Person) bool {
	return regexp.MustCompile(`\b` + who.Name + `\b`).MatchString(page.Body)
}

// A question belongs to the session that typed the code, and its answer to whoever gave it.
func TestTheAnswerForADeviceIsOfOneSession(t *testing.T) { // threats 19, 32
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, eve, tv := h.User("ada"), h.User("eve"), h.Client("tv", apptest.Public)
		eve.SignIn()
		d := tv.Device()
		question := d.Question(ada)
		late := d.Question(eve) // it waits still
		told(t, d.Answer(eve, question, "allow"), http.StatusBadRequest)
		told(t, eve.Open(question.URL.RequestURI()), http.StatusBadRequest)
		for _, ticket := range []string{"", "x", question.Ticket() + "A", strings.ToLower(question.Ticket())} {
			told(t, ada.Submit("/device/confirm", form("ticket", ticket, "decision", "allow")), http.StatusBadRequest)
		}
		elsewhere := ada.Elsewhere()
		elsewhere.SignIn()
		told(t, d.Answer(elsewhere, question, "allow"), http.StatusBadRequest)
		polled(t, "after all of that", d.Poll(), "authorization_pending")

		if page := d.Answer(ada, question, "allow"); page.Status != http.StatusOK {
			t.Errorf("ada is told: %s", page)
		}
		// Nobody else takes it over, not with a yes and not with a no, and nobody learns whose it is.
		for _, decision := range []string{"allow", "cancel"} {
			page := d.Answer(eve, late, decision)
			told(t, page, http.StatusConflict)
			if names(page, ada) {
				t.Errorf("eve learns who it was: %s", page)
			}
		}
		told(t, eve.Open(late.URL.RequestURI()), http.StatusConflict)
		told(t, d.Question(eve), http.StatusConflict)
		if page := ada.Open(question.URL.RequestURI()); page.Status != http.StatusOK || !strings.Contains(page.Body, "tv is connected") {
			t.Errorf("ada comes back: %s", page)
		}
		got := d.Poll()
		polled(t, "in the end", got, "")
		if claims(t, got.IDToken)["sub"] != ada.ID {
			t.Errorf("the device is let in for %v", claims(t, got.IDToken)["sub"])
		}
		if page := ada.Open(question.URL.RequestURI()); page.Status != http.StatusOK || !strings.Contains(page.Body, "tv is connected") {
			t.Errorf("ada comes back later: %s", page)
		}
	})
}

// Who may not use the client is told so, and so is the device.
func TestADeviceIsDeniedByTheGate(t *testing.T) { // threats 19, 21, 62
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		v := visitOf(t, h, h.SetUp(), "tv")
		d := v.client.Device()
		question := d.Question(v.person)
		v.members(v.admin.ID)
		told(t, v.person.Open(question.URL.RequestURI()), http.StatusForbidden)
		polled(t, "after a look", d.Poll(), "authorization_pending")
		told(t, d.Answer(v.person, question, "allow"), http.StatusForbidden)
		polled(t, "after a yes", d.Poll(), "access_denied")

		d = v.client.Device()
		told(t, d.Question(v.person), http.StatusForbidden)
		polled(t, "after the code was typed", d.Poll(), "access_denied")

		v.members(v.person.ID)
		d = v.client.Device()
		d.By(v.person)
		v.members(v.admin.ID)
		polled(t, "after the person lost the group", d.Poll(), "access_denied")
		polled(t, "once more", d.Poll(), "invalid_grant")
	})
}

// Where a client wants a proof, and where the last one is old, a device needs one too.
func TestADeviceWantsAFreshProof(t *testing.T) { // threats 38
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		strict, tv := h.Client("strict", func(e *oidc.ClientEdit) { e.ReauthRequired = true }), h.Client("tv")
		asked := func(name string, c *apptest.Client, want bool) {
			t.Helper()
			d := c.Device()
			question := d.Question(ada)
			page := ada.Submit("/device/confirm", form("ticket", question.Ticket(), "decision", "allow"))
			if got := page.URL.Path == "/login/again"; got != want {
				t.Errorf("%s: asked for a proof %v, want %v: %s", name, got, want, page)
			}
			if strings.Contains(question.Body, "You confirm with your passkey next.") != want {
				t.Errorf("%s: the question says otherwise", name)
			}
			if want {
				polled(t, name, d.Poll(), "authorization_pending")
				if page := d.Answer(ada, question, "allow"); page.Status != http.StatusOK || page.URL.Path != "/device/confirm" {
					t.Errorf("%s: the proof does not help: %s", name, page)
				}
			}
			time.Sleep(10 * time.Second)
			polled(t, name, d.Poll(), "")
		}
		ada.SignIn()
		asked("just signed in", tv, false)
		asked("just signed in, before the device asked", strict, true)
		time.Sleep(50 * time.Minute)
		ada.Open("/settings/account")
		asked("50 minutes", tv, false)
		time.Sleep(20 * time.Minute)
		asked("more than an hour", tv, true)
		asked("just proved", tv, false)
	})
}

// What a person allowed a device is remembered, and can be taken back.
func TestADeviceIsAnAuthorisedApp(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, tv := h.User("ada"), h.Client("tv")
		for _, want := range []audit.Name{audit.NewDeviceAuthorization, audit.DeviceAuthorization} {
			d := tv.Device()
			d.By(ada)
			if n := strings.Count(strings.Join(h.Rows()["audit"], "\n"), "event="+want.String()+" "); n != 1 {
				t.Errorf("the log has %d times %s", n, want)
			}
			got := d.Poll()
			polled(t, want.String(), got, "")
			if want == audit.DeviceAuthorization {
				if page := tv.Begin("scope", "openid profile").By(ada); page.Away == nil {
					t.Errorf("it is asked again: %s", page)
				}
				if page := ada.Submit("/settings/account/apps/"+tv.ID+"/revoke", url.Values{}); page.Status != http.StatusOK {
					t.Errorf("taking it back: %s", page)
				}
				if status, _ := tv.Userinfo(got.AccessToken); status != http.StatusUnauthorized {
					t.Errorf("userinfo after it was taken back: %d", status)
				}
			}
		}
	})
}

// Guessing codes has a bound, for an account, for a network and in all. It is a row, so it
// holds on every replica, and where it cannot be counted nothing opens.
func TestGuessingCodesOfDevicesHasABound(t *testing.T) { // threats 19, 50, 82
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		tv := h.Client("tv", apptest.Public)
		eve, ada := h.User("eve"), h.User("ada")
		eve.SignIn()
		guess := func(p *apptest.Person) int {
			time.Sleep(6 * time.Second) // the buckets of the edge are not what is asked here
			return p.Raw(http.MethodPost, "/device", form("user_code", "BCDF-GHJK"), "same-origin").Status
		}
		for i := range 10 {
			if status := guess(eve); status != http.StatusUnprocessableEntity {
				t.Fatalf("guess %d: %d", i, status)
			}
		}
		if status := guess(eve); status != http.StatusTooManyRequests {
			t.Errorf("one guess too many: %d", status)
		}
		d := tv.Device()
		told(t, d.Question(eve), http.StatusTooManyRequests) // right or wrong is all one now
		// Neither another browser nor another network helps an account.
		there := eve.Elsewhere()
		there.SignIn()
		told(t, d.Question(there), http.StatusTooManyRequests)
		if page := d.Question(ada); page.Status != http.StatusOK {
			t.Errorf("somebody else is shut out: %s", page)
		}
		time.Sleep(15 * time.Minute)
		if status := guess(eve); status != http.StatusUnprocessableEntity {
			t.Errorf("a while later: %d", status)
		}
		// What cannot be a code is none.
		for range 12 {
			time.Sleep(6 * time.Second)
			if status := ada.Raw(http.MethodPost, "/device", form("user_code", "hello"), "same-origin").Status; status != http.StatusUnprocessableEntity {
				t.Errorf("a word: %d", status)
			}
		}

		// In all: whoever has guessed wrong themselves is locked, others are not.
		h.SQL(`INSERT INTO attempts (key, count, since, expires_at) VALUES ('user-code', $1, $2, $3) ON CONFLICT (key) DO UPDATE SET count = excluded.count, expires_at = excluded.expires_at`,
			500, time.Now().UnixMicro(), time.Now().Add(time.Hour).UnixMicro())
		if status := guess(eve); status != http.StatusTooManyRequests {
			t.Errorf("eve, while many guess: %d", status)
		}
		if page := tv.Device().Question(ada); page.Status != http.StatusOK {
			t.Errorf("ada, while others guess: %s", page)
		}
	})
}

// Of a hundred questions at once after the yes, one gets the tokens (threats 4). On
// PostgreSQL two processes are asked.
func TestOfManyDevicesAtOnceOneIsLetIn(t *testing.T) { // threats 4
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		synctest.Test(t, func(t *testing.T) {
			one := apptest.Open(t, dsn)
			houses := []*apptest.House{one, one}
			if strings.HasPrefix(dsn, "postgres") {
				houses[1] = apptest.Open(t, dsn)
			}
			one.SetUp()
			ada, tv := one.User("ada"), one.Client("tv")
			d := tv.Device()
			d.By(ada)
			answers := make([]apptest.Tokens, 100)
			var all sync.WaitGroup
			for i := range answers {
				all.Go(func() { answers[i] = d.At(houses[i%2]).Poll() })
			}
			all.Wait()
			var won []apptest.Tokens
			for _, a := range answers {
				switch {
				case a.Status == http.StatusOK:
					won = append(won, a)
				case a.Error != "invalid_grant":
					t.Errorf("a loser hears %+v", a)
				}
			}
			if len(won) != 1 {
				t.Fatalf("one device code gave tokens %d times", len(won))
			}
			if status, _ := tv.Userinfo(won[0].AccessToken); status != http.StatusOK {
				t.Errorf("the tokens of the one are no good: %d", status)
			}
		})
	})
}
