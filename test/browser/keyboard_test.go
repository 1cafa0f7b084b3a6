package browser

import (
	"testing"
)

// TestWithKeysAlone signs in, makes a client and ends a session elsewhere with nothing but
// Tab, Enter and letters.
func TestWithKeysAlone(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		elsewhere := s.admin(t, "en")
		p := s.newPerson(t, "en")
		p.open("/settings/account")
		p.at("/login")
		p.ready()
		if p.value(`document.activeElement.id`) != "username" {
			p.tabTo(`f.id === "username"`)
		}
		p.own(elsewhere.credentials()[0]) // from now on the field may offer it by itself, too
		p.enter()
		p.at("/settings/account")

		p.tabTo(`f.matches(".band a[href='/settings/admin']")`)
		p.enter()
		p.at("/settings/admin")
		p.tabTo(`f.matches(".side a[href='` + clientsPath + `']")`)
		p.enter()
		p.at(clientsPath)
		p.tabTo(`f.matches("main a.primary")`)
		p.enter()
		p.at(clientsPath + "/new")
		if p.value(`document.activeElement.id`) != "name" {
			p.tabTo(`f.id === "name"`)
		}
		p.press("Shop")
		p.tabTo(`f.matches('` + firstURI + `')`)
		p.press("https://shop.example.com/callback")
		p.tabTo(`f.matches("main button.primary")`)
		p.enter()
		p.until(`location.pathname.startsWith("` + clientsPath + `/") && location.pathname !== "` + clientsPath + `/new" && document.body.innerText.includes("Shop")`)

		p.tabTo(`f.matches(".band a[href='/settings/account']")`)
		p.enter()
		p.at("/settings/account")
		p.tabTo(`f.matches(".side a[href='/settings/account/sessions']")`)
		p.enter()
		p.at("/settings/account/sessions")
		p.until(`document.querySelectorAll("main .list li").length === 2`)
		p.tabTo(`f.matches("main .list li:nth-child(2) button")`)
		p.enter()
		p.text("That session was signed out.")
		elsewhere.open("/settings/account")
		elsewhere.at("/login")
		p.quiet()
	})
}
