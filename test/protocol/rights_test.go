package protocol

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// ownVerbs are what people may do themselves, with what is theirs. Every other verb that
// takes an actor is for administrators.
var ownVerbs = map[string]string{
	"Directory.EditProfile":       "their profile",
	"Directory.ReviseProfile":     "the same",
	"Directory.RewriteProfile":    "the same, for programs",
	"SignIn.Once":                 "what they asked for once already",
	"Directory.EditLook":          "their language, theme and dates",
	"Directory.EditOwnStandard":   "the details that the house lets them change",
	"Directory.ReviseOwnStandard": "the same",
	"Directory.MayDeleteOwn":      "whether they may delete their account",
	"Directory.SetPicture":        "their picture; of others, see TestPictureOfAPerson", "Directory.RemovePicture": "the same",
	"SignIn.Keys": "their API keys", "SignIn.OwnKey": "the same", "SignIn.RevokeKey": "the same; of others, see TestContractsOfTheAPI",
	"OIDC.Apps":          "the applications that they may open",
	"OIDC.QueryApps":     "the same",
	"OIDC.Allowed":       "the applications that they allowed",
	"OIDC.RevokeConsent": "the same",
	"Audit.Mine":         "what is written down about them",
	"Audit.QueryMine":    "the same, for programs",
	"Audit.Apps":         "the applications in that",
	"Audit.UserAgents":   "the browsers in that",
}

// Every verb of the domain that takes an actor refuses who is not an administrator, or is
// named above. A verb that is new is called from its first day.
func TestVerbsOfAdministratorsRefuseOthers(t *testing.T) { // threats 51, 63
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		eve := h.User("eve")
		before := h.Rows()
		called, left := 0, maps.Clone(ownVerbs)
		for name, part := range map[string]any{"Directory": h.App.Directory, "SignIn": h.App.SignIn, "OIDC": h.App.OIDC, "Keys": h.App.OIDC.Keys(), "Settings": h.App.Settings, "Audit": h.App.Audit} {
			v := reflect.ValueOf(part)
			for i := range v.NumMethod() {
				verb, kind := name+"."+v.Type().Method(i).Name, v.Method(i).Type()
				if kind.NumIn() < 2 || kind.In(1) != reflect.TypeFor[audit.Actor]() || kind.NumOut() == 0 {
					continue
				}
				in := []reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(audit.Actor{UserID: eve.ID, Name: eve.Name, Via: "page"})}
				for j := 2; j < kind.NumIn(); j++ {
					if kind.In(j).Kind() == reflect.String {
						in = append(in, reflect.ValueOf(eve.ID).Convert(kind.In(j)))
						continue
					}
					in = append(in, reflect.Zero(kind.In(j)))
				}
				if _, own := left[verb]; own {
					delete(left, verb)
					continue
				}
				called++
				out := v.Method(i).Call(in[:min(len(in), kind.NumIn()-variadic(kind))])
				err, _ := out[len(out)-1].Interface().(error)
				if err == nil || fault.Of(err).Code != audit.ErrNotAdmin.Code {
					t.Errorf("%s by somebody who is not an administrator: %v", verb, err)
				}
			}
		}
		if called < 20 || len(left) > 0 {
			t.Errorf("%d verbs were called, and %v are not there", called, left)
		}
		if got := changes(before, h.Rows()); len(got) > 0 {
			t.Errorf("%v changed", got)
		}
	})
}

// variadic is 1 for a function whose last parameter may be left out.
func variadic(f reflect.Type) int {
	if f.IsVariadic() {
		return 1
	}
	return 0
}

