package protocol

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

const groupsPath = "/settings/admin/user-groups"

// newGroup makes a group on its page and returns its id.
func newGroup(t *testing.T, admin *apptest.Person, name, friendly string) string {
	t.Helper()
	page := admin.Submit(groupsPath+"/new", form("name", name, "friendly_name", friendly))
	id, ok := strings.CutPrefix(page.URL.Path, groupsPath+"/")
	if page.Status != http.StatusOK || !ok || id == "new" {
		t.Fatalf("the group %s: %s", name, page)
	}
	return id
}

// claimsSeen is what the form of the claims of a group says that it shows.
func claimsSeen(t *testing.T, admin *apptest.Person, group string) string {
	t.Helper()
	return matches(t, admin.Open(groupsPath+"/"+group), `(?s)action="[^"]*/claims".*?name="was" value="([^"]*)"`)[0]
}

// Whom the page takes out of a group is refused by the clients of the group from that
// moment on, and whom it puts in is let in.
func TestTakenOutOfAGroupOnItsPage(t *testing.T) { // threats 62
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		v := visitOf(t, h, admin, "shop")
		members := groupsPath + "/" + v.group + "/members"
		compare := func(when, words string, number int) {
			t.Helper()
			for _, k := range []held{v.offline, v.online} {
				got := v.ask(k, number)
				for way, want := range answers(words) {
					if got[way] != want {
						t.Errorf("%s: %s: got %q, want %q", when, way, got[way], want)
					}
				}
			}
		}
		time.Sleep(time.Second)
		if page := admin.Submit(members, form("remove", v.person.ID)); page.Status != http.StatusOK || !strings.Contains(page.Body, "no longer in the group") {
			t.Fatalf("taking out: %s", page)
		}
		compare("taken out", refusedHere, 0)
		time.Sleep(time.Second)
		if page := admin.Submit(members, form("add", v.person.ID)); page.Status != http.StatusOK || !strings.Contains(page.Body, "in the group now") {
			t.Fatalf("putting in: %s", page)
		}
		compare("put in", revived, 1)
		// The client that loses its only group is for nobody.
		time.Sleep(time.Second)
		if page := admin.Submit(groupsPath+"/"+v.group+"/delete", url.Values{}); page.Status != http.StatusOK || !strings.Contains(page.Body, "is deleted") {
			t.Fatalf("deleting: %s", page)
		}
		if got := v.ends(v.client.Begin("scope", "openid email").URL()); got != "access_denied" {
			t.Errorf("without its group the client answers %q", got)
		}
		if list := admin.Open(clientsPath); !strings.Contains(list.Body, "Nobody") {
			t.Errorf("the list of clients does not say so: %s", list)
		}
	})
}

// Names that are nearly the same are different groups, and names that only look
// different are the same.
func TestGroupsWithNearlyTheSameName(t *testing.T) { // threats 62
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		staff := newGroup(t, admin, "staff", "Staff")
		for i, same := range []string{"staff", "STAFF", " Staff ", "ſtaff"} { // the last begins with a long s, which folds to s
			page := admin.Submit(groupsPath+"/new", form("name", same, "friendly_name", fmt.Sprint("Other ", i)))
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, "Another group has this name.") {
				t.Errorf("a second %q: %s", same, page)
			}
		}
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.GroupRestricted, e.AllowedGroups = true, []string{staff} })
		ada := h.User("ada")
		ada.SignIn()
		for _, near := range []string{"staf", "staff2", "staff.", "staff staff", "sta", "staff\u00a0x", staff} {
			id := newGroup(t, admin, near, near)
			admin.Submit(groupsPath+"/"+id+"/members", form("add", ada.ID))
		}
		f := shop.Begin("scope", "openid")
		if got := f.By(ada).Answer().Get("error"); got != "access_denied" {
			t.Errorf("somebody in groups that are called nearly so is answered %q", got)
		}
		admin.Submit(groupsPath+"/"+staff+"/members", form("add", ada.ID))
		if _, code := shop.Authorize(ada, "scope", "openid"); code == "" {
			t.Error("a member gets no code")
		}
	})
}

