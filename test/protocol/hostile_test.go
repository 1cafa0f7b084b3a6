package protocol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/oidc"
)

// innards are words that belong to programs and logs, not to answers.
var innards = regexp.MustCompile(`goroutine|runtime error|panic|\.go:\d|pocketid|internal/|(?i:sqlite|pgx|postgres|sqlstate|constraint)|SELECT |INSERT |/tmp/|stack trace|<nil>|%!`)

const svg = `"><svg onload=alert(1)>'{{.}}`

// Odd input to every address: huge, NUL, broken UTF-8, repeated, deep. Nothing breaks,
// nothing is echoed as markup, and no answer shows what is inside. The house itself
// fails the test if anything of this is logged as an error.
func TestOddInputBreaksNothing(t *testing.T) { // threats 18, 28, 76
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		cookie := "__Host-session=" + admin.Cookie("session") + "; __Host-browser=" + admin.Cookie("browser")
		names := strings.Fields("id redirect code request client_id redirect_uri state scope q cursor back locale theme name tab hint client_secret token grant_type username at event when from until way person client app object address format")
		queries := map[string]string{
			"a NUL": "%00", "broken UTF-8": "%ff%fe", "a broken escape": "%zz", "markup": url.QueryEscape(svg), "huge": strings.Repeat("A", 20000),
			"SQL": url.QueryEscape("' OR 1=1 --"), "a path": url.QueryEscape("../../etc/passwd"), "a line": url.QueryEscape("a\r\nSet-Cookie: x=y"), "another direction": url.QueryEscape("\u202eabc"),
			"a number": "-1", "a list": "a&b=c",
		}
		check := func(name string, r route, a *apptest.Answer) {
			t.Helper()
			if a.Status >= 500 || strings.Contains(a.Body, "<svg onload") || strings.Contains(a.Header.Get("Location"), "<svg") || a.Header.Get("X") != "" {
				t.Errorf("%s: %d %.300s", name, a.Status, a.Body)
			}
			if strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), ";"), "x=y") {
				t.Errorf("%s sets a cookie of its own", name)
			}
			if a.Status >= 400 {
				if found := innards.FindString(a.Body); found != "" {
					t.Errorf("%s: the answer shows %q: %.300s", name, found, a.Body)
				}
				if html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"); html && r.surface != "page" && a.Status != http.StatusNotFound { // where no program has an address
					t.Errorf("%s: a page at an address for programs", name)
				}
			}
		}
		for _, r := range routes(t) {
			if strings.HasPrefix(r.path, "/readyz") || r.path == "/login/other" || strings.HasSuffix(r.path, "/everywhere") || strings.HasSuffix(r.path, "/others") || r.path == "/logout" {
				continue // minds a clock that stands still, or ends the session of this test
			}
			for kind, value := range queries {
				var all, twice []string
				for _, n := range names {
					all, twice = append(all, n+"="+value), append(twice, n+"=a&"+n+"="+value)
				}
				if kind == "huge" {
					all = all[:3]
				}
				name := r.method + " " + r.path + " with " + kind
				path := strings.ReplaceAll(r.address(), "/x", "/"+strings.ReplaceAll(value[:min(len(value), 3000)], "&b=c", ""))
				if kind == "a broken escape" {
					path = r.address()
				}
				ask := func(query, body, media string) *apptest.Answer {
					headers := []string{"Cookie", cookie, "Origin", apptest.URL}
					if media != "" {
						headers = append(headers, "Content-Type", media)
					}
					return h.Program().Ask(r.method, path+"?"+query, body, headers...)
				}
				check(name, r, ask(strings.Join(all, "&"), "", ""))
				check(name+", twice", r, ask(strings.Join(twice[:4], "&"), "", ""))
				if r.method == http.MethodPost {
					check(name+" in the form", r, ask("", strings.Join(all, "&"), "application/x-www-form-urlencoded"))
					check(name+" in JSON", r, ask("", `{"redirect":"`+value+`","id":"`+value+`","answer":{"id":"`+value+`"}}`, "application/json"))
				}
			}
			if r.method == http.MethodPost {
				for name, body := range map[string]string{
					"deep JSON": strings.Repeat("[", 30000), "open JSON": `{"id":`, "JSON twice": `{"id":"a","id":"b"}`, "JSON of another kind": `[1]`, "null": "null", "a NUL": `{"id":"\u0000"}`, "half a letter": "{\"id\":\"\xff\"}", "a surrogate": `{"id":"\ud800"}`, "numbers": `{"id":1e999}`,
				} {
					check(r.path+" with "+name, r, h.Program().Ask(r.method, r.address(), body, "Cookie", cookie, "Origin", apptest.URL, "Content-Type", "application/json"))
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// What was asked for in an address leads inside the house and nowhere else.
func TestRedirectsLeadInside(t *testing.T) { // threats 27
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		for _, target := range []string{
			"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example`, "/\t/evil.example", "/%09/evil.example", "/%2F/evil.example", "/%5Cevil.example", "javascript:alert(1)", "http:evil.example", "///evil.example",
			"/..//evil.example", "/.//evil.example", "https:/evil.example", "/login\r\nLocation: https://evil.example", "evil.example", "?x", "#x", "/@evil.example/..//evil.example", "data:text/html,x", "",
		} {
			safe := func(name, location string) {
				t.Helper()
				u, err := url.Parse(location)
				if err != nil || location == "" {
					t.Errorf("%s with %q leads to %q", name, target, location)
					return
				}
				// As browsers read it: backslashes are slashes, tabs and lines are nothing.
				read := strings.NewReplacer(`\`, "/", "\t", "", "\n", "", "\r", "").Replace(location)
				if u.Host != "" || u.Scheme != "" || strings.HasPrefix(read, "//") || !strings.HasPrefix(read, "/") {
					t.Errorf("%s with %q leads to %q", name, target, location)
				}
			}
			b := h.Browser()
			for _, path := range []string{"/language", "/theme"} {
				a := b.Raw("POST", path, form("back", target, "theme", "dark", "locale", "en"), "same-origin")
				safe(path, a.Header.Get("Location"))
			}
			next, code := ada.Prove("/login", target)
			if code != "" {
				t.Fatal(code)
			}
			safe("signing in", next)
			a := ada.Raw("GET", "/login?redirect="+url.QueryEscape(target), nil, "none")
			safe("the sign-in page for who is in", a.Header.Get("Location"))
			time.Sleep(time.Minute)
		}
	})
}

// Names are text wherever they are shown.
func TestNamesAreText(t *testing.T) { // threats 28, 29
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		const name = `<svg onload=alert(1)>"'&amp;{{.}}`
		if page := admin.Submit("/settings/account", form("username", "admin", "email", "admin@example.test", "first_name", name, "last_name", name, "display_name", name, "firstName", name, "lastName", name, "displayName", name)); page.Status >= 500 {
			t.Errorf("a name with markup: %s", page)
		}
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.Name, e.Description = name, name })
		f := shop.Begin("state", name, "login_hint", name)
		pages := []*apptest.Page{
			h.Browser().Open(f.URL()), admin.Open(f.URL()), admin.Open(shop.Begin("prompt", "select_account").URL()), admin.Open(shop.Begin("prompt", "login").URL()), admin.Open(shop.Begin("redirect_uri", "https://evil.example/"+name).URL()),
			admin.Open("/settings/account"), admin.Open("/settings/account/sessions"), admin.Open("/settings/admin/oidc-clients"), admin.Open("/settings/admin/oidc-clients/" + shop.ID), admin.Open("/settings/admin/oidc-clients/" + shop.ID + "/delete"),
			admin.Open(endSession("client_id", shop.ID)), admin.Open("/settings/admin/oidc-clients?q=" + url.QueryEscape(name)), admin.Open("/lc/" + url.PathEscape(name)),
			admin.Open(shop.Begin("response_mode", "form_post", "prompt", "none", "state", name).URL()),
		}
		shown := 0
		for _, page := range pages {
			if strings.Contains(page.Body, "<svg onload") || strings.Contains(page.Body, "{{.}}\" onload") {
				t.Errorf("a name is markup: %s", page)
			}
			if strings.Contains(page.Body, "&lt;svg onload=alert(1)&gt;") {
				shown++
			}
		}
		if shown < 8 {
			t.Errorf("only %d pages show the name", shown)
		}
		if answer := pages[len(pages)-1].Answer(); answer.Get("state") != name {
			t.Errorf("the state comes back as %q", answer.Get("state"))
		}
	})
}

// A session begins with a cookie of its own, each proof gives another, and an old one
// is worth nothing (RFC 9700 §4.16, ASVS 3.2).
func TestSessionCookieChangesAndDies(t *testing.T) { // threats 33
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		alive := func(handle string) bool {
			return h.Program().Get("/settings/account", "Cookie", "__Host-session="+handle).Status == http.StatusOK
		}
		shop := h.Client("shop")
		var old []string
		step := func(name string) {
			t.Helper()
			now := ada.Cookie("session")
			if len(now) < 43 || !alive(now) {
				t.Errorf("%s: the session is not alive", name)
			}
			for _, handle := range old {
				if handle == now || alive(handle) {
					t.Errorf("%s: an old cookie still opens the house", name)
				}
			}
			old = append(old, now)
			time.Sleep(time.Minute)
		}
		ada.SignIn()
		step("signing in")
		ada.SignIn()
		step("signing in again")
		f := shop.Begin("prompt", "login")
		granted(t, f.By(ada), f)
		step("proving it again")
		ada.SignOut()
		ada.SignIn()
		step("signing in after signing out")
		ada.SignOut()
		for _, handle := range old {
			if alive(handle) {
				t.Error("a cookie outlives signing out")
			}
		}
	})
}

