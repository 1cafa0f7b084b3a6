package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/signin"
)

const keysPath = accountPath + "/api-keys"

func (x *Web) keyRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+keysPath, edge.SignedIn, x.keys),
		page("GET "+keysPath+"/new", edge.SignedIn, shelved(x.ownShelf, x.keyNew)),
		page("POST "+keysPath+"/new", edge.SignedIn, shelved(x.ownShelf, x.keyMake)),
		page("GET "+keysPath+"/{id}/renew", edge.SignedIn, shelved(x.ownShelf, x.keyRenew)),
		page("POST "+keysPath+"/{id}/renew", edge.SignedIn, shelved(x.ownShelf, x.keyRenewed)),
		page("GET "+keysPath+"/{id}/revoke", edge.SignedIn, shelved(x.ownShelf, x.keyRevoke)),
		page("POST "+keysPath+"/{id}/revoke", edge.SignedIn, shelved(x.ownShelf, x.keyRevoked)),
		page("GET "+allKeysPath, edge.Admin, x.allKeys),
		page("GET "+allKeysPath+"/{id}/revoke", edge.Admin, x.keyOfRevoke),
		page("POST "+allKeysPath+"/{id}/revoke", edge.Admin, x.keyOfRevoked),
	}
}

// A keyShelf is whose keys a page is about, and what can be done with them.
type keyShelf struct {
	path        string // of the pages of its keys
	back, crumb string // the page that lists them, and what is there
	area, here  string // where that stands
	owner       directory.User
	read        func() (signin.Key, error)
	make        func(signin.KeyEdit) (signin.Key, string, error)
	renew       func(time.Time) (signin.Key, string, error)
	revoke      func() (signin.Key, error)
}

// shelved is a handler of the pages of keys, for those that of finds.
func shelved(of func(*http.Request) (keyShelf, error), h func(http.ResponseWriter, *http.Request, *keyShelf) error) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := of(r)
		if err != nil {
			return err
		}
		return h(w, r, &s)
	}
}

// ownShelf are the keys of whoever asks.
func (x *Web) ownShelf(r *http.Request) (keyShelf, error) {
	ctx, v, id := r.Context(), visitor(r), r.PathValue("id")
	return keyShelf{path: keysPath, back: keysPath, crumb: x.words(r).T("keys.title"), area: "account", here: "keys", owner: v.User,
		read:   func() (signin.Key, error) { return x.signin.OwnKey(ctx, actor(r), id) },
		make:   func(edit signin.KeyEdit) (signin.Key, string, error) { return x.signin.MakeKey(ctx, v, edit) },
		renew:  func(end time.Time) (signin.Key, string, error) { return x.signin.RenewKey(ctx, v, id, end) },
		revoke: func() (signin.Key, error) { return x.signin.RevokeKey(ctx, actor(r), id) },
	}, nil
}

// frame is that of a page of its keys.
func (s *keyShelf) frame(title string, problem *Problem) Frame {
	return Frame{Title: title, Area: s.area, Here: s.here, Narrow: true, Fault: problem}
}

// line is the key that an address is about.
func (s *keyShelf) line(words *i18n.Locale, now time.Time) (apiKeyLine, error) {
	k, err := s.read()
	return keyLineFor(words, k, now), err
}

// keysPage lists somebody's own keys.
type keysPage struct {
	Frame
	Keys []apiKeyLine
}

// An apiKeyLine is an API key in a list.
type apiKeyLine struct {
	signin.Key
	Rights      string // what it is for, in words
	Ended, Soon bool
}

func keyLineFor(words *i18n.Locale, k signin.Key, now time.Time) apiKeyLine {
	return apiKeyLine{Key: k, Rights: rightsOf(words, k.Scopes), Ended: k.Ended(now), Soon: k.EndsSoon(now)}
}

// rightsOf is what scopes allow, in words.
func rightsOf(words *i18n.Locale, scopes []signin.Scope) string {
	if len(scopes) == 0 {
		return words.T("keys.rights.all")
	}
	var list []string
	for _, s := range scopes {
		way := "read"
		if s.Writes() {
			way = "write"
		}
		list = append(list, words.T("keys.right."+way, "kind", words.T("keys.kind."+s.Kind())))
	}
	return strings.Join(list, words.T("frame.comma"))
}

func (x *Web) keys(w http.ResponseWriter, r *http.Request) error {
	list, err := x.signin.Keys(r.Context(), actor(r))
	if err != nil {
		return err
	}
	words := x.words(r)
	p := keysPage{Frame: Frame{Title: words.T("keys.title"), Area: "account", Here: "keys"}}
	for _, k := range list {
		p.Keys = append(p.Keys, keyLineFor(words, k, edge.Now(r.Context())))
	}
	return x.show(w, r, "api-keys", &p)
}

