package protocol

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

const (
	activityPath = "/settings/audit-log"
	auditPath    = "/settings/audit-log/global"
)

// threats 54: whoever is no administrator sees what concerns them, whatever they ask for.
func TestTheLogIsForAdministrators(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada, eve := h.User("ada"), h.User("mallory")
		ada.SignIn()
		eve.SignIn()
		if page := boss.Submit(usersPath+ada.ID, profileOf(t, boss, ada.ID, "first_name", "Augusta")); page.Status != http.StatusOK {
			t.Fatalf("edit: %s", page)
		}
		log := boss.Open(auditPath)
		entries := matches(t, log, `href="(`+auditPath+`/[0-9a-f-]{36})"`)
		if log.Status != http.StatusOK || !strings.Contains(log.Body, "changed the account") {
			t.Fatalf("the log of an administrator: %s", log)
		}

		for _, path := range append([]string{auditPath, auditPath + "?person=" + ada.ID, auditPath + "/export", auditPath + "/export?format=jsonl", auditPath + "/nothing"}, entries...) {
			for name, who := range map[string]*apptest.Person{"ada": ada, "nobody": h.Stranger("nobody")} {
				page := who.Open(path)
				if page.Status == http.StatusOK && page.URL.Path != "/login" || strings.Contains(page.Body, "mallory") || strings.Contains(page.Body, boss.Address) {
					t.Errorf("%s opens %s: %s", name, path, page)
				}
			}
		}

		for _, query := range []string{"", "?person=" + eve.ID, "?q=mallory", "?object=user+" + eve.ID, "?address=" + eve.Address, "?way=cli", "?person=" + boss.ID,
			"?user=" + eve.ID, "?admin=1", "?at=o99999999999999999.z", "?at=n1.z", "?app=shop&person=" + eve.ID, "?event=&event=people"} {
			page := ada.Open(activityPath + query)
			if page.Status != http.StatusOK || page.URL.Path != activityPath {
				t.Fatalf("%s: %s", query, page)
			}
			for _, hidden := range []string{"mallory", boss.Address, eve.Address, "made the account", auditPath} {
				_, main, _ := strings.Cut(page.Body, "<main") // whose own address says what was asked for
				if _, main, _ = strings.Cut(main, ">"); strings.Contains(main, hidden) {
					t.Errorf("%s shows ada %q", query, hidden)
				}
			}
		}
		mine := ada.Open(activityPath).Body
		for _, shown := range []string{"Your account was changed", "Augusta", "admin, an administrator", "You signed in", ada.Address, "A login code was made for you"} {
			if !strings.Contains(mine, shown) {
				t.Errorf("ada does not see %q in %s", shown, mine)
			}
		}

		// Whoever was an administrator is one no more in that moment.
		if page := boss.Submit(usersPath+ada.ID, profileOf(t, boss, ada.ID, "admin", "on")); page.Status != http.StatusOK {
			t.Fatalf("make ada an administrator: %s", page)
		}
		if page := ada.Open(auditPath); page.Status == http.StatusOK && !strings.Contains(page.Body, "changed the account") {
			t.Errorf("a new administrator: %s", page)
		}
		if page := boss.Submit(usersPath+ada.ID, profileOf(t, boss, ada.ID, "admin", "")); page.Status != http.StatusOK {
			t.Fatalf("take it back: %s", page)
		}
		if page := ada.Open(auditPath); page.Status != http.StatusForbidden && page.URL.Path == auditPath {
			t.Errorf("an administrator of yesterday: %s", page)
		}
	})
}

// threats 75, 80: what the address says is a value, of bounded length, or nothing.
func TestFiltersOfTheLogAreValues(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		count := func(query url.Values) int {
			t.Helper()
			page := boss.Open(auditPath + "?" + query.Encode())
			if page.Status != http.StatusOK {
				t.Fatalf("%v: %s", query, page)
			}
			return strings.Count(page.Body, "<summary><span")
		}
		everything := count(nil)
		if everything < 3 {
			t.Fatalf("the log has %d entries", everything)
		}
		long := strings.Repeat("%", 5000)
		for _, value := range []string{"' OR 1=1 --", "%", "_", long, "(SELECT 1)", "1;DROP TABLE audit", "-1", "null"} {
			for _, name := range []string{"q", "person", "client", "address"} {
				if n := count(url.Values{name: {value}}); n != 0 {
					t.Errorf("%s=%.20q shows %d entries", name, value, n)
				}
			}
			if n := count(url.Values{"object": {"user " + value}}); n != 0 {
				t.Errorf("object %.20q shows %d entries", value, n)
			}
			for _, name := range []string{"event", "when", "way", "from", "until", "at", "format"} {
				if n := count(url.Values{name: {value}}); n != everything {
					t.Errorf("%s=%.20q shows %d entries, and means nothing", name, value, n)
				}
			}
		}
		for _, day := range []string{"0000-01-01", "9999-12-31", "99999-01-01", "1969-12-31", "2026-02-30", "2026-13-01", "-2026-01-01", "1970-01-01"} {
			count(url.Values{"from": {day}})
			count(url.Values{"until": {day}})
			count(url.Values{"from": {day}, "until": {day}})
		}
		if n := count(url.Values{"until": {"1970-01-01"}}); n != 0 {
			t.Errorf("before the first day there are %d entries", n)
		}
		if n := count(url.Values{"event": {"people"}, "q": {"admin"}, "when": {"7"}, "way": {"page"}}); n != 1 {
			t.Errorf("four filters at once show %d entries, want the account", n)
		}
		for _, id := range []string{"%00", "%ff", strings.Repeat("a", 3000), "..%2f..", "'"} {
			if page := boss.Open(auditPath + "/" + id); page.Status < 400 || page.Status >= 500 {
				t.Errorf("the entry %.20s: %s", id, page)
			}
		}
	})
}

