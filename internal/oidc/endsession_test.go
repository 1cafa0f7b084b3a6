package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/jose"
)

const (
	testBye  = "https://shop.example/bye"
	longText = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// threats 27, 32
func TestSigningOutForAClient(t *testing.T) {
	type tools struct {
		h      *house
		c      *testClient
		other  *testClient
		l      testLogin
		hint   string
		forged func(typ string, change ...string) string
	}
	type outcome struct {
		to     string // where it leads; signed out if the session has ended
		signed bool   // the session goes on
	}
	back := func(state string) outcome {
		if state == "" {
			return outcome{to: testBye}
		}
		return outcome{to: testBye + "?state=" + url.QueryEscape(state)}
	}
	done, asked, askedPlainly := outcome{to: "/signed-out?done="}, outcome{"/logout?request=", true}, outcome{"/logout", true}
	tests := []struct {
		name string
		form func(tools) url.Values
		want outcome
	}{
		{"it goes back with the state", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye, "state", longText)
		}, back(longText)},
		{"it goes back without a state", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye)
		}, back("")},
		{"it takes the client_id of the hint", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "client_id", x.c.ID, "post_logout_redirect_uri", testBye)
		}, back("")},
		{"it ignores what it does not know", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye, "ui_locales", "se", "logout_hint", "ada", "extra", "x")
		}, back("")},
		{"it keeps a state that is hostile", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye, "state", `"><svg onload=alert(1)>&a=b#c`)
		}, back(`"><svg onload=alert(1)>&a=b#c`)},
		{"it ends at its own page without an address", func(x tools) url.Values { return form("id_token_hint", x.hint) }, done},
		{"it ends at its own page with a state alone", func(x tools) url.Values { return form("id_token_hint", x.hint, "state", "s") }, done},

		{"it asks without anything", func(x tools) url.Values { return nil }, askedPlainly},
		{"it asks with a state alone", func(x tools) url.Values { return form("state", "s") }, askedPlainly},
		{"it asks without a hint", func(x tools) url.Values { return form("post_logout_redirect_uri", testBye) }, askedPlainly},
		{"it asks for a client that only says its name", func(x tools) url.Values {
			return form("client_id", x.c.ID, "post_logout_redirect_uri", testBye)
		}, asked},
		{"it asks for an address that is not registered", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", "https://evil.example/bye")
		}, askedPlainly},
		{"it asks for an address with a query more", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye+"?a=b")
		}, askedPlainly},
		{"it asks for the address of another client", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", "https://other.example/bye")
		}, askedPlainly},
		{"it asks for a redirect URI", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", "https://shop.example/cb")
		}, askedPlainly},
		{"it asks when client_id is another's", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "client_id", x.other.ID, "post_logout_redirect_uri", testBye)
		}, askedPlainly},
		{"it asks for a hint that was changed", func(x tools) url.Values {
			return form("id_token_hint", x.hint[:len(x.hint)-4]+"AAAA", "post_logout_redirect_uri", testBye)
		}, askedPlainly},
		{"it asks for a hint without a signature", func(x tools) url.Values {
			_, rest, _ := strings.Cut(x.hint, ".")
			payload, _, _ := strings.Cut(rest, ".")
			return form("id_token_hint", "eyJhbGciOiJub25lIn0."+payload+".", "post_logout_redirect_uri", testBye)
		}, askedPlainly},
		{"it asks for a hint of another issuer", func(x tools) url.Values {
			return form("id_token_hint", x.forged("JWT", "iss", "https://other.example"), "post_logout_redirect_uri", testBye)
		}, askedPlainly},
		{"it asks for an access token", func(x tools) url.Values {
			return form("id_token_hint", x.forged("at+jwt"), "post_logout_redirect_uri", testBye)
		}, askedPlainly},
		{"it asks for a hint of another session", func(x tools) url.Values {
			return form("id_token_hint", x.forged("JWT", "sid", "another"), "post_logout_redirect_uri", testBye)
		}, asked},
		{"it takes a hint without a session that is about the person", func(x tools) url.Values {
			return form("id_token_hint", x.forged("JWT", "sid", ""), "post_logout_redirect_uri", testBye)
		}, back("")},
		{"it asks for a hint without a session that is about somebody else", func(x tools) url.Values {
			return form("id_token_hint", x.forged("JWT", "sid", "", "sub", "somebody"), "post_logout_redirect_uri", testBye)
		}, asked},
		{"it asks for a hint of this session that is about somebody else", func(x tools) url.Values {
			return form("id_token_hint", x.forged("JWT", "sub", "somebody"), "post_logout_redirect_uri", testBye)
		}, asked},
		{"it asks for a hint of what was ended", func(x tools) url.Values {
			x.h.write(func(tx *db.Tx) { tx.Do(`UPDATE session_clients SET ended_at = 1 WHERE sid = $1`, x.l.sid) })
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye)
		}, asked},
		{"it asks for garbage", func(x tools) url.Values { return form("id_token_hint", "x.y.z", "client_id", "a\nb") }, askedPlainly},
		{"it asks for a state that is too long", func(x tools) url.Values {
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye, "state", strings.Repeat("a", 5000))
		}, askedPlainly},
		{"it asks for a client that was deleted", func(x tools) url.Values {
			must(x.h.t, x.h.p.DeleteClient(x.h.t.Context(), admin, x.c.ID))
			return form("id_token_hint", x.hint, "post_logout_redirect_uri", testBye)
		}, askedPlainly},
		{"it asks for a continuation that was made up", func(x tools) url.Values { return form("request", "made-up") }, askedPlainly},
	}
	each(t, func(t *testing.T, h *house) {
		ada := h.user("ada")
		other := h.relyingParty(ClientEdit{PostLogoutURIs: []URI{{URI: "https://other.example/bye"}}})
		for _, test := range tests {
			for _, method := range []string{"GET", "POST", "POST from another site"} {
				t.Log(test.name, "on", method)
				c := h.relyingParty(ClientEdit{PostLogoutURIs: []URI{{URI: testBye}, {URI: "https://shop.example/2"}}})
				l := c.loginAs(testLogin{user: ada, browser: h.browser()}, "openid", "offline_access")
				online, away := c.redeem(c.code(l, "openid")).ok(t), c.redeem(c.code(l, offline...)).ok(t)
				time.Sleep(3 * time.Hour) // the hint has expired
				_, claims := claimsOf(t, online.ID)
				x := tools{h, c, other, l, online.ID, func(typ string, change ...string) string {
					for i := 0; i < len(change); i += 2 {
						claims[change[i]] = change[i+1]
					}
					token, err := h.p.keys.Sign(t.Context(), jose.ES256, typ, claims)
					must(t, err)
					return token
				}}
				resp := l.browser.endSession(method, test.form(x))
				to := resp.Header.Get("Location")
				if request, found := strings.CutPrefix(to, test.want.to); resp.StatusCode != 303 || !found || (request != "") != strings.HasSuffix(test.want.to, "=") {
					t.Errorf("got %d to %q, want %s", resp.StatusCode, to, test.want.to)
				}
				if open := h.open(l.session.ID); open != test.want.signed {
					t.Errorf("the session goes on: %t, want %t", open, test.want.signed)
				}
				if cookie := l.browser.cookies["__Host-session"]; (cookie != "") != test.want.signed {
					t.Errorf("the cookie of the session is %q", cookie)
				}
				if test.want.signed {
					continue
				}
				c.refresh(online.Refresh).fails(t, 400, "invalid_grant")
				c.refresh(away.Refresh).ok(t) // what was allowed for times without the person
				if n := h.count(`SELECT count(*) FROM grants WHERE session_id = $1 AND revoked_at IS NOT NULL`, l.session.ID); n != 1 {
					t.Errorf("%d grants ended, want 1", n)
				}
				if n := h.count(`SELECT count(*) FROM jobs WHERE body = $1`, "session.ended "+l.session.ID); n != 1 {
					t.Errorf("the end of the session was told %d times, want once", n)
				}
			}
		}
	})
}