// Who is no administrator sees no group and changes none, at whatever address.
func TestGroupsAreForAdministrators(t *testing.T) { // threats 65
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		staff, other := newGroup(t, admin, "staff", "Staff"), newGroup(t, admin, "admins", "Admins")
		ada := h.User("ada")
		admin.Submit(groupsPath+"/"+staff+"/members", form("add", ada.ID))
		shop := h.Client("shop", func(e *oidc.ClientEdit) { e.GroupRestricted = true })
		ada.SignIn()
		stranger := h.Stranger("eve")
		at := groupsPath + "/" + other
		before := h.Rows()
		for _, who := range []*apptest.Person{ada, stranger} {
			for _, path := range []string{groupsPath, groupsPath + "/new", at, groupsPath + "/" + staff, at + "/delete", at + "?find=a&q=a"} {
				if a := who.Raw(http.MethodGet, path, nil, "none"); a.Status == http.StatusOK || strings.Contains(a.Body, "Staff") {
					t.Errorf("%s sees %s: %d", who.Name, path, a.Status)
				}
			}
			for path, f := range map[string]url.Values{
				groupsPath + "/new":                   form("name", "mine", "friendly_name", "Mine"),
				at:                                    form("name", "mine", "friendly_name", "Mine"),
				at + "/members":                       form("add", ada.ID),
				groupsPath + "/" + staff + "/members": form("remove", ada.ID),
				at + "/clients":                       form("clients", shop.ID),
				at + "/claims":                        form("claims", "role", "claims_kind", "text", "claims_value", "root"),
				at + "/delete":                        {},
				clientsPath + "/" + shop.ID:           clientForm("group_restricted", "0"),
			} {
				if a := who.Raw(http.MethodPost, path, f, "same-origin"); a.Status == http.StatusOK || a.Header.Get("Location") != "" && !strings.HasPrefix(a.Header.Get("Location"), "/login") {
					t.Errorf("%s posts to %s: %d %s", who.Name, path, a.Status, a.Header.Get("Location"))
				}
			}
		}
		after := h.Rows()
		for _, table := range []string{"users", "user_groups", "user_group_members", "clients", "client_groups", "audit"} {
			if !reflect.DeepEqual(before[table], after[table]) {
				t.Errorf("%s changed from %q to %q", table, before[table], after[table])
			}
		}
	})
}

// A form of the page of a client that says nothing of access, or something that it
// cannot, opens the client to nobody new.
func TestAccessIsNotOpenedByLeavingItOut(t *testing.T) { // threats 62
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		staff := newGroup(t, admin, "staff", "Staff")
		c := h.Client("shop", func(e *oidc.ClientEdit) { e.GroupRestricted, e.AllowedGroups = true, []string{staff} })
		path := clientsPath + "/" + c.ID
		access := func() (bool, []string) {
			got, err := h.App.OIDC.Client(t.Context(), audit.System("cli"), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			return got.GroupRestricted, got.AllowedGroups
		}
		save := func(changes ...string) *apptest.Page {
			return admin.Submit(path, clientForm(append([]string{"was", seenOf(t, admin, path)}, changes...)...))
		}
		if page := save(); page.Status != http.StatusOK {
			t.Errorf("without a word of access: %s", page)
		}
		if restricted, groups := access(); !restricted || !reflect.DeepEqual(groups, []string{staff}) {
			t.Errorf("without a word of access it is %v, for %q", restricted, groups)
		}
		page := save("group_restricted", "1", "allowed_groups", "no-such-group")
		if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `<tab-set at="access">`) || !strings.Contains(page.Body, `id="allowed_groups-e"`) {
			t.Errorf("a group that is not there: %s", page)
		}
		if page := save("group_restricted", "1"); page.Status != http.StatusOK || !strings.Contains(page.Body, "0 people today") {
			t.Errorf("restricted to nobody: %s", page)
		}
		if restricted, groups := access(); !restricted || len(groups) != 0 {
			t.Errorf("restricted to nobody it is %v, for %q", restricted, groups)
		}
		if page := save("group_restricted", "0", "allowed_groups", staff); page.Status != http.StatusOK {
			t.Errorf("opened: %s", page)
		}
		if restricted, groups := access(); restricted || len(groups) != 0 {
			t.Errorf("opened it is %v, for %q", restricted, groups)
		}
	})
}

// What a group opens is changed by what was ticked and what was not any more; what
// somebody else changed meanwhile stays.
func TestAppsOfAGroup(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		staff := newGroup(t, admin, "staff", "Staff")
		restricted := func(e *oidc.ClientEdit) { e.GroupRestricted = true }
		wiki, shop, mail := h.Client("wiki", restricted), h.Client("shop", restricted), h.Client("mail")
		submit := func(f url.Values) *apptest.Page { return admin.Submit(groupsPath+"/"+staff+"/clients", f) }
		opens := func() []string {
			all, err := h.App.OIDC.ClientsOfGroup(t.Context(), audit.System("cli"), staff)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, c := range all.Restricted {
				if c.In {
					ids = append(ids, c.ID)
				}
			}
			return ids
		}
		submit(form("was", "", "clients", wiki.ID, "clients", mail.ID))
		if got := opens(); !reflect.DeepEqual(got, []string{wiki.ID}) {
			t.Errorf("it opens %q", got)
		}
		submit(form("was", "", "clients", wiki.ID, "clients", shop.ID)) // from a form that was older than the last one
		if got := opens(); len(got) != 2 {
			t.Errorf("it opens %q", got)
		}
		page := submit(form("was", wiki.ID))
		if got := opens(); page.Status != http.StatusOK || !reflect.DeepEqual(got, []string{shop.ID}) {
			t.Errorf("it opens %q: %s", got, page)
		}
		if page := submit(form("was", "", "clients", "nothing")); page.Status != http.StatusNotFound {
			t.Errorf("a client that is not there: %s", page)
		}
	})
}

