package browser

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Signing out reaches applications by both ways: one is told behind the browser, one by a
// frame, and the page says which could not be reached. The browser goes back when the frames
// have loaded, and does not wait for one that hangs.
func TestSigningOutReachesApplications(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		s.stop()
		s.extra = []string{"ALLOWED_PRIVATE_HOSTS=localhost"}
		s.launch(t)
		admin := s.admin(t, "en")
		port, deadPort := freePort(t), freePort(t)
		self, dead := "http://localhost:"+port, "http://localhost:"+deadPort
		id, secret := admin.addClient("Example", self+"/callback", self+"/")
		admin.hears(id, "frontchannel_logout", self+"/frontchannel-logout")
		party(t, s, port, id, secret)

		// By an application: a frame, then back.
		admin.visit(self, true)
		admin.forget()
		admin.click("#sign-out")
		admin.see("#signed-out")
		_, _, asked := admin.traffic()
		framed := ""
		for _, a := range asked {
			if strings.HasPrefix(a, self+"/frontchannel-logout?") {
				framed = a
			}
		}
		if !strings.Contains(framed, "iss="+url.QueryEscape(s.URL)) || !strings.Contains(framed, "&sid=") {
			t.Errorf("the frame is %q of %q", framed, asked)
		}

		// By our own page: a frame, somebody who is told behind, and somebody who does not answer.
		admin.open("/login") // whose field offers the passkey at once
		admin.at("/settings")
		toldPort := freePort(t)
		told := "http://localhost:" + toldPort
		toldID, toldSecret := admin.addClient("Wiki", told+"/callback", told+"/")
		admin.hears(toldID, "backchannel_logout", told+"/backchannel-logout")
		party(t, s, toldPort, toldID, toldSecret)
		deadID, deadSecret := admin.addClient("Photo library with a long name", dead+"/callback", dead+"/")
		admin.hears(deadID, "backchannel_logout", "http://localhost:1/backchannel-logout")
		party(t, s, deadPort, deadID, deadSecret)
		admin.visit(self, false)
		admin.visit(told, true)
		admin.visit(dead, true)
		admin.open("/settings/account/sessions")
		admin.click(`header .menu button.me`)
		admin.click(`form[action="/logout"] button`)
		admin.at("/signed-out")
		admin.until(`[...document.querySelectorAll(".scopes li")].map(li => [...li.querySelectorAll("b,.sub:not([hidden])")].map(e => e.textContent).join(": ")).join("; ") ===
			"Example: Signed out there too; Photo library with a long name: Not reached yet, we keep trying; Wiki: Signed out there too"`)
		admin.look("signed-out-apps")
		for _, app := range []string{self, told} {
			admin.open(app + "/")
			admin.see("#sign-in")
		}
		admin.open(dead + "/")
		admin.see("#sign-out")

		// One whose frame hangs.
		hang := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/out" {
				<-hang
			}
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<!doctype html><title>slow</title><p id=" + strings.Trim(r.URL.Path, "/") + ">here"))
		}))
		defer slow.Close()
		defer close(hang)
		admin.open("/login") // whose field offers the passkey at once
		admin.at("/settings")
		slowID, _ := admin.addClient("Slow", slow.URL+"/cb", slow.URL+"/bye")
		admin.hears(slowID, "frontchannel_logout", slow.URL+"/out")
		admin.open("/authorize?" + url.Values{"client_id": {slowID}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {slow.URL + "/cb"},
			"state": {"s"}, "nonce": {"n"}, "code_challenge": {strings.Repeat("a", 43)}, "code_challenge_method": {"S256"}}.Encode())
		admin.click(`button[value="allow"]`)
		admin.see("#cb")
		admin.open("/api/oidc/end-session?" + url.Values{"client_id": {slowID}, "post_logout_redirect_uri": {slow.URL + "/bye"}, "state": {"a b"}}.Encode())
		admin.at("/logout")
		admin.click("button.primary")
		admin.see("#bye")
		if at := admin.value("location.search"); at != "?state=a+b" {
			t.Errorf("it comes back with %s", at)
		}
	})
}

// hears sets where a client hears of sign-outs.
func (p *person) hears(id, field, address string) {
	p.t.Helper()
	p.open("/settings/admin/oidc-clients/" + id)
	p.click(`[aria-controls=uris]`)
	p.value(`((d) => { if (d) d.open = true; return "" })(document.querySelector("#` + field + `").closest("details"))`)
	p.fill("#"+field, address)
	p.click("#uris footer button")
	p.see(".toast")
}

// visit signs in to the example at an address, which asks for consent the first time.
func (p *person) visit(app string, ask bool) {
	p.t.Helper()
	p.open(app + "/")
	p.click("#sign-in")
	if ask {
		p.click(`button[value="allow"]`)
	}
	p.see("#hello")
}
