package oidc

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/secret"
	"pocketid/internal/signin"
)

func TestSignInThenConsent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{LaunchURL: "https://shop.example/"}), h.user("ada"), h.browser()
		id := wantStep(t, b.authorize(c, "login_hint", "ada", "ui_locales", "zh-CN"), "/login")
		if n := h.count(`SELECT count(*) FROM authorizations WHERE id = $1`, secret.Hash(id)); n != 1 {
			t.Error("the request is not stored under the hash of its id")
		}
		w, err := h.p.Waiting(t.Context(), b.hash(), id)
		must(t, err)
		if w.ClientName != "Shop" || w.LoginHint != "ada" || w.UILocales != "zh-CN" || w.Step != "sign-in" || w.UserID != "" ||
			w.RedirectURI != "https://shop.example/cb" || w.RedirectHost != "shop.example" || w.Next != nextURL(id) {
			t.Errorf("got %+v", w)
		}
		// Going on without having signed in leads back to signing in.
		wantStep(t, b.get(nextURL(id)), "/login")
		// Nor does saying yes without having signed in help.
		_, err = h.p.Allow(t.Context(), signin.Visitor{}, b.hash(), id)
		must(t, err)
		b.signIn(ada)
		wantStep(t, b.get(nextURL(id)), "/consent")
		w, err = h.p.Waiting(signin.With(t.Context(), b.visitor()), b.hash(), id)
		must(t, err)
		if w.Step != "consent" || w.UserID != ada.ID || !slices.Equal(w.Scopes, []string{"openid", "profile"}) {
			t.Errorf("got %+v", w)
		}
		wantCode(t, b.get(b.allow(id)), c)

		// Back after that, or a second tab: a page that says so and leads to the application.
		text := wantPage(t, b.get(nextURL(id)), ErrAuthorizationDone)
		if !strings.Contains(text, "client=Shop launch=https://shop.example/") {
			t.Errorf("the page leads nowhere: %s", text)
		}
		for _, decide := range []func() (string, error){
			func() (string, error) { return h.p.Allow(t.Context(), b.visitor(), b.hash(), id) },
			func() (string, error) { return h.p.Deny(t.Context(), b.visitor(), b.hash(), id) },
			func() (string, error) { return h.p.SelectAccount(t.Context(), b.visitor(), b.hash(), id) },
			func() (string, error) { _, err := h.p.Waiting(t.Context(), b.hash(), id); return "", err },
		} {
			_, err := decide()
			wantFault(t, err, ErrAuthorizationDone, "")
		}
	})
}

func TestAStoredRequestIsBoundToItsBrowser(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b, other := h.client(ClientEdit{}), h.user("ada"), h.browser(), h.browser()
		id := wantStep(t, b.authorize(c), "/login")
		other.signIn(ada)
		wantPage(t, other.get(nextURL(id)), ErrAuthorizationElsewhere)
		for _, hash := range [][]byte{other.hash(), nil, {}} {
			_, err := h.p.Allow(t.Context(), other.visitor(), hash, id)
			wantFault(t, err, ErrAuthorizationElsewhere, "")
			_, err = h.p.Deny(t.Context(), other.visitor(), hash, id)
			wantFault(t, err, ErrAuthorizationElsewhere, "")
			_, err = h.p.Waiting(t.Context(), hash, id)
			wantFault(t, err, ErrAuthorizationElsewhere, "")
		}
		for _, id := range []string{"", "x", secret.Token(), "a'b", strings.Repeat("a", 5000)} {
			wantPage(t, b.get("/authorize/next?id="+url.QueryEscape(id)), ErrAuthorizationUnknown)
		}
		b.signIn(ada)
		wantStep(t, b.get(nextURL(id)), "/consent")
	})
}

func TestAStoredRequestRunsOut(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{LaunchURL: "https://shop.example/"}), h.user("ada"), h.browser()
		id := wantStep(t, b.authorize(c), "/login")
		b.signIn(ada)
		time.Sleep(time.Hour - time.Second)
		wantStep(t, b.get(nextURL(id)), "/consent")
		time.Sleep(2 * time.Second)
		text := wantPage(t, b.get(nextURL(id)), ErrAuthorizationExpired)
		if !strings.Contains(text, "client=Shop launch=https://shop.example/") {
			t.Errorf("the page leads nowhere: %s", text)
		}
		_, err := h.p.Allow(t.Context(), b.visitor(), b.hash(), id)
		wantFault(t, err, ErrAuthorizationExpired, "")
		// A day later it is still told what happened, and then nobody remembers.
		purge := func() (n int64) {
			must(t, h.d.Write(t.Context(), func(tx *db.Tx) (err error) { n, err = purgeAuthorizations(tx, 10); return err }))
			return n
		}
		time.Sleep(22 * time.Hour)
		if n := purge(); n != 0 {
			t.Errorf("%d are forgotten too early", n)
		}
		time.Sleep(3 * time.Hour)
		if n := purge(); n != 1 {
			t.Errorf("%d are forgotten, want 1", n)
		}
		wantPage(t, b.get(nextURL(id)), ErrAuthorizationUnknown)
	})
}