// A challenge is for one ceremony, one browser, one answer (WebAuthn §13.4.3).
func TestProofThatDoesNotFit(t *testing.T) { // threats 39, 40, 42, 43, 44
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada, eve := h.User("ada"), h.User("eve")
		sign := func(p *apptest.Person) apptest.Proof {
			t.Helper()
			p.Open("/login")
			proof, code := p.Sign("/login", "")
			if code != "" {
				t.Fatal(code)
			}
			time.Sleep(time.Minute)
			return proof
		}
		refusedBy := func(name string, p *apptest.Person, path string, proof apptest.Proof) {
			t.Helper()
			before := p.Cookie("session")
			if next, code := p.Finish(path, proof); code == "" || next != "" || p.Cookie("session") != before {
				t.Errorf("%s signs in", name)
			}
			time.Sleep(time.Minute)
		}
		// change alters a part of an answer.
		change := func(proof apptest.Proof, fn func(answer, response map[string]any)) apptest.Proof {
			t.Helper()
			var answer map[string]any
			if err := json.Unmarshal(proof.Answer, &answer); err != nil {
				t.Fatal(err)
			}
			fn(answer, answer["response"].(map[string]any))
			proof.Answer, _ = json.Marshal(answer)
			return proof
		}
		flip := func(member string, at int) func(answer, response map[string]any) {
			return func(_, response map[string]any) {
				b, err := base64.RawURLEncoding.DecodeString(response[member].(string))
				if err != nil || len(b) == 0 {
					t.Fatalf("%s: %v", member, err)
				}
				b[(at+len(b))%len(b)] ^= 1
				response[member] = base64.RawURLEncoding.EncodeToString(b)
			}
		}
		for name, fn := range map[string]func(answer, response map[string]any){
			"a flipped bit of the signature":          flip("signature", -1),
			"a flipped bit of the authenticator data": flip("authenticatorData", 32),
			"a flipped bit of the relying party":      flip("authenticatorData", 0),
			"a flipped bit of the counter":            flip("authenticatorData", 36),
			"a flipped bit of the client data":        flip("clientDataJSON", 40),
			"no user handle":                          func(_, r map[string]any) { delete(r, "userHandle") },
			"an empty user handle":                    func(_, r map[string]any) { r["userHandle"] = "" },
			"the user handle of another":              func(_, r map[string]any) { r["userHandle"] = base64.RawURLEncoding.EncodeToString([]byte(eve.ID)) },
			"no signature":                            func(_, r map[string]any) { r["signature"] = "" },
			"a passkey that nobody has":               func(a, _ map[string]any) { a["id"], a["rawId"] = "AAAA", "AAAA" },
			"nothing":                                 func(a, r map[string]any) { clear(r) },
		} {
			refusedBy(name, ada, "/login", change(sign(ada), fn))
		}
		for _, site := range []string{"https://badid.example.test", "https://id.example.test.evil.example", "http://id.example.test", "https://id.example.test:8443", "https://example.test", "https://xn--d-ola.example.test", "null"} {
			ada.Site = site
			refusedBy("the site "+site, ada, "/login", sign(ada))
		}
		ada.Site = ""
		ada.Careless = true
		refusedBy("a passkey that was not unlocked", ada, "/login", sign(ada))
		ada.Careless = false
		proof := sign(ada)
		refusedBy("somebody else's browser", ada.Elsewhere(), "/login", proof)
		proof = sign(ada)
		time.Sleep(5 * time.Minute)
		refusedBy("a challenge that has run out", ada, "/login", proof)
		proof = sign(ada)
		refusedBy("the answer to another ceremony", ada, "/setup", proof)
		proof = sign(ada)
		if _, code := ada.Finish("/login", proof); code != "" {
			t.Fatalf("the right answer is refused: %s", code)
		}
		refusedBy("the same answer again", ada, "/login", proof)
		proof = sign(ada)
		refusedBy("an answer for signing in as a new proof", ada, "/login/again", proof)
		other, wrong := sign(ada), sign(ada)
		other.ID = wrong.ID
		refusedBy("the id of another challenge", ada, "/login", other)
	})
}

