package oidc

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/db"
)

// The page that says goodbye shows what became of the session that was sealed for it: where
// to go on and whom to frame cannot be written into its address (threats 27, 32).
func TestThePageThatSaysGoodbye_OIDC_FrontChannel_3(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shop := h.relyingParty(ClientEdit{Name: "Shop", LaunchURL: "https://shop.example/", PostLogoutURIs: []URI{{URI: testBye}},
			FrontchannelLogout: "https://shop.example/out?a=b"})
		blog := h.relyingParty(ClientEdit{Name: "Blog", BackchannelLogout: "https://blog.example/out"})
		wiki := h.relyingParty(ClientEdit{Name: "Wiki"})
		gone := h.relyingParty(ClientEdit{Name: "Gone", FrontchannelLogout: "https://shop.example/gone"})
		l := shop.login("ada", "openid")
		hint := shop.redeem(shop.code(l, "openid")).ok(t).ID
		h.write(func(tx *db.Tx) {
			for _, c := range []*testClient{blog, wiki, gone} {
				newSid(tx, l.session, c.ID)
			}
		})
		must(t, h.p.DeleteClient(t.Context(), admin, gone.ID))
		eve := shop.loginAs(testLogin{user: h.user("eve"), browser: h.browser()}, "openid")

		resp := l.browser.endSession("GET", form("id_token_hint", hint, "post_logout_redirect_uri", testBye, "state", "s"))
		u, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || u.Path != signedOutPage {
			t.Fatalf("it leads to %v, %v", u, err)
		}
		done := u.Query().Get("done")
		page, err := h.p.Departure(t.Context(), done)
		must(t, err)
		if page.Return != testBye+"?state=s" || page.Client != "Shop" || page.Launch != "https://shop.example/" || page.More {
			t.Errorf("the page is %+v", page)
		}
		names := ""
		for _, a := range page.Apps {
			names += a.Name + " "
			want := ""
			if a.Name == "Shop" {
				want = "https://shop.example/out?a=b&" + url.Values{"iss": {testIssuer}, "sid": {l.sid}}.Encode()
			}
			if a.Frame != want || a.Trying != (a.Name == "Blog") || a.Told || a.Failed {
				t.Errorf("%s is %+v, want the frame %q", a.Name, a, want)
			}
		}
		if names != "Blog Shop Wiki " {
			t.Errorf("the applications are %s", names)
		}
		if !h.open(eve.session.ID) {
			t.Error("another session has ended")
		}

		for told, want := range map[string]AppLeft{toldWell: {Told: true}, toldAgain: {Trying: true}, toldFailed: {Failed: true}} {
			h.write(func(tx *db.Tx) { tx.Do(`UPDATE session_clients SET told = $2 WHERE client_id = $1`, blog.ID, told) })
			page, err := h.p.Departure(t.Context(), done)
			must(t, err)
			if a := page.Apps[0]; a.Told != want.Told || a.Trying != want.Trying || a.Failed != want.Failed {
				t.Errorf("%s is shown as %+v", told, a)
			}
		}

		question, err := url.Parse(eve.browser.endSession("GET", form("client_id", shop.ID, "post_logout_redirect_uri", testBye)).Header.Get("Location"))
		must(t, err)
		changed := []byte(done)
		changed[len(changed)/2] ^= 1
		for name, forged := range map[string]string{
			"nothing": "", "garbage": "x", "too much": strings.Repeat("A", 10_000), "a changed one": string(changed), "a question": question.Query().Get("request"),
		} {
			page, err := h.p.Departure(t.Context(), forged)
			if err != nil || page.Return != "" || page.Client != "" || len(page.Apps) != 0 {
				t.Errorf("%s: the page is %+v, %v", name, page, err)
			}
		}
		if q, err := h.p.LogoutQuestion(t.Context(), done); err != nil || q != (LogoutQuestion{}) {
			t.Errorf("as a question it is %+v, %v", q, err)
		}
		time.Sleep(departedFor)
		if page, err := h.p.Departure(t.Context(), done); err != nil || page.Return != "" || len(page.Apps) != 0 {
			t.Errorf("when it has run out the page is %+v, %v", page, err)
		}
	})
}

// A session of very many applications has a page that ends.
func TestThePageThatSaysGoodbyeHasAnEnd(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shop := h.relyingParty(ClientEdit{Name: "Shop", FrontchannelLogout: "https://shop.example/out"})
		l := shop.login("ada", "openid")
		h.write(func(tx *db.Tx) {
			for range maxFarewells + 5 {
				newSid(tx, l.session, h.copyOf(tx, shop))
			}
		})
		to, err := h.p.ConfirmLogout(t.Context(), l.browser.visitor(), "")
		must(t, err)
		u, err := url.Parse(to)
		must(t, err)
		page, err := h.p.Departure(t.Context(), u.Query().Get("done"))
		must(t, err)
		frames := len(slices.DeleteFunc(slices.Clone(page.Apps), func(a AppLeft) bool { return a.Frame == "" }))
		if len(page.Apps) != maxFarewells || !page.More || frames != maxFrames {
			t.Errorf("there are %d applications and %d frames, more: %t", len(page.Apps), frames, page.More)
		}
	})
}

// copyOf makes another client like c.
func (h *house) copyOf(tx *db.Tx, c *testClient) string {
	other := c.Client
	other.ID = NewClientID()
	fields := other.fields()
	tx.Do(`INSERT INTO clients (`+clientColumns+`) VALUES (`+db.Marks(len(fields))+`)`, fields...)
	return other.ID
}