// endSession sends form to the endpoint and follows our own redirect from a POST.
func (b *testBrowser) endSession(method string, form url.Values) *http.Response {
	b.h.t.Helper()
	const path = "/api/oidc/end-session"
	var resp *http.Response
	switch method {
	case "GET":
		return b.get(path + "?" + form.Encode())
	case "POST":
		resp = b.do(b.h.postForm(path, form))
	default: // without the cookies, which are SameSite=Lax
		resp = b.h.do(b.h.postForm(path, form))
		if n := len(resp.Cookies()); n != 0 {
			b.h.t.Errorf("a POST from another site gets %d cookies", n)
		}
	}
	if to := resp.Header.Get("Location"); to == path || strings.HasPrefix(to, path+"?") {
		return b.get(to)
	}
	return resp
}

// open says whether a session goes on.
func (h *house) open(id string) bool {
	return h.count(`SELECT count(*) FROM sessions WHERE id = $1 AND ended_at IS NULL`, id) == 1
}

func TestWithoutASessionThereIsNothingToAsk(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{PostLogoutURIs: []URI{{URI: testBye}}})
		l := c.login("ada", "openid")
		hint := c.redeem(c.code(l, "openid")).ok(t).ID
		for _, test := range []struct {
			name string
			form url.Values
			want string
		}{
			{"it says so", nil, "/signed-out"},
			{"it goes back with a hint", form("id_token_hint", hint, "post_logout_redirect_uri", testBye, "state", "s"), testBye + "?state=s"},
			{"it goes nowhere without a hint", form("client_id", c.ID, "post_logout_redirect_uri", testBye), "/signed-out"},
			{"it goes nowhere else", form("id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example"), "/signed-out"},
		} {
			for _, method := range []string{"GET", "POST"} {
				resp := h.browser().endSession(method, test.form)
				if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != test.want {
					t.Errorf("%s on %s: got %d to %q, want %q", test.name, method, resp.StatusCode, got, test.want)
				}
			}
		}
		if !h.open(l.session.ID) {
			t.Error("the session of another browser has ended")
		}
	})
}

