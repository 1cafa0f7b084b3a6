package kill

import (
	"html"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
	"pocketid/internal/secret"
)

// A worker is somebody who uses the server and writes down what it acknowledged. What was
// under way when the server died may have happened or not: it is settled after the restart,
// and then it has to stay so.
type worker struct {
	t *testing.T
	*person
	rng *rand.Rand
	// excused says whether there is a reason for a missing answer.
	excused func(err error) bool

	clients  []*client
	sessions []*session
	families []*family
	codes    []*code // not redeemed yet
	used     []proof // ceremonies that signed somebody in
	redeemed []spentCode
	links    []string // that were used; nil when no more of them are made
	guesses  int      // how many used links were tried again
	name     text     // on the profile
	titles   map[*client]*text

	// What was under way.
	halfProofs []proof
	halfCodes  []*code
	halfLinks  []string

	did, half int // how much was acknowledged, and how much was not
}

// A text is what somebody changed: as it was acknowledged, and as it may be.
type text struct{ is, maybe string }

// What is known of a session.
const (
	alive = iota
	ended
	unknown
)

type session struct {
	cookie  string
	state   int
	touched bool
}

// A family is a grant at its client.
type family struct {
	client  *client
	session *session
	offline bool // it outlives its session
	access  string
	refresh string
	spent   string    // the refresh token before; "" is none
	asked   time.Time // when a refresh without an answer was sent; zero is never
	dead    bool
	touched bool
}

// lives says whether its tokens have to be good.
func (f *family) lives() bool { return !f.dead && (f.offline || f.session.state == alive) }

// known says that beside that nothing is in doubt.
func (f *family) known() bool { return f.lives() && f.asked.IsZero() }

type spentCode struct {
	*code
	family *family
}

// lost takes note of a request without an answer, which needs an excuse.
func (w *worker) lost(err error) bool {
	for range 50 {
		if w.excused(err) {
			w.half++
			return false
		}
		time.Sleep(10 * time.Millisecond) // the connection may break before it is said that it was cut
	}
	w.t.Errorf("%s: an answer is missing: %v", w.person.name, err)
	return false
}

// load does one thing after another until the server is gone.
func (w *worker) load() {
	for w.step() {
		w.did++
	}
}

// pick is one of list that fits, or the zero value.
func pick[T any](w *worker, list []T, fits func(T) bool) (one T, ok bool) {
	for range 20 {
		if len(list) == 0 {
			break
		}
		if one = list[w.rng.IntN(len(list))]; fits(one) {
			return one, true
		}
	}
	var none T
	return none, false
}

func (w *worker) aSession() (*session, bool) {
	return pick(w, w.sessions, func(s *session) bool { return s.state == alive })
}

// step does one thing. It is false when there was no answer.
func (w *worker) step() bool {
	s, in := w.aSession()
	switch n := w.rng.IntN(100); {
	case !in || n < 15:
		return w.signIn()
	case n < 22 && len(w.sessions) > 3:
		return w.signOut(s)
	case n < 45:
		return w.authorize(s)
	case n < 65 && len(w.codes) > 0:
		return w.redeemOne()
	case n < 90:
		f, ok := pick(w, w.families, (*family).known)
		return !ok || w.refreshOne(f)
	case n < 96:
		return w.name.maybe != "" || w.rename(s)
	case n < 97 && w.links != nil:
		return w.useLink()
	case w.titles != nil:
		return w.changeClient(s)
	}
	return true
}

func (w *worker) signIn() bool {
	made, err := w.sign()
	if err != nil {
		return w.lost(err)
	}
	a, err := w.call("/login/finish", "", made, nil)
	if err != nil {
		w.halfProofs = append(w.halfProofs, made)
		return w.lost(err)
	}
	if a.status != http.StatusOK || a.session == "" {
		w.t.Errorf("sign-in: %d %.300s", a.status, a.body)
		return true
	}
	w.sessions = append(w.sessions, &session{cookie: a.session, touched: true})
	w.used = append(w.used, made)
	return true
}

