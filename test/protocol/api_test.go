package protocol

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

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
			{"filters by how many passkeys people have", form("sort[column]", "username", "filters[passkeys]", "none"), "bert carla dora"},
			{"takes either number of passkeys", form("sort[column]", "username", "filters[passkeys][0]", "one", "filters[passkeys][1]", "several"), "admin"},
			{"finds nobody with several passkeys", form("filters[passkeys]", "several"), ""},
			{"finds nobody by what is no number of passkeys", form("filters[passkeys]", "1"), ""},
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
