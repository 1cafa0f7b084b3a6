package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
)

// waitingID is the id of the request that a page is about.
func waitingID(page *apptest.Page) string {
	if id := page.URL.Query().Get("id"); id != "" {
		return id
	}
	redirect, err := url.Parse(page.URL.Query().Get("redirect"))
	if err != nil {
		return ""
	}
	return redirect.Query().Get("id")
}

// Two applications at once, in two tabs: both end where they began, whichever is
// looked at first.
func TestTwoTabs(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop, wiki := h.Client("shop"), h.Client("wiki")
		one, two, three := shop.Begin(), wiki.Begin(), shop.Begin()
		tab1, tab2, tab3 := ada.Open(one.URL()), ada.Open(two.URL()), ada.Open(three.URL())
		for _, tab := range []*apptest.Page{tab1, tab2, tab3} {
			if tab.URL.Path != "/login" || !strings.Contains(tab.Body, map[bool]string{true: "wiki", false: "shop"}[tab == tab2]) {
				t.Fatalf("a tab shows %s", tab)
			}
		}
		two.Exchange(granted(t, two.From(ada, tab2), two))
		// The first tab still shows the sign-in page, and a reload of it goes on.
		if page := ada.Open(tab1.URL.String()); page.URL.Path != "/consent" {
			t.Errorf("the first tab goes on to %s", page)
		}
		one.Exchange(granted(t, one.From(ada, ada.Open(tab1.URL.String())), one))
		// In the third the person signs in again, which is no harm.
		three.Exchange(granted(t, three.From(ada, tab3), three))
		if page := ada.Open("/settings/account"); page.URL.Path != "/settings/account" {
			t.Errorf("and then inside: %s", page)
		}
	})
}

// The way back after the end, and pages that were left lying: a page that says what
// happened and leads to the application, never a second code.
func TestBackAfterTheEnd(t *testing.T) { // threats 34
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.LaunchURL = "https://shop.example/start" })
		f := shop.Begin()
		login := ada.Open(f.URL())
		id := waitingID(login)
		next, code := ada.Prove("/login", login.URL.Query().Get("redirect"))
		if code != "" {
			t.Fatal(code)
		}
		consent := ada.Open(next)
		granted(t, f.From(ada, consent), f)
		for name, page := range map[string]*apptest.Page{
			"the step after": ada.Open("/authorize/next?id=" + id),
			"sign-in":        ada.Open(login.URL.String()),
			"consent":        ada.Open(consent.URL.String()),
			"agreeing again": ada.Submit("/consent", form("id", id, "decision", "allow")),
			"declining":      ada.Submit("/consent", form("id", id, "decision", "cancel")),
			"choosing":       ada.Submit("/login/select", form("id", id)),
		} {
			if page.Away != nil || page.Status != http.StatusConflict || !strings.Contains(page.Body, "https://shop.example/start") || !strings.Contains(page.Body, "shop") {
				t.Errorf("%s: %s", name, page)
			}
		}
		// Whoever takes too long is told so, and starts at the application.
		f = shop.Begin("prompt", "consent")
		page := ada.Open(f.URL())
		id = waitingID(page)
		time.Sleep(61 * time.Minute)
		ada.SignIn()
		for name, page := range map[string]*apptest.Page{
			"the step after": ada.Open("/authorize/next?id=" + id),
			"consent":        ada.Open("/consent?id=" + id),
			"agreeing":       ada.Submit("/consent", form("id", id, "decision", "allow")),
		} {
			if page.Away != nil || page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "https://shop.example/start") {
				t.Errorf("%s, too late: %s", name, page)
			}
		}
		// An hour later there is a new one.
		f = shop.Begin()
		granted(t, f.By(ada), f)
	})
}

// A request belongs to the browser that began it, and its steps to their order.
func TestNoStepIsPassedBy(t *testing.T) { // threats 6, 34
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, eve := h.User("ada"), h.User("eve")
		shop := h.Client("shop")
		f := shop.Begin()
		page := ada.Open(f.URL())
		id := waitingID(page)
		next := "/authorize/next?id=" + id
		// Before signing in nothing else counts.
		for name, page := range map[string]*apptest.Page{
			"the step after":  ada.Open(next),
			"consent":         ada.Open("/consent?id=" + id),
			"agreeing":        ada.Submit("/consent", form("id", id, "decision", "allow")),
			"agreeing by GET": ada.Open("/consent?id=" + id + "&decision=allow"),
		} {
			if page.Away != nil || page.URL.Path != "/login" {
				t.Errorf("%s before signing in: %s", name, page)
			}
		}
		if a := ada.Raw("POST", "/login/select", form("id", id), "same-origin"); a.Status != http.StatusUnauthorized {
			t.Errorf("choosing an account before signing in: %d", a.Status)
		}
		// Somebody else's browser gets nothing out of it, signed in or not.
		eve.SignIn()
		for _, b := range []*apptest.Browser{eve.Browser, h.Browser()} {
			for _, page := range []*apptest.Page{b.Open(next), b.Open("/login?redirect=" + url.QueryEscape(next)), b.Submit("/consent", form("id", id, "decision", "cancel"))} {
				if page.Away != nil || page.Status != http.StatusBadRequest {
					t.Errorf("another browser: %s", page)
				}
			}
		}
		if page := eve.Submit("/consent", form("id", id, "decision", "allow")); page.Away != nil || page.Status != http.StatusBadRequest {
			t.Errorf("another browser agrees: %s", page)
		}
		for _, id := range []string{"", "x", strings.Repeat("x", 5000), "' OR 1=1 --", ada.Cookie("browser"), "%00"} {
			if page := ada.Open("/authorize/next?id=" + url.QueryEscape(id)); page.Away != nil || page.Status != http.StatusBadRequest {
				t.Errorf("the id %q: %s", id, page)
			}
		}
		// Agreeing counts once it is asked for, and for who was asked.
		if _, code := ada.Prove("/login", next); code != "" {
			t.Fatal(code)
		}
		if page := ada.Open(next); page.URL.Path != "/consent" {
			t.Errorf("what was sent before counts: %s", page)
		}
		granted(t, f.From(ada, ada.Open(next)), f)
	})
}

