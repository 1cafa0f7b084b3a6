package protocol

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// asksTheGate are the addresses that give a client something about a person, and what.
var asksTheGate = map[string]string{
	"GET /authorize": "a code", "POST /authorize": "a code", "GET /authorize/next": "a code",
	"POST /api/oidc/token":   "tokens",
	"GET /api/oidc/userinfo": "claims", "POST /api/oidc/userinfo": "claims",
	"POST /api/oidc/introspect": "claims",
}

// asksNot are the other addresses for clients, and why they need not ask.
var asksNot = map[string]string{
	"GET /api/oidc/end-session":  "signing out is refused to nobody, and the client learns nothing by it",
	"POST /api/oidc/end-session": "as by GET",

	"GET /api/oidc/clients/{id}/logo":         "a picture of the application, and nothing about a person",
	"GET /api/oidc/clients/{id}/background":   "a picture of the application, and nothing about a person",
	"GET /api/application-images/{name}":      "a picture of the house, and nothing about a person",
	"GET /api/users/{id}/profile-picture.png": "the claim picture names it, and who fetches it says not who asks; an id cannot be guessed, and the picture is all that it tells",

	"GET /api/oidc/clients/{id}/meta":    "what the page says on which people sign in to the application, and nothing about a person",
	"GET /api/application-configuration": "settings of the house that pages show, and nothing about a person",
	"GET /api/version/latest":            "it is the same for everybody",
	"GET /api/docs":                      "what any house can do, for people who are signed in",

	"GET /api/signup/setup":                   "whether anybody is there yet",
	"POST /api/signup/setup":                  "the first account, before there are clients",
	"GET /api/webauthn/login/start":           "a person signs in to the house, which clients cannot do",
	"POST /api/webauthn/login/finish":         "as its start",
	"POST /api/one-time-access-token/{token}": "as a passkey, with a code that only the person has",

	"POST /api/oidc/par":                 "nobody is there yet: the person comes with the request that it keeps",
	"POST /api/oidc/revoke":              "taking away is refused to nobody",
	"POST /api/oidc/register":            "a client tells of itself, and hears that",
	"GET /api/oidc/register/{client}":    "as by POST",
	"PUT /api/oidc/register/{client}":    "as by POST",
	"DELETE /api/oidc/register/{client}": "as by POST",
	"POST /api/oidc/device/authorize":    "nobody is there yet: the person comes with the code that it makes",
}

// forPrograms says whether an address is of the REST API, where people and their keys hear
// of themselves, and clients have neither.
func forPrograms(r route) bool {
	return strings.HasPrefix(r.path, "/api/") && r.surface == "problem" && (r.access == "signed in" || r.access == "admin")
}

// A walker goes to every address with everything that a client, a person and a thief of
// both could have.
type walker struct {
	*visit
	program *apptest.Program
	hint    string // an ID token
}

// comeIn signs the person in when the walk has signed them out, and takes another address
// on the network, so that no limit ends the walk.
func (w *walker) comeIn() {
	w.program = w.h.Program()
	if a := w.program.Get("/settings/account", "Cookie", w.cookie); a.Status != http.StatusOK {
		w.person = w.person.Elsewhere()
		w.person.SignIn()
		w.cookie = "__Host-session=" + w.person.Cookie("session") + "; __Host-browser=" + w.person.Cookie("browser")
	}
}