func TestTheQuestionLeadsOn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{Name: "Shop", PostLogoutURIs: []URI{{URI: testBye}}})
		ada := h.user("ada")
		ask := func(form url.Values) (testLogin, string) {
			t.Helper()
			l := c.loginAs(testLogin{user: ada, browser: h.browser()}, "openid")
			u, err := url.Parse(l.browser.endSession("GET", form).Header.Get("Location"))
			if err != nil || u.Path != "/logout" {
				t.Fatalf("it leads to %v, %v", u, err)
			}
			return l, u.Query().Get("request")
		}
		confirm := func(l testLogin, request, want string) {
			t.Helper()
			to, err := h.p.ConfirmLogout(t.Context(), l.browser.visitor(), request)
			if to, _, _ = strings.Cut(to, "?done="); err != nil || to != want {
				t.Errorf("it leads to %q, %v, want %q", to, err, want)
			}
			if h.open(l.session.ID) {
				t.Error("the session goes on")
			}
		}
		question := func(request string, want LogoutQuestion) {
			t.Helper()
			if got, err := h.p.LogoutQuestion(t.Context(), request); err != nil || got != want {
				t.Errorf("the question is %+v, %v, want %+v", got, err, want)
			}
		}
		named := form("client_id", c.ID, "post_logout_redirect_uri", testBye, "state", "a b")

		l, request := ask(named)
		question(request, LogoutQuestion{Client: "Shop", Return: testBye})
		confirm(l, request, testBye+"?state=a+b")

		l, request = ask(form("client_id", c.ID))
		question(request, LogoutQuestion{Client: "Shop"})
		confirm(l, request, "/signed-out")

		l, request = ask(nil)
		question(request, LogoutQuestion{})
		confirm(l, request, "/signed-out")

		for _, bad := range []string{"", "x", "AAAA", strings.Repeat("A", 10_000)} {
			question(bad, LogoutQuestion{})
		}

		l, request = ask(named)
		time.Sleep(logoutFor)
		question(request, LogoutQuestion{})
		confirm(l, request, "/signed-out")

		l, request = ask(named)
		edit := c.Edit()
		edit.PostLogoutURIs = nil
		_, err := h.p.EditClient(t.Context(), admin, c.ID, edit)
		must(t, err)
		question(request, LogoutQuestion{})
		confirm(l, request, "/signed-out")
	})
}

// threats 18
func TestARepeatedParameterIsNoLogout(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{PostLogoutURIs: []URI{{URI: testBye}}})
		l := c.login("ada", "openid")
		hint := c.redeem(c.code(l, "openid")).ok(t).ID
		for _, name := range []string{"id_token_hint", "post_logout_redirect_uri", "state", "client_id"} {
			f := form("id_token_hint", hint, "post_logout_redirect_uri", testBye, "state", "s", "client_id", c.ID)
			f.Add(name, f.Get(name))
			wantPage(t, l.browser.endSession("GET", f), ErrRepeated)
			wantPage(t, l.browser.endSession("POST", f), ErrRepeated)
		}
		if !h.open(l.session.ID) {
			t.Error("the session has ended")
		}
	})
}

func TestHintsOfFormerKeysAreTaken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{PostLogoutURIs: []URI{{URI: testBye}}})
		l := c.login("ada", "openid")
		hint := c.redeem(c.code(l, "openid")).ok(t).ID
		for range 2 { // the first publishes a key, the second lets it sign
			_, err := h.p.Keys().RotateNow(t.Context(), admin, jose.ES256)
			must(t, err)
			time.Sleep(KeysSpread)
		}
		h.write(func(tx *db.Tx) { tx.Do(`UPDATE signing_keys SET state = 'retired' WHERE state = 'retiring'`) })
		must(t, h.p.Keys().Start(t.Context()))
		if n := h.count(`SELECT count(*) FROM signing_keys WHERE state = 'retired'`); n != 1 {
			t.Fatalf("%d keys are retired, want the one that signed the hint", n)
		}
		resp := l.browser.endSession("GET", form("id_token_hint", hint, "post_logout_redirect_uri", testBye))
		if got := resp.Header.Get("Location"); got != testBye {
			t.Errorf("it leads to %q", got)
		}
		if h.open(l.session.ID) {
			t.Error("the session goes on")
		}
	})
}