// Another account at the same browser: at the page of consent, at the choice, and
// after the session ended in between.
func TestAccountsAreSwitched(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		bob := h.User("bob").Using(ada.Browser)
		shop := h.Client("shop")
		who := func(f *apptest.Flow, page *apptest.Page) any {
			t.Helper()
			return claims(t, f.Exchange(granted(t, page, f)).IDToken)["sub"]
		}
		ada.SignIn()
		f := shop.Begin()
		page := ada.Open(f.URL())
		if page.URL.Path != "/consent" || !strings.Contains(page.Body, "ada@example.test") {
			t.Fatalf("it does not say whose account it is: %s", page)
		}
		page = ada.Submit("/login/other", form("redirect", "/authorize/next?id="+waitingID(page)))
		if page.URL.Path != "/login" || ada.Cookie("session") != "" {
			t.Fatalf("switching leads to %s", page)
		}
		if got := who(f, f.From(bob, page)); got != bob.ID {
			t.Errorf("the application is told of %v, not of bob", got)
		}
		f = shop.Begin("prompt", "select_account")
		page = bob.Open(f.URL())
		if page.URL.Path != "/login/select" {
			t.Fatalf("nobody is asked to choose: %s", page)
		}
		page = bob.Submit("/login/other", form("redirect", "/authorize/next?id="+waitingID(page)))
		if got := who(f, f.From(ada, page)); got != ada.ID {
			t.Errorf("the application is told of %v, not of ada", got)
		}
		f = shop.Begin("prompt", "select_account")
		if got := who(f, f.By(ada)); got != ada.ID {
			t.Errorf("the chosen account is %v", got)
		}
		// The session ends elsewhere while the page of consent is open.
		f = shop.Begin("prompt", "consent")
		page = ada.Open(f.URL())
		id := waitingID(page)
		other := ada.Elsewhere()
		other.SignIn()
		if page := other.Submit("/settings/account/sessions/everywhere", nil); page.Status >= 400 {
			t.Fatalf("signing out everywhere: %s", page)
		}
		page = ada.Submit("/consent", form("id", id, "decision", "allow"))
		if page.URL.Path != "/login" {
			t.Errorf("agreeing without a session leads to %s", page)
		}
		if got := who(f, f.From(ada, page)); got != ada.ID {
			t.Errorf("after signing in again: %v", got)
		}
	})
}

// A one-time code signs in to an application too, and proves too little for one
// that wants a fresh proof.
func TestOneTimeCodeLeadsToTheApplication(t *testing.T) { // threats 38
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		redeem := func(page *apptest.Page) *apptest.Page {
			t.Helper()
			code, _, err := h.App.SignIn.MakeLoginLink(t.Context(), audit.System("cli"), "ada", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			redirect := page.URL.Query().Get("redirect")
			time.Sleep(time.Second) // after the request, so that it could count as its answer
			ada.Open("/lc?redirect=" + url.QueryEscape(redirect))
			return ada.Submit("/lc", form("code", code, "redirect", redirect))
		}
		f := shop.Begin()
		page := redeem(ada.Open(f.URL()))
		if page.URL.Path != "/consent" {
			t.Fatalf("the code leads to %s", page)
		}
		id := claims(t, f.Exchange(granted(t, f.From(ada, page), f)).IDToken)
		if id["acr"] == "phr" || id["sub"] != ada.ID {
			t.Errorf("a code counts as %v", id["acr"])
		}
		time.Sleep(time.Minute)
		for _, changes := range [][]string{{"prompt", "login"}, {"max_age", "0"}, {"max_age", "3600"}} {
			f := shop.Begin(changes...)
			page := ada.Open(f.URL())
			if page.URL.Path != "/login/again" {
				t.Errorf("%q with a session by a code: %s", changes, page)
				continue
			}
			if _, code := ada.Prove("/login/again", page.URL.Query().Get("redirect")); code == "" {
				t.Errorf("%q: a session by a code proves itself again", changes)
			}
			if page := redeem(page); page.Away != nil || page.URL.Path != "/login/again" {
				t.Errorf("%q: another code is proof: %s", changes, page)
			}
			if changes[0] == "max_age" {
				f = shop.Begin(append(changes, "prompt", "none")...)
				refused(t, ada.Open(f.URL()), f, "login_required")
			}
			time.Sleep(10 * time.Minute)
		}
	})
}
