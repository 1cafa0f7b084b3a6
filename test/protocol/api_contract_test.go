package protocol

import (
	"context"
	"encoding/json"
	"maps"
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

// contractTables are the contracts of all nouns, each in a file of its own.
var contractTables = []func(*world) []contract{
	systemContracts, keyContracts, serviceContracts, userContracts, groupContracts, peopleContracts, whereContracts,
	clientContracts, accessContracts, houseContracts,
}

// A contract is what an address of the API promises to programs. It is written down here
// once more, beside the declaration, because whoever changes one breaks programs.
type contract struct {
	route string // as the list of routes has it
	// at is the address of the n-th request, when it has wildcards or a query. What the
	// request uses up, at makes.
	at func(n int) string
	// body is the JSON of the n-th request; n tells requests apart.
	body func(n int) any
	// file is sent as the field "file" of a form instead.
	file []byte
	// before is called before each request of somebody who may, with who that is: for a
	// proof by passkey.
	before func(p *apptest.Person)
	// who may: everybody, people, admins.
	who   who
	scope string // that a key needs; "*" is any key, "" takes no keys
	// status is the answer to those who may.
	status  int
	list    bool   // the answer is a page of a list
	members string // of the answer, or of what is in the list; "" is no object
	// media is the type of an answer that is not JSON.
	media string
	// conditional says that If-Match is heard.
	conditional bool
	// proof says that a session needs a fresh proof by passkey.
	proof bool
}

type who int

const (
	admins    who = iota // administrators
	people               // everybody who is known
	everybody            // also nobody
)

// otherwise are addresses below /api that are no contract here, and where they are tried.
var otherwise = map[string]string{
	"GET /api/application-images/{name}":      "TestPictures…",
	"GET /api/oidc/clients/{id}/background":   "TestPictures…",
	"GET /api/oidc/clients/{id}/logo":         "TestPictures…",
	"GET /api/users/{id}/profile-picture.png": "TestPictures…",
}

// worldOf makes what contracts need.
func worldOf(t *testing.T, h *apptest.House) *world {
	w := &world{t: t, h: h, admin: h.SetUp(), ada: h.User("ada"), keys: map[string]string{}}
	w.ada.SignIn()
	w.group = w.newGroup("crew")
	w.doc = documentOf(t, h)
	return w
}

// A world is a house with what contracts need.
type world struct {
	t     *testing.T
	h     *apptest.House
	admin *apptest.Person
	ada   *apptest.Person // who is no administrator
	group string          // a group without members
	keys  map[string]string
	doc   *document
}

// key is a key of the administrator for scopes, or one for everything.
func (w *world) key(scopes ...string) string {
	w.t.Helper()
	name := strings.Join(scopes, " ")
	if w.keys[name] == "" {
		_, w.keys[name] = keyOf(w.t, w.h, w.admin, scopes...)
	}
	return w.keys[name]
}

// change does something in the domain.
func (w *world) change(do func(ctx context.Context, by audit.Actor, d *directory.Directory) error) {
	w.t.Helper()
	w.h.Change(do)
}

// user makes an account and answers its id.
func (w *world) user(name string) (id string) {
	w.t.Helper()
	w.change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		u, err := d.AddUserAs(ctx, by, directory.NewUser{Username: name, Email: name + "@example.test"})
		id = u.ID
		return err
	})
	return id
}

// newGroup makes a group and answers its id.
func (w *world) newGroup(name string) (id string) {
	w.t.Helper()
	w.change(func(ctx context.Context, by audit.Actor, d *directory.Directory) error {
		g, err := d.AddGroup(ctx, by, directory.GroupEdit{Name: name, FriendlyName: "The " + name, Claims: map[string]any{"a": true}})
		id = g.ID
		return err
	})
	return id
}

// numbered is a name that no other request has.
func numbered(name string, n int) string { return name + strconv.Itoa(n) }

// always answers the same.
func always[T any](v T) func(int) T { return func(int) T { return v } }

// Each address of the API: who may, with what, and what the answer looks like.
func TestContractsOfTheAPI(t *testing.T) { // threats 58, 63
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		w := worldOf(t, h)
		var promised []string
		n := 0
		for _, table := range contractTables {
			for _, c := range table(w) {
				promised = append(promised, c.route)
				n += 20
				w.hold(c, n)
				time.Sleep(time.Second)
			}
		}
		var routed []string
		for _, r := range routes(t) {
			if _, other := otherwise[r.method+" "+r.path]; !other && strings.HasPrefix(r.path, "/api/") && r.access != "protocol" && r.surface == "problem" {
				routed = append(routed, r.method+" "+r.path)
			}
		}
		slices.Sort(routed)
		slices.Sort(promised)
		if !slices.Equal(routed, promised) {
			t.Errorf("the routes are\n%s\nand there are contracts for\n%s", strings.Join(routed, "\n"), strings.Join(promised, "\n"))
		}
		faulty(t, "an address that there is not", nobody(t, h).ask(http.MethodGet, "/api/nowhere", nil), 404, "not_found")
	}, "DISABLE_RATE_LIMITING=true")
}

