package browser

import (
	"testing"
)

// TestDetails says what apps are told of somebody beside their name: the administrator
// decides what people may say themselves, they say it, and the administrator says the rest.
func TestDetails(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(settingsPath)
		if got := p.value(`[...document.querySelectorAll("[name=userEditableClaims]:checked")].map(c => c.value).join()`); got != "nickname,middle_name,profile,website,zoneinfo" {
			t.Errorf("people may change %s", got)
		}
		p.click(`[name=userEditableClaims][value=phone_number]`)
		p.click(`[name=userEditableClaims][value=address]`)
		p.click(`[name=userEditableClaims][value=profile]`)
		p.submit("#own-details footer button")
		p.text("Saved. It holds at once.")
		p.until(`[...document.querySelectorAll("[name=userEditableClaims]:checked")].map(c => c.value).join() === "nickname,middle_name,website,zoneinfo,phone_number,address"`)

		// The person.
		p.open("/settings/account")
		if got := p.value(`[...document.querySelectorAll("#details :is(input:not([type=hidden]), textarea)")].map(i => i.name).join()`); got != "nickname,middle_name,website,zoneinfo,phone_number,street_address,postal_code,locality,region,country,formatted" {
			t.Errorf("the fields are %s", got)
		}
		if got := p.value(`String(document.querySelector("#zoneinfo").list.options.length > 500)`); got != "true" {
			t.Error("no zones are offered")
		}
		p.fill("#nickname", "Mia")
		p.fill("#zoneinfo", "Europe/Oslow")
		p.fill("#street_address", "Storgata 1")
		p.fill("#locality", "Oslo")
		p.submit("#details footer button")
		p.see("#zoneinfo[aria-invalid]")
		if got := p.value(`document.querySelector("#nickname").value + document.querySelector("#locality").value`); got != "MiaOslo" {
			t.Errorf("after a fault the fields hold %q", got)
		}
		p.click(".note.bad a")
		p.until(`document.activeElement.id === "zoneinfo"`)
		p.fill("#zoneinfo", "Europe/Oslo")
		p.fill("#phone_number", "+47 22 123456")
		p.submit("#details footer button")
		p.text("Your details were saved.")
		p.until(`document.querySelector("#zoneinfo").value === "Europe/Oslo" && document.querySelector("#street_address").value === "Storgata 1"`)

		// The administrator sees it, verifies the number and says the rest.
		address := usersPath + "/" + p.userID()
		p.open(address)
		p.until(`document.querySelector("#details #phone_number").value === "+47 22 123456" && !document.querySelector("#phone_number_verified").checked`)
		p.fill("#birthdate", "1990-05-17")
		p.click("#phone_number_verified")
		p.submit("#details footer button")
		p.text("The details are saved")
		p.until(`document.querySelector("#birthdate").value === "1990-05-17" && document.querySelector("#phone_number_verified").checked`)

		// Somebody else was faster: what they changed is shown, what was typed stays.
		p.elsewhere("#details", `d.set("nickname", "Maria"); d.set("gender", "female")`)
		p.fill("#middle_name", "Sofie")
		p.submit("#details footer button")
		p.see("#details .note.warn")
		p.until(`document.querySelector("#details .note.warn").innerText.includes("Maria")`)
		p.until(`document.querySelector("#nickname").value === "Maria" && document.querySelector("#gender").value === "female" && document.querySelector("#middle_name").value === "Sofie"`)
		p.submit("#details footer button")
		p.text("The details are saved")

		// Another number is not verified, and the log has it.
		p.open("/settings/account")
		p.fill("#phone_number", "+47 22 654321")
		p.submit("#details footer button")
		p.text("Your details were saved.")
		p.open(address)
		p.until(`document.querySelector("#details #phone_number").value === "+47 22 654321" && !document.querySelector("#phone_number_verified").checked`)
		p.open("/settings/audit-log")
		p.text("You changed your profile")

		// Nothing is left to them: there is no card.
		p.open(settingsPath)
		p.click("#allowOwnAccountEdit")
		p.submit("#general form:nth-of-type(2) footer button")
		p.open("/settings/account")
		p.see("#first_name[disabled], fieldset[disabled] #first_name")
		if got := p.value(`String(document.querySelector("#details"))`); got != "null" {
			t.Error("there are details where nobody may change their own account")
		}
		p.quiet()
	})
}

// TestDetailsPages looks at the cards: empty, full, at fault, and in Chinese.
func TestDetailsPages(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		p.open(settingsPath)
		for _, claim := range []string{"picture", "birthdate", "gender", "phone_number", "address"} {
			p.click(`[name=userEditableClaims][value=` + claim + `]`)
		}
		p.submit("#own-details footer button")
		p.look("details-settings")
		p.open("/settings/account")
		p.look("details-empty")
		for field, value := range map[string]string{"nickname": "Lady A", "middle_name": "King", "profile": "https://ada.example/about", "website": "https://ada.example",
			"picture": "https://ada.example/ada.png", "birthdate": "1815-12-10", "gender": "female", "zoneinfo": "Europe/London", "phone_number": "+44 20 7946 0123",
			"street_address": "12 St James's Square, second floor, by the garden door", "postal_code": "SW1Y 4JH", "locality": "London", "region": "England", "country": "United Kingdom"} {
			p.fill("#"+field, value)
		}
		p.submit("#details footer button")
		p.fill("#birthdate", "10.12.1815")
		p.submit("#details footer button")
		p.see("#birthdate[aria-invalid]")
		p.look("details-fault")
		p.open(usersPath + "/" + p.userID())
		p.look("details-user")
		p.quiet()

		zh := s.newPerson(t, "zh-CN")
		p.newAccount("wei", "伟", "李")
		zh.comeIn(s.loginLink(t, "wei"))
		zh.open("/settings/account")
		zh.look("details-zh")
		zh.quiet()
	})
}
