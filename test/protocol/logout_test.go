package protocol

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

const bye = "https://shop.example/"

// endSession is the address with which shop asks to sign somebody out.
func endSession(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/api/oidc/end-session?" + q.Encode()
}

// mustBeOut fails unless nobody is signed in as p any more.
func mustBeOut(t *testing.T, c *apptest.Client, p *apptest.Person) {
	t.Helper()
	page := p.Open(c.Begin("prompt", "none").URL())
	if page.Away == nil || page.Away.Query().Get("error") != "login_required" {
		t.Errorf("prompt=none after signing out: %s", page)
	}
}

func TestAnApplicationSignsItsPersonOut(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, shop := h.User("ada"), h.Client("shop")
		f, code := shop.Authorize(ada, "scope", "openid")
		online := f.Exchange(code)
		f, code = shop.Authorize(ada)
		away := f.Exchange(code)
		page := ada.Open(endSession("id_token_hint", online.IDToken, "post_logout_redirect_uri", bye, "state", "a state"))
		if page.Away == nil || page.Away.String() != bye+"?state=a+state" {
			t.Fatalf("it leads to %s", page)
		}
		mustBeOut(t, shop, ada)
		if ada.Cookie("session") != "" {
			t.Error("the cookie is still there")
		}
		if status, _ := shop.Userinfo(online.AccessToken); status != http.StatusUnauthorized {
			t.Errorf("userinfo afterwards: %d", status)
		}
		if got := shop.Refresh(online.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("refresh afterwards: %+v", got)
		}
		if got := shop.Refresh(away.RefreshToken); got.Status != http.StatusOK {
			t.Errorf("what was allowed for times without the person: %+v", got)
		}
	})
}

func TestAPostFromTheApplicationSignsOutToo(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, shop := h.User("ada"), h.Client("shop")
		f, code := shop.Authorize(ada)
		form := url.Values{"id_token_hint": {f.Exchange(code).IDToken}, "post_logout_redirect_uri": {bye}, "state": {"s"}}
		res, err := ada.Do(http.MethodPost, "/api/oidc/end-session", form, "cross-site")
		if err != nil || res.StatusCode != http.StatusSeeOther {
			t.Fatalf("got %v, %v", res, err)
		}
		page := ada.Open(res.Header.Get("Location"))
		if page.Away == nil || page.Away.String() != bye+"?state=s" {
			t.Fatalf("it leads to %s", page)
		}
		mustBeOut(t, shop, ada)
	})
}

func TestWithoutAHintThePersonIsAsked(t *testing.T) { // threats 32
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, shop := h.User("ada"), h.Client("shop")
		shop.Authorize(ada)
		for name, c := range map[string]struct{ ask, want string }{
			"a known application": {endSession("client_id", shop.ID, "post_logout_redirect_uri", bye, "state", "s"), bye + "?state=s"},
			"nobody":              {endSession(), "/signed-out"},
			"a wrong address":     {endSession("client_id", shop.ID, "post_logout_redirect_uri", "https://evil.example/"), "/signed-out"},
			"a bad hint":          {endSession("id_token_hint", "x.y.z", "post_logout_redirect_uri", bye), "/signed-out"},
		} {
			shop.Authorize(ada)
			page := ada.Open(c.ask)
			if page.Away != nil || page.Status != http.StatusOK || page.URL.Path != "/logout" {
				t.Fatalf("%s: %s", name, page)
			}
			page = ada.Submit("/logout", url.Values{"request": {page.URL.Query().Get("request")}})
			got := page.URL.Path
			if page.Away != nil {
				got = page.Away.String()
			}
			if got != c.want {
				t.Errorf("%s: it leads to %s, want %s", name, got, c.want)
			}
			mustBeOut(t, shop, ada)
		}
	})
}

func TestTokensEndWithTheSessionUnlessTheyAreOffline(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, shop := h.User("ada"), h.Client("shop")
		f, code := shop.Authorize(ada, "scope", "openid")
		online := f.Exchange(code)
		f, code = shop.Authorize(ada)
		away := f.Exchange(code)
		time.Sleep(50 * time.Minute)
		if got := shop.Refresh(online.RefreshToken); got.Status != http.StatusOK {
			t.Errorf("while the session goes on: %+v", got)
		}
		time.Sleep(20 * time.Minute) // the session was not used for more than an hour
		if got := shop.Refresh(online.RefreshToken); got.Error != "invalid_grant" {
			t.Errorf("after the session: %+v", got)
		}
		if got := shop.Refresh(away.RefreshToken); got.Status != http.StatusOK {
			t.Errorf("offline access after the session: %+v", got)
		}
	})
}