// A proof is for one purpose: one that an application asked for opens no passkeys.
func TestProofIsForOnePurpose(t *testing.T) { // threats 38
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		const begin = "/settings/account/passkeys/begin"
		ada.SignIn()
		time.Sleep(10 * time.Minute)
		if status, code := ada.Call(begin, map[string]any{}, nil); status != http.StatusUnauthorized || code != "step_up_required" {
			t.Errorf("a session of ten minutes: %d %s", status, code)
		}
		f := shop.Begin("prompt", "login")
		granted(t, f.By(ada), f)
		if status, code := ada.Call(begin, map[string]any{}, nil); status != http.StatusUnauthorized || code != "step_up_required" {
			t.Errorf("a proof for an application: %d %s", status, code)
		}
		time.Sleep(10 * time.Minute)
		next, code := ada.Prove("/login/again", "/settings/account/passkeys/add")
		if code != "" || next != "/settings/account/passkeys/add" {
			t.Fatalf("the proof leads to %q: %s", next, code)
		}
		if _, code := ada.Call(begin, map[string]any{}, nil); code != "" {
			t.Errorf("after a proof for this: %s", code)
		}
		// And the other way round: that proof is no answer to an application's question.
		f = shop.Begin("prompt", "login")
		if page := ada.Open(f.URL()); page.URL.Path != "/login/again" {
			t.Errorf("a proof for passkeys is one for an application: %s", page)
		}
		time.Sleep(4 * time.Minute)
		if _, code := ada.Call(begin, map[string]any{}, nil); code != "step_up_required" {
			t.Errorf("four minutes later: %q", code)
		}
	})
}

