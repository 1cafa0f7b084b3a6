package protocol

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// A request is that of a contract, made up beforehand, so that those who may not send it aim
// at something that is there.
type request struct {
	contract
	method, address string
	payload         any
}

// requests are one of each contract.
func (w *world) requests() (list []request) {
	n := 0
	for _, table := range contractTables {
		for _, c := range table(w) {
			n += 20
			r := request{contract: c}
			r.method, r.address, _ = strings.Cut(c.route, " ")
			if c.at != nil {
				r.address = c.at(n)
			}
			if c.body != nil {
				r.payload = c.body(n)
			}
			list = append(list, r)
			time.Sleep(time.Second)
		}
	}
	return list
}

// by sends the request.
func (r *request) by(c caller) *apptest.Answer {
	c.t.Helper()
	if r.file != nil {
		return c.send(r.method, r.address, r.file)
	}
	return c.ask(r.method, r.address, r.payload)
}

// endsSessions says whether who asks may be out afterwards.
func (r *request) endsSessions() bool {
	return strings.Contains(r.route, "/sessions") || strings.Contains(r.route, "sign-out") || strings.Contains(r.route, "logout")
}

// A role is somebody who asks.
type role struct {
	name string
	as   caller
	// refuses is what they hear at a contract where they may not, and nothing where they may.
	refuses func(c *contract) (status int, code string)
}

// keyed is what a key hears that opens nothing because of code, wherever keys are taken.
func keyed(status int, code string) func(*contract) (int, string) {
	return func(c *contract) (int, string) {
		switch {
		case c.who == everybody:
			return 0, ""
		case c.scope == "":
			return 403, "api_key_auth_not_allowed"
		}
		return status, code
	}
}

// scoped is what a key of an administrator hears that is for one scope, which no contract of
// writing has.
func scoped(scope string) func(*contract) (int, string) {
	small := keyed(403, "api_key_scope_missing")
	return func(c *contract) (int, string) {
		switch {
		case c.scope == scope:
			return 0, ""
		case c.route == "POST /api/users/{id}/one-time-access-token": // which takes whole keys alone
			return 403, "api_key_scoped"
		case c.scope == "*":
			return 0, ""
		}
		return small(c)
	}
}

// common is what somebody hears who is no administrator.
func common(c *contract) (int, string) {
	if c.who == admins {
		return 403, "forbidden"
	}
	return 0, ""
}

// outside is what nobody hears.
func outside(c *contract) (int, string) {
	if c.who == everybody {
		return 0, ""
	}
	return 401, "not_signed_in"
}

