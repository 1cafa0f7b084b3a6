package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
)

// threats 1, 11
func TestCodeIsFor(t *testing.T) {
	long := strings.Repeat("a", 129)
	tests := []struct {
		name   string
		asked  codeRequest // what the code was asked for with
		wait   time.Duration
		change []string
		client string // another client that comes with it
		want   string // "" is tokens
	}{
		{name: "the client that asked for it"},
		{name: "59 seconds", wait: 59 * time.Second},
		{name: "less than a minute", wait: time.Minute, want: "invalid_grant"},
		{name: "no other client", client: "other", want: "invalid_grant"},
		{name: "no other client, and not later", client: "other", wait: 2 * time.Minute, want: "invalid_grant"},
		{name: "the redirect_uri it was asked for with", change: []string{"redirect_uri", "https://shop.example/other"}, want: "invalid_grant"},
		{name: "a redirect_uri without a slash more", change: []string{"redirect_uri", "https://shop.example/cb/"}, want: "invalid_grant"},
		{name: "a client that leaves redirect_uri out, since it has PKCE", change: []string{"redirect_uri", ""}},
		{name: "no client that leaves redirect_uri out without PKCE", asked: codeRequest{Challenge: "none"},
			change: []string{"redirect_uri", "", "code_verifier", ""}, want: "invalid_grant"},
		{name: "a client without PKCE that need not have it", asked: codeRequest{Challenge: "none"}, change: []string{"code_verifier", ""}},
		{name: "nobody with a verifier where no challenge was", asked: codeRequest{Challenge: "none"}, want: "invalid_grant"},
		{name: "nobody without the verifier", change: []string{"code_verifier", ""}, want: "invalid_grant"},
		{name: "nobody with another verifier", change: []string{"code_verifier", strings.ToLower(testVerifier)}, want: "invalid_grant"},
		{name: "nobody with the challenge for a verifier", change: []string{"code_verifier", usual(Client{}).Get("code_challenge")}, want: "invalid_grant"},
		{name: "128 characters", asked: codeRequest{Challenge: challengeOf(long[1:])}, change: []string{"code_verifier", long[1:]}},
		{name: "nobody with 129 characters, though they fit", asked: codeRequest{Challenge: challengeOf(long)}, change: []string{"code_verifier", long}, want: "invalid_grant"},
		{name: "nobody with 42 characters, though they fit", asked: codeRequest{Challenge: challengeOf(testVerifier[:42])},
			change: []string{"code_verifier", testVerifier[:42]}, want: "invalid_grant"},
		{name: "nobody with other characters, though they fit", asked: codeRequest{Challenge: challengeOf(testVerifier + "+")},
			change: []string{"code_verifier", testVerifier + "+"}, want: "invalid_grant"},
	}
	each(t, func(t *testing.T, h *house) {
		c, other := h.relyingParty(ClientEdit{}), h.relyingParty(ClientEdit{})
		ada := h.user("ada")
		for _, test := range tests {
			t.Log("it is for", test.name)
			l := c.loginAs(testLogin{user: ada, browser: h.browser()}, "openid")
			test.asked.Scopes = []string{"openid"}
			code := c.codeWith(l, test.asked)
			time.Sleep(test.wait)
			by := c
			if test.client != "" {
				by = other
			}
			got := by.redeem(code, test.change...)
			if test.want == "" {
				got.ok(t)
				continue
			}
			got.fails(t, 400, test.want)
			// Whoever came with it used it up.
			usual := []string{}
			if test.asked.Challenge == "none" {
				usual = []string{"code_verifier", ""}
			}
			c.redeem(code, usual...).fails(t, 400, "invalid_grant")
		}
	})
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestCodeOfAPublicClientNeedsItsVerifier(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{Public: true})
		l := c.login("ada", "openid")
		c.redeem(c.code(l, "openid"), "code_verifier", "").fails(t, 400, "invalid_grant")
		c.redeem(c.code(l, "openid")).ok(t)
		// One that was issued before the client became public.
		c.redeem(c.codeWith(l, codeRequest{Scopes: []string{"openid"}, Challenge: "none"}), "code_verifier", "").fails(t, 400, "invalid_grant")
	})
}

