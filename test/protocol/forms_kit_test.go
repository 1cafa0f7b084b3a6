package protocol

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
)

// A clerk goes through all forms of the house as one person sees them. Pages that are new
// are gone through from their first day.
type clerk struct {
	t *testing.T
	h *apptest.House
	*apptest.Person
	own    things // of the clerk
	others things // of somebody else, for the pages of administrators
}

// things are what the wildcards of addresses may stand for.
type things struct {
	person                                                    *apptest.Person
	client                                                    *apptest.Client
	group, passkey, session, secret, entry, waiting, choosing string
	gone                                                      string // somebody who was deleted
	api                                                       string // which client may use
	token                                                     string // of registrations
	document                                                  string // a client that is read from one
	key                                                       string // of the API, which has ended
	work                                                      string // on many accounts
	service, serviceKey                                       string // an account of a program, of the person, and its key, which has ended
}

// thingsOf makes somebody with one of everything.
func thingsOf(t *testing.T, h *apptest.House, p *apptest.Person) (o things) {
	t.Helper()
	o.person, o.gone = p, h.User("gone-"+p.Name).ID
	h.Change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: "g-" + p.Name, FriendlyName: "Group " + p.Name, Claims: map[string]any{"team": p.Name}})
		if err != nil {
			return err
		}
		o.group = g.ID
		if _, err := d.SetClaims(ctx, by, p.ID, map[string]any{"desk": "7"}); err != nil {
			return err
		}
		if err := d.Delete(ctx, by, o.gone); err != nil {
			return err
		}
		work, err := d.StartBatch(ctx, by, directory.BatchOrder{Deed: directory.DeedJoin, GroupID: g.ID, IDs: []string{p.ID}})
		if err != nil {
			return err
		}
		o.work = work.ID
		u, err := d.AddService(ctx, by, "", directory.ServiceEdit{Username: "robot-" + p.Name, Owner: p.ID})
		if err != nil {
			return err
		}
		o.service = u.ID
		return d.SetMembers(ctx, by, g.ID, []string{p.ID})
	})
	o.client = h.Client("c-"+p.Name, func(e *oidc.ClientEdit) { e.PKCERequired = true })
	o.client.MaySwap(h.Client("from-" + p.Name))
	api := h.API("https://api-"+p.Name+".example", "read")
	api.Allow(o.client, oidc.APIGrant{ForUsers: true, UserPermissions: []string{"read"}, ForMachine: true})
	api.Edit(func(e *oidc.APIEdit) { e.ForDocuments = true })
	o.api = api.ID
	token, _, err := h.App.OIDC.AddRegistrationToken(t.Context(), audit.System("cli"), oidc.RegistrationTokenEdit{Name: "of " + p.Name, Uses: 3, ExpiresAt: time.Now().Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	o.token = token.ID
	second := p.Elsewhere()
	second.SignIn()
	o.client.Authorize(second)
	registering(t, h, settings.RegistrationDisabled, documents("admin.example", "ada.example", "bert.example", "eve.example")) // all who are made, for the last list counts
	tool := documentedAt(t, h, p.Name+".example")
	second.Open(tool.Begin().URL())
	o.document = tool.ID
	time.Sleep(time.Second)
	p.SignIn()
	if _, code := p.Prove("/login/again", "/settings/account/passkeys/add"); code != "" {
		t.Fatal(code)
	}
	if _, code := p.Create("/settings/account/passkeys", map[string]any{}); code != "" {
		t.Fatal(code)
	}
	o.waiting = waitingID(p.Open(o.client.Begin("prompt", "consent").URL()))
	o.choosing = waitingID(p.Open(o.client.Begin("prompt", "select_account").URL()))
	o.key = o.gone // any id will do
	h.SQL(`INSERT INTO api_keys (id, user_id, name, name_key, hash, created_at, expires_at) VALUES ($1, $2, 'Terraform', 'terraform', $3, 1, 1)`,
		o.key, p.ID, []byte(o.key))
	o.serviceKey = o.service // any id will do, here too
	h.SQL(`INSERT INTO api_keys (id, user_id, name, name_key, hash, created_at, expires_at) VALUES ($1, $1, 'Backup', 'backup', $2, 1, 1)`,
		o.service, []byte(o.service))
	rows := h.Rows()
	o.passkey = idOf(rows["passkeys"], "user_id="+p.ID)
	o.session = idOf(slices.DeleteFunc(slices.Clone(rows["sessions"]), func(row string) bool { return strings.Contains(row, "ended_at=9") }), "user_id="+p.ID)
	o.secret = idOf(rows["client_secrets"], "client_id="+o.client.ID)
	o.entry = idOf(rows["audit"], "user_id="+p.ID)
	return o
}

var rowID = regexp.MustCompile(`(?:^| )id=([0-9a-f-]{36}) `)

// idOf is the id of the last row that says what.
func idOf(rows []string, what string) string {
	for _, row := range slices.Backward(rows) {
		if strings.Contains(row, " "+what+" ") {
			return rowID.FindStringSubmatch(row)[1]
		}
	}
	return ""
}

// address is where a route leads with the things in the place of its wildcards.
func (c *clerk) address(path string) string {
	o := c.others
	if strings.HasPrefix(path, "/settings/account") {
		o = c.own
	}
	id := ""
	switch {
	case strings.HasPrefix(path, "/api/service-accounts"): // of which there is none
		id = o.person.ID
	case strings.HasPrefix(path, "/settings/admin/service-accounts"):
		id = o.service
	case strings.Contains(path, "/api-keys"):
		id = o.key
	case strings.HasPrefix(path, "/settings/account/passkeys"):
		id = o.passkey
	case strings.HasPrefix(path, "/settings/account/sessions"):
		id = o.session
	case strings.HasPrefix(path, "/settings/account/apps"), strings.HasPrefix(path, "/settings/admin/oidc-clients"):
		id = o.client.ID
	case strings.HasPrefix(path, "/settings/admin/apis"):
		id = o.api
	case strings.HasPrefix(path, "/settings/admin/user-groups"):
		id = o.group
	case strings.HasSuffix(path, "/release"), strings.HasPrefix(path, "/settings/admin/jobs"): // for which any id will do
		id = o.gone
	case strings.HasPrefix(path, "/settings/admin/user-work"):
		id = o.work
	case strings.HasPrefix(path, "/settings/admin/users"):
		id = o.person.ID
	case strings.HasPrefix(path, "/settings/audit-log"):
		id = o.entry
	}
	sid := o.session
	if strings.HasPrefix(path, "/settings/admin/oidc-clients") {
		sid = o.secret
	}
	path = strings.NewReplacer("{$}", "", "{id}", id, "{client}", o.client.ID, "{token}", o.token, "{key}", o.serviceKey, "{pid}", o.passkey, "{sid}", sid, "{code}", "ABCDEFGHJKMN", "{name...}", "x", "{tree}", "x", "{ground}", "light", "{name}", "favicon").Replace(path)
	switch path {
	case "/consent":
		path += "?id=" + url.QueryEscape(c.own.waiting)
	case "/device/confirm":
		path += "?ticket=" + url.QueryEscape(c.own.client.Device().Question(c.Person).Ticket())
	case "/login/select":
		path += "?redirect=" + url.QueryEscape("/authorize/next?id="+url.QueryEscape(c.own.choosing))
	case "/settings/admin/users/picked":
		path += "?do=leave&id=" + o.person.ID + "&group=" + o.group
	}
	if strings.Contains(path, "{") {
		c.t.Errorf("what %s means is not known here: name it in forms_kit_test.go", path)
	}
	return path
}

// addresses are all pages of a route that have forms of their own.
func (c *clerk) addresses(path string) []string {
	list := []string{c.address(path)}
	if path == "/settings/admin/oidc-clients/{id}" {
		list = append(list, strings.Replace(path, "{id}", url.PathEscape(c.others.document), 1))
	}
	return list
}

// comeBack signs the clerk in again after a form has signed them out.
func (c *clerk) comeBack() {
	c.t.Helper()
	if c.Cookie("session") == "" {
		c.SignIn()
	}
}

// visit opens a page, and proves who this is where the page asks for that.
func (c *clerk) visit(address string) *apptest.Page {
	c.t.Helper()
	page := c.Open(address)
	if page.URL.Path == "/login/again" && !strings.HasPrefix(address, "/login/again") {
		next, code := c.Prove("/login/again", page.URL.Query().Get("redirect"))
		if code != "" {
			c.t.Errorf("%s: %s", address, code)
		}
		page = c.Open(next)
	}
	return page
}

// A leaf is a form on the page of a route.
type leaf struct {
	page   string // the address of the page
	action string // where the form goes, with the page's query
	route  string // the pattern of the action
	form   *apptest.Form
}

// leaves are all forms that the pages of a route have. A page that is not for this person
// has none.
func (c *clerk) leaves(r route, all []route) (list []leaf) {
	c.t.Helper()
	c.comeBack()
	for _, address := range c.addresses(r.path) {
		list = append(list, c.leavesAt(address, all)...)
	}
	return list
}

func (c *clerk) leavesAt(address string, all []route) (list []leaf) {
	c.t.Helper()
	page := c.visit(address)
	if page.Status != http.StatusOK || page.Away != nil {
		return nil
	}
	for _, f := range apptest.Forms(page.Body) {
		action, err := page.URL.Parse(f.Action)
		if err != nil {
			c.t.Errorf("%s has a form for %q", address, f.Action)
			continue
		}
		if f.Action == "" {
			action = page.URL
		}
		method := http.MethodGet
		if f.Post {
			method = http.MethodPost
		}
		list = append(list, leaf{address, action.RequestURI(), routeOf(all, method, action.EscapedPath()), f})
	}
	return list
}

// routeOf is the route that an address belongs to, as http.ServeMux finds it.
func routeOf(all []route, method, path string) string {
	best := ""
	for _, r := range all {
		pattern := regexp.QuoteMeta(strings.ReplaceAll(r.path, "{$}", ""))
		pattern = "^" + regexp.MustCompile(`\\\{[a-z.\\]*\\\}`).ReplaceAllString(pattern, `[^/]+`) + "$"
		if r.method == method && regexp.MustCompile(pattern).MatchString(path) && (best == "" || strings.Count(r.path, "{") < strings.Count(best, "{")) {
			best = method + " " + r.path
		}
	}
	return best
}

// pagesFirst are the routes of pages, those that take something away last.
func pagesFirst(all []route) []route {
	last := regexp.MustCompile(`/(delete|disable|release|revoke|remove|end|everywhere|others|sign-out|logout)$`)
	var first, rest []route
	for _, r := range all {
		switch {
		case r.method != http.MethodGet || r.surface != "page":
		case last.MatchString(r.path):
			rest = append(rest, r)
		default:
			first = append(first, r)
		}
	}
	return append(first, rest...)
}

// changes are the tables and columns in which two states of the database differ, and the
// rows that only one has. What every request moves on is left out.
func changes(before, after map[string][]string) (list []string) {
	kept := map[string][]string{"sessions": {"last_seen_at", "expires_at", "handle", "auth_time"}}
	for table, was := range before {
		if table == "jobs" || strings.HasPrefix(table, "audit") || table == "ceremonies" || table == "attempts" || table == "step_ups" {
			continue
		}
		is := after[table]
		byKey := map[string]string{}
		for _, row := range was {
			byKey[rowKey(table, row)] = row
		}
		for _, row := range is {
			key := rowKey(table, row)
			old, had := byKey[key]
			delete(byKey, key)
			if !had {
				list = append(list, table+" has more")
				continue
			}
			for _, name := range columnsThatDiffer(old, row) {
				if !slices.Contains(kept[table], name) {
					list = append(list, table+"."+name)
				}
			}
		}
		if len(byKey) > 0 {
			list = append(list, table+" has less")
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// rowKey is what a row is known by: its first two columns, or its id.
func rowKey(table, row string) string {
	if m := rowID.FindString(row); m != "" {
		return m
	}
	fields := strings.SplitN(row, " ", 3)
	return strings.Join(fields[:2], " ")
}

var columnName = regexp.MustCompile(`(?:^| )([a-z_]+)=`)

func columnsThatDiffer(a, b string) (names []string) {
	cut := func(row string) map[string]string {
		m := map[string]string{}
		at := columnName.FindAllStringSubmatchIndex(row, -1)
		for i, f := range at {
			end := len(row)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			m[row[f[2]:f[3]]] = row[f[1]:end]
		}
		return m
	}
	is := cut(b)
	for name, value := range cut(a) {
		if is[name] != value {
			names = append(names, name)
		}
	}
	return names
}

// send sends JSON to an address, whatever comes of it.
func (c *clerk) send(address string, members map[string]any) {
	c.t.Helper()
	body, err := json.Marshal(members)
	if err != nil {
		c.t.Fatal(err)
	}
	c.h.Program().Ask(http.MethodPost, address, string(body), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin",
		"Origin", apptest.URL, "Cookie", "__Host-session="+c.Cookie("session")+"; __Host-browser="+c.Cookie("browser"))
}