// hold tries a contract as nobody, as somebody who may not, by session and by keys.
func (w *world) hold(c contract, n int) {
	t, h := w.t, w.h
	t.Helper()
	method, path, _ := strings.Cut(c.route, " ")
	w.declared(c)
	call := func(who func() caller, headers ...string) *apptest.Answer {
		t.Helper()
		n++
		to, body := path, any(nil)
		if c.at != nil {
			to = c.at(n)
		}
		if c.body != nil {
			body = c.body(n)
			if err := w.doc.accepts(c.route, body); err != nil {
				t.Errorf("%s: the document does not take the body %v: %v", c.route, body, err)
			}
		}
		if c.file != nil {
			return who().send(method, to, c.file, headers...)
		}
		return who().ask(method, to, body, headers...)
	}
	refused := func(who string, a *apptest.Answer, status int, code string) {
		t.Helper()
		faulty(t, c.route+" by "+who, a, status, code)
		w.doc.tells(c.route, c.route+" by "+who, a)
	}
	anonymous := func() caller { return nobody(t, h) }
	session := func() caller { // a proof changes the session
		if c.before != nil {
			c.before(w.admin)
		}
		return bySession(t, h, w.admin)
	}
	key := func(scopes ...string) func() caller {
		return func() caller {
			text := w.key(scopes...)
			if c.before != nil {
				c.before(w.admin)
			}
			return byKey(t, h, text)
		}
	}
	good := map[string]*apptest.Answer{}
	switch c.who {
	case everybody:
		good["nobody"] = call(anonymous)
	case people:
		refused("nobody", call(anonymous), 401, "not_signed_in")
	default:
		refused("nobody", call(anonymous), 401, "not_signed_in")
		refused("who is no administrator", call(func() caller { return bySession(t, h, w.ada) }), 403, "forbidden")
	}
	good["a session"] = call(session)
	switch {
	case c.who == everybody:
	case c.scope == "":
		refused("a key", call(key()), 403, "api_key_auth_not_allowed")
	default:
		refused("no key", call(func() caller { return byKey(t, h, w.key()+"x") }), 401, "invalid_api_key")
		good["a whole key"] = call(key())
	}
	if c.scope != "" && c.scope != "*" {
		good["a key for it"] = call(key(c.scope))
		small := "apis:write"
		if kind, writes := strings.CutSuffix(c.scope, ":write"); writes {
			small = kind + ":read"
		} else if strings.HasPrefix(c.scope, "apis:") {
			small = "clients:write"
		}
		refused("a key for "+small, call(key(small)), 403, "api_key_scope_missing")
	}
	for _, who := range slices.Sorted(maps.Keys(good)) {
		w.looks(c, c.route+" by "+who, good[who])
	}
	if c.conditional {
		a := call(session, "If-Match", `"of another state"`)
		refused("who saw another state", a, 412, "object_changed")
	}
}

// declared checks that the document says of a contract what is written here.
func (w *world) declared(c contract) {
	w.t.Helper()
	o := w.doc.operation(c.route)
	if o == nil {
		w.t.Errorf("%s is not in the document", c.route)
		return
	}
	want := `[{"key":["` + c.scope + `"]},{"session":[]}]`
	switch {
	case c.who == everybody:
		want = `[{}]`
	case c.scope == "*":
		want = `[{"key":[]},{"session":[]}]`
	case c.scope == "":
		want = `[{"session":[]}]`
	}
	if got, _ := json.Marshal(o["security"]); string(got) != want {
		w.t.Errorf("%s: the document says %s, want %s", c.route, got, want)
	}
	if admin := o["description"] == "For administrators."; admin != (c.who == admins) {
		w.t.Errorf("%s: for administrators: %v", c.route, admin)
	}
	if got := w.doc.at("paths", strings.SplitN(c.route, " ", 2)[1], strings.ToLower(strings.SplitN(c.route, " ", 2)[0]), "responses", "412"); (got != nil) != c.conditional {
		w.t.Errorf("%s: If-Match is heard: %v, want %v", c.route, got != nil, c.conditional)
	}
	if (o["requestBody"] != nil) != (c.body != nil || c.file != nil) {
		w.t.Errorf("%s: a body is taken: %v", c.route, o["requestBody"] != nil)
	}
}

// looks checks the answer to somebody who may.
func (w *world) looks(c contract, name string, a *apptest.Answer) {
	t := w.t
	t.Helper()
	if a.Status != c.status {
		t.Errorf("%s: %d %.500s, want %d", name, a.Status, a.Body, c.status)
		return
	}
	media := c.media
	if media == "" {
		media = "application/json"
	}
	if got, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";"); a.Body != "" && got != media {
		t.Errorf("%s: the type is %q, want %q", name, got, media)
	}
	w.doc.tells(c.route, name, a)
	if c.status == http.StatusNoContent && a.Body != "" {
		t.Errorf("%s: 204 with %q", name, a.Body)
	}
	if c.members == "" || c.status >= 300 {
		return
	}
	var v any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Errorf("%s: %v in %.200s", name, err, a.Body)
		return
	}
	if c.list {
		if got := strings.Join(membersOf(t, name, v), " "); got != "data pagination" {
			t.Errorf("%s has %s", name, got)
		}
		p := v.(map[string]any)["pagination"]
		if got := strings.Join(membersOf(t, name, p), " "); got != "currentPage itemsPerPage totalItems totalPages" {
			t.Errorf("%s: the pagination is %s", name, got)
		}
		v = v.(map[string]any)["data"]
	}
	if got := strings.Join(membersOf(t, name, v), " "); got != c.members {
		t.Errorf("%s has %s, want %s", name, got, c.members)
	}
}

// query is an address with parameters.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return path + "?" + q.Encode()
}
