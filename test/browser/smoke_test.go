package browser

import "testing"

func TestSetUpSmoke(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.newPerson(t, "en")
		p.open("/")
		p.at("/setup")
		p.look("setup")
		p.fill("#firstName", "Ada")
		p.fill("#lastName", "Lovelace")
		p.fill("#username", "a b")
		p.fill("#email", "ada@example.com")
		p.click("button.primary")
		p.see("#username[aria-invalid]")
		p.look("setup-fault")
		p.fill("#username", "ada")
		p.click("button.primary")
		p.at("/settings/account/passkeys")
		p.look("passkeys")
		p.open("/settings/account")
		p.look("profile")
		p.open("/settings/account/sessions")
		p.look("sessions")
		p.quiet()
	})
}