// A file of the log holds what the filters let pass, and nothing in it is a formula.
func TestFilesOfTheLog(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		form := clientForm("id", "", "draft", "evil", "name", `=HYPERLINK("https://evil.example")`)
		if page := boss.Submit(clientsPath+"/new", form); page.Status != http.StatusOK {
			t.Fatalf("make a client: %s", page)
		}
		page := boss.Open(auditPath + "/export?format=csv&event=clients")
		if got := page.Header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="audit-log-`) || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/csv") {
			t.Errorf("the file comes as %q, %q", got, page.Header.Get("Content-Type"))
		}
		rows, err := csv.NewReader(strings.NewReader(page.Body)).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
			t.Fatalf("the table is %v, %v", rows, err)
		}
		formulas := 0
		for i, cell := range rows[1] {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("%s is the formula %q", rows[0][i], cell)
			}
			if strings.HasPrefix(cell, "'=HYPERLINK") {
				formulas++
			}
		}
		if formulas == 0 {
			t.Errorf("the name of the client is not in %v", rows[1])
		}
		page = boss.Open(auditPath + "/export?format=jsonl&event=clients")
		var entry struct {
			Event, Address string
			Object         struct{ Name string }
		}
		if err := json.Unmarshal([]byte(page.Body), &entry); err != nil || entry.Event != "client.created" || entry.Object.Name != form.Get("name") || entry.Address != boss.Address {
			t.Errorf("the line is %s: %+v, %v", page.Body, entry, err)
		}
		if n := strings.Count(boss.Open(auditPath+"?event=audit.exported").Body, "<summary><span"); n != 2 {
			t.Errorf("two files are %d entries in the log", n)
		}
	})
}

// People find their sign-ins to an application by it, and see which came from a device that
// was not there before.
func TestOwnActivity(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, mallory := h.User("ada"), h.User("mallory")
		shop, wiki := h.Client("shop"), h.Client("wiki")
		ada.SignIn()
		mallory.SignIn()
		shop.Authorize(ada)
		shop.Authorize(ada)
		wiki.Authorize(ada)
		wiki.Authorize(mallory)
		page := ada.Open(activityPath)
		if strings.Contains(page.Body, "New device") {
			t.Errorf("the first sign-in is marked: %s", page.Body)
		}
		if apps := matches(t, page, `<option value="[^"]*">(shop|wiki)</option>`); len(apps) != 2 {
			t.Errorf("ada may choose %v", apps)
		}
		for query, want := range map[string]int{"?app=" + shop.ID: 2, "?app=" + wiki.ID: 1, "?app=" + wiki.ID + "&event=CLIENT_AUTHORIZATION": 0, "?app=" + shop.ID + "&event=apps&when=1": 2,
			"?app=nothing": 0} {
			if n := strings.Count(ada.Open(activityPath+query).Body, "<summary><span"); n != want {
				t.Errorf("%s shows %d entries, want %d", query, n, want)
			}
		}

		phone := ada.Elsewhere()
		phone.Agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
		phone.SignIn()
		same := ada.Elsewhere()
		same.SignIn()
		page = ada.Open(activityPath + "?event=SIGN_IN")
		lines := strings.Split(page.Body, "<summary><span")[1:]
		if len(lines) != 3 || strings.Contains(lines[0], "New device") || !strings.Contains(lines[1], "New device") || !strings.Contains(lines[1], "Safari on iPhone") || strings.Contains(lines[2], "New device") {
			t.Errorf("the marks are wrong in %s", page.Body)
		}
	})
}

