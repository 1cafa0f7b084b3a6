package browser

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// choose puts a file into a field of files.
func (p *person) choose(selector, name string, content []byte) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// halves is a picture of 400 by 200 pixels, red on the left and blue on the right.
func halves(t *testing.T) []byte {
	t.Helper()
	p := image.NewRGBA(image.Rect(0, 0, 400, 200))
	for y := range 200 {
		for x := range 400 {
			c := color.RGBA{220, 20, 20, 255}
			if x >= 200 {
				c = color.RGBA{20, 20, 220, 255}
			}
			p.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// colourAt names the colour in the middle of the left quarter of a picture of the page:
// "red", "blue" or what it is.
const colourAt = `(async selector => {
	const img = document.querySelector(selector); await img.decode();
	const c = document.createElement("canvas"); c.width = c.height = 40;
	const g = c.getContext("2d"); g.drawImage(img, 0, 0, 40, 40);
	const [r, , b] = g.getImageData(10, 20, 1, 1).data;
	return r > 150 && b < 90 ? "red" : b > 150 && r < 90 ? "blue" : r + " " + b;
})`

// TestProfile goes through the page on which people say who they are: picture, names,
// look, and the end of the account.
func TestProfile(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		const account = "/settings/account"
		p := s.admin(t, "en")
		p.open(account)
		p.size(360, 800)
		if over := p.value(`String(document.documentElement.scrollWidth - innerWidth)`); over != "0" {
			t.Errorf("at 360 px it scrolls sideways by %s px", over)
		}
		p.size(1280, 900)

		// A picture: the part of it that is kept is moved to the right with the keyboard.
		p.choose("#portrait", "halves.png", halves(t))
		p.see("picture-crop canvas")
		p.until(`document.querySelector("[name=crop]").value === "100,0,200"`)
		p.do(chromedp.Focus(chromedp.CSS("picture-crop canvas")))
		for range 11 {
			p.press("\u0303") // to the right
		}
		p.until(`document.querySelector("[name=crop]").value === "200,0,200"`)
		p.submit(`#picture-card button:not([name])`)
		p.text("The picture was saved.")
		p.until(`document.querySelector(".band img.avatar")?.complete && document.querySelector("#picture-card img.avatar")?.complete`)
		if got := p.promise(colourAt + `("#picture-card img.avatar")`); got != "blue" {
			t.Errorf("of the part on the right the left quarter is %s, want blue", got)
		}

		// Without a choice the middle is kept, which begins in the red.
		p.choose("#portrait", "halves.png", halves(t))
		p.see("picture-crop canvas")
		p.value(`document.querySelector("picture-crop").remove(), ""`)
		p.submit(`#picture-card button:not([name])`)
		p.text("The picture was saved.")
		if got := p.promise(colourAt + `("#picture-card img.avatar")`); got != "red" {
			t.Errorf("of the middle the left quarter is %s, want red", got)
		}
		p.choose("#portrait", "notes.png", []byte("this is no picture"))
		p.submit(`#picture-card button:not([name])`)
		p.see("#portrait[aria-invalid]")
		p.submit(`#picture-card button[name="picture_remove"]`)
		p.text("The picture was removed.")
		p.until(`!document.querySelector("img.avatar")`)

		// Nothing that was typed is lost by a fault.
		p.fill("#username", "not ok")
		p.fill("#first_name", "Augusta")
		p.submit(`form[action="/settings/account"] button`)
		p.see("#username[aria-invalid]")
		p.until(`document.querySelector("#first_name").value === "Augusta"`)
		p.fill("#username", "ada.l")
		p.fill("#email", "ada.l@example.com")
		p.submit(`form[action="/settings/account"] button`)
		p.text("Your profile was saved.")
		p.until(`document.querySelector("#email-h .badge").innerText === "Not verified"`)

		// Dates as ISO has them, on every page.
		p.do(chromedp.SetValue(chromedp.CSS("#dates"), "iso"))
		p.submit(`form[action="/settings/account/look"] footer button`)
		p.text("Language and looks were saved.")
		p.until(`/\d{4}-\d\d-\d\d \d\d:\d\d/.test(document.querySelector("#dates-h").innerText) && document.querySelector("#dates").value === "iso"`)
		p.open("/settings/account/sessions")
		p.until(`/^\d{4}-\d\d-\d\d \d\d:\d\d/.test(document.querySelector(".list span[title]").title)`)
		p.open(account)
		p.do(chromedp.SetValue(chromedp.CSS("#locale"), "zh-CN"))
		p.click(`form[action="/settings/account/look"] .segmented label:nth-of-type(3)`)
		p.submit(`form[action="/settings/account/look"] footer button`)
		p.text("个人资料")
		p.until(`document.documentElement.lang === "zh-CN" && document.documentElement.dataset.theme === "dark"`)
		p.do(chromedp.SetValue(chromedp.CSS("#locale"), "en"))
		p.submit(`form[action="/settings/account/look"] footer button`)
		p.until(`document.documentElement.lang === "en"`)

		p.quiet()
	})
}

// TestPeopleDeleteTheirAccount sees somebody go, and the last administrator stay.
func TestPeopleDeleteTheirAccount(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		const account = "/settings/account"
		p := s.admin(t, "en")
		p.open(account)
		p.gone(`a[href="/settings/account/delete"]`)
		p.open("/settings/admin/application-configuration")
		p.click("#allowAccountDelete")
		p.click(`form[action$="/accounts"] footer button`)
		p.text("Saved. It holds at once.")
		p.newAccount("noe", "Noé", "Garnier")
		p.open(account)
		p.click(`a[href="/settings/account/delete"]`)
		p.text("The last administrator stays")
		p.gone("main button.danger")

		noe := s.newPerson(t, "en")
		noe.comeIn(s.loginLink(t, "noe"))
		noe.open(account)
		noe.click(`a[href="/settings/account/delete"]`)
		noe.at("/login/again")      // one who came by a code proves nothing
		noe.click("button.primary") // leads to the sign-in page, which the passkey passes by itself
		noe.text("Before anything is deleted you see what goes.")
		noe.proven("/settings/account/delete")
		noe.text("1 passkey")
		noe.until(`document.querySelector("main button.danger").disabled`)
		noe.fill("#confirm", "noe")
		noe.click("main button.danger")
		noe.text("Your account was deleted.")
		noe.out()
		noe.quiet()
		p.quiet()
	})
}

