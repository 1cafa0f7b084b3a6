package browser

import "testing"

// TestRegistration lets programs register clients, makes a token for it and takes it back.
func TestRegistration(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		const path = "/settings/admin/registration"
		p := s.admin(t, "en")
		p.open("/settings/admin")
		p.click(`.side a[href="` + path + `"]`)
		p.at(path)
		p.until(`document.querySelector("[name=clientRegistration]:checked").value === "disabled"`)
		p.click(`[name=clientRegistration][value=withToken]`)
		p.fill("#clientRegistrationLimit", "some")
		p.click(`form[action="` + path + `"] footer button`)
		p.see("#clientRegistrationLimit[aria-invalid]")
		p.look("registration-fault")
		p.fill("#clientRegistrationLimit", "50")
		p.click(`form[action="` + path + `"] footer button`)
		p.see(".toast")
		p.until(`document.querySelector("[name=clientRegistration]:checked").value === "withToken"`)
		p.text(s.URL + "/api/oidc/register")

		p.fill("#name", "Assistants of the laboratory")
		p.fill("#uses", "3")
		p.click(`form[action="` + path + `/tokens"] button`)
		p.see("#new-token")
		token := p.value(`document.querySelector("#new-token").textContent`)
		if token == "" {
			t.Error("no token is shown")
		}
		p.look("registration-token")
		p.click("footer a.btn.primary")
		p.at(path)
		p.see("#tokens table")
		if p.value(`document.documentElement.innerHTML.includes(`+"`"+token+"`"+`) ? "yes" : "no"`) != "no" {
			t.Error("the token is shown again")
		}
		p.look("registration")
		p.click("#tokens td.act a")
		p.see("dialog[open]")
		p.click("dialog button.primary")
		p.see(".toast")
		p.gone("#tokens table")
		p.quiet()
	})
}
