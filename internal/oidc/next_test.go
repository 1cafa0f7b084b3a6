package oidc

import (
	"slices"
	"testing"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/signin"
)

// noon is when the requests of these tests come in.
var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func seconds(n int64) *int64 { return &n }

// plain is ada with a passkey session of ten minutes at a web client to which she
// consented, a moment after the request was stored.
func plain() situation {
	return situation{
		request:    &authRequest{Scopes: []string{"openid", "profile"}},
		client:     &Client{ClientEdit: ClientEdit{ID: "shop"}},
		created:    noon,
		now:        noon.Add(time.Second),
		session:    signin.Session{ID: "s1", UserID: "ada", AuthTime: noon.Add(-10 * time.Minute), AMR: []string{"phr", "user", "mfa"}},
		remembered: true,
		consented:  allowance{Scopes: []string{"openid", "profile", "email"}},
	}
}

// threats 34: no step can be passed by, whatever came before.
func TestNext(t *testing.T) {
	nobody := func(s *situation) { s.session = signin.Session{} }
	fresh := func(s *situation) { s.session.AuthTime = s.created.Add(time.Millisecond) }
	prompt := func(p ...string) func(*situation) { return func(s *situation) { s.request.Prompt = p } }
	maxAge := func(n int64) func(*situation) { return func(s *situation) { s.request.MaxAge = seconds(n) } }
	byCode := func(s *situation) { s.session.AMR = []string{"otp"} }
	forgotten := func(s *situation) { s.remembered, s.consented = false, allowance{} }
	allowed := func(s *situation) { s.allowedBy = "ada" }
	denied := func(s *situation) { s.denied = true }
	chose := func(s *situation) { s.selectedIn = "s1" }
	refused := func(s *situation) { s.gate = errNotInGroup }
	native := func(s *situation) { s.native, s.client.Public = true, true }
	skip := func(s *situation) { s.client.SkipConsent = true }
	reauth := func(s *situation) { s.client.ReauthRequired = true }
	unstored := func(s *situation) { s.created = time.Time{} }
	hinted := func(id string) func(*situation) { return func(s *situation) { s.stranger = id != s.session.UserID } }
	asks := func(scopes ...string) func(*situation) { return func(s *situation) { s.request.Scopes = scopes } }
	later := func(d time.Duration) func(*situation) { return func(s *situation) { s.now = s.now.Add(d) } }

	type changes = []func(*situation)
	for _, row := range []struct {
		name string
		with changes
		want string
	}{
		{"is done with a session and a consent", nil, "done"},
		{"is done at once, with nothing stored", changes{unstored}, "done"},
		{"asks nobody to sign in", changes{nobody}, "sign-in"},
		{"asks nobody to sign in before anything else", changes{nobody, prompt("consent", "select_account", "login"), refused}, "sign-in"},
		{"refuses prompt=none to nobody", changes{nobody, prompt("none")}, "login_required"},
		{"is done under prompt=none with a remembered consent", changes{prompt("none")}, "done"},

		{"asks for consent when none is remembered", changes{forgotten}, "consent"},
		{"asks for consent to one scope more", changes{asks("openid", "groups")}, "consent"},
		{"is done for fewer scopes", changes{asks("email")}, "done"},
		{"asks for consent to no scope at all, once", changes{asks(), forgotten}, "consent"},
		{"is done for no scope at all when consent is remembered", changes{asks()}, "done"},
		{"refuses prompt=none without consent", changes{forgotten, prompt("none")}, "consent_required"},
		{"refuses prompt=none for one scope more", changes{asks("openid", "groups"), prompt("none")}, "consent_required"},
		{"is done when the person allowed", changes{forgotten, allowed}, "done"},
		{"asks another person than the one who allowed", changes{forgotten, allowed, func(s *situation) { s.session.UserID = "bob" }}, "consent"},
		{"asks again under prompt=consent", changes{prompt("consent")}, "consent"},
		{"is done under prompt=consent when the person allowed", changes{prompt("consent"), allowed}, "done"},
		{"skips consent where the administrator says so", changes{forgotten, skip}, "done"},
		{"does not skip prompt=consent", changes{forgotten, skip, prompt("consent")}, "consent"},
		{"asks each time for an application on the device", changes{native}, "consent"},
		{"refuses prompt=none to an application on the device", changes{native, prompt("none")}, "consent_required"},
		{"does not skip consent for an application on the device", changes{native, skip}, "consent"},
		{"is done on the device when the person allowed", changes{native, allowed}, "done"},
		{"remembers consent for a confidential client on loopback", changes{native, func(s *situation) { s.client.Public = false }}, "done"},

		{"lets nobody pass whom the gate refuses", changes{refused}, "access_denied"},
		{"tells so under prompt=none too", changes{refused, prompt("none")}, "access_denied"},
		{"refuses before it asks for a passkey", changes{refused, prompt("login")}, "access_denied"},
		{"lets the person choose another account before it refuses", changes{refused, prompt("select_account")}, "select"},
		{"lets nobody pass whom the gate refuses, consent or not", changes{refused, allowed, fresh}, "access_denied"},

		{"asks for the passkey under prompt=login", changes{prompt("login")}, "reauth"},
		{"is done under prompt=login after a fresh passkey", changes{prompt("login"), fresh}, "done"},
		{"takes no code for a fresh passkey", changes{prompt("login"), fresh, byCode}, "reauth"},
		{"takes nothing for fresh when nothing was stored", changes{prompt("login"), unstored}, "reauth"},
		{"asks for consent after the passkey", changes{prompt("login", "consent"), fresh}, "consent"},
		{"asks for the passkey before consent", changes{prompt("login", "consent")}, "reauth"},
		{"asks for the passkey where the client wants it", changes{reauth}, "reauth"},
		{"is done where the client wants a passkey and got it", changes{reauth, fresh}, "done"},
		{"takes no code where the client wants a passkey", changes{reauth, fresh, byCode}, "reauth"},
		{"refuses prompt=none where the client wants a passkey", changes{reauth, prompt("none")}, "login_required"},

		{"is done within max_age", changes{maxAge(3600)}, "done"},
		{"asks for the passkey beyond max_age", changes{maxAge(60)}, "reauth"},
		{"minds a part of a second", changes{maxAge(600)}, "reauth"},
		{"is done at max_age exactly", changes{maxAge(601)}, "done"},
		{"refuses prompt=none beyond max_age", changes{maxAge(60), prompt("none")}, "login_required"},
		{"is done under prompt=none within max_age", changes{maxAge(3600), prompt("none")}, "done"},
		{"takes no code within max_age", changes{maxAge(3600), byCode}, "reauth"},
		{"is done for a code without max_age", changes{byCode}, "done"},
		{"asks for the passkey at max_age=0", changes{maxAge(0)}, "reauth"},
		{"asks for the passkey at max_age=0 in the same instant", changes{maxAge(0), unstored, func(s *situation) { s.session.AuthTime = s.now }}, "reauth"},
		{"is done at max_age=0 after a fresh passkey", changes{maxAge(0), fresh}, "done"},
		{"gives a fresh passkey time to come back", changes{maxAge(1), fresh, later(4 * time.Minute)}, "done"},
		{"gives it no more time than that", changes{maxAge(1), fresh, later(6 * time.Minute)}, "reauth"},
		{"gives it as much time as max_age", changes{maxAge(3600), fresh, later(50 * time.Minute)}, "done"},

		{"asks for the account under prompt=select_account", changes{prompt("select_account")}, "select"},
		{"is done when this session was chosen", changes{prompt("select_account"), chose}, "done"},
		{"asks again when another session was chosen", changes{prompt("select_account"), func(s *situation) { s.selectedIn = "s2" }}, "select"},
		{"takes signing in for choosing", changes{prompt("select_account"), fresh}, "done"},
		{"asks for the account before consent", changes{prompt("consent", "select_account")}, "select"},

		{"is done when the hint names this person", changes{hinted("ada")}, "done"},
		{"refuses another person under prompt=none", changes{hinted("bob"), prompt("none")}, "login_required"},
		{"lets another person choose", changes{hinted("bob")}, "select"},
		{"refuses another person who insists", changes{hinted("bob"), chose}, "login_required"},
		{"refuses another person who signed in", changes{hinted("bob"), fresh}, "login_required"},

		{"tells the client when the person declined", changes{denied}, "access_denied"},
		{"tells so even when nobody is signed in", changes{denied, nobody}, "access_denied"},
		{"lets no allowance outlive the refusal", changes{denied, allowed}, "access_denied"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := plain()
			for _, change := range row.with {
				change(&s)
			}
			if got := outcomeOf(next(s)); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

// outcomeOf is the step, or the code of the fault.
func outcomeOf(st Step, err error) string {
	if err != nil {
		return fault.Of(err).Code
	}
	return string(st)
}

// TestNextHoldsItsPromises walks prompt × max_age × session × consent × group × client
// and asks of each what must be true of it, whatever else is.
func TestNextHoldsItsPromises(t *testing.T) {
	prompts := [][]string{nil, {"none"}, {"login"}, {"consent"}, {"select_account"}, {"login", "consent"}, {"select_account", "login", "consent"}}
	maxAges := []*int64{nil, seconds(0), seconds(60), seconds(3600)}
	sessions := []signin.Session{{}}
	for _, amr := range [][]string{{"phr", "user", "mfa"}, {"otp"}} {
		for _, age := range []time.Duration{-time.Second, 10 * time.Minute, 2 * time.Hour} {
			sessions = append(sessions, signin.Session{ID: "s1", UserID: "ada", AMR: amr, AuthTime: noon.Add(-age)})
		}
	}
	consents := [][]string{nil, {"openid"}, {"openid", "profile"}}
	seen := map[string]int{}
	for _, prompt := range prompts {
		for _, maxAge := range maxAges {
			for _, session := range sessions {
				for _, consented := range consents {
					for bits := range 1 << 9 {
						bit := func(n int) bool { return bits&(1<<n) != 0 }
						s := plain()
						s.request.Prompt, s.request.MaxAge = prompt, maxAge
						s.session, s.now = session, noon.Add(10*time.Second)
						s.consented, s.remembered = allowance{Scopes: consented}, consented != nil
						s.client.Public = bit(0)
						s.native = bit(1)
						s.client.SkipConsent = bit(2)
						s.client.ReauthRequired = bit(3)
						if s.gate = nil; bit(4) {
							s.gate = directory.ErrDisabled
						}
						if s.allowedBy = ""; bit(5) {
							s.allowedBy = "ada"
						}
						if bit(6) {
							s.selectedIn = "s1"
						}
						s.denied = bit(7)
						if bit(8) {
							s.created = time.Time{}
						}
						got := outcomeOf(next(s))
						seen[got]++
						if broken := brokenPromise(s, got); broken != "" {
							t.Fatalf("%s: got %s for prompt %v, max_age %v, %+v", broken, got, prompt, maxAge, s)
						}
					}
				}
			}
		}
	}
	for _, want := range []string{"sign-in", "select", "reauth", "consent", "done", "login_required", "consent_required", "access_denied"} {
		if seen[want] == 0 {
			t.Errorf("%s never came up", want)
		}
	}
}

// brokenPromise says which promise got breaks, or "".
func brokenPromise(s situation, got string) string {
	asks := func(prompt string) bool { return slices.Contains(s.request.Prompt, prompt) }
	page := slices.Contains([]string{"sign-in", "select", "reauth", "consent"}, got)
	passkey := slices.Contains(s.session.AMR, "phr")
	after := !s.created.IsZero() && s.session.AuthTime.After(s.created)
	if asks("none") && page {
		return "a page under prompt=none"
	}
	if got != "done" {
		return ""
	}
	switch {
	case s.session.UserID == "":
		return "a code for nobody"
	case s.gate != nil:
		return "a code past the gate"
	case s.denied:
		return "a code after the person declined"
	case (asks("login") || s.client.ReauthRequired) && !(passkey && after):
		return "a code without a fresh passkey"
	case s.request.MaxAge != nil && !passkey:
		return "a code by a code where the age matters"
	case s.request.MaxAge != nil && s.now.Sub(s.session.AuthTime) > time.Duration(*s.request.MaxAge)*time.Second && !after:
		return "a code beyond max_age"
	case s.request.MaxAge != nil && *s.request.MaxAge == 0 && !after:
		return "a code at max_age=0"
	case asks("consent") && s.allowedBy != "ada":
		return "a code without the consent that was asked for"
	case s.native && s.client.Public && s.allowedBy != "ada":
		return "a code for an application on the device that nobody allowed"
	case !s.client.SkipConsent && s.allowedBy != "ada" && len(s.consented.Scopes) < 2:
		return "a code without consent"
	case asks("select_account") && s.selectedIn != "s1" && !after:
		return "a code for an account that nobody chose"
	}
	return ""
}
