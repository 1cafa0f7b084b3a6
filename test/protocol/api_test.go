package protocol

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

var (
	groupMembers = "createdAt customClaims friendlyName id ldapId name userCount"
	userMembers  = "createdAt customClaims disabled displayName email emailVerified firstName id isAdmin lastName ldapId locale userGroups username"
	keyMembers   = "createdAt description expirationEmailSent expiresAt id lastUsedAt name scopes"
)

// A contract is what a route of the API promises.
type contract struct {
	route string // as the list of routes has it
	path  string
	body  func(n int) any // n tells requests apart
	scope string          // "" takes no keys
	// mine says that it is for everybody, not for administrators alone.
	mine    bool
	status  int
	list    bool   // the answer is a page of a list
	members string // of the answer, or of what is in the list
}

// Each route of the API: who may, with what, and what the answer looks like.
func TestContractsOfTheAPI(t *testing.T) { // threats 58, 63
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		var groupID string
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "crew", FriendlyName: "Crew", Claims: map[string]any{"a": true}})
			groupID = g.ID
			return err
		})
		name := func(n int) string { return "new" + strconv.Itoa(n) }
		bodyOf := func(v any) func(int) any { return func(int) any { return v } }
		key := func(int) any { return map[string]any{"name": "Key", "expiresAt": time.Now().Add(time.Hour)} }
		keyID, whole := keyOf(t, h, admin)
		contracts := []contract{
			{route: "GET /api/version/current", path: "/api/version/current", scope: "*", mine: true, status: 200, members: "currentVersion"},
			{route: "GET /api/users/me", path: "/api/users/me", scope: "account:read", mine: true, status: 200, members: userMembers},
			{route: "GET /api/users", path: "/api/users?pagination[limit]=2", scope: "users:read", status: 200, list: true, members: userMembers},
			{route: "POST /api/users", path: "/api/users", scope: "users:write", status: 201, members: userMembers, body: func(n int) any {
				return map[string]any{"username": name(n), "email": name(n) + "@example.test", "firstName": "New", "userGroupIds": []string{groupID}}
			}},
			{route: "GET /api/users/{id}", path: "/api/users/" + ada.ID, scope: "users:read", status: 200, members: userMembers},
			{route: "GET /api/users/{id}/groups", path: "/api/users/" + ada.ID + "/groups", scope: "users:read", status: 200},
			{route: "PUT /api/users/{id}/user-groups", path: "/api/users/" + ada.ID + "/user-groups", scope: "users:write", status: 200, members: userMembers,
				body: bodyOf(map[string]any{"userGroupIds": []string{groupID}})},
			{route: "DELETE /api/users/{id}", scope: "users:write", status: 204, body: func(n int) any {
				var id string
				h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
					u, err := d.AddUserAs(ctx, by, directory.NewUser{Username: "gone" + name(n), Email: "gone" + name(n) + "@example.test"})
					id = u.ID
					return err
				})
				return id
			}},
			{route: "GET /api/user-groups", path: "/api/user-groups", scope: "groups:read", status: 200, list: true, members: groupMembers},
			{route: "POST /api/user-groups", path: "/api/user-groups", scope: "groups:write", status: 201, members: groupMembers,
				body: func(n int) any { return map[string]any{"name": name(n), "friendlyName": "Name " + name(n)} }},
			{route: "DELETE /api/user-groups/{id}", scope: "groups:write", status: 204, body: func(n int) any {
				var id string
				h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
					g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "gone" + name(n), FriendlyName: "Gone"})
					id = g.ID
					return err
				})
				return id
			}},
			{route: "GET /api/api-keys", path: "/api/api-keys", scope: "keys:read", mine: true, status: 200, list: true, members: keyMembers},
			{route: "POST /api/api-keys", path: "/api/api-keys", mine: true, status: 201, members: "apiKey token", body: key},
			{route: "POST /api/api-keys/{id}/renew", path: "/api/api-keys/" + keyID + "/renew", mine: true, status: 409, body: key},
			{route: "DELETE /api/api-keys/{id}", scope: "keys:write", mine: true, status: 204, body: func(int) any { id, _ := keyOf(t, h, admin); return id }},
		}
		var routed, promised []string
		for _, r := range routes(t) {
			if forPrograms(r) {
				routed = append(routed, r.method+" "+r.path)
			}
		}
		for i, c := range contracts {
			promised = append(promised, c.route)
			method, _, _ := strings.Cut(c.route, " ")
			n := i * 10
			call := func(who func() caller) *apptest.Answer {
				n++
				path, body := c.path, any(nil)
				if c.body != nil {
					body = c.body(n)
				}
				if path == "" { // what is deleted is made for it
					path, body = strings.TrimSuffix(c.route[len(method)+1:], "{id}")+body.(string), nil
				}
				return who().ask(method, path, body) // the proof for a key changes the session
			}
			faulty(t, c.route+" by nobody", call(func() caller { return nobody(t, h) }), 401, "not_signed_in")
			if !c.mine {
				faulty(t, c.route+" by who is no administrator", call(func() caller { return bySession(t, h, ada) }), 403, "forbidden")
			}
			good := map[string]*apptest.Answer{"a session": call(func() caller { return bySession(t, h, admin) })}
			if c.scope == "" {
				faulty(t, c.route+" by a key", call(func() caller { return byKey(t, h, whole) }), 403, "api_key_auth_not_allowed")
			} else {
				faulty(t, c.route+" by no key", call(func() caller { return byKey(t, h, whole+"x") }), 401, "invalid_api_key")
				good["a whole key"] = call(func() caller { return byKey(t, h, whole) })
			}
			if c.scope != "" && c.scope != "*" {
				_, right := keyOf(t, h, admin, c.scope)
				small := "apis:write"
				if kind, writes := strings.CutSuffix(c.scope, ":write"); writes {
					small = kind + ":read"
				}
				_, wrong := keyOf(t, h, admin, small)
				good["a key for it"] = call(func() caller { return byKey(t, h, right) })
				faulty(t, c.route+" by a key for "+small, call(func() caller { return byKey(t, h, wrong) }), 403, "api_key_scope_missing")
			}
			for who, a := range good {
				if a.Status != c.status {
					t.Errorf("%s by %s: %d %s", c.route, who, a.Status, a.Body)
					continue
				}
				if c.members == "" || c.status >= 300 {
					continue
				}
				var v any
				if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
					t.Fatal(err)
				}
				if c.list {
					if got := strings.Join(membersOf(t, c.route, v), " "); got != "data pagination" {
						t.Errorf("%s answers %s", c.route, got)
					}
					p := v.(map[string]any)["pagination"]
					if got := strings.Join(membersOf(t, c.route, p), " "); got != "currentPage itemsPerPage totalItems totalPages" {
						t.Errorf("%s: the pagination is %s", c.route, got)
					}
					v = v.(map[string]any)["data"]
				}
				if got := strings.Join(membersOf(t, c.route, v), " "); got != c.members {
					t.Errorf("%s answers %s, want %s", c.route, got, c.members)
				}
			}
			time.Sleep(time.Second)
		}
		slices.Sort(routed)
		slices.Sort(promised)
		if !slices.Equal(routed, promised) {
			t.Errorf("the routes are\n%v\nand there are contracts for\n%v", routed, promised)
		}
		a := nobody(t, h).ask(http.MethodGet, "/api/nowhere", nil)
		faulty(t, "an address that there is not", a, 404, "not_found")
	}, "DISABLE_RATE_LIMITING=true")
}