// bags are the parameters with which each address is tried: what any of them could want.
func (w *walker) bags(k held) []url.Values {
	next, err := url.Parse(w.begun)
	if err != nil {
		w.t.Fatal(err)
	}
	id := next.Query().Get("id")
	bags := []url.Values{
		{},
		k.flows[0].Form(k.codes[0]),
		form("grant_type", "refresh_token", "refresh_token", k.refresh),
		form("id", id, "decision", "allow"),
		k.devices[0].Form(),
		apptest.SwapForm(k.access),
		form("user_code", w.device.User, "ticket", w.ticket, "decision", "allow"),
		form("access_token", k.access, "token", k.access),
		form("token", k.refresh, "id_token_hint", w.hint, "request", id, "client_id", w.client.ID, "user", w.person.ID),
	}
	for _, prompt := range []string{"", "none"} {
		for _, mode := range []string{"", "form_post"} {
			bags = append(bags, w.client.Begin("prompt", prompt, "response_mode", mode, "scope", "openid email").Query)
		}
	}
	return bags
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// tries asks at an address in every way, and says what a client was given.
func (w *walker) tries(r route, k held) (gifts []string) {
	w.t.Helper()
	for _, bag := range w.bags(k) {
		for _, credentials := range [][]string{basic(w.client), {"Authorization", "Bearer " + k.access}, nil} {
			for _, in := range []string{w.client.ID, w.person.ID} {
				path := wildcard.ReplaceAllString(strings.ReplaceAll(r.path, "{$}", ""), in)
				headers := append([]string{"Cookie", w.cookie}, credentials...)
				var a *apptest.Answer
				if r.method == http.MethodGet {
					a = w.program.Get(path+"?"+bag.Encode(), headers...)
				} else {
					a = w.program.Ask(r.method, path, bag.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
				}
				gifts = append(gifts, w.given(r, a)...)
				if !strings.Contains(r.path, "{") {
					break
				}
			}
		}
	}
	return gifts
}

// given says what a client learns by an answer, and by where that sends the person.
func (w *walker) given(r route, a *apptest.Answer) (gifts []string) {
	w.t.Helper()
	for range 4 {
		if a.Status >= 500 {
			w.t.Errorf("%s %s: %d %.300s", r.method, r.path, a.Status, a.Body)
		}
		to, err := url.Parse(a.Header.Get("Location"))
		if err != nil {
			w.t.Fatal(err)
		}
		html := strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")
		switch {
		case to.Query().Get("code") != "" && to.Host != "", html && strings.Contains(a.Body, `name="code" value=`) && strings.Contains(a.Body, w.client.RedirectURI):
			gifts = append(gifts, "a code")
		case !html && (strings.Contains(a.Body, `"access_token"`) || strings.Contains(a.Body, `"id_token"`) || strings.Contains(a.Body, `"refresh_token":`)):
			gifts = append(gifts, "tokens")
		case !html && (strings.Contains(a.Body, w.person.ID) || strings.Contains(a.Body, w.person.Name+"@")):
			gifts = append(gifts, "claims")
		}
		if to.Path == "" || to.Host != "" {
			break
		}
		a = w.program.Get(to.RequestURI(), "Cookie", w.cookie)
	}
	return gifts
}

// The gate is closed by a group, which nothing but the gate looks at, and every address is
// tried with everything there is. Whoever forgets to ask gives something away here. The
// same walk with the gate open finds what each address gives, so it is not blind.
func TestNothingPassesAClosedGate(t *testing.T) { // threats 3, 21, 62
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		walk := func(name string, closed bool, of func(route) bool) map[string][]string {
			v := visitOf(t, h, admin, name)
			f, code := v.client.Authorize(v.person, "scope", "openid email")
			v.client.MaySwap(v.client)
			w := &walker{v, nil, f.Exchange(code).IDToken}
			before := h.Rows()
			if closed {
				v.members(admin.ID)
			}
			gave := map[string][]string{}
			all := routes(t)
			// What takes tokens away is tried when nothing is left to be given.
			slices.SortStableFunc(all, func(a, b route) int {
				return cmp.Compare(strings.Count(a.path, "revoke"), strings.Count(b.path, "revoke"))
			})
			for _, r := range all {
				if of(r) {
					w.comeIn()
					gave[r.method+" "+r.path] = slices.Compact(slices.Sorted(slices.Values(w.tries(r, v.offline))))
				}
			}
			after := h.Rows()
			for _, table := range []string{"codes", "grants"} {
				if closed && len(after[table]) != len(before[table]) {
					t.Errorf("there were %d %s, and now there are %d", len(before[table]), table, len(after[table]))
				}
			}
			return gave
		}
		forClients := func(r route) bool {
			if r.path == "/api/openapi.json" { // it tells of tokens, and has none: it is the same for everybody
				return false
			}
			return r.access == "protocol" || strings.HasPrefix(r.path, "/authorize") || strings.HasPrefix(r.path, "/api/") && !forPrograms(r)
		}
		for address, gifts := range walk("open", false, forClients) {
			want, asks := asksTheGate[address]
			_, not := asksNot[address]
			switch {
			case asks == not:
				t.Errorf("%s is for clients: name above whether it asks the gate, or why not", address)
			case asks && !slices.Equal(gifts, []string{want}):
				t.Errorf("%s gives %v with an open gate; teach the walk how it gives %s", address, gifts, want)
			case not && len(gifts) > 0:
				t.Errorf("%s gives %v", address, gifts)
			}
		}
		for address, gifts := range walk("closed", true, forClients) {
			if len(gifts) > 0 {
				t.Errorf("%s gives %v though the gate is closed", address, gifts)
			}
		}
		for address, gifts := range walk("rest", true, func(r route) bool { return !forClients(r) && !forPrograms(r) && r.access != "open" }) {
			if len(gifts) > 0 {
				t.Errorf("%s gives %v though the gate is closed", address, gifts)
			}
		}
	})
}
