package browser

import (
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// painting writes a PNG of one colour, with a frame of another, and returns where it is.
func painting(t *testing.T, name string, in, out color.NRGBA) string {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			c := out
			if x > 40 && x < 280 && y > 40 && y < 160 {
				c = in
			}
			p.SetNRGBA(x, y, c)
		}
	}
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, p); err != nil {
		t.Fatal(err)
	}
	return path
}

// upload chooses a file in a field.
func (p *person) upload(selector, path string) {
	p.t.Helper()
	p.see(selector)
	p.do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

// shown is the address of the picture that the page shows at a place, once it has come.
func (p *person) shown(selector string) string {
	p.t.Helper()
	p.until(`document.querySelector("` + selector + `")?.complete && document.querySelector("` + selector + `").naturalWidth`)
	return p.value(`new URL(document.querySelector("` + selector + `").currentSrc).search`)
}

// TestLogos gives an application logos for light and dark ground, sees them where people
// allow it, and takes one away.
func TestLogos(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		address, _ := p.newClient("Shop", "https://shop.example/cb")
		p.open(address)
		p.click(`[aria-controls=look]`)
		p.see("#logo")
		if got := p.value(`String(document.querySelectorAll("#look .picture .avatar").length)`); got != "3" {
			t.Errorf("%s monograms stand for logos", got)
		}

		// What is no picture is said beside its field.
		wrong := filepath.Join(t.TempDir(), "wrong.png")
		if err := os.WriteFile(wrong, []byte("no picture"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.upload("#logo", wrong)
		p.submit("button[form=logo-light]")
		p.see("#logo[aria-invalid]")
		p.text("not a picture that can be used")
		if got := p.value(`document.querySelector("[role=tab][aria-selected=true]").getAttribute("aria-controls")`); got != "look" {
			t.Errorf("after a fault the tab is %s", got)
		}
		p.look("client-logo-fault")

		white, black := color.NRGBA{255, 255, 255, 255}, color.NRGBA{20, 20, 30, 255}
		p.upload("#logo", painting(t, "light.png", color.NRGBA{40, 90, 200, 255}, white))
		p.submit("button[form=logo-light]")
		p.text("Shop has a new logo")
		light := p.shown("#look .picture:has(#logo) img")
		p.click(`[aria-controls=look]`)
		p.upload("#dark_logo", painting(t, "dark.png", color.NRGBA{140, 190, 255, 255}, black))
		p.submit("button[form=logo-dark]")
		p.text("Shop has a new logo")
		dark := p.shown("#look .picture:has(#dark_logo) img")
		if !strings.Contains(light, "light=true") || !strings.Contains(dark, "light=false") {
			t.Errorf("the logos are %s and %s", light, dark)
		}
		p.look("client-logos")
		p.open(clientsPath)
		if got := p.shown("th img.app"); got != light {
			t.Errorf("the list shows %s", got)
		}

		// Where people allow the application, the ground decides.
		q := url.Values{"client_id": {address[strings.LastIndex(address, "/")+1:]}, "redirect_uri": {"https://shop.example/cb"}, "response_type": {"code"}, "scope": {"openid"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
		p.open("/authorize?" + q.Encode())
		p.at("/consent")
		for _, ground := range [][2]string{{"dark", dark}, {"light", light}} {
			p.scheme(ground[0])
			p.until(`document.querySelector(".seal img").currentSrc.endsWith("` + ground[1] + `")`)
			p.shown(".seal img")
		}
		p.look("consent-logo")

		p.open(address + "#look")
		p.click(`button[form=logo-light][name=picture_remove]`)
		p.text("The logo of Shop was removed")
		if got := p.shown(".head img.app"); got != dark {
			t.Errorf("with one logo the page shows %s", got)
		}
		p.quiet()
	})
}