// A key is never more than its owner, and one with scopes gains nothing by way of others.
func TestAKeyGainsNothing(t *testing.T) { // threats 58, 63
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		ada.SignIn()
		_, hers := keyOf(t, h, ada)
		faulty(t, "the whole key of no administrator", byKey(t, h, hers).ask("GET", "/api/users", nil), 403, "forbidden")
		_, some := keyOf(t, h, admin, "users:write")
		by := byKey(t, h, some)
		faulty(t, "a new administrator", by.ask("POST", "/api/users", map[string]any{"username": "boss", "email": "boss@example.test", "isAdmin": true}), 403, "api_key_scoped")
		boss := h.User("boss")
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			u, err := d.User(ctx, boss.ID)
			if err != nil {
				return err
			}
			edit := u.Edit()
			edit.Admin = true
			_, err = d.EditUser(ctx, by, boss.ID, edit)
			return err
		})
		faulty(t, "an administrator who goes", by.ask("DELETE", "/api/users/"+boss.ID, nil), 403, "api_key_scoped")

		// Pages do not look at keys, and a key is no session.
		for _, path := range []string{"/settings/account", "/settings/account/passkeys", "/settings/admin/users"} {
			if a := byKey(t, h, some).ask("GET", path, nil); a.Status != http.StatusSeeOther {
				t.Errorf("%s opens for a key: %d", path, a.Status)
			}
		}
		h.Disable(ada)
		faulty(t, "of who is disabled", byKey(t, h, hers).ask("GET", "/api/users/me", nil), 403, "user_disabled")

		// Another site may not use the session of its visitor; a key is the program's own.
		foreign := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
		group := map[string]any{"name": "crew", "friendlyName": "Crew"}
		faulty(t, "a session from elsewhere", bySession(t, h, admin).ask("POST", "/api/user-groups", group, foreign...), 403, "cross_origin")
		_, whole := keyOf(t, h, admin)
		if a := byKey(t, h, whole).ask("POST", "/api/user-groups", group, foreign...); a.Status != 201 {
			t.Errorf("a key from elsewhere: %d %s", a.Status, a.Body)
		}
		both := caller{t, h.Program(), append(bySession(t, h, admin).headers, "X-API-Key", "not a key at all")}
		faulty(t, "a session from elsewhere beside what is no key", both.ask("POST", "/api/user-groups", group, foreign...), 401, "invalid_api_key")
		if strings.Contains(h.Log(), whole) || strings.Contains(h.Log(), some) {
			t.Error("the log has a key")
		}
	})
}