// Claims of groups and people reach tokens with the types that they have, a person's
// before those of groups; what the house says itself, nobody else says.
func TestClaimsThatAnAdministratorWrites(t *testing.T) { // threats 66
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		b, a := newGroup(t, admin, "b-team", "First by what people see"), newGroup(t, admin, "a-team", "Second")
		claims := func(group string, rows ...string) *apptest.Page {
			f := url.Values{}
			for i := 0; i+2 < len(rows); i += 3 {
				f.Add("claims", rows[i])
				f.Add("claims_kind", rows[i+1])
				f.Add("claims_value", rows[i+2])
			}
			f.Set("was", claimsSeen(t, admin, group))
			return admin.Submit(groupsPath+"/"+group+"/claims", f)
		}
		for _, g := range []string{a, b} {
			admin.Submit(groupsPath+"/"+g+"/members", form("add", ada.ID))
		}
		if page := claims(a, "team", "text", "a", "floor", "text", "007", "quota", "number", "250", "vip", "yes", "", "roles", "list", "one\r\ntwo", "more", "json", `{"x": [1, null]}`, "own", "text", "group's"); page.Status != http.StatusOK {
			t.Fatalf("the claims of the first: %s", page)
		}
		if page := claims(b, "team", "text", "b", "desk", "no", ""); page.Status != http.StatusOK {
			t.Fatalf("the claims of the second: %s", page)
		}
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			_, err := d.SetClaims(ctx, by, ada.ID, map[string]any{"own": "ada's"})
			return err
		})
		shop := h.Client("shop")
		said := func() map[string]any {
			f, code := shop.Authorize(ada, "scope", "openid profile email groups")
			tokens := f.Exchange(code)
			status, info := shop.Userinfo(tokens.AccessToken)
			if status != http.StatusOK {
				t.Fatalf("userinfo: %d", status)
			}
			token := part(t, tokens.IDToken, 1)
			for name, value := range info {
				if !reflect.DeepEqual(token[name], value) {
					t.Errorf("%s is %v in the ID token and %v at userinfo", name, token[name], value)
				}
			}
			return info
		}
		info := said()
		for name, want := range map[string]any{"team": "a", "floor": "007", "quota": 250.0, "vip": true, "roles": []any{"one", "two"},
			"more": map[string]any{"x": []any{1.0, nil}}, "desk": false, "own": "ada's"} {
			if !reflect.DeepEqual(info[name], want) {
				t.Errorf("%s is %#v, want %#v", name, info[name], want)
			}
		}

		before := h.Rows()["user_groups"]
		for _, name := range []string{"given_name", "family_name", "name", "email", "email_verified", "preferred_username", "display_name", "groups",
			"type", "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "client_id", "nbf", "jti", "sid", "at_hash", "scope"} {
			for _, spelt := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], " " + name + " "} {
				page := claims(b, "fine", "text", "x", spelt, "json", `["root"]`)
				if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `id="claims[1]" name="claims" value="`+strings.TrimSpace(spelt)+`"`) ||
					!strings.Contains(page.Body, `id="claims[1]-e"`) || !strings.Contains(page.Body, `<tab-set at="custom-claims">`) {
					t.Errorf("the claim %q: %s", spelt, page)
				}
			}
		}
		if after := h.Rows()["user_groups"]; !reflect.DeepEqual(before, after) {
			t.Errorf("refused claims changed %q to %q", before, after)
		}
		// Rows that came another way are not believed either.
		h.SQL(`UPDATE user_groups SET claims = '{"email": "root@example.org", "Groups": ["root"], "SUB": "root", "email_verified": true, "desk": "kept"}' WHERE id = $1`, b)
		late := said()
		if late["desk"] != "kept" || late["email"] != info["email"] || late["sub"] != info["sub"] || late["Groups"] != nil || late["SUB"] != nil {
			t.Errorf("it says %v", late)
		}
	})
}