// TestAccountPages looks at the page on which people say who they are, and at what they are
// asked before their account is deleted, with names as long as they can be.
func TestAccountPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/account")
		p.choose("#portrait", "halves.png", halves(t))
		p.see("picture-crop canvas")
		p.look("profile-crop")
		p.open("/settings/admin/application-configuration")
		p.click("#allowAccountDelete")
		p.click(`form[action$="/accounts"] footer button`)
		p.text("Saved. It holds at once.")
		p.open("/settings/account/delete")
		p.text("The last administrator stays")
		p.newAccount("a-username-as-long-as-usernames-of-the-house-can-b", "محمد عبد الرحمن", "阿达·洛芙莱斯 🧶🧵")

		other := s.newPerson(t, "zh-CN")
		other.comeIn(s.loginLink(t, "a-username-as-long-as-usernames-of-the-house-can-b"))
		other.open("/settings/account")
		other.look("profile-zh")
		other.open("/settings/account/delete")
		other.at("/login/again")
		other.click("button.primary")
		other.until(`document.querySelector("form[data-again]")`)
		other.proven("/settings/account/delete")
		other.look("account-delete-zh")
		other.size(360, 800)
		if over := other.value(`String(document.documentElement.scrollWidth - innerWidth)`); over != "0" {
			t.Errorf("at 360 px it scrolls sideways by %s px", over)
		}
		other.quiet()
		p.quiet()
	})
}