// Lists are asked for by number, order, filter and search, and what is no such is not heard.
func TestListsOfTheAPI(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		for _, n := range []string{"carla", "bert", "dora"} {
			time.Sleep(time.Second)
			h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
				_, err := d.AddUserAs(ctx, by, directory.NewUser{Username: n, Email: n + "@example.test", FirstName: n, LastName: "Example", Disabled: n == "dora"})
				return err
			})
		}
		me := bySession(t, h, admin)
		names := func(query url.Values) (list []string, p map[string]any) {
			t.Helper()
			a := me.ask("GET", "/api/users?"+query.Encode(), nil)
			if a.Status != 200 {
				t.Fatalf("%s: %d %s", query.Encode(), a.Status, a.Body)
			}
			body := a.JSON()
			for _, u := range body["data"].([]any) {
				list = append(list, u.(map[string]any)["username"].(string))
			}
			return list, body["pagination"].(map[string]any)
		}
		for _, tt := range []struct {
			it    string
			query url.Values
			want  string
		}{
			{"sorts", form("sort[column]", "username", "sort[direction]", "asc"), "admin bert carla dora"},
			{"sorts down", form("sort[column]", "username", "sort[direction]", "desc"), "dora carla bert admin"},
			{"sorts by a name that is not folded", form("sort[column]", "firstName"), "admin bert carla dora"},
			{"does not hear of another column", form("sort[column]", "hash; DROP TABLE users"), "admin carla bert dora"},
			{"turns a page", form("sort[column]", "username", "pagination[page]", "2", "pagination[limit]", "3"), "dora"},
			{"has nothing behind the end", form("pagination[page]", "99"), ""},
			{"does not hear of no number", form("sort[column]", "username", "pagination[page]", "-1", "pagination[limit]", "x"), "admin bert carla dora"},
			{"filters", form("filters[disabled]", "true"), "dora"},
			{"filters with a number", form("sort[column]", "username", "filters[disabled][0]", "false"), "admin bert carla"},
			{"takes either", form("sort[column]", "username", "filters[disabled][0]", "false", "filters[disabled][1]", "true"), "admin bert carla dora"},
			{"takes all filters together", form("filters[disabled]", "false", "filters[isAdmin]", "true"), "admin"},
			{"finds nobody by what is no value", form("filters[isAdmin]", "perhaps"), ""},
			{"does not hear of another filter", form("sort[column]", "username", "filters[hash]", "x"), "admin bert carla dora"},
			{"finds the middle of a name", form("search", "ARL"), "carla"},
			{"finds the middle of an address", form("search", "ert@exam"), "bert"},
			{"takes no pattern", form("search", "%"), ""},
		} {
			got, _ := names(tt.query)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("it %s: %v, want %s", tt.it, got, tt.want)
			}
		}
		_, p := names(form("pagination[page]", "2", "pagination[limit]", "3"))
		if p["totalPages"] != 2.0 || p["totalItems"] != 4.0 || p["currentPage"] != 2.0 || p["itemsPerPage"] != 3.0 {
			t.Errorf("the page is %v", p)
		}
		if _, p := names(form("pagination[limit]", "1000")); p["itemsPerPage"] != 100.0 {
			t.Errorf("so many on a page: %v", p["itemsPerPage"])
		}
	})
}

// Faults have the codes that programs know, and say more beside them.
func TestFaultsOfTheAPI(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		me := bySession(t, h, admin)
		for _, tt := range []struct {
			it, method, path string
			body             any
			status           int
			code, field      string
		}{
			{"names a field that is wrong", "POST", "/api/users", map[string]any{"username": "-", "email": "a@example.test"}, 400, "validation_failed", "username"},
			{"names it as JSON has it", "POST", "/api/users", map[string]any{"username": "a", "email": "a@example.test", "firstName": strings.Repeat("x", 60)}, 400, "validation_failed", "firstName"},
			{"says what is in use", "POST", "/api/users", map[string]any{"username": "ADMIN", "email": "a@example.test"}, 409, "already_in_use", "username"},
			{"does not find a user", "GET", "/api/users/nobody", nil, 404, "user_not_found", ""},
			{"does not find a group", "DELETE", "/api/user-groups/none", nil, 404, "not_found", ""},
			{"wants a body", "POST", "/api/users", nil, 400, "invalid_request_body", ""},
			{"wants an object", "POST", "/api/users", []int{1}, 400, "invalid_request_body", ""},
			{"wants a proof before a key", "POST", "/api/api-keys", map[string]any{"name": "Key", "expiresAt": time.Now().Add(time.Hour)}, 401, "reauthentication_required", ""},
		} {
			a := me.ask(tt.method, tt.path, tt.body)
			faulty(t, "it "+tt.it, a, tt.status, tt.code)
			if tt.field != "" && !strings.Contains(a.Body, `"field":"`+tt.field+`"`) {
				t.Errorf("it %s: %s", tt.it, a.Body)
			}
		}
	})
}