// Forms about groups have bounds, and what is beyond them is a fault and no outage.
func TestBoundsOfGroups(t *testing.T) { // threats 80
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		staff := newGroup(t, admin, "staff", "Staff")
		at := groupsPath + "/" + staff
		many := func(n int, kind, value string) url.Values {
			f := url.Values{}
			for i := range n {
				f.Add("claims", fmt.Sprint("claim", i))
				f.Add("claims_kind", kind)
				f.Add("claims_value", value)
			}
			return f
		}
		for _, tt := range []struct {
			name string
			path string
			form url.Values
			want int
		}{
			{"a long name", at, form("name", strings.Repeat("n", 256), "friendly_name", "Staff"), 422},
			{"a long name people see", at, form("name", "staff", "friendly_name", strings.Repeat("n", 51)), 422},
			{"a name of one letter", at, form("name", "s", "friendly_name", "Staff"), 422},
			{"a name that turns round", at, form("name", "staff\u202e", "friendly_name", "Staff"), 422},
			{"a hundred claims", at + "/claims", many(100, "text", "x"), 200},
			{"a claim too many", at + "/claims", many(101, "text", "x"), 422},
			{"the longest name of a claim", at + "/claims", form("claims", strings.Repeat("n", 100), "claims_kind", "text", "claims_value", "x"), 200},
			{"a longer one", at + "/claims", form("claims", strings.Repeat("n", 101), "claims_kind", "text", "claims_value", "x"), 422},
			{"more than a token holds", at + "/claims", many(17, "text", strings.Repeat("x", 1000)), 422},
			{"as deep as it may be", at + "/claims", many(1, "json", strings.Repeat("[", 8)+strings.Repeat("]", 8)), 200},
			{"deeper", at + "/claims", many(1, "json", strings.Repeat("[", 9)+strings.Repeat("]", 9)), 422},
			{"as deep as fits", at + "/claims", many(1, "json", strings.Repeat("[", 100_000)), 422},
			{"a number beyond all", at + "/claims", many(1, "json", "1e999"), 422},
			{"more than a form holds", at + "/claims", many(1, "text", strings.Repeat("x", 2<<20)), 413},
			{"a member who is not there", at + "/members", form("add", strings.Repeat("x", 10_000)), 404},
			{"an address that is not there", groupsPath + "/" + strings.Repeat("x", 10_000), form("name", "nn", "friendly_name", "nn"), 404},
		} {
			if tt.path == at+"/claims" {
				tt.form.Set("was", claimsSeen(t, admin, staff))
			}
			if page := admin.Submit(tt.path, tt.form); page.Status != tt.want {
				t.Errorf("%s: got %s, want %d", tt.name, page, tt.want)
			}
		}
		long := url.QueryEscape(strings.Repeat("ä %_'\"", 60))
		for _, query := range []string{"q=" + long, "after=" + long, "sort=" + long, "after=x+y&sort=-members", "find=" + long + "&q=" + long + "&after=" + long} {
			for _, path := range []string{groupsPath, at} {
				if page := admin.Open(path + "?" + query); page.Status != http.StatusOK {
					t.Errorf("%s?%.40s: %s", path, query, page)
				}
			}
		}
	})
}

// Who saw a group as it is no more does not take back what somebody else did.
func TestGroupIsNotTakenBackUnseen(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		staff := newGroup(t, admin, "staff", "Staff")
		at := groupsPath + "/" + staff
		names := func(changes ...string) url.Values {
			return form(append([]string{"was_name", "staff", "was_friendly_name", "Staff"}, changes...)...)
		}
		if page := admin.Submit(at, names("name", "crew", "friendly_name", "Staff")); page.Status != http.StatusOK {
			t.Fatalf("the first: %s", page)
		}
		page := admin.Submit(at, names("name", "staff", "friendly_name", "The staff"))
		for _, want := range []string{`name="name" type="text" value="crew"`, `name="friendly_name" type="text" value="The staff"`, `name="was_name" value="crew"`, "Name apps get"} {
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, want) {
				t.Errorf("the second lacks %s: %s", want, page)
			}
		}
		if page := admin.Submit(at, form("was_name", "crew", "was_friendly_name", "Staff", "name", "crew", "friendly_name", "The staff")); page.Status != http.StatusOK || !strings.Contains(page.Body, "<h1>The staff</h1>") {
			t.Errorf("the third: %s", page)
		}
		claim := func(was, name, value string) *apptest.Page {
			return admin.Submit(at+"/claims", form("was", was, "claims", name, "claims_kind", "text", "claims_value", value))
		}
		was := claimsSeen(t, admin, staff)
		claim(was, "team", "blue")
		page = claim(was, "role", "editor")
		for _, want := range []string{`value="team"`, `value="role"`, "blue</textarea>", "editor</textarea>"} {
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, want) {
				t.Errorf("the other claims lack %s: %s", want, page)
			}
		}
		if got := claimsSeen(t, admin, staff); got != `{"team":"blue"}` {
			t.Errorf("the claims are %s", got)
		}
	})
}