// Names are offered while they are typed, to administrators, at most eight of them; a page
// whose filter is a name leads to the one that says it by the id.
func TestNamesOfTheLog(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		for i := range 10 {
			h.User("many" + string(rune('a'+i)))
		}
		names := func(query string) (found []struct{ ID, Name string }) {
			t.Helper()
			page := boss.Open(auditPath + "/names?" + query)
			var answer struct{ Names []struct{ ID, Name string } }
			if err := json.Unmarshal([]byte(page.Body), &answer); err != nil || page.Status != http.StatusOK || answer.Names == nil {
				t.Fatalf("%s: %s", query, page)
			}
			return answer.Names
		}
		if got := names("kind=user&q=AD"); len(got) < 1 || got[0].ID == "" {
			t.Errorf("AD means %v", got)
		}
		if got := names("kind=user&q=many"); len(got) != 8 {
			t.Errorf("many means %d people", len(got))
		}
		for _, query := range []string{"", "kind=user", "kind=session&q=a", "kind=client&q=ada", "kind=user&q=%25", "kind=user&q=" + strings.Repeat("a", 3000)} {
			if got := names(query); len(got) != 0 {
				t.Errorf("%.40s means %v", query, got)
			}
		}
		for _, who := range []*apptest.Person{ada, h.Stranger("nobody")} {
			if page := who.Open(auditPath + "/names?kind=user&q=ada"); page.Status == http.StatusOK && page.URL.Path != "/login" || strings.Contains(page.Body, ada.ID) {
				t.Errorf("names are told to %s", page)
			}
		}
		if page := boss.Open(auditPath + "?who=Ada&at=x&event=people"); page.URL.RawQuery != "event=people&person="+ada.ID {
			t.Errorf("a clear name leads to %s", page.URL)
		}
		page := boss.Open(auditPath + "?who=many&way=page")
		if links := matches(t, page, `href="`+auditPath+`\?(person=[^"]*)"`); page.Status != http.StatusOK || len(links) != 8 || strings.Contains(page.Body, "<summary><span") {
			t.Errorf("a name that several have leads to %v", links)
		}
		if page := boss.Open(auditPath + "/export?who=many"); page.URL.Path != auditPath {
			t.Errorf("a file of a name that several have is %s", page)
		}
	})
}

// A page of the log takes the same statements whatever it shows: who is there, the
// settings, the rows, how many there are, and their names.
func TestStatementsOfTheLog(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		shop := h.Client("shop")
		for _, name := range []string{"ada", "eve", "joe"} {
			u := h.User(name)
			u.SignIn()
			shop.Authorize(u)
		}
		cost := func(query string) int64 {
			t.Helper()
			h.Settle()
			begin := h.App.DB.Statements()
			if page := boss.Open(auditPath + query); page.Status != http.StatusOK {
				t.Fatalf("%s: %s", query, page)
			}
			return h.App.DB.Statements() - begin
		}
		cost("")
		plain := cost("")
		for query, more := range map[string]int64{"?event=apps": 0, "?event=others": 0, "?person=" + boss.ID: 1, "?client=" + shop.ID: 1, "?q=ada": 1,
			"?person=" + boss.ID + "&client=" + shop.ID + "&event=people&way=page&when=7": 2, "?address=192.0.2.99&q=shop&event=clients": 2} {
			if got := cost(query); got > plain+more {
				t.Errorf("%s takes %d statements, %d more than without filters", query, got, got-plain)
			}
		}
		if plain > 9 {
			t.Errorf("the log takes %d statements", plain)
		}
	})
}

// Who is turned away from an application is in the log, with the reason that the
// application is not told, and the log is bounded however often it is tried.
func TestTurnedAwayIsInTheLog(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		ada, shop := h.User("ada"), h.Client("shop")
		ada.SignIn()
		h.SQL(`UPDATE clients SET group_restricted = TRUE WHERE id = $1`, shop.ID)
		for range 40 {
			if page := shop.Begin().By(ada); page.Answer().Get("error") != "access_denied" {
				t.Fatalf("the gate lets ada pass: %s", page)
			}
		}
		page := boss.Open(auditPath + "?event=turned-away&client=" + shop.ID)
		if !strings.Contains(page.Body, "was turned away from <b>shop</b>") || !strings.Contains(page.Body, "In no group that may use it") {
			t.Errorf("the log has %s", page.Body)
		}
		if own := ada.Open(activityPath + "?event=turned-away"); !strings.Contains(own.Body, "A sign-in to <b>shop</b> was turned away") {
			t.Errorf("ada sees %s", own.Body)
		}
		page = boss.Open(auditPath + "/export?format=jsonl&event=client.refused")
		if n := strings.Count(page.Body, "\n"); n != 30 {
			t.Errorf("40 refusals are %d entries, want 30", n)
		}
	})
}

// What an entry is about is led to while it is there, and days are those of the reader.
func TestEntriesLeadToWhatTheyAreAbout(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		boss := h.SetUp()
		if page := boss.Submit(clientsPath+"/new", clientForm("id", "", "draft", "shop", "name", "shop")); page.Status != http.StatusOK {
			t.Fatalf("make a client: %s", page)
		}
		page := boss.Open(auditPath + "?event=client.created")
		links := matches(t, page, `<dd><a href="(`+clientsPath+`/[^"]+)"`)
		if len(links) != 1 || boss.Open(links[0]).Status != http.StatusOK {
			t.Fatalf("the client is at %v", links)
		}
		if page := boss.Submit(links[0]+"/delete", url.Values{"name": {"shop"}}); page.Status != http.StatusOK {
			t.Fatalf("delete it: %s", page)
		}
		page = boss.Open(auditPath + "?event=client.created")
		if strings.Contains(page.Body, `<dd><a href="`+clientsPath) || !strings.Contains(page.Body, "Times are UTC.") {
			t.Errorf("the client that is gone is led to: %s", page.Body)
		}
	})
}
