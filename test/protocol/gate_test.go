package protocol

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// A visit is somebody at a client, with everything that can be held there: a session, a
// request that was begun, codes, refresh tokens, access tokens.
type visit struct {
	t      *testing.T
	h      *apptest.House
	admin  *apptest.Person
	person *apptest.Person
	client *apptest.Client
	name   string // of the client
	group  string // it is for its members, and the person is one
	cookie string // the session and the browser of the person, as a thief would keep them
	begun  string // where a request goes on to which the person said yes
	// api is another client, which may exchange the tokens of this one.
	api *apptest.Client
	// service is what the tokens are for, and checker asks about them in its name.
	service *apptest.API
	checker *apptest.Client
	// device waits for an answer to the question of this ticket.
	device *apptest.Device
	ticket string
	// offline outlives the session, online does not.
	offline, online held
}

// held is what a client holds of one kind of grant.
type held struct {
	flows           [2]*apptest.Flow // of two codes that were not redeemed
	codes           [2]string
	devices         [2]*apptest.Device // that were let in and did not come yet
	access, refresh string
}

// visitOf lets somebody new visit a new client of a group.
func visitOf(t *testing.T, h *apptest.House, admin *apptest.Person, name string) *visit {
	v := &visit{t: t, h: h, admin: admin, name: name, person: h.User("u-" + name)}
	h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: name, FriendlyName: name})
		v.group = g.ID
		return err
	})
	v.members(v.person.ID)
	v.client = h.Client(name, func(e *oidc.ClientEdit) { e.GroupRestricted, e.AllowedGroups = true, []string{v.group} })
	v.api = h.Client(name + "-api")
	v.api.MaySwap(v.client)
	v.service, v.checker = h.API("https://"+name+".example/service", "read", "write"), h.Client(name+"-checker")
	v.service.Edit(func(e *oidc.APIEdit) { e.Introspector = v.checker.ID })
	v.service.Allow(v.client, readOnly)
	v.online, v.offline = v.hold("openid email read"), v.hold("openid email offline_access read")
	f := v.client.Begin("prompt", "consent", "resource", v.service.Resource)
	page := v.person.Open(f.URL())
	if page.URL.Path != "/consent" {
		t.Fatalf("%s: the question is %s", name, page)
	}
	id := page.URL.Query().Get("id")
	if a := v.person.Raw(http.MethodPost, "/consent", form("id", id, "decision", "allow"), "same-origin"); a.Status != http.StatusSeeOther {
		t.Fatalf("%s: the yes: %d", name, a.Status)
	}
	v.begun = "/authorize/next?id=" + url.QueryEscape(id)
	v.device = v.client.Device("scope", "openid email read", "resource", v.service.Resource)
	v.ticket = v.device.Question(v.person).Ticket()
	v.cookie = "__Host-session=" + v.person.Cookie("session") + "; __Host-browser=" + v.person.Cookie("browser")
	return v
}

// hold gets one of everything for scopes.
func (v *visit) hold(scopes string) (k held) {
	f, code := v.client.Authorize(v.person, "scope", scopes, "resource", v.service.Resource)
	tokens := f.Exchange(code)
	k.access, k.refresh = tokens.AccessToken, tokens.RefreshToken
	for i := range k.codes {
		k.flows[i], k.codes[i] = v.client.Authorize(v.person, "scope", scopes, "resource", v.service.Resource)
		k.devices[i] = v.client.Device("scope", scopes, "resource", v.service.Resource)
		if page := k.devices[i].By(v.person); page.Status != http.StatusOK {
			v.t.Fatalf("the device is not let in: %s", page)
		}
	}
	return k
}

func (v *visit) members(ids ...string) {
	v.h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		return d.SetMembers(ctx, by, v.group, ids)
	})
}

func (v *visit) expires(at time.Time) {
	v.h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		u, err := d.User(ctx, v.person.ID)
		if err != nil {
			return err
		}
		edit := u.Edit()
		edit.ExpiresAt = at
		_, err = d.EditUser(ctx, by, u.ID, edit)
		return err
	})
}

func (v *visit) edit(change func(*oidc.ClientEdit)) {
	v.t.Helper()
	by := audit.System("cli")
	c, err := v.h.App.OIDC.Client(v.t.Context(), by, v.client.ID)
	if err != nil {
		v.t.Fatal(err)
	}
	edit := c.Edit()
	change(&edit)
	if _, err := v.h.App.OIDC.EditClient(v.t.Context(), by, c.ID, edit); err != nil {
		v.t.Fatal(err)
	}
}

// deed lets somebody press a button.
func (v *visit) deed(p *apptest.Person, path string) {
	v.t.Helper()
	if a := p.Raw(http.MethodPost, path, url.Values{}, "same-origin"); a.Status != http.StatusSeeOther {
		v.t.Errorf("%s: %d %.300s", path, a.Status, a.Body)
	}
}