func TestPostIsContinuedByGet(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b, other := h.client(ClientEdit{}), h.user("ada"), h.browser(), h.browser()
		b.consent(ada, c)
		other.signIn(ada)
		post := func(change ...string) string {
			r := httptest.NewRequest("POST", "/authorize?client_id=ignored", strings.NewReader(usual(c, change...).Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "https://shop.example")
			resp := h.browser().do(r)
			if cookies := resp.Cookies(); len(cookies) != 0 {
				t.Errorf("a POST from elsewhere sets %v", cookies)
			}
			return wantStep(t, resp, "/authorize/next")
		}
		wantCode(t, b.get(nextURL(post())), c)
		wantCode(t, b.get(nextURL(post("prompt", "none"))), c)

		// The first GET binds it.
		id := post("prompt", "consent")
		_, err := h.p.Allow(t.Context(), b.visitor(), b.hash(), id)
		wantFault(t, err, ErrAuthorizationElsewhere, "")
		_, err = h.p.Waiting(t.Context(), b.hash(), id)
		wantFault(t, err, ErrAuthorizationElsewhere, "")
		wantStep(t, b.get(nextURL(id)), "/consent")
		wantPage(t, other.get(nextURL(id)), ErrAuthorizationElsewhere)
		wantCode(t, b.get(b.allow(id)), c)

		// It does not wait for long.
		id = post()
		time.Sleep(6 * time.Minute)
		wantPage(t, b.get(nextURL(id)), ErrAuthorizationElsewhere)

		// Faults are the same as those of GET.
		r := httptest.NewRequest("POST", "/authorize", strings.NewReader(usual(c, "response_type", "token").Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		wantError(t, b.do(r), c, "unsupported_response_type")
		r = httptest.NewRequest("POST", "/authorize", strings.NewReader(usual(c, "client_id", "nobody").Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		wantPage(t, b.do(r), ErrClientUnknown)
	})
}

func TestAHeadChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.consent(ada, c)
		codes := h.count(`SELECT count(*) FROM codes`)
		id := wantStep(t, b.authorize(c, "prompt", "consent"), "/consent")
		allowed := b.allow(id)
		for _, path := range []string{"/authorize?" + usual(c).Encode(), allowed} {
			if resp := b.do(httptest.NewRequest("HEAD", path, nil)); resp.Header.Get("Location") != "" {
				t.Errorf("HEAD leads to %s", resp.Header.Get("Location"))
			}
		}
		if n := h.count(`SELECT count(*) FROM codes`); n != codes {
			t.Errorf("HEAD made %d codes", n-codes)
		}
		wantCode(t, b.get(allowed), c)
	})
}

func TestSelectAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, bob, b := h.client(ClientEdit{SkipConsent: true}), h.user("ada"), h.user("bob"), h.browser()
		b.signIn(ada)
		time.Sleep(time.Second)
		id := wantStep(t, b.authorize(c, "prompt", "select_account"), "/login/select")
		wantStep(t, b.get(nextURL(id)), "/login/select")
		next, err := h.p.SelectAccount(t.Context(), b.visitor(), b.hash(), id)
		must(t, err)
		wantCode(t, b.get(next), c)

		id = wantStep(t, b.authorize(c, "prompt", "select_account"), "/login/select")
		time.Sleep(time.Second)
		b.signIn(bob)
		wantCode(t, b.get(nextURL(id)), c)
		if n := h.count(`SELECT count(*) FROM grants WHERE user_id = $1`, bob.ID); n != 1 {
			t.Errorf("%d grants of bob, want 1", n)
		}
	})
}

func TestDeny(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		id := wantStep(t, b.authorize(c), "/login")
		next, err := h.p.Deny(t.Context(), signin.Visitor{}, b.hash(), id) // on the sign-in page
		must(t, err)
		wantError(t, b.get(next), c, "access_denied")
		wantPage(t, b.get(next), ErrAuthorizationDone)

		b.signIn(ada)
		id = wantStep(t, b.authorize(c), "/consent")
		_, err = h.p.Deny(t.Context(), b.visitor(), b.hash(), id)
		must(t, err)
		// Saying yes after no is too late.
		wantError(t, b.get(b.allow(id)), c, "access_denied")
		if n := h.count(`SELECT count(*) FROM consents`); n != 0 {
			t.Error("a consent is remembered that was refused")
		}
	})
}

func TestAStoredRequestIsAnsweredOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.signIn(ada)
		allowed := b.allow(wantStep(t, b.authorize(c), "/consent"))
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers := map[int]int{}
		for range 20 {
			wg.Go(func() {
				tab := &testBrowser{h: h, cookies: map[string]string{"__Host-session": b.cookies["__Host-session"], "__Host-browser": b.cookies["__Host-browser"]}}
				status := tab.get(allowed).StatusCode
				mu.Lock()
				defer mu.Unlock()
				answers[status]++
			})
		}
		wg.Wait()
		if answers[303] != 1 || answers[409] != 19 {
			t.Errorf("got %v, want one 303 and 19 of 409", answers)
		}
		if n := h.count(`SELECT count(*) FROM codes`); n != 1 {
			t.Errorf("%d codes, want 1", n)
		}
	})
}

// threats 34: a decision before its step is none.
func TestADecisionCountsAtItsStepAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, ada, b := h.client(ClientEdit{}), h.user("ada"), h.browser()
		b.signIn(ada)
		time.Sleep(time.Second)
		id := wantStep(t, b.authorize(c, "prompt", "login consent"), "/login/again")
		wantStep(t, b.get(b.allow(id)), "/login/again")
		time.Sleep(time.Second)
		b.reauth()
		wantStep(t, b.get(nextURL(id)), "/consent")
		wantCode(t, b.get(b.allow(id)), c)
	})
}
