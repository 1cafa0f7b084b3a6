package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const apisPath = "/settings/admin/apis"

// TestAPIs goes through the life of an API as an administrator sees it.
func TestAPIs(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		p := s.admin(t, "en")
		shop, _ := p.newClient("Grafana", "https://grafana.example.com/cb")
		id := shop[strings.LastIndex(shop, "/")+1:]
		p.open(apisPath)
		p.text("No APIs yet")
		p.look("apis-empty")
		p.click("a.btn.primary")
		p.at(apisPath + "/new")
		p.fill("#name", "Weather station")
		p.fill("#resource", "api.example.com")
		p.submit("footer button.primary")
		p.see("#resource[aria-invalid]")
		p.text("This is not an absolute address")
		p.look("api-new-fault")
		p.fill("#resource", "https://api.example.com/weather")
		p.submit("footer button.primary")
		p.text("Weather station is there")
		p.until(`location.hash === "#permissions"`)
		address := p.value(`location.pathname`)

		// A fault stands beside its field, and nothing that was typed is lost.
		p.fill(`[id="permission[0]"]`, "readings:read")
		p.fill(`[id="permission_title[0]"]`, "Read measurements")
		p.click("#permissions [data-add]")
		p.fill(`[id="permission[1]"]`, "openid")
		p.fill(`[id="permission_title[1]"]`, "Send measurements")
		p.fill(`[id="permission_description[1]"]`, "From a station to the archive")
		p.submit("#permissions footer button.primary")
		p.see(`[id="permission[1]"][aria-invalid]`)
		p.text("This name is a scope of Pocket ID itself")
		if got := p.value(`[...document.querySelectorAll("#permissions-rows li")].map(l => [...l.querySelectorAll("input")].map(f => f.value).join(":")).join()`); got != "readings:read:Read measurements:,openid:Send measurements:From a station to the archive,::" {
			t.Errorf("after a fault the rows are %q", got)
		}
		p.look("api-permissions-fault")
		p.fill(`[id="permission[1]"]`, "readings:write")
		p.submit("#permissions footer button.primary")
		p.text("Permissions saved")

		// A client comes by search, and gets what is ticked.
		p.open(address + "#clients")
		p.see("#clients")
		p.text("No client may use it yet")
		p.find("#find", "graf")
		p.click(`a[aria-label="Choose Grafana"]`)
		p.at(address + "/clients/" + id)
		p.text("Grafana at Weather station")
		p.click("#for_users")
		p.submit(".actions button.primary")
		p.text("Choose whether the client acts for people, for itself, or both")
		p.click("#for_users")
		p.click(`[name=user_permissions][value="readings:read"]`)
		p.click("#for_machine")
		p.click(`[name=machine_permissions][value="readings:write"]`)
		p.look("api-client")
		p.submit(".actions button.primary")
		p.text("Saved what the client may do")
		p.until(`document.querySelector("#clients").textContent.includes("For itself: readings:write")`)
		p.click("[name=for_documents]")
		p.click(`[name=document_permissions][value="readings:read"]`)
		p.submit(`form[action$="/documents"] footer button.primary`)
		p.text("What clients that describe themselves may do is saved")
		p.until(`document.querySelector("[name=for_documents]").checked && document.querySelectorAll("[name=document_permissions]:checked").length === 1`)
		p.look("api-clients")

		p.tab("general")
		p.fill("#access_token_lifetime", "0.1")
		p.submit("#general footer button.primary")
		p.see("#access_token_lifetime[aria-invalid]")
		p.fill("#access_token_lifetime", "5")
		p.do(chromedp.SetValue(chromedp.CSS("#introspector"), id))
		p.submit("#general footer button.primary")
		p.text("API saved")
		p.until(`document.querySelector("#access_token_lifetime").value === "5" && document.querySelector("#introspector").value === "` + id + `"`)
		p.look("api")

		p.open(apisPath)
		p.text("readings:write")
		p.text("1 API")
		p.look("apis")

		// What goes is asked for before, and what is left is said.
		p.open(address + "/clients/" + id)
		p.submit(".actions button.danger")
		p.text("The client may no longer use the API")
		p.open(address + "/delete")
		p.text("Delete Weather station?")
		p.submit("button.danger")
		p.text("Weather station is deleted")
		p.text("No APIs yet")
	})
}