// ends says in a word where a request of the old session ends: an error, "code", the
// path of a page of ours, or the status of an error page.
func (v *visit) ends(address string) string {
	v.t.Helper()
	a := v.h.Program().Get(address, "Cookie", v.cookie)
	to, err := url.Parse(a.Header.Get("Location"))
	switch {
	case err != nil:
		v.t.Fatal(err)
	case a.Status >= 400:
		return http.StatusText(a.Status)
	case strings.HasPrefix(to.String(), v.client.RedirectURI) && to.Query().Has("error"):
		if to.Query().Has("code") || to.Query().Get("iss") != apptest.URL {
			v.t.Errorf("the answer is %s", to)
		}
		return to.Query().Get("error")
	case strings.HasPrefix(to.String(), v.client.RedirectURI) && to.Query().Get("code") != "":
		return "code"
	}
	return to.Path
}

// ask is everything that the old session, codes and tokens give: number is of the code to
// redeem. A refusal of userinfo must be one by its header too (RFC 6750 §3.1).
func (v *visit) ask(k held, number int) map[string]string {
	v.t.Helper()
	got := map[string]string{
		"authorize":   v.ends(v.client.Begin("scope", "openid email read", "resource", v.service.Resource).URL()),
		"prompt=none": v.ends(v.client.Begin("scope", "openid email read", "resource", v.service.Resource, "prompt", "none").URL()),
		"code":        k.flows[number].Redeem(k.codes[number]).Error,
		"refresh":     v.client.Refresh(k.refresh).Error,
		"session":     "alive",
		"device":      k.devices[number].Poll().Error,
		"exchange":    v.api.Swap(k.access).Error,
		"machine":     v.client.Machine("resource", v.service.Resource, "scope", "write").Error,
	}
	if got["introspect"] = "inactive"; v.checker.Introspect(k.access)["active"] == true {
		got["introspect"] = ""
	}
	a := v.h.Program().Get(userinfoPath, "Authorization", "Bearer "+k.access)
	if a.Status != http.StatusOK {
		got["userinfo"] = a.Error()
		if challenge := a.Header.Get("WWW-Authenticate"); a.Status != http.StatusUnauthorized || !strings.Contains(challenge, `error="`+a.Error()+`"`) {
			v.t.Errorf("userinfo: %d %q", a.Status, challenge)
		}
	}
	if a := v.h.Program().Get("/settings/account", "Cookie", v.cookie); a.Status != http.StatusOK {
		got["session"] = "dead"
	}
	// Their own page has the client exactly when they would be let in there.
	shown := strings.Contains(v.h.Program().Get("/settings/apps", "Cookie", v.cookie).Body, `data-name="`+v.name+`"`)
	if may := got["authorize"] == "code" || got["authorize"] == "/consent" || got["authorize"] == "invalid_target"; shown != may {
		v.t.Errorf("%s: authorize says %q, and my apps have it: %t", v.name, got["authorize"], shown)
	}
	return got
}

// answers are what ask is to find: the two ways of authorize, code, refresh, userinfo,
// session, device, exchange, introspection and the client's own token, in this order; "-" is no
// error.
func answers(words string) map[string]string {
	w := strings.Fields(words)
	for i := range w {
		w[i] = strings.Trim(w[i], "-")
	}
	return map[string]string{"authorize": w[0], "prompt=none": w[1], "code": w[2], "refresh": w[3], "userinfo": w[4], "session": w[5], "device": w[6], "exchange": w[7],
		"introspect": w[8], "machine": w[9]}
}

// What the gate answers, by what was taken and on which path: at once, and after it was
// given again. What hangs on a person or a decision of theirs stays dead; what hangs on a
// condition, a group, comes back with it.
const (
	allIsWell   = "code code - - - alive - - - -"
	out         = "/login login_required invalid_grant invalid_grant invalid_token dead access_denied invalid_request inactive -"
	refusedHere = "access_denied access_denied invalid_grant invalid_grant invalid_token alive access_denied invalid_request inactive -"
	revived     = "code code - - - alive - - - -"
	tokensDead  = "code code invalid_grant invalid_grant invalid_token alive access_denied invalid_request inactive -"
	// A device is let in for longer than the session in which that was said.
	sessionGone = "/login login_required invalid_grant invalid_grant invalid_token dead - invalid_request inactive -"
	// Without the API there is nowhere that a token could be for.
	nowhere = "invalid_target invalid_target invalid_grant invalid_grant invalid_token alive access_denied invalid_request inactive invalid_target"
)