func (w *worker) signOut(s *session) bool {
	s.state, s.touched = unknown, true
	a, err := w.post("/logout", s.cookie, url.Values{})
	if err != nil {
		return w.lost(err)
	}
	if s.state = ended; a.status != http.StatusSeeOther {
		w.t.Errorf("sign-out: %d %.300s", a.status, a.body)
	}
	return true
}

func (w *worker) authorize(s *session) bool {
	k, err := w.person.authorize(w.clients[w.rng.IntN(len(w.clients))], s, w.rng.IntN(2) == 0)
	if err != nil {
		return w.lost(err)
	}
	w.codes = append(w.codes, k)
	return true
}

// inTime says whether a code is surely not too old.
func (k *code) inTime() bool { return time.Since(k.at) < 40*time.Second }

func (w *worker) redeemOne() bool {
	k := w.codes[0]
	w.codes = w.codes[1:]
	got, err := w.redeem(k)
	if err != nil {
		w.halfCodes = append(w.halfCodes, k)
		return w.lost(err)
	}
	w.redeemedAs(k, got)
	return true
}

// redeemedAs takes down what came of a code that was not used.
func (w *worker) redeemedAs(k *code, got tokens) {
	due := k.inTime() && (k.offline || k.session.state == alive)
	switch {
	case got.Error == "":
		f := &family{client: k.client, session: k.session, offline: k.offline, access: got.Access, refresh: got.Refresh, touched: true}
		w.families = append(w.families, f)
		w.redeemed = append(w.redeemed, spentCode{k, f})
	case got.Error != "invalid_grant" || due:
		w.t.Errorf("a code that was acknowledged %v ago: %s", time.Since(k.at), got.Error)
	}
}

func (w *worker) refreshOne(f *family) bool {
	f.asked, f.touched = time.Now(), true
	got, err := w.refresh(f.client, f.refresh)
	if err != nil {
		return w.lost(err)
	}
	if got.Error != "" {
		w.t.Errorf("a refresh token: %s", got.Error)
		f.dead = true
		return true
	}
	f.took(got)
	return true
}

// took takes down the answer of a refresh.
func (f *family) took(got tokens) {
	if got.Refresh != f.refresh {
		f.spent = f.refresh
	}
	f.access, f.refresh, f.asked = got.Access, got.Refresh, time.Time{}
}

// profileWas is what the form of the profile shows, which it sends along.
var profileWas = regexp.MustCompile(`name="was" value="([^"]*Username[^"]*)"`)

func (w *worker) rename(s *session) bool {
	page, err := w.get("/settings/account", s.cookie)
	if err != nil {
		return w.lost(err)
	}
	was := profileWas.FindStringSubmatch(page.body)
	if was == nil {
		w.t.Errorf("the profile: %d %.300s", page.status, page.body)
		return true
	}
	w.name.maybe = "Name " + secret.ID()[:8]
	a, err := w.post("/settings/account", s.cookie, url.Values{"was": {html.UnescapeString(was[1])}, "username": {w.person.name}, "email": {w.person.name + "@example.test"},
		"first_name": {w.person.name}, "last_name": {"Example"}, "display_name": {w.name.maybe}})
	if err != nil {
		return w.lost(err)
	}
	if a.status != http.StatusSeeOther {
		w.t.Errorf("a change of the profile: %d %.300s", a.status, a.body)
	}
	w.name = text{is: w.name.maybe}
	return true
}

// useLink comes in by a one-time link, which a command makes beside the server.
func (w *worker) useLink() bool {
	out, err := w.s.cli("one-time-access-token", w.person.name)
	m := link.FindStringSubmatch(out)
	if err != nil || m == nil {
		w.t.Errorf("the command that makes a link: %v %s", err, out)
		return true
	}
	a, err := w.post("/lc", "", url.Values{"code": {m[1]}})
	if err != nil {
		w.halfLinks = append(w.halfLinks, m[1])
		return w.lost(err)
	}
	if a.session == "" {
		w.t.Errorf("a link that was just made: %d %.300s", a.status, a.body)
		return true
	}
	w.links = append(w.links, m[1])
	w.sessions = append(w.sessions, &session{cookie: a.session, touched: true})
	return true
}

