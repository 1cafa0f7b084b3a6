package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// inside says whether somebody is signed in.
func inside(p *apptest.Person) bool {
	return p.Open("/settings/account").URL.Path == "/settings/account"
}

func TestSessionEndsWhenNobodyUsesIt(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		for range 30 {
			time.Sleep(50 * time.Minute)
			if !inside(ada) {
				t.Fatal("a busy session ended")
			}
		}
		time.Sleep(61 * time.Minute)
		if inside(ada) {
			t.Error("an idle session lives on")
		}
	})
}

func TestHandleChangesWithEverySignIn(t *testing.T) { // threats 33
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		first := ada.Cookie("session")
		shop := h.Client("shop")
		shop.Authorize(ada, "prompt", "login")
		if second := ada.Cookie("session"); second == first || second == "" {
			t.Error("the handle is the one of before")
		}
	})
}

func TestOneTimeLinkIsNotUsedByOpeningIt(t *testing.T) { // threats 49
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		code := h.Link(ada)
		for range 3 {
			if page := h.Browser().Open("/lc/" + code); page.Status != http.StatusOK {
				t.Fatalf("opening: %s", page)
			}
		}
		elsewhere := ada.Elsewhere()
		elsewhere.Open("/lc/" + code)
		if page := elsewhere.Submit("/lc", url.Values{"code": {code}}); page.URL.Path != "/settings/account" {
			t.Fatalf("using: %s", page)
		}
		if page := ada.Submit("/lc", url.Values{"code": {code}}); page.Status != http.StatusUnprocessableEntity {
			t.Errorf("using it again: %s", page)
		}
		// What came by a link proves nothing to an application that asks for a passkey.
		shop := h.Client("shop")
		if page := elsewhere.Open(shop.Begin("prompt", "login").URL()); page.Away != nil {
			t.Errorf("a step-up by a link: %s", page)
		}
	})
}

func TestGuessersAreSlowedDown(t *testing.T) { // threats 50, 71
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		b := h.Browser()
		b.Open("/lc")
		refused := 0
		for range 12 {
			if page := b.Submit("/lc", url.Values{"code": {"AAAAAAAAAAAA"}}); page.Status == http.StatusTooManyRequests {
				refused++
				if page.Header.Get("Retry-After") == "" || !strings.Contains(page.Body, "<h1") {
					t.Errorf("got %s", page)
				}
			}
		}
		if refused < 6 {
			t.Errorf("%d of 12 guesses were refused", refused)
		}
		other := h.Browser()
		other.Open("/lc")
		if page := other.Submit("/lc", url.Values{"code": {"AAAAAAAAAAAA"}}); page.Status == http.StatusTooManyRequests {
			t.Error("another network pays for it")
		}
	})
}
