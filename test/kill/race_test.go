package kill

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// beside is the same person, whose requests another process answers.
func (p *person) beside(s *server) *person {
	twin := newPerson(s, p.name)
	twin.browser, twin.site, twin.keys = p.browser, p.site, p.keys
	return twin
}

// hundred asks a hundred times at once, half of it each of the two, and counts what came.
func hundred(t *testing.T, two [2]*person, ask func(p *person) (string, error)) map[string]int {
	t.Helper()
	got := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 100 {
		all.Go(func() {
			<-begin
			what, err := ask(two[i%2])
			if err != nil {
				what = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			got[what]++
		})
	}
	close(begin)
	all.Wait()
	return got
}

// Of a hundred who come at once with one code, one rotating refresh token, one device code
// or one pushed request, one wins, whichever process answers them. A code and a refresh
// token that were shown twice take the whole family with them (RFC 6749 §4.1.2, RFC 9700
// §4.14). On PostgreSQL two processes are asked, on SQLite there is but one.
func TestOfAHundredAtTwoProcessesOneWins(t *testing.T) { // threats 4
	engines(t, func(t *testing.T, dsn string) {
		s := newServer(t, dsn, key)
		s.start()
		s.ready()
		setUp(t, s)
		ada := arrive(t, s, "ada")
		twin := ada
		if s.file == "" {
			other := newServer(t, dsn, key, "APP_URL="+s.url())
			other.start()
			other.ready()
			twin = ada.beside(other)
		}
		two := [2]*person{ada, twin}
		phone := applications(t, s, "ada")[2] // public: its tokens rotate without grace
		proved, err := ada.sign()
		if err != nil {
			t.Fatal(err)
		}
		cookie, err := signedIn(ada, proved)
		if err != nil {
			t.Fatal(err)
		}
		in := &session{cookie: cookie}

		// redeemed asks for tokens a hundred times; leaked says whether the family is dead after it.
		redeemed := func(what string, leaked bool, ask func(p *person) (tokens, error)) {
			t.Helper()
			var mu sync.Mutex
			var won tokens
			got := hundred(t, two, func(p *person) (string, error) {
				a, err := ask(p)
				if err != nil || a.Access == "" {
					return a.Error, err
				}
				mu.Lock()
				defer mu.Unlock()
				won = a
				return "tokens", nil
			})
			if got["tokens"] != 1 || got["invalid_grant"] != 99 {
				t.Errorf("%s: a hundred got %v", what, got)
			}
			for _, p := range two {
				known, err := p.knows(won.Access)
				if err != nil || known == leaked {
					t.Errorf("%s: the winner's access token is known: %v, %v", what, known, err)
				}
			}
			if a, err := ada.refresh(phone, won.Refresh); err != nil || leaked != (a.Error == "invalid_grant") {
				t.Errorf("%s: the winner's refresh token gives %v, %v", what, a, err)
			}
		}

		k, err := ada.authorize(phone, in, true)
		if err != nil {
			t.Fatal(err)
		}
		redeemed("a code", true, func(p *person) (tokens, error) { return p.redeem(k) })

		if k, err = ada.authorize(phone, in, true); err != nil {
			t.Fatal(err)
		}
		first, err := ada.redeem(k)
		if err != nil || first.Refresh == "" {
			t.Fatal(first, err)
		}
		redeemed("a refresh token", true, func(p *person) (tokens, error) { return p.refresh(phone, first.Refresh) })

		var device struct {
			Code string `json:"device_code"`
			User string `json:"user_code"`
		}
		said, err := ada.ask("POST", "/api/oidc/device/authorize", "", "application/x-www-form-urlencoded", url.Values{"client_id": {phone.id}, "scope": {"openid offline_access"}}.Encode())
		if err == nil {
			err = json.Unmarshal([]byte(said.body), &device)
		}
		if err != nil || device.Code == "" {
			t.Fatal(unexpected("a device asks", said, err))
		}
		asked, err := ada.post("/device", in.cookie, url.Values{"user_code": {device.User}})
		at, _ := url.Parse(asked.location)
		if err != nil || at == nil || at.Query().Get("ticket") == "" {
			t.Fatal(unexpected("the code of the device", asked, err))
		}
		if a, err := twin.post("/device/confirm", in.cookie, url.Values{"ticket": {at.Query().Get("ticket")}, "decision": {"allow"}}); err != nil || a.status >= 400 {
			t.Fatal(unexpected("the answer to the device", a, err))
		}
		redeemed("a device code", false, func(p *person) (tokens, error) {
			return p.token(phone, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.Code}})
		})

		var pushed struct {
			URI string `json:"request_uri"`
		}
		said, err = twin.ask("POST", "/api/oidc/par", "", "application/x-www-form-urlencoded", url.Values{"client_id": {phone.id}, "response_type": {"code"}, "redirect_uri": {callback},
			"scope": {"openid"}, "state": {"s"}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}}.Encode())
		if err == nil {
			err = json.Unmarshal([]byte(said.body), &pushed)
		}
		if err != nil || pushed.URI == "" {
			t.Fatal(unexpected("a pushed request", said, err))
		}
		link := "/authorize?" + url.Values{"client_id": {phone.id}, "request_uri": {pushed.URI}}.Encode()
		got := hundred(t, two, func(p *person) (string, error) {
			a, err := p.get(link, in.cookie)
			if strings.HasPrefix(a.location, callback) && strings.Contains(a.location, "code=") {
				return "code", err
			}
			return http.StatusText(a.status), err
		})
		if got["code"] != 1 || got["Conflict"] != 99 {
			t.Errorf("a pushed request was answered %v", got)
		}
	})
}
