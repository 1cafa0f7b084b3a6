package browser

import (
	"image/color"
	"testing"

	"github.com/chromedp/chromedp"
)

const settingsPath = "/settings/admin/application-configuration"

// TestSettings changes each card as an administrator does, and sees what it is for.
func TestSettings(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open("/settings/admin")
		p.click(`.side a[href="` + settingsPath + `"]`)
		p.at(settingsPath)

		p.fill("#sessionDuration", "soon")
		p.fill("#appName", "Fjordlab")
		p.click("#general form:nth-of-type(1) footer button")
		p.see("#sessionDuration[aria-invalid]")
		if got := p.value(`document.querySelector("#appName").value + document.querySelector("#sessionDuration").value + document.querySelector("[name=sessionDuration_unit]").value`); got != "Fjordlabsoonhours" {
			t.Errorf("after a fault the fields hold %q", got)
		}
		p.fill("#sessionDuration", "2")
		p.do(chromedp.SetValue(chromedp.CSS("[name=sessionDuration_unit]"), "days"))
		p.do(chromedp.SetValue(chromedp.CSS("#homePageUrl"), "/settings/account/passkeys"))
		p.click("#general form:nth-of-type(1) footer button")
		p.text("Saved. It holds at once.")
		p.see(`[role=tab][aria-selected=true][aria-controls=general]`)
		p.click("a.brand")
		p.at("/settings/account/passkeys")
		p.until(`document.title.endsWith("Fjordlab")`)

		p.open(settingsPath)
		p.click("#requireUserEmail")
		p.click("#emailsVerified")
		p.click("#general form:nth-of-type(2) footer button")
		p.text("Saved. It holds at once.")
		p.until(`!document.querySelector("#requireUserEmail").checked && document.querySelector("#emailsVerified").checked && document.querySelector("#allowOwnAccountEdit").checked`)

		p.until(`document.querySelector("#sessionDuration").value + document.querySelector("[name=sessionDuration_unit]").value === "2days"`)

		// A tab is set back after a question that names what changes.
		p.click(`#general a[data-ask]`)
		p.see("dialog[open]")
		p.text("Fjordlab")
		p.click("dialog[open] button.primary")
		p.text("Set back. It holds at once.")
		p.until(`document.querySelector("#appName").value === "Pocket ID" && document.querySelector("#sessionDuration").value === "1"`)

		p.click(`[aria-controls=signin]`)
		p.click("#adminLoginCodes")
		p.see("form.typed .unsaved")
		p.click("#signin form:nth-of-type(2) footer button")
		p.text("Saved. It holds at once.")
		p.until(`!document.querySelector("#adminLoginCodes").checked`)
		p.click(`[name=webauthnAuthenticatorAttachment][value=platform]`)
		p.click("#webauthnAllowSyncedPasskeys")
		p.fill("#relatedOrigins", "http://id.example.org")
		p.click("#signin form:nth-of-type(1) footer button")
		p.see("#relatedOrigins[aria-invalid]")
		p.see(`[role=tab][aria-selected=true][aria-controls=signin]`)
		p.fill("#relatedOrigins", "https://ID.example.org/")
		p.click("#signin form:nth-of-type(1) footer button")
		p.text("Saved. It holds at once.")
		p.until(`document.querySelector("#relatedOrigins").value === "https://id.example.org"`)
		p.until(`document.querySelector("[name=webauthnAuthenticatorAttachment]:checked").value === "platform"`)
		p.until(`!document.querySelector("#webauthnAllowSyncedPasskeys").checked`)

		// The preview follows what is picked or typed, before anything is saved.
		p.click(`[aria-controls=branding]`)
		p.until(`document.querySelector(".preview").dataset.accent === "indigo"`)
		p.click(`[name=accent][value=pine]`)
		p.until(`document.querySelector(".preview").dataset.accent === "pine"`)
		p.fill("#accentColor", "tomato")
		p.until(`/[0-9.]+.*[0-9.]+/.test(document.querySelector("[data-contrast]").textContent)`)
		p.until(`[...document.querySelectorAll(".preview")].map(e => getComputedStyle(e).colorScheme).join() === "light,dark"`)
		p.until(`document.querySelector("[name=accent]:checked").value === "own" && getComputedStyle(document.querySelector(".preview")).getPropertyValue("--accent") === "tomato"`)
		p.click("#disableAnimations")
		p.click("#branding footer button")
		p.text("Saved. It holds at once.")
		p.until(`getComputedStyle(document.documentElement).getPropertyValue("--accent") === "tomato"`)
		p.until(`document.documentElement.hasAttribute("data-still")`)
		if got := p.value(`getComputedStyle(document.querySelector(".btn")).transitionDuration + getComputedStyle(document.querySelector(".btn")).animationName`); got != "0snone" {
			t.Errorf("something moves: %s", got)
		}
		// A picture is shown before it is sent, and everywhere after it was.
		p.upload("#logo-light", painting(t, "logo.png", color.NRGBA{200, 30, 30, 255}, color.NRGBA{255, 255, 255, 255}))
		p.until(`document.querySelector(".preview [data-logo]").src.startsWith("data:image/png")`)
		p.click(`form[action$="/pictures/logo-light"] button.btn:not(.danger)`)
		p.text("The picture is used from now on.")
		p.see(`.brand img.logo[src*="/api/application-images/logo"]`)
		p.click(`form[action$="/pictures/logo-light"] button.danger`)
		p.text("The default is used again.")
		p.see(".brand .mark")
		p.click(`[name=accent][value=indigo]`)
		p.click("#branding form:nth-of-type(1) footer button")
		p.until(`!document.querySelector("link[href^='/theme.css']")`)
		p.quiet()
	})
}

// TestSettingsPages looks at the tabs, at a fault and at a fixed house.
func TestSettingsPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "zh-CN")
		for _, tab := range []string{"general", "signin", "branding", "advanced"} {
			p.open("about:blank")
			p.forget()
			p.open(settingsPath + "#" + tab)
			p.see("#" + tab)
			requests, bytes, seen := p.traffic()
			t.Logf("%s: %d requests, %d bytes", tab, requests, bytes)
			if requests > 6 || bytes > 40_000 {
				t.Errorf("%d requests and %d bytes: %v", requests, bytes, seen)
			}
			p.look("settings-" + tab)
		}
		p.open(settingsPath)
		p.fill("#appName", "")
		p.click("#general form:nth-of-type(1) footer button")
		p.see("#appName[aria-invalid]")
		p.look("settings-fault")
		s.stop()
		s.launch(t, "UI_CONFIG_DISABLED=true", "APP_NAME=Acme", "ACCENT_COLOR=#7a1f3d")
		p.open(settingsPath)
		p.see("#general fieldset[disabled]")
		p.look("settings-locked")
		p.quiet()
	})
}