// keyDays are how many days a key may work; a date may be chosen instead.
var keyDays = []int{30, 90, 365}

// A keyForm is what somebody says about a key, as it was typed.
type keyForm struct {
	Name, Description string
	Ends              string // of keyDays, or "date"
	Date              string
	Rights            string // "all" or "some"
	Kinds             []keyKind
	Days              []int
	Tomorrow          string // the first date that can be chosen
}

// A keyKind is a kind of object that a key may be for.
type keyKind struct {
	Name, Label, Hint string
	Way               string // "", "read" or "write"
}

// keyFormOf reads a form, or the address of one that was left for a fresh proof.
func (x *Web) keyFormOf(r *http.Request, owner *directory.User, typed url.Values) keyForm {
	words := x.words(r)
	f := keyForm{Name: typed.Get("name"), Description: typed.Get("description"), Ends: typed.Get("ends"), Date: typed.Get("date"),
		Rights: typed.Get("rights"), Days: keyDays, Tomorrow: edge.Now(r.Context()).AddDate(0, 0, 1).Format(dayFormat)}
	if f.Ends == "" {
		f.Ends = "90"
	}
	if f.Rights != "some" {
		f.Rights = "all"
	}
	for _, s := range signin.Scopes(owner) {
		if s.Writes() {
			continue
		}
		k := keyKind{Name: s.Kind(), Label: words.T("keys.kind." + s.Kind()), Hint: words.T("keys.kind." + s.Kind() + ".hint")}
		if way := typed.Get("scope_" + k.Name); way == "read" || way == "write" {
			k.Way = way
		}
		f.Kinds = append(f.Kinds, k)
	}
	return f
}

// query is f as the query of an address, without what it begins with anyway.
func (f *keyForm) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"name": f.Name, "description": f.Description, "ends": f.Ends, "date": f.Date} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Rights == "some" {
		q.Set("rights", f.Rights)
	}
	for _, k := range f.Kinds {
		if k.Way != "" {
			q.Set("scope_"+k.Name, k.Way)
		}
	}
	return q.Encode()
}

// errNoRights refuses a key that is for some things and names none.
var errNoRights = signin.ErrKeyScope.At("rights")

// edit is what f asks for, at the instant now.
func (f *keyForm) edit(now time.Time) (edit signin.KeyEdit, err error) {
	edit = signin.KeyEdit{Name: f.Name, Description: f.Description}
	if f.Rights == "some" {
		for _, k := range f.Kinds {
			if k.Way != "" {
				edit.Scopes = append(edit.Scopes, signin.Scope(k.Name+":"+k.Way))
			}
		}
		if len(edit.Scopes) == 0 { // which would be a key for everything
			return edit, errNoRights
		}
	}
	edit.ExpiresAt, err = f.end(now)
	return edit, err
}

// end is when a key ends: after so many days, or with the day that was chosen.
func (f *keyForm) end(now time.Time) (time.Time, error) {
	if f.Ends == "date" || len(f.Date) > len(time.DateOnly) { // more than a date is told, whatever was chosen
		end, err := endOf("date", f.Date, time.Time{})
		if err == nil && !end.After(now) {
			err = signin.ErrKeyExpiry.At("date")
		}
		return end, err
	}
	days, ok := choice(f.Ends, keyDays)
	if !ok {
		return time.Time{}, signin.ErrKeyExpiry.At("ends")
	}
	return now.AddDate(0, 0, days), nil
}

// keyNewPage makes a key, or renews one.
type keyNewPage struct {
	Frame
	keyForm
	Renews         *apiKeyLine // the key that is renewed; nil for a new one
	Admin, Service bool        // what its owner is
	Back, Crumb    string
}

// proved sends whoever has not proved who they are just now to do so, and says whether
// it did.
func (x *Web) proved(w http.ResponseWriter, r *http.Request, back string) (bool, error) {
	needs, err := x.signin.NeedsStepUp(r.Context(), visitor(r), signin.PurposeKeys)
	if err != nil || !needs {
		return err == nil, err
	}
	return false, seeOther(w, withRedirect("/login/again", back))
}

func (x *Web) keyNew(w http.ResponseWriter, r *http.Request, s *keyShelf) error {
	f := x.keyFormOf(r, &s.owner, r.URL.Query())
	if ok, err := x.proved(w, r, s.making(&f)); !ok {
		return err
	}
	return x.showKeyForm(w, r, s, nil, f, nil)
}

// making is the page that makes the key of f.
func (s *keyShelf) making(f *keyForm) string {
	if q := f.query(); q != "" {
		return s.path + "/new?" + q
	}
	return s.path + "/new"
}

