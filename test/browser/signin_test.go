package browser

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The budget of the sign-in page: at most 5 requests and 20 KB on the wire, headers counted.
func TestSignInPageIsSmall(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		s.admin(t, "en")
		p := s.newPerson(t, "en")
		p.forget()
		p.open("/login")
		p.ready()
		p.until(`performance.getEntriesByType("resource").filter(e => e.responseEnd > 0).length >= 4`)
		time.Sleep(500 * time.Millisecond) // the browser tells of sizes a little later
		n, _, urls := p.traffic()
		size := 0
		for _, u := range urls { // what the module asks for by itself is a request, and not a part of the page
			_, bytes, _ := strings.Cut(strings.TrimSuffix(u, ")"), " (")
			of, err := strconv.Atoi(bytes)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(u, "/login/begin") {
				size += of
				if of == 0 {
					t.Errorf("%s was not counted", u)
				}
			}
		}
		if n > 5 || size > 20_000 {
			t.Errorf("the sign-in page makes %d requests of %d bytes, want at most 5 and 20000:\n%s", n, size, strings.Join(urls, "\n"))
		}
		t.Logf("%d requests, %d bytes", n, size)
	})
}

func TestSignInAndWhatGoesWrong(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		admin := s.admin(t, "en")
		keys := admin.credentials()

		// A passkey that this house does not know.
		p := s.newPerson(t, "en")
		stranger := *keys[0]
		stranger.CredentialID = []byte("a passkey of another house, 32 by")
		p.own(&stranger)
		p.open("/login")
		p.ready()
		p.look("login")
		p.click("button.primary")
		p.see("[data-problem]:not([hidden])")
		p.text("Try again")
		p.look("login-failed")

		// Nothing to sign in with: the browser says so, the page says what to do.
		p.newAuthenticator()
		p.open("/login")
		p.ready()
		p.click("button.primary")
		p.see("[data-problem]:not([hidden])")
		p.quiet()

		// With the right one the way leads to where it began.
		p.newAuthenticator()
		p.open("/settings/account/sessions")
		p.at("/login?redirect=%2Fsettings%2Faccount%2Fsessions")
		p.ready()
		p.own(keys[0])
		p.value(`document.querySelector("#username")?.focus(), ""`) // or the field was quicker
		p.press("\r")
		p.at("/settings/account/sessions")
		p.until(`document.querySelectorAll(".list li").length === 2`)
		p.look("sessions-two")

		// The other browser is signed out from here, at once.
		p.click(`.list li:nth-child(2) button`)
		p.text("That session was signed out.")
		admin.open("/settings/account")
		admin.at("/login")
		p.quiet()
	})
}

// A field that offers passkeys needs no button: the virtual authenticator takes the offer.
func TestTheFieldOffersPasskeys(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		admin := s.admin(t, "en")
		p := s.newPerson(t, "en")
		p.own(admin.credentials()[0])
		p.open("/login?redirect=/settings/account/sessions")
		p.at("/settings/account/sessions")
		p.quiet()
	})
}

func TestLoginLinkThenFirstPasskey(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		s.admin(t, "en")
		out := s.cli(t, "one-time-access-token", "ada@example.com")
		link := regexp.MustCompile(`http://\S+/lc/\S+`).FindString(out)
		if link == "" {
			t.Fatalf("the command printed no link:\n%s", out)
		}
		p := s.newPerson(t, "en")
		p.open(link)
		p.look("code")
		p.open(link) // looking at it uses nothing up
		p.fill("#code", "WRONGCODE123")
		p.click("button.primary")
		p.see("#code[aria-invalid]")
		p.look("code-wrong")
		p.open(link)
		p.click("button.primary")
		p.at("/settings/account")
		p.open(link) // it worked once
		p.click("button.primary")
		p.see("#code[aria-invalid]")

		// A session that came by a code cannot change passkeys that are there.
		p.open("/settings/account/passkeys/add")
		p.at("/login/again")
		p.text("You are signed in with a login code")
		p.look("again-code")
	})
}

func TestPasskeysAreRenamedAndRemoved(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/account/passkeys")
		p.click(".list .menu button")
		p.click(`.pop a[href$="/rename"]`)
		p.look("passkey-rename")
		p.fill("#name", "Key ring")
		p.click("button.primary")
		p.at("/settings/account/passkeys")
		p.text("Key ring")

		// The only one stays.
		p.click(".list .menu button")
		p.click(`.pop a[href$="/remove"]`)
		p.text("This is your only passkey")
		p.look("passkey-remove-last")

		p.open("/settings/account/passkeys/add")
		p.at("/login/again")
		p.ready()
		p.click("button.primary")
		p.at("/settings/account/passkeys/add")
		p.newAuthenticator()
		p.ready()
		p.click("button.primary")
		p.at("/settings/account/passkeys")
		p.until(`document.querySelectorAll(".list li").length === 2`)
		p.click(".list li:first-child .menu button")
		p.click(`.list li:first-child .pop a[href$="/remove"]`)
		p.look("passkey-remove")
		p.click("button.danger.primary")
		p.at("/settings/account/passkeys")
		p.until(`document.querySelectorAll(".list li").length === 1`)
		p.quiet()
	})
}

func TestPagesThatSayWhatIsWrong(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(strings.Replace(s.URL, "localhost", "127.0.0.1", 1) + "/login")
		p.text("This is not the address Pocket ID expects")
		p.look("wrong-host")
		p.open("/authorize?client_id=nobody&response_type=code&redirect_uri=https://evil.example/")
		p.look("error")
		p.until(`location.host === ` + quote(strings.TrimPrefix(s.URL, "http://")))
		p.open("/setup") // gone for good
		p.text("There is nothing here")
		p.look("not-found")
		p.open("/logout")
		p.look("logout")
		p.click("button.primary")
		p.at("/signed-out")
		p.look("signed-out")
		p.newAuthenticator() // or the field would sign in by itself
		p.open("/language?back=/login")
		p.look("language")
		p.click(`button[value="zh-CN"]`)
		p.at("/login")
		p.text("登录")
		p.look("login-zh")
	})
}

// Without scripts every form answers; the sign-in page says that passkeys need them.
func TestSignInWithoutScripts(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		s.admin(t, "en")
		res, err := http.PostForm(s.URL+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != 200 || !strings.Contains(string(b), "Passkeys need JavaScript") {
			t.Errorf("got %d without the words that help", res.StatusCode)
		}
	})
}