// What is answered does not tell whether there is such an account.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) { // threats 48
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		h.User("ada")
		shape := regexp.MustCompile(`"(id|challenge|request_id|instance)":"[^"]*"`)
		told := map[string]string{}
		for _, hint := range []string{"ada", "ada@example.test", "nobody", "nobody@example.test", ""} {
			b := h.Browser()
			b.Open("/login")
			a := h.Program().Ask("POST", "/login/begin", `{"hint":"`+hint+`"}`, "Content-Type", "application/json", "Cookie", "__Host-browser="+b.Cookie("browser"))
			told[hint] = fmt.Sprint(a.Status, " ", shape.ReplaceAllString(a.Body, ""))
		}
		for hint, got := range told {
			if got != told["ada"] || !strings.HasPrefix(got, "200") {
				t.Errorf("the hint %q: %s, and for ada %s", hint, got, told["ada"])
			}
		}
		var first string
		for _, code := range []string{"ABCDEFGHJKMN", "ada@example.test", "xyzzy", strings.Repeat("A", 200)} {
			b := h.Browser()
			b.Open("/lc")
			page := b.Submit("/lc", form("code", code))
			main := page.Body[strings.Index(page.Body, "<main"):]
			main = strings.ReplaceAll(main, code[:min(len(code), 64)], "")
			if first == "" {
				first = main
			}
			if page.Status != http.StatusUnprocessableEntity && page.Status != http.StatusBadRequest && page.Status != http.StatusOK && page.Status != http.StatusUnauthorized || len(main) != len(first) {
				t.Errorf("the code %q: %s", code, page)
			}
		}
	})
}