// The table of the gate.
func TestTheGate(t *testing.T) { // threats 3, 21, 62
	disabled := func(disable bool) func(*visit) {
		return func(v *visit) {
			v.h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				if disable {
					return d.Disable(ctx, by, v.person.ID)
				}
				return d.Enable(ctx, by, v.person.ID)
			})
		}
	}
	set := func(statement string) func(*visit) {
		return func(v *visit) {
			v.h.SQL(statement, v.client.ID, time.Now().UnixMicro())
		}
	}
	for _, row := range []struct {
		name  string
		taken func(*visit)
		// offline and online are what there is then, begun is where a request ends that the
		// person had agreed to. An empty online is the same as offline.
		offline, online, begun string
		// given gives back what was taken, as far as that can be; again is what there is then.
		given func(*visit)
		again string
	}{
		{"nothing", func(*visit) {}, allIsWell, "", "code", nil, ""},
		{"the person is disabled", disabled(true), out, "", "/login", disabled(false), out},
		{"the person is deleted", func(v *visit) {
			v.h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				return d.Delete(ctx, by, v.person.ID)
			})
		}, out, "", "/login", nil, ""},
		{"the account runs out", func(v *visit) { v.expires(time.Now().Add(time.Minute / 2)); time.Sleep(time.Minute / 2) }, out, "", "/login",
			func(v *visit) { v.expires(time.Time{}) }, out},
		{"the person leaves the group", func(v *visit) { v.members(v.admin.ID) }, refusedHere, "", "access_denied",
			func(v *visit) { v.members(v.person.ID) }, revived},
		{"the client is for nobody now", func(v *visit) { v.edit(func(e *oidc.ClientEdit) { e.AllowedGroups = nil }) }, refusedHere, "", "access_denied",
			func(v *visit) { v.edit(func(e *oidc.ClientEdit) { e.GroupRestricted = false }) }, revived},
		{"the consent is taken back", func(v *visit) { v.deed(v.person, "/settings/account/apps/"+v.client.ID+"/revoke") },
			"/consent consent_required invalid_grant invalid_grant invalid_token alive access_denied invalid_request inactive -", "", "/consent",
			func(v *visit) {
				v.client.Authorize(v.person, "scope", "openid email read", "resource", v.service.Resource)
			}, tokensDead},
		{"the client is disabled", set(`UPDATE clients SET disabled_at = $2 WHERE id = $1`), strings.TrimSuffix(refusedHere, "-") + "unauthorized_client", "", "access_denied", nil, ""},
		{"the client is deleted", func(v *visit) { v.deed(v.admin, "/settings/admin/oidc-clients/"+v.client.ID+"/delete") },
			"Bad_Request Bad_Request invalid_client invalid_client invalid_token alive invalid_client invalid_request inactive invalid_client", "", "Bad_Request", nil, ""},
		{"the person signs out everywhere", func(v *visit) { v.deed(v.person, "/settings/account/sessions/everywhere") }, out, "", "/login",
			func(v *visit) { v.person.SignIn() }, out},
		{"the session ends", func(v *visit) { v.person.SignOut() }, "/login login_required - - - dead - - - -", sessionGone, "/login",
			func(v *visit) { v.person.SignIn() }, "/login login_required - - - dead - - - -"},
		{"the client loses a permission", func(v *visit) {
			v.service.Allow(v.client, oidc.APIGrant{ForUsers: true, ForMachine: true, MachinePermissions: []string{"write"}})
		}, tokensDead, "", "code", func(v *visit) { v.service.Allow(v.client, readOnly) }, revived},
		{"the client loses the API", func(v *visit) { v.service.Refuse(v.client) }, nowhere, "", "invalid_target",
			func(v *visit) { v.service.Allow(v.client, readOnly) }, revived},
		{"the API is deleted", func(v *visit) { v.service.Delete() }, nowhere, "", "invalid_target",
			func(v *visit) { // another one by the same name has nothing of it
				v.service = v.h.API(v.service.Resource, "read", "write")
				v.service.Allow(v.client, readOnly)
				v.service.Edit(func(e *oidc.APIEdit) { e.Introspector = v.checker.ID })
			}, "/consent consent_required invalid_grant invalid_grant invalid_token alive access_denied invalid_request inactive -"},
	} {
		t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
			apptest.Both(t, func(t *testing.T, h *apptest.House) {
				compare := func(when string, got map[string]string, words string) {
					t.Helper()
					for path, want := range answers(words) {
						if got := strings.ReplaceAll(got[path], " ", "_"); got != want {
							t.Errorf("%s: %s: got %q, want %q", when, path, got, want)
						}
					}
				}
				v := visitOf(t, h, h.SetUp(), "shop")
				time.Sleep(time.Second)
				row.taken(v)
				compare("taken, offline", v.ask(v.offline, 0), row.offline)
				online, again := cmp.Or(row.online, row.offline), row.again
				compare("taken, online", v.ask(v.online, 0), online)
				if got := strings.ReplaceAll(v.ends(v.begun), " ", "_"); got != row.begun {
					t.Errorf("a request that was begun: got %q, want %q", got, row.begun)
				}
				if row.given == nil {
					return
				}
				time.Sleep(time.Second)
				row.given(v)
				compare("given again, offline", v.ask(v.offline, 1), row.again)
				if row.online != "" {
					again = row.online
				}
				compare("given again, online", v.ask(v.online, 1), again)
				// It was given again indeed.
				f, code := v.client.Authorize(v.person, "scope", "openid email")
				if tokens := f.Exchange(code); tokens.AccessToken == "" {
					t.Error("there is no way back")
				}
			})
		})
	}
}