func TestMissingCodeIsAnInvalidRequest(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		c.redeem("").fails(t, 400, "invalid_request")
		c.redeem("unknown").fails(t, 400, "invalid_grant")
	})
}

// threats 5, 6
func TestReplayedCodeRevokesWhatItGave(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid", "offline_access")
		code := c.code(l, "openid", "offline_access")
		first := c.redeem(code).ok(t)
		again := c.redeem(c.code(l, "openid")).ok(t)
		time.Sleep(30 * time.Second)
		if status, _ := h.userinfo(first.Access); status != 200 {
			t.Errorf("userinfo before the replay: %d, want 200", status)
		}
		c.redeem(code).fails(t, 400, "invalid_grant")
		if status, _ := h.userinfo(first.Access); status != 401 {
			t.Errorf("userinfo after the replay: %d, want 401", status)
		}
		c.refresh(first.Refresh).fails(t, 400, "invalid_grant")
		if status, _ := h.userinfo(again.Access); status != 200 {
			t.Errorf("userinfo of another grant: %d, want 200", status)
		}
		if n := h.count(`SELECT count(*) FROM audit WHERE event = 'grant.revoked'`); n != 1 {
			t.Errorf("%d records of the end of the grant, want 1", n)
		}
		// What is good for one thing is good for nothing else.
		c.refresh(code).fails(t, 400, "invalid_grant")
		c.redeem(again.Refresh).fails(t, 400, "invalid_grant")
		c.redeem(again.Access).fails(t, 400, "invalid_grant")
		if status, _ := h.userinfo(again.Refresh); status != 401 {
			t.Errorf("userinfo with a refresh token: %d, want 401", status)
		}
	})
}

// threats 4
func TestOfAHundredWhoRedeemACodeOneGetsTokens(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid")
		code := c.code(l, "openid")
		got := together(100, func() tokens { return c.redeem(code) })
		won := slices.DeleteFunc(slices.Clone(got), func(a tokens) bool { return a.Status != 200 })
		if len(won) != 1 {
			t.Fatalf("%d got tokens, want 1", len(won))
		}
		for _, a := range got {
			if a.Status != 200 {
				a.fails(t, 400, "invalid_grant")
			}
		}
		if status, _ := h.userinfo(won[0].Access); status != 401 {
			t.Errorf("userinfo with what the winner got: %d, want 401, because the others replayed the code", status)
		}
	})
}

// together runs fn n times at once.
func together[T any](n int, fn func() T) []T {
	got := make([]T, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range got {
		wg.Go(func() {
			<-start
			got[i] = fn()
		})
	}
	close(start)
	wg.Wait()
	return got
}

func TestCodeFlowIsCheap(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		all := []string{"openid", "profile", "email", "groups"}
		l := c.login("ada", all...)
		c.redeem(c.code(l, all...)).ok(t) // reads the keys, and notes that the secret is in use
		code := c.code(l, all...)
		before := h.d.Statements()
		got := c.redeem(code).ok(t)
		if n := h.d.Statements() - before; n != 7 {
			t.Errorf("the code took %d statements, want 7", n)
		}
		before = h.d.Statements()
		c.refresh(got.Refresh).ok(t)
		if n := h.d.Statements() - before; n != 5 {
			t.Errorf("the refresh took %d statements, want 5", n)
		}
		before = h.d.Statements()
		if status, _ := h.userinfo(got.Access); status != 200 {
			t.Fatalf("userinfo: %d", status)
		}
		if n := h.d.Statements() - before; n != 4 {
			t.Errorf("userinfo took %d statements, want 4", n)
		}
	})
}