// showKeyForm shows the form that makes a key, or renews one.
func (x *Web) showKeyForm(w http.ResponseWriter, r *http.Request, s *keyShelf, renews *apiKeyLine, f keyForm, problem *Problem) error {
	title := x.words(r).T("keys.new")
	if renews != nil {
		title = x.words(r).T("keys.renew.title", "name", renews.Name)
	}
	return x.show(w, r, "api-key-new", &keyNewPage{Frame: s.frame(title, problem), keyForm: f, Renews: renews,
		Admin: s.owner.Admin, Service: s.owner.Service(), Back: s.back, Crumb: s.crumb})
}

func (x *Web) keyMake(w http.ResponseWriter, r *http.Request, s *keyShelf) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	f := x.keyFormOf(r, &s.owner, form)
	edit, err := f.edit(edge.Now(r.Context()))
	if err == nil {
		var k signin.Key
		var text string
		if k, text, err = s.make(edit); err == nil {
			return x.showKeyText(w, r, s, k, text)
		}
	}
	if stepUp(err) { // it took longer than the proof lasts
		return seeOther(w, withRedirect("/login/again", s.making(&f)))
	}
	problem := x.problem(r, err)
	if problem == nil {
		return err
	}
	if problem.Field == "scopes" || problem.Field == "expires_at" {
		problem.Field = map[string]string{"scopes": "rights", "expires_at": "ends"}[problem.Field]
	}
	return x.showKeyForm(w, r, s, nil, f, problem)
}

func stepUp(err error) bool {
	return errors.Is(err, signin.ErrStepUp) || errors.Is(err, signin.ErrCodeSession)
}

// keyTextPage shows a key, once: it is the answer to the form that made it.
type keyTextPage struct {
	Frame
	Key         apiKeyLine
	Text        string
	Endpoint    string
	Back, Crumb string
}

func (x *Web) showKeyText(w http.ResponseWriter, r *http.Request, s *keyShelf, k signin.Key, text string) error {
	words := x.words(r)
	p := keyTextPage{
		Frame: s.frame(words.T("keys.made.title", "name", k.Name), nil), Back: s.back, Crumb: s.crumb,
		Key: keyLineFor(words, k, edge.Now(r.Context())), Text: text, Endpoint: strings.TrimSuffix(x.public.String(), "/") + "/api",
	}
	w.Header().Set("Cache-Control", "no-store")
	return x.show(w, r, "api-key-made", &p)
}

func (x *Web) keyRenew(w http.ResponseWriter, r *http.Request, s *keyShelf) error {
	k, err := s.line(x.words(r), edge.Now(r.Context()))
	if err != nil {
		return err
	}
	if !k.Ended {
		return signin.ErrKeyNotExpired
	}
	if ok, err := x.proved(w, r, s.path+"/"+k.ID+"/renew"); !ok {
		return err
	}
	return x.showKeyForm(w, r, s, &k, x.keyFormOf(r, &s.owner, r.URL.Query()), nil)
}

func (x *Web) keyRenewed(w http.ResponseWriter, r *http.Request, s *keyShelf) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	k, err := s.line(x.words(r), edge.Now(r.Context()))
	if err != nil {
		return err
	}
	f := x.keyFormOf(r, &s.owner, form)
	end, err := f.end(edge.Now(r.Context()))
	if err == nil {
		var renewed signin.Key
		var text string
		if renewed, text, err = s.renew(end); err == nil {
			return x.showKeyText(w, r, s, renewed, text)
		}
	}
	if stepUp(err) {
		return seeOther(w, withRedirect("/login/again", s.path+"/"+k.ID+"/renew"))
	}
	problem := x.problem(r, err)
	if problem == nil || errors.Is(err, signin.ErrKeyNotExpired) {
		return err
	}
	if problem.Field == "expires_at" {
		problem.Field = "ends"
	}
	return x.showKeyForm(w, r, s, &k, f, problem)
}

// keyRevokePage asks before a key goes.
type keyRevokePage struct {
	Frame
	Key         apiKeyLine
	Owner       string // whose it is; "" is one's own
	Back, Crumb string
}

func (x *Web) keyRevoke(w http.ResponseWriter, r *http.Request, s *keyShelf) error {
	words := x.words(r)
	k, err := s.line(words, edge.Now(r.Context()))
	if err != nil {
		return err
	}
	p := keyRevokePage{Frame: s.frame(words.T("keys.revoke.title", "name", k.Name), nil), Key: k, Back: s.back, Crumb: s.crumb}
	return x.show(w, r, "api-key-revoke", &p)
}

func (x *Web) keyRevoked(w http.ResponseWriter, r *http.Request, s *keyShelf) error {
	k, err := s.revoke()
	if err != nil {
		return err
	}
	flash(w, r, "flash.key_revoked", "name", k.Name)
	return seeOther(w, s.back)
}