// Who asks at which operation, and what they hear: those who may not change nothing, and
// those who may are not refused.
func TestRolesAtEveryOperation(t *testing.T) { // threats 58, 63
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		w := worldOf(t, h)
		list := w.requests()
		ended := func(name string, end func(p *apptest.Person, id string)) caller {
			p := h.User(name)
			h.SQL(`UPDATE users SET admin = TRUE WHERE id = $1`, p.ID)
			p.SignIn()
			id, text := keyOf(t, h, p)
			end(p, id)
			return byKey(t, h, text)
		}
		gone := h.User("gone")
		gone.SignIn()
		stale := bySession(t, h, gone)
		gone.SignOut()
		_, hers := keyOf(t, h, w.ada)
		_, herSmall := keyOf(t, h, w.ada, "account:read")
		mine := byKey(t, h, w.key())
		small := byKey(t, h, w.key("apis:read"))

		roles := []role{
			{"nobody", nobody(t, h), outside},
			{"whose session has ended", stale, outside},
			{"somebody", bySession(t, h, w.ada), common},
			{"the whole key of somebody", byKey(t, h, hers), func(c *contract) (int, string) {
				if c.scope == "" {
					return keyed(0, "")(c)
				}
				return common(c)
			}},
			{"a small key of somebody", byKey(t, h, herSmall), func(c *contract) (int, string) {
				if c.scope == "*" {
					return common(c)
				}
				return scoped("account:read")(c)
			}},
			{"the whole key of an administrator", mine, func(c *contract) (int, string) {
				if c.scope == "" {
					return keyed(0, "")(c)
				}
				return 0, ""
			}},
			{"a small key of an administrator", small, scoped("apis:read")},
			{"a key that has ended", ended("late", func(p *apptest.Person, id string) {
				h.SQL(`UPDATE api_keys SET expires_at = 1 WHERE id = $1`, id)
			}), keyed(401, "invalid_api_key")},
			{"a key that was revoked", ended("rash", func(p *apptest.Person, id string) {
				bySession(t, h, p).ask("DELETE", "/api/api-keys/"+id, nil)
			}), keyed(401, "invalid_api_key")},
			{"the key of who is disabled", ended("out", func(p *apptest.Person, id string) { h.Disable(p) }), keyed(403, "user_disabled")},
			{"the key of whose account has ended", ended("over", func(p *apptest.Person, id string) {
				h.SQL(`UPDATE users SET expires_at = 1 WHERE id = $1`, p.ID)
			}), keyed(403, "user_expired")},
			{"the key of who was an administrator", ended("former", func(p *apptest.Person, id string) {
				h.SQL(`UPDATE users SET admin = FALSE WHERE id = $1`, p.ID)
			}), func(c *contract) (int, string) {
				if c.scope == "" {
					return keyed(0, "")(c)
				}
				return common(c)
			}},
			{"what is no key", byKey(t, h, "pocketid_"+strings.Repeat("x", 40)), keyed(401, "invalid_api_key")},
		}
		refusals := 0
		for _, role := range roles {
			h.Settle()
			before := h.Rows()
			for _, r := range list {
				status, code := role.refuses(&r.contract)
				if status == 0 {
					continue
				}
				refusals++
				a, name := r.by(role.as), fmt.Sprintf("%s by %s", r.route, role.name)
				faulty(t, name, a, status, code)
				w.doc.tells(r.route, name, a)
			}
			h.Settle()
			for _, what := range changes(before, h.Rows()) {
				if what != "api_keys.last_used_at" {
					t.Errorf("%s was refused and changed %s", role.name, what)
				}
			}
		}
		if refusals < 5*len(list) {
			t.Errorf("only %d refusals at %d operations", refusals, len(list))
		}

		// Those who may: whoever is known, at their own.
		for _, role := range roles[2:5] {
			for _, r := range list {
				if status, _ := role.refuses(&r.contract); status != 0 || r.who != people {
					continue
				}
				if role.name == "somebody" {
					role.as = bySession(t, h, w.ada)
				}
				a := r.by(role.as)
				fresh := strings.Contains(a.Body, `"reauthentication_required"`)
				if (a.Status == 401 || a.Status == 403) && !fresh || a.Status >= 500 {
					t.Errorf("%s by %s: %d %s", r.route, role.name, a.Status, a.Body)
				}
				if r.endsSessions() && role.name == "somebody" {
					w.ada.SignIn()
				}
			}
		}

		// A session without a fresh proof.
		time.Sleep(4 * time.Minute)
		w.admin.SignIn()
		time.Sleep(4 * time.Minute)
		for _, r := range list {
			a := r.by(bySession(t, h, w.admin))
			if fresh := strings.Contains(a.Body, `"reauthentication_required"`); fresh != r.proof {
				t.Errorf("%s: a fresh proof is wanted: %v, and the answer is %d %.200s", r.route, r.proof, a.Status, a.Body)
			}
			if a.Status == 403 || a.Status >= 500 || a.Status == 401 && !r.proof && !strings.HasPrefix(r.route, "POST /api/one-time-access-token") {
				t.Errorf("%s by the administrator: %d %.200s", r.route, a.Status, a.Body)
			}
			if r.endsSessions() {
				w.admin.SignIn()
				time.Sleep(4 * time.Minute)
			}
		}
	}, "DISABLE_RATE_LIMITING=true")
}
