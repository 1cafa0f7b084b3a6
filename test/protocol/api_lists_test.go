package protocol

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

// A list is one that the document has with pages.
type list struct {
	t                *testing.T
	as               caller
	address          string
	columns, filters []string
}

// rows asks for a part of the list, and returns each row as text.
func (l *list) rows(name string, pairs ...string) (rows []string, pagination map[string]any) {
	l.t.Helper()
	a := l.as.ask("GET", query(l.address, pairs...), nil)
	if a.Status != 200 {
		l.t.Errorf("%s: %s: %d %.200s", l.address, name, a.Status, a.Body)
		return nil, map[string]any{}
	}
	var page struct {
		Data       []json.RawMessage
		Pagination map[string]any
	}
	if err := json.Unmarshal([]byte(a.Body), &page); err != nil {
		l.t.Fatalf("%s: %v", l.address, err)
	}
	for _, row := range page.Data {
		rows = append(rows, string(row))
	}
	return rows, page.Pagination
}

// whole is the list by pages of three, which have to be the whole list.
func (l *list) whole(name string, pairs ...string) []string {
	l.t.Helper()
	all, p := l.rows(name, append(slices.Clone(pairs), "pagination[limit]", "100")...)
	if p["totalItems"] != float64(len(all)) {
		l.t.Errorf("%s: %s: %d rows of %v", l.address, name, len(all), p["totalItems"])
	}
	var paged []string
	for n := 1; n < 50; n++ {
		page, p := l.rows(name, append(slices.Clone(pairs), "pagination[limit]", "3", "pagination[page]", fmt.Sprint(n))...)
		if p["totalPages"] == nil {
			return all // what it answered instead has been told
		}
		paged = append(paged, page...)
		if p["currentPage"] != float64(n) || p["itemsPerPage"] != 3.0 || float64(n) > max(p["totalPages"].(float64), 1) {
			l.t.Errorf("%s: %s: page %d is %v", l.address, name, n, p)
		}
		if float64(n) >= p["totalPages"].(float64) {
			break
		}
	}
	if !slices.Equal(paged, all) {
		l.t.Errorf("%s: %s: the pages are\n%s\nand the list is\n%s", l.address, name, strings.Join(paged, "\n"), strings.Join(all, "\n"))
	}
	return all
}

// value is a member of a row, such that it can be compared.
func value(row, name string) (v any, there bool) {
	var object map[string]any
	if json.Unmarshal([]byte(row), &object) != nil {
		return nil, false
	}
	v, there = object[name]
	switch is := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, is); err == nil {
			return float64(at.UnixMicro()), true
		}
		return is, true
	case bool:
		return map[bool]float64{true: 1}[is], true
	}
	return v, there
}

// inOrderOf reports whether rows go by a member: upwards, or down, names whatever their
// case, words of the log by their bytes. Those without it are anywhere.
func inOrderOf(rows []string, name string, down bool) bool {
	return goes(rows, name, down, strings.ToLower) || goes(rows, name, down, strings.Clone)
}

func goes(rows []string, name string, down bool, fold func(string) string) bool {
	var last any
	for _, row := range rows {
		v, there := value(row, name)
		if !there || v == nil {
			continue
		}
		way := 0
		switch is := v.(type) {
		case float64:
			if was, ok := last.(float64); ok {
				way = int(max(-1, min(1, is-was)))
			}
		case string:
			if was, ok := last.(string); ok {
				way = strings.Compare(fold(is), fold(was))
			}
		}
		if way < 0 && !down || way > 0 && down {
			return false
		}
		last = v
	}
	return true
}