// What works once for one thing is nothing to another.
func TestSecretsOfOneKindPassForNoOther(t *testing.T) { // threats 6, 7
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		ada := h.User("ada")
		shop := h.Client("shop")
		link, _, err := h.App.SignIn.MakeLoginLink(t.Context(), audit.System("cli"), "ada", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		f, code := shop.Authorize(ada)
		tokens := f.Exchange(code)
		waiting := waitingID(ada.Open(shop.Begin("prompt", "login").URL()))
		session, browser := ada.Cookie("session"), ada.Cookie("browser")
		_, unused := shop.Authorize(ada)
		proof, _ := ada.Sign("/login", "")
		secrets := map[string]string{"a login code": link, "a code": unused, "an access token": tokens.AccessToken, "an ID token": tokens.IDToken, "a refresh token": tokens.RefreshToken,
			"a request": waiting, "a session": session, "a browser": browser, "a ceremony": proof.ID, "a client secret": shop.Secret, "a client": shop.ID, "a person": ada.ID}
		for kind, value := range secrets {
			if kind != "a session" {
				if a := h.Program().Get("/settings/account", "Cookie", "__Host-session="+value); a.Status != http.StatusSeeOther {
					t.Errorf("%s is a session: %d", kind, a.Status)
				}
			}
			if kind != "a request" {
				if page := ada.Open("/authorize/next?id=" + url.QueryEscape(value)); page.Away != nil || page.Status != http.StatusBadRequest {
					t.Errorf("%s is a request: %s", kind, page)
				}
			}
			if kind != "an access token" {
				if status, _ := shop.Userinfo(value); status != http.StatusUnauthorized {
					t.Errorf("%s is an access token: %d", kind, status)
				}
			}
			if kind != "a refresh token" {
				if got := shop.Refresh(value); got.Error != "invalid_grant" {
					t.Errorf("%s is a refresh token: %+v", kind, got)
				}
			}
			if kind != "a code" {
				if got := f.Redeem(value); got.Error != "invalid_grant" {
					t.Errorf("%s is a code: %+v", kind, got)
				}
			}
			if kind != "a login code" {
				b := h.Browser()
				b.Open("/lc")
				if page := b.Submit("/lc", form("code", value)); b.Cookie("session") != "" {
					t.Errorf("%s is a login code: %s", kind, page)
				}
			}
			if kind != "a client secret" {
				r := http.Request{Header: http.Header{}}
				r.SetBasicAuth(shop.ID, url.QueryEscape(value))
				if a := h.Program().Post(tokenPath, form("grant_type", "refresh_token", "refresh_token", "x"), "Authorization", r.Header.Get("Authorization")); a.Error() != "invalid_client" {
					t.Errorf("%s is a client secret: %d %s", kind, a.Status, a.Body)
				}
			}
			time.Sleep(time.Minute)
		}
	})
}

// Of fifty who set a new house up at the same time one becomes its administrator.
func TestFiftySetUpAtOnce(t *testing.T) { // threats 56
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		all := make([]*apptest.Person, 50)
		for i := range all {
			all[i] = h.Stranger(fmt.Sprintf("admin%d", i))
			all[i].Open("/setup")
		}
		codes := make([]string, len(all))
		var racing sync.WaitGroup
		for i, p := range all {
			racing.Go(func() { _, codes[i] = p.Create("/setup", map[string]any{"profile": apptest.Profile(p.Name)}) })
		}
		racing.Wait()
		won := 0
		for i, code := range codes {
			switch code {
			case "":
				won++
				if page := all[i].Open("/settings/admin/oidc-clients"); page.Status != http.StatusOK {
					t.Errorf("who won is no administrator: %s", page)
				}
			case "setup_already_completed":
				if page := all[i].Open("/settings/account"); page.URL.Path != "/login" {
					t.Errorf("who lost is inside: %s", page)
				}
			default:
				t.Errorf("who lost hears %s", code)
			}
		}
		if won != 1 {
			t.Errorf("%d administrators", won)
		}
		told(t, h.Browser().Open("/setup"), http.StatusNotFound)
	})
}