// Who was an administrator is not one from the next request on, in the sessions that they
// have; and who becomes one is one.
func TestRightsAreThoseOfNow(t *testing.T) { // threats 3, 63
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		h.SetUp()
		bob := h.User("bob")
		bob.SignIn()
		be := func(admin bool) {
			t.Helper()
			h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				u, err := d.User(ctx, bob.ID)
				if err != nil {
					return err
				}
				edit := u.Edit()
				edit.Admin = admin
				_, err = d.EditUser(ctx, by, bob.ID, edit)
				return err
			})
		}
		may := func() bool {
			t.Helper()
			page := bob.Raw(http.MethodGet, "/settings/admin/oidc-clients", nil, "same-origin").Status
			deed := bob.Raw(http.MethodPost, "/settings/admin/oidc-clients/nobody/delete", form(), "same-origin").Status
			menu := strings.Contains(bob.Open("/settings/account").Body, `href="/settings/admin"`)
			if (page == http.StatusOK) != (deed == http.StatusNotFound) || (page == http.StatusForbidden) != (deed == http.StatusForbidden) || menu != (page == http.StatusOK) {
				t.Errorf("page %d, deed %d, menu %v", page, deed, menu)
			}
			return page == http.StatusOK
		}
		for _, admin := range []bool{false, true, false} {
			be(admin)
			if got := may(); got != admin {
				t.Errorf("an administrator: %v, and may: %v", admin, got)
			}
		}
	})
}

// What is kept secret is in no page and no answer, neither as it is nor as it is stored:
// client secrets, sealed keys, sessions, one-time codes, the settings that are sealed. The
// one answer that shows a new secret or a new link is the answer to the form that made it.
func TestSecretsAreWriteOnly(t *testing.T) { // threats 51, 64
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada, eve := thingsOf(t, h, h.User("ada")), thingsOf(t, h, h.User("eve"))
		boss := &clerk{t: t, h: h, Person: admin, own: thingsOf(t, h, admin), others: ada}
		code := h.Link(ada.person)
		made := boss.Submit("/settings/admin/users/"+eve.person.ID+"/link", form("hours", "1"))
		shown := regexp.MustCompile(`/lc/(\w{12})`).FindStringSubmatch(made.Body)
		if shown == nil {
			t.Fatalf("the link is not shown once: %s", made)
		}
		secrets := map[string]string{
			"a client secret": ada.client.Secret, "another client secret": eve.client.Secret, "a one-time code": code, "a one-time code of the page": shown[1],
			"the master key": "the key of a house for tests",
		}
		stored := regexp.MustCompile(`\b(hash|handle|sealed|refresh_hash|registration_token)=([0-9a-f]{32,})`)
		for table, rows := range h.Rows() {
			for _, row := range rows {
				for _, m := range stored.FindAllStringSubmatch(row, -1) {
					secrets["a "+m[1]+" of "+table+" in hex "+m[2][:6]] = m[2]
					if b, err := hex.DecodeString(m[2]); err == nil {
						secrets["a "+m[1]+" of "+table+" in base64url "+m[2][:6]] = base64.RawURLEncoding.EncodeToString(b)
						secrets["a "+m[1]+" of "+table+" in base64 "+m[2][:6]] = base64.RawStdEncoding.EncodeToString(b)
					}
				}
			}
		}
		if len(secrets) < 40 {
			t.Fatalf("only %d secrets are looked for", len(secrets))
		}
		looked := 0
		for _, c := range []*clerk{boss, {t: t, h: h, Person: eve.person, own: eve, others: ada}} {
			for _, r := range pagesFirst(routes(t)) {
				if r.path == "/lc/{code}" {
					continue
				}
				c.comeBack()
				answer := c.visit(c.address(r.path))
				looked++
				for what, secret := range secrets {
					if strings.Contains(answer.Body, secret) {
						t.Errorf("%s shows %s to %s", r.path, what, c.Name)
					}
				}
			}
		}
		if looked < 60 {
			t.Errorf("only %d pages were looked at", looked)
		}
		// A link is for the person of its address, whoever the form names.
		time.Sleep(time.Second)
		before := h.Rows()["login_codes"]
		values := form("hours", "1", "id", admin.ID, "user", admin.ID, "user_id", admin.ID, "username", admin.Name, "email", "eve@elsewhere.example", "to", "eve@elsewhere.example", "name", admin.Name)
		boss.Submit("/settings/admin/users/"+eve.person.ID+"/link", values)
		for _, row := range h.Rows()["login_codes"] {
			if !slices.Contains(before, row) && !strings.Contains(row, "user_id="+eve.person.ID+" ") {
				t.Errorf("a link was made for another: %s", row)
			}
		}
		if reflect.DeepEqual(before, h.Rows()["login_codes"]) {
			t.Error("no link was made")
		}
	}, "DISABLE_RATE_LIMITING=true")
}