// sameRows reports whether two lists have the same rows in any order.
func sameRows(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// injections are what nobody sorts, filters or searches by.
var injections = []string{"id; DROP TABLE users", "(SELECT hash FROM api_keys LIMIT 1)", "1", "name' OR '1'='1", "CASE WHEN 1=1 THEN name ELSE id END", "name,hash", "name--", "\"name\"", "users.id", "😀", strings.Repeat("x", 2000), "%", "_", "!", `\`}

// Every list of the document: each column that it has sorts in both directions, on pages that
// are the whole list; columns, filters and pages that there are not are not heard.
func TestEveryListOfTheAPI(t *testing.T) { // threats 75
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ids := map[string]string{}
		h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
			g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "all", FriendlyName: "All"})
			if err != nil {
				return err
			}
			ids["group"] = g.ID
			for n, name := range []string{"bea", "Ada", "dora", "Carl", "emil", "fred"} {
				u, err := d.AddUserAs(ctx, by, directory.NewUser{Username: name, Email: name + "@example.test", FirstName: strings.Repeat(name, 1+n%2), LastName: "Example",
					Disabled: n%3 == 0, Admin: n%4 == 0, EmailVerified: n%2 == 0, Groups: []string{g.ID}})
				if err != nil {
					return err
				}
				if _, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "group-" + name, FriendlyName: "The " + name}); err != nil {
					return err
				}
				gone, err := d.AddUserAs(ctx, by, directory.NewUser{Username: "gone-" + name, Email: "gone-" + name + "@example.test"})
				if err != nil {
					return err
				}
				if err := d.Delete(ctx, by, gone.ID); err != nil {
					return err
				}
				ids["user"] = u.ID
				time.Sleep(time.Second)
			}
			return nil
		})
		shop, api := h.Client("shop"), h.API("https://orders.example", "read")
		ids["client"], ids["api"] = shop.ID, api.ID
		for n, name := range []string{"wiki", "Blog", "mail", "Chat"} {
			c := h.Client(name, func(e *oidc.ClientEdit) { e.PKCERequired, e.SkipConsent = n%2 == 0, n%3 == 0 })
			api.Allow(c, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read"}})
			h.Client("other-" + name)
			h.API("https://" + strings.ToLower(name) + ".example")
			for _, who := range []string{admin.ID, ids["user"]} {
				h.SQL(`INSERT INTO consents (user_id, client_id, scopes, created_at, updated_at, last_used_at) VALUES ($1, $2, '["openid"]', $3, $3, $3)`, who, c.ID, time.Now().UnixMicro())
			}
			keyOf(t, h, admin)
			boss := bySession(t, h, admin)
			robot := boss.must(201, "POST", "/api/service-accounts", map[string]any{"username": "robot-" + name, "ownerId": admin.ID}).JSON()["id"].(string)
			if n == 0 {
				ids["service"] = robot
			}
			boss.must(201, "POST", "/api/service-accounts/"+ids["service"]+"/api-keys", map[string]any{"name": name, "expiresAt": time.Now().Add(24 * time.Hour)})
			time.Sleep(time.Minute)
		}
		_, key := keyOf(t, h, admin)
		me, doc := byKey(t, h, key), documentOf(t, h)
		me.ask("GET", "/api/version/current", nil) // the key has been used
		before := h.Rows()
		seen := 0
		for _, route := range doc.operations() {
			l := &list{t: t, as: me}
			params, _ := doc.operation(route)["parameters"].([]any)
			paged := false
			for _, p := range params {
				p := p.(map[string]any)
				name := p["name"].(string)
				if filter, ok := strings.CutPrefix(name, "filters["); ok {
					l.filters = append(l.filters, strings.TrimSuffix(filter, "]"))
				}
				if columns, ok := p["schema"].(map[string]any)["enum"].([]any); ok && name == "sort[column]" {
					for _, c := range columns {
						l.columns = append(l.columns, c.(string))
					}
				}
				paged = paged || name == "pagination[page]"
			}
			if !paged {
				continue
			}
			seen++
			path := strings.TrimPrefix(route, "GET ")
			id := ids["user"]
			switch {
			case strings.HasPrefix(path, "/api/user-groups"):
				id = ids["group"]
			case strings.HasPrefix(path, "/api/apis"):
				id = ids["api"]
			case strings.HasPrefix(path, "/api/service-accounts"):
				id = ids["service"]
			}
			l.address = strings.NewReplacer("{id}", id, "{client}", ids["client"]).Replace(path)
			if strings.Contains(l.address, "{") {
				t.Errorf("what %s means is not known here", path)
				continue
			}
			l.walk()
		}
		if seen < 14 {
			t.Errorf("only %d lists", seen)
		}
		for _, what := range changes(before, h.Rows()) {
			if what != "api_keys.last_used_at" {
				t.Errorf("looking at lists changed %s", what)
			}
		}
	}, "DISABLE_RATE_LIMITING=true")
}

// walk goes through a list in all ways.
func (l *list) walk() {
	t := l.t
	all := l.whole("as it is")
	if len(all) < 4 {
		t.Errorf("%s has %d rows, which says nothing", l.address, len(all))
	}
	for _, column := range l.columns {
		for _, direction := range []string{"asc", "desc"} {
			name := column + " " + direction
			rows := l.whole(name, "sort[column]", column, "sort[direction]", direction)
			if !sameRows(rows, all) {
				t.Errorf("%s: by %s there are %d rows of %d", l.address, name, len(rows), len(all))
			}
			if column != "country" && column != "city" && !inOrderOf(rows, column, direction == "desc") { // which go by the address
				t.Errorf("%s is not in the order of %s:\n%.3000s", l.address, name, strings.Join(rows, "\n"))
			}
		}
	}
	// What is no column, filter or page is as if it had not been said.
	foreign := slices.Clone(injections)
	if len(all) > 0 {
		var row map[string]any
		if err := json.Unmarshal([]byte(all[0]), &row); err != nil {
			t.Fatal(err)
		}
		for name := range row {
			foreign = append(foreign, name)
		}
	}
	for _, name := range foreign {
		if !slices.Contains(l.columns, name) {
			if rows, _ := l.rows("by "+name, "sort[column]", name, "pagination[limit]", "100"); !slices.Equal(rows, all) {
				t.Errorf("%s hears of the column %q", l.address, name)
			}
		}
		if !slices.Contains(l.filters, name) {
			if rows, _ := l.rows("filtered by "+name, "filters["+name+"]", "x", "filters["+name+"][0]", "1", "pagination[limit]", "100"); !slices.Equal(rows, all) {
				t.Errorf("%s hears of the filter %q", l.address, name)
			}
		}
	}
	for _, hostile := range injections {
		for _, filter := range l.filters {
			rows, _ := l.rows(filter+" "+hostile, "filters["+filter+"]", hostile, "pagination[limit]", "100")
			if len(rows) >= len(all) && len(all) > 0 && hostile != "1" { // which is true
				t.Errorf("%s: %s=%q finds everything", l.address, filter, hostile)
			}
		}
		if len(l.columns) > 0 {
			if rows, _ := l.rows("towards "+hostile, "sort[column]", l.columns[0], "sort[direction]", hostile, "pagination[limit]", "100"); !sameRows(rows, all) {
				t.Errorf("%s sorted towards %q has %d rows", l.address, hostile, len(rows))
			}
		}
		l.rows("search for "+hostile, "search", hostile)
		for _, page := range []string{"page", "limit"} {
			if _, p := l.rows(page+" "+hostile, "pagination["+page+"]", hostile); p["itemsPerPage"] != 20.0 && hostile != "1" || p["currentPage"] != 1.0 {
				t.Errorf("%s: %s %q is %v", l.address, page, hostile, p)
			}
		}
	}
	for _, number := range []string{"0", "-1", "-9223372036854775808", "9223372036854775807", "99999999999999999999", "1e9", "0x10", "1.5", "+3", " 3", "１"} {
		for _, page := range []string{"page", "limit"} {
			_, p := l.rows(page+" "+number, "pagination["+page+"]", number)
			per, _ := p["itemsPerPage"].(float64)
			if current, _ := p["currentPage"].(float64); per < 1 || per > 100 || current < 1 || current > 1_000_000 {
				t.Errorf("%s: %s %s is %v", l.address, page, number, p)
			}
		}
	}
	// A filter finds the rows that are so, where the rows tell.
	for _, filter := range l.filters {
		values := map[string][]string{}
		for _, row := range all {
			var object map[string]any
			if json.Unmarshal([]byte(row), &object) == nil && object[filter] != nil {
				text := fmt.Sprint(object[filter])
				values[text] = append(values[text], row)
			}
		}
		for text, want := range values {
			if text == "" {
				continue
			}
			if got, _ := l.rows(filter+" "+text, "filters["+filter+"]", text, "pagination[limit]", "100"); !sameRows(got, want) {
				t.Errorf("%s: %s=%s has %d rows, want %d", l.address, filter, url.QueryEscape(text), len(got), len(want))
			}
		}
	}
}
