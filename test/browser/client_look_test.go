package browser

import (
	"image/color"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestLookOfAClient gives an application a colour, a sentence and a picture, sees them before
// they are saved and then on the way to it, and takes the colour back.
func TestLookOfAClient(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p, guest := s.admin(t, "zh-CN"), s.newPerson(t, "en")
		address, _ := p.newClient("照片库", s.URL+"/settings/apps")
		way := "/authorize?" + url.Values{"client_id": {address[len(clientsPath)+1:]}, "response_type": {"code"}, "redirect_uri": {s.URL + "/settings/apps"}, "scope": {"openid"},
			"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}.Encode()
		p.open("about:blank")
		p.open(address + "#look")
		p.until(`document.querySelector("#look .preview").dataset.accent === "house"`)
		p.click(`[name=swatch][value=plum]`)
		p.until(`document.querySelector("#look .preview").dataset.accent === "plum"`)
		usual := p.value(`document.querySelector("#look [data-greeting]").textContent`)
		p.fill("#greeting", "问问 Ada <b>")
		p.until(`document.querySelector("#look [data-greeting]").textContent === "问问 Ada <b>"`)
		p.fill("#greeting", " ")
		p.until(`document.querySelector("#look [data-greeting]").textContent === ` + strconv.Quote(usual))
		p.fill("#greeting", "问问 Ada <b>")
		p.look("client-look")
		p.submit("#look footer button")
		p.see(".toast")
		p.until(`document.querySelector("[name=swatch]:checked").value === "plum" && document.querySelector("#accent").value === ""`)

		// A colour that is typed counts more than the swatch that was picked before.
		p.fill("#accent", "#0b6e4f")
		p.until(`document.querySelector("[name=swatch]:checked").value === "own" && getComputedStyle(document.querySelector("#look .preview")).getPropertyValue("--accent") === "#0b6e4f"`)
		p.submit("#look footer button")
		p.see(".toast")
		p.upload("#background", painting(t, "behind.png", color.NRGBA{200, 120, 30, 255}, color.NRGBA{20, 60, 90, 255}))
		p.until(`document.querySelector("#look .preview .photo").src.startsWith("data:image/png")`)
		p.click(`button[form=logo-background]:not(.danger)`)
		p.see(`button[form=logo-background].danger`)
		guest.open(way)
		guest.at("/login")
		guest.text("问问 Ada <b>")
		guest.until(`getComputedStyle(document.documentElement).getPropertyValue("--accent") === "#0b6e4f" && document.querySelector(".photo").currentSrc.includes("/background")`)
		guest.look("login-with-a-look")
		guest.forced()
		guest.until(`getComputedStyle(document.querySelector(".photo")).display === "none"`)

		p.open(address + "#look")
		p.click(`[name=swatch][value=house]`)
		p.until(`document.querySelector("#accent").value === ""`)
		p.submit("#look footer button")
		p.see(".toast")
		guest.open(way)
		guest.text("问问 Ada <b>")
		guest.gone(`link[href^="/theme.css"]`)
		p.quiet()
		guest.quiet()
	})
}