// maxGuesses is how many used links are tried again; the house answers ten within
// fifteen minutes.
const maxGuesses = 7

var link = regexp.MustCompile(`/lc/(\w+)`)

const clientsPath = "/settings/admin/oidc-clients/"

// changeClient renames an application, or adds one.
func (w *worker) changeClient(s *session) bool {
	c, have := pick(w, keys(w.titles), func(c *client) bool { return w.titles[c].maybe == "" })
	path := clientsPath + "new"
	if have && w.rng.IntN(3) > 0 {
		path = clientsPath + c.id
	}
	page, err := w.get(path, s.cookie)
	if err != nil {
		return w.lost(err)
	}
	var form url.Values
	for _, f := range apptest.Forms(page.body) {
		if slices.Contains(f.Names(), "redirect_uris") {
			form = f.Values()
		}
	}
	if form == nil {
		w.t.Errorf("%s has no form: %d", path, page.status)
		return true
	}
	form.Set("name", "App "+secret.ID()[:8])
	form.Set("redirect_uris", callback)
	if form.Has("draft") {
		c = &client{id: form.Get("draft")}
		w.titles[c] = &text{}
	}
	w.titles[c].maybe = form.Get("name")
	a, err := w.post(path, s.cookie, form)
	if err != nil {
		return w.lost(err)
	}
	if a.status != http.StatusSeeOther && a.status != http.StatusOK {
		w.t.Errorf("a change of a client: %d %.600s", a.status, a.body)
	}
	w.titles[c] = &text{is: form.Get("name")}
	return true
}

