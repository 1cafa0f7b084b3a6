package browser

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// A box is a device that asks to be let in, over the network as a real one would.
type box struct {
	s          *server
	t          *testing.T
	id, secret string
	Device     string `json:"device_code"`
	User       string `json:"user_code"`
	Link       string `json:"verification_uri_complete"`
}

// ask begins anew.
func (b *box) ask(scope string) {
	b.t.Helper()
	b.post("/api/oidc/device/authorize", url.Values{"scope": {scope}}, b)
	if b.User == "" {
		b.t.Fatal("the device gets no code")
	}
}

// hears is what the device hears: an error, or "" when it is let in.
func (b *box) hears() string {
	b.t.Helper()
	var answer struct {
		Error  string `json:"error"`
		Access string `json:"access_token"`
	}
	b.post("/api/oidc/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {b.Device}}, &answer)
	if answer.Error == "" && answer.Access == "" {
		b.t.Error("the device hears nothing")
	}
	return answer.Error
}

func (b *box) post(path string, form url.Values, into any) {
	b.t.Helper()
	form.Set("client_id", b.id)
	form.Set("client_secret", b.secret)
	res, err := http.PostForm(b.s.URL+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		b.t.Fatal(err)
	}
}

// polls asks as a device does until it hears something else than that it has to wait, and
// sends that.
func (b *box) polls() <-chan string {
	end := make(chan string, 1)
	go func() {
		for {
			heard := b.hears()
			if heard != "authorization_pending" && heard != "slow_down" {
				end <- heard
				return
			}
			select {
			case <-b.t.Context().Done():
				return
			case <-time.After(time.Second):
			}
		}
	}()
	return end
}

// TestDevices lets devices in and turns them away, with the mouse, with the keyboard and
// on a phone in Chinese, while they ask again and again.
func TestDevices(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		address, secret := p.newClient("Jellyfin", s.URL+"/settings/account/apps")
		b := &box{s: s, t: t, id: address[len(clientsPath)+1:], secret: secret}

		// By hand, with the keyboard alone.
		p.open("/device")
		p.look("device")
		p.until(`document.activeElement === document.querySelector("#user_code")`)
		p.press("hello" + kb.Enter)
		p.text("No device is waiting with this code.")
		p.until(`document.querySelector("#user_code").value === "hello" && document.querySelector("#user_code").getAttribute("aria-invalid") === "true"`)
		p.look("device-wrong")
		b.ask("openid profile email groups offline_access")
		let := b.polls()
		p.fill("#user_code", b.User[:4]+b.User[5:])
		p.press(kb.Enter)
		p.at("/device/confirm")
		p.text("Connect a device to Jellyfin?")
		p.text(b.User)
		p.look("device-confirm")
		p.click(`button[value="allow"]`)
		p.text("Jellyfin is connected")
		p.look("device-connected")
		if heard := <-let; heard != "" {
			p.fail("the device hears %s", heard)
		}
		confirm := p.value("location.pathname + location.search")
		p.open("/settings/account/apps")
		p.text("Jellyfin")
		p.open(confirm)
		p.text("Jellyfin is connected")

		// By a link, and no.
		b.ask("openid")
		let = b.polls()
		p.open(b.Link[len(s.URL):])
		p.text("Does your device show this code?")
		p.until(`document.querySelector("#user_code").value === "` + b.User + `"`)
		p.look("device-filled")
		p.click("main button.primary")
		p.at("/device/confirm")
		p.click(`button[value="cancel"]`)
		p.text("Not connected")
		p.look("device-declined")
		if heard := <-let; heard != "access_denied" {
			p.fail("the device hears %q", heard)
		}
		// Nobody answers twice.
		p.open(b.Link[len(s.URL):])
		p.click("main button.primary")
		p.text("This code was already used")
		p.look("device-used")
		p.click(`main a[href="/device"]`)
		p.text("Type the code that your device shows.")

		// Another account begins with the same code.
		b.ask("openid")
		p.open(b.Link[len(s.URL):])
		p.click("main button.primary")
		p.at("/device/confirm")
		p.newAuthenticator() // or the field of the sign-in page would sign them in again at once
		p.click(`form[action="/login/other"] button`)
		p.at("/login")
		p.until(`new URLSearchParams(location.search).get("redirect") === "/device?user_code=` + b.User + `"`)
		p.quiet()
	})
}

// TestDevicesInChinese lets a device in on a phone, from the link on: signing in comes
// first, and leads back.
func TestDevicesInChinese(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "zh-CN")
		address, secret := p.newClient("Jellyfin", s.URL+"/settings/account/apps")
		b := &box{s: s, t: t, id: address[len(clientsPath)+1:], secret: secret}
		b.ask("openid profile offline_access")
		let := b.polls()
		zh := s.newPerson(t, "zh-CN")
		zh.size(390, 844)
		zh.open(b.Link[len(s.URL):])
		zh.at("/login")
		zh.ready()
		for _, c := range p.credentials() { // not before: the field would offer it, and nobody would press the button
			zh.own(c)
		}
		// The field offers it by itself; the button is for when it does not.
		zh.until(`location.pathname !== "/login" || (document.querySelector("button.primary").click(), true)`)
		zh.text("你的设备显示的是这个代码吗？")
		zh.until(`document.querySelector("#user_code").value === "` + b.User + `"`)
		zh.look("device-zh")
		zh.click("main button.primary")
		zh.text("要将设备连接到Jellyfin吗？")
		zh.look("device-confirm-zh")
		zh.click(`button[value="allow"]`)
		zh.text("Jellyfin已连接")
		zh.look("device-connected-zh")
		if heard := <-let; heard != "" {
			zh.fail("the device hears %s", heard)
		}
		zh.quiet()
	})
}