func keys[K comparable, V any](m map[K]V) []K {
	list := make([]K, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	return list
}

// check asks, after a restart, whether everything is as it was acknowledged, and settles
// what was under way. All of it, or what was touched and a few others.
func (w *worker) check(all bool) {
	some := func(touched *bool) bool {
		was := *touched
		*touched = false
		return was || all || w.rng.IntN(20) == 0
	}
	must := func(err error) {
		if err != nil {
			w.t.Errorf("after a restart: %v", err)
		}
	}
	w.settle(must)
	for _, s := range w.sessions {
		if !some(&s.touched) && s.state != unknown {
			continue
		}
		a, err := w.get("/settings/account", s.cookie)
		must(err)
		in := a.status == http.StatusOK
		if s.state == alive && !in || s.state == ended && in {
			w.t.Errorf("a session that was acknowledged as alive=%v answers %d to %q", s.state == alive, a.status, a.location)
		}
		if s.state = ended; in {
			s.state = alive
		}
	}
	for _, k := range w.codes { // before they run out
		got, err := w.redeem(k)
		must(err)
		w.redeemedAs(k, got)
	}
	w.codes = nil
	for _, f := range w.families {
		if some(&f.touched) {
			w.checkFamily(f, must)
		}
	}
	w.checkOnce(must)
	w.checkTexts(must)
}

// settle repeats what was under way: the server did it or did not, and does it once.
func (w *worker) settle(must func(error)) {
	for _, made := range w.halfProofs {
		a, err := w.call("/login/finish", "", made, nil)
		must(err)
		if a.session != "" {
			w.sessions = append(w.sessions, &session{cookie: a.session})
		}
		w.used = append(w.used, made)
	}
	for _, k := range w.halfCodes {
		got, err := w.redeem(k)
		must(err)
		if got.Error == "" {
			w.redeemedAs(k, got)
		}
		again, err := w.redeem(k)
		must(err)
		if again.Error != "invalid_grant" {
			w.t.Errorf("a code works twice: first %q, then %q", got.Error, again.Error)
		}
		if got.Error == "" {
			w.families[len(w.families)-1].dead = true // it was used twice
		}
	}
	for _, code := range w.halfLinks {
		a, err := w.post("/lc", "", url.Values{"code": {code}})
		must(err)
		if a.session != "" {
			w.sessions = append(w.sessions, &session{cookie: a.session})
		} else {
			w.guesses++
		}
		w.links = append(w.links, code)
	}
	w.halfProofs, w.halfCodes, w.halfLinks = nil, nil, nil
}

// checkFamily asks for a refresh and for claims.
func (w *worker) checkFamily(f *family, must func(error)) {
	if f.lives() {
		// A public client that does not know the answer to its refresh may have lost it, and
		// is then locked out, wholly. Everybody else comes back with the token it has.
		doubt := !f.asked.IsZero() && (f.client.public || f.client.rotates && time.Since(f.asked) > 40*time.Second)
		got, err := w.refresh(f.client, f.refresh)
		must(err)
		switch {
		case got.Error == "":
			f.took(got)
		case got.Error == "invalid_grant" && doubt:
			f.dead = true
		default:
			w.t.Errorf("a refresh token that was acknowledged (public %v, rotates %v, in doubt %v): %s", f.client.public, f.client.rotates, doubt, got.Error)
			f.dead = true
		}
	} else {
		got, err := w.refresh(f.client, f.refresh)
		must(err)
		if got.Error != "invalid_grant" {
			w.t.Errorf("a refresh token of what has ended: %q", got.Error)
		}
	}
	good, err := w.knows(f.access)
	must(err)
	if good != f.lives() {
		w.t.Errorf("an access token is good: %v, and has to be: %v", good, f.lives())
	}
}

// checkOnce tries a few of the things that work once and were used.
func (w *worker) checkOnce(must func(error)) {
	if n := len(w.used); n > 0 {
		for _, made := range []proof{w.used[n-1], w.used[w.rng.IntN(n)]} {
			a, err := w.call("/login/finish", "", made, nil)
			must(err)
			if a.session != "" || a.status == http.StatusOK {
				w.t.Errorf("a ceremony works twice: %d", a.status)
			}
		}
	}
	if n := len(w.redeemed); n > 0 {
		i := n - 1 - w.rng.IntN(min(n, 8))
		k := w.redeemed[i]
		got, err := w.redeem(k.code)
		must(err)
		if got.Error != "invalid_grant" {
			w.t.Errorf("a code works twice: %q", got.Error)
		}
		k.family.dead = true // it leaked
		good, err := w.knows(k.family.access)
		must(err)
		if good {
			w.t.Error("a code was used twice, and what it gave goes on")
		}
		w.redeemed = append(w.redeemed[:i], w.redeemed[i+1:]...)
	}
	if n := len(w.links); n > 0 {
		a, err := w.post("/lc", "", url.Values{"code": {w.links[n-1]}})
		must(err)
		if a.session != "" {
			w.t.Error("a one-time link works twice")
		}
		w.links = w.links[:0]
		if w.guesses++; w.guesses >= maxGuesses {
			w.links = nil // one more and the house would take us for somebody who guesses
		}
	}
	if f, ok := pick(w, w.families, func(f *family) bool { return f.lives() && f.client.public && f.spent != "" }); ok {
		got, err := w.refresh(f.client, f.spent)
		must(err)
		after, err := w.refresh(f.client, f.refresh)
		must(err)
		good, err := w.knows(f.access)
		must(err)
		if got.Error != "invalid_grant" || after.Error != "invalid_grant" || good {
			w.t.Errorf("a spent refresh token: %q, the one after it: %q, its access token is good: %v", got.Error, after.Error, good)
		}
		f.dead = true
	}
}

// checkTexts looks at what was changed.
func (w *worker) checkTexts(must func(error)) {
	s, ok := w.aSession()
	if !ok {
		return
	}
	shows := func(path string, x *text) {
		a, err := w.get(path, s.cookie)
		must(err)
		page := html.UnescapeString(a.body)
		switch {
		case x.maybe != "" && strings.Contains(page, x.maybe):
			*x = text{is: x.maybe}
		case x.is != "" && !strings.Contains(page, x.is):
			w.t.Errorf("%s does not show %q (nor %q): %d", path, x.is, x.maybe, a.status)
		default:
			x.maybe = ""
		}
	}
	shows("/settings/account", &w.name)
	for c, x := range w.titles {
		shows(clientsPath+c.id, x)
		if x.is == "" {
			delete(w.titles, c) // it was never made
		}
	}
}
