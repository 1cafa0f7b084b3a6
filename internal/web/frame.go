package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
	"pocketid/internal/images"
	"pocketid/internal/oidc"
	"pocketid/internal/overview"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

// Frame is what every page has around its own content. Handlers set the first part,
// show the second.
type Frame struct {
	Title   string   // of the window, and usually the heading; one that a key names
	Modules []string // that the page needs, beside those of its layout
	Wide    bool     // a sign-in page with more to say
	Seal    string   // the icon on a sign-in page; "" is the mark of the product
	Tone    string   // of the seal: "", "ok", "warn"
	Logo    Avatar   // the pictures of an application, instead of the seal
	Area    string   // "apps", "account" or "admin": the entry of the band
	Here    string   // the entry of the side menu
	Narrow  bool     // a page inside that is one column of forms or lists
	Plain   bool     // a page inside without a side menu
	// Fault is what is wrong with what was sent, shown on top and beside its field.
	Fault *Problem

	// Look is that of the application on the way to which a page stands.
	Look oidc.Look

	App       string // the name of the instance
	Lang, Dir string
	Language  string // its name in itself
	Theme     string // "light", "dark" or "" for the system's
	Still     bool   // without animations
	Accent    string // the sheet with the colour that is not ours; "" is ours
	Brand     Avatar // the logo of the instance; without a picture it is our mark
	Band      Avatar // the same for the band
	Icon      string // the address of its favicon; "" is ours
	Photo     string // the address of the picture behind sign-in pages; "" is none
	StandIn   string // the address of the picture of people who have none; "" is letters
	Path      string // of this page or, in the answer to a form, of that on which it stands: for what comes back to it
	Me        *Me    // who is signed in; nil on sign-in pages
	// Counts stand in the menu of administrators; nil on other pages.
	Counts  *overview.Counts
	Flashes []string
	Now     time.Time
	Main    template.HTML // the content, rendered
	words   *i18n.Locale
}

func (f *Frame) frame() *Frame { return f }

// A Me is the person in the corner of the page.
type Me struct {
	ID, Name, Username, Email string
	Admin                     bool
	Badge                     Avatar
}

// A Problem is a fault in the words of the page.
type Problem struct {
	i18n.Words
	Code, Field string
}

// An Avatar is what stands for somebody.
type Avatar struct {
	// Picture is the address of theirs; "" is that there is none, and letters are shown.
	Picture string
	// Dark is the address of another one for dark ground, where the system says which it is;
	// Tile is the ground that the pictures are for: "" is light, else "dark" or "both".
	Dark, Tile string
	Initials   string
	Hue        int // 1 to 5, always the same for the same person
}

// badgeOf is what stands for u.
func badgeOf(u *directory.User) Avatar { return personBadge(u.Name(), u.ID, u.PictureID) }

// personBadge is what stands for somebody with a name and an id: their picture, or the first
// letters of their name. It may be kept for ever under its address: another picture has
// another one.
func personBadge(name, id, pictureID string) Avatar {
	a := avatarOf(name, id)
	if pictureID != "" {
		a.Picture = "/api/users/" + url.PathEscape(id) + "/profile-picture.png?v=" + url.QueryEscape(pictureID)
	}
	return a
}

// Face is the badge of a person as the page shows it: where they have no picture, that of
// the instance stands for them.
func (f *Frame) Face(a Avatar) Avatar {
	if a.Picture == "" {
		a.Picture = f.StandIn
	}
	return a
}

// avatarOf takes the first letters of the first and last word of a name.
func avatarOf(name, id string) Avatar {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	a := Avatar{Hue: 1}
	for _, b := range []byte(id) {
		a.Hue = (a.Hue*31+int(b))%5 + 1
	}
	if len(words) == 0 {
		return a
	}
	first, _ := utf8.DecodeRuneInString(words[0])
	a.Initials = string(unicode.ToUpper(first))
	if last, _ := utf8.DecodeRuneInString(words[len(words)-1]); len(words) > 1 && last < 0x2e80 {
		a.Initials += string(unicode.ToUpper(last))
	}
	return a
}

// Err is the text beside a field, or "".
func (f *Frame) Err(field string) string {
	if f.Fault == nil || f.Fault.Field != field {
		return ""
	}
	return f.Fault.Text
}

// words is the language to answer r in.
func (x *Web) words(r *http.Request) *i18n.Locale {
	var user directory.User
	if v, ok := signin.From(r.Context()); ok {
		user = v.User
	}
	return i18n.For(edge.Locale(r, user.Locale)).Dated(user.Dates)
}

// framed is any struct that embeds Frame.
type framed interface{ frame() *Frame }

// show renders a page with status 200, or 422 when it has a fault.
func (x *Web) show(w http.ResponseWriter, r *http.Request, name string, p framed) error {
	status := http.StatusOK
	if p.frame().Fault != nil {
		status = http.StatusUnprocessableEntity
	}
	return x.render(w, r, name, status, p)
}

func (x *Web) render(w http.ResponseWriter, r *http.Request, name string, status int, p framed) error {
	f := p.frame()
	if f.words == nil {
		f.words = x.words(r)
	}
	set, err := x.sets.of(f.words)
	if err != nil {
		return err
	}
	if err := x.fill(w, r, f); err != nil {
		return err
	}
	var main, out bytes.Buffer
	if err := set.ExecuteTemplate(&main, "page/"+name, p); err != nil {
		return err
	}
	f.Main = template.HTML(main.String()) // escaped by the template of the page
	if err := set.ExecuteTemplate(&out, pages[name].layout, f); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", f.Lang)
	w.WriteHeader(status)
	_, err = out.WriteTo(w)
	return err
}

// maxBack is how long a query may be that the page repeats in what comes back to it.
const maxBack = 2000

// fill sets the second part of a frame.
func (x *Web) fill(w http.ResponseWriter, r *http.Request, f *Frame) error {
	ctx := r.Context()
	s, err := x.settings(ctx)
	if err != nil {
		return err
	}
	f.App, f.Lang, f.Dir, f.Now = s.AppName, f.words.ID, f.words.Dir(), edge.Now(ctx)
	f.Language = f.words.T("language.name")
	f.Theme, f.Still = themeOf(r), s.DisableAnimations
	f.Accent = accentSheet(s.AccentColor, f.Look)
	own := ownPictures(s.Pictures)
	f.Brand, f.Band, f.Icon = Avatar{}.showing(f.Theme, own.logos()), own.band(), own.path(images.Favicon)
	if f.Photo = f.Look.BackgroundPath(); f.Photo == "" {
		f.Photo = own.path(images.Background)
	}
	f.StandIn = own.path(images.DefaultPerson)
	f.Path = edge.PageOf(r)
	if len(r.URL.RawQuery) > maxBack {
		f.Path, _, _ = strings.Cut(f.Path, "?")
	}
	if v, ok := signin.From(ctx); ok {
		f.Me = meOf(v.User)
	}
	if f.Area == "admin" {
		counts, err := x.overview.Counts(ctx, actor(r))
		if err != nil {
			return err
		}
		f.Counts = &counts
	}
	f.Flashes = takeFlash(w, r, f.words)
	return nil
}

func meOf(u directory.User) *Me {
	return &Me{ID: u.ID, Name: u.Name(), Username: u.Username, Email: u.Email, Admin: u.Admin, Badge: badgeOf(&u)}
}

// problem is the fault of a form that is shown again, or nil when err is nothing that
// a form can show: the caller then returns it.
func (x *Web) problem(r *http.Request, err error) *Problem {
	f := fault.Of(err)
	switch f.Kind {
	case fault.Invalid, fault.Conflict, fault.TooLarge, fault.Unsupported, fault.TooMany, fault.Precondition, fault.Unprocessable:
	default:
		return nil
	}
	edge.Note(r.Context(), "refused", f.Code)
	words := x.words(r)
	p := &Problem{Words: words.Fault(f.Code, f.Kind.String(), f.Params), Code: f.Code, Field: f.Field}
	if !words.Has("error." + f.Code + ".title") {
		p.Title = "" // the one of its kind is for pages that show nothing else
	}
	return p
}

// flashCookie carries what the next page says of what was done.
const flashCookie = "flash"

// flash lets the next page say the text of key.
func flash(w http.ResponseWriter, r *http.Request, key string, args ...string) {
	b, err := json.Marshal(append([]string{key}, args...))
	if err != nil {
		panic("web: strings are always JSON")
	}
	edge.SetCookie(w, r, flashCookie, base64.RawURLEncoding.EncodeToString(b), time.Minute)
}

// takeFlash reads what the last page left to say, once.
func takeFlash(w http.ResponseWriter, r *http.Request, words *i18n.Locale) []string {
	value := edge.ReadCookie(r, flashCookie)
	if value == "" {
		return nil
	}
	edge.SetCookie(w, r, flashCookie, "", -1)
	b, err := base64.RawURLEncoding.DecodeString(value)
	var parts []string
	if err != nil || json.Unmarshal(b, &parts) != nil || len(parts)%2 != 1 || !strings.HasPrefix(parts[0], "flash.") || !words.Has(parts[0]) {
		return nil
	}
	args := make([]any, 0, len(parts))
	for _, p := range parts[1:] {
		args = append(args, p)
	}
	return []string{words.T(parts[0], args...)}
}

// seen is where a request comes from, for its session.
func seen(r *http.Request) signin.Seen {
	return signin.Seen{Address: edge.Address(r.Context()), UserAgent: edge.UserAgent(r.Context())}
}

// actor is who acts, for the records.
func actor(r *http.Request) audit.Actor { return audit.From(r.Context()) }

// visitor is who is signed in, on a route that only lets such people in.
func visitor(r *http.Request) signin.Visitor {
	v, _ := signin.From(r.Context())
	return v
}

// welcome keeps the handle of a session in the browser, and how the person sees pages.
func (x *Web) welcome(w http.ResponseWriter, r *http.Request, l signin.Login) {
	edge.SetCookie(w, r, signin.Cookie, l.Handle, l.MaxAge)
	if l.Visitor.User.Locale != "" {
		edge.SetCookie(w, r, localeCookie, l.Visitor.User.Locale, lookFor)
	}
	if l.Visitor.User.Theme != "" {
		x.keepTheme(w, l.Visitor.User.Theme)
	}
}

const (
	localeCookie = "locale"
	// lookFor is how long a browser remembers language and theme.
	lookFor = 365 * 24 * time.Hour
)

// themeOf is what the theme cookie says. The module of the switch writes it too, so
// it has the same plain name everywhere and is no secret.
func themeOf(r *http.Request) string {
	c, err := r.Cookie("theme")
	if err != nil || c.Value != "light" && c.Value != "dark" {
		return ""
	}
	return c.Value
}

// accentSheet is the address of the sheet with the accent of the instance or of an
// application, which changes with the colour; "" is our own colour.
func accentSheet(colour string, look oidc.Look) string {
	of := ""
	if look.Accent != "" {
		colour, of = look.Accent, "client="+url.QueryEscape(look.ClientID)+"&"
	}
	if colour == "" || colour == settings.DefaultColour {
		return ""
	}
	return "/theme.css?" + of + "v=" + url.QueryEscape(accentTag(colour))
}

// accentTag is the validator of the sheet with a colour.
func accentTag(colour string) string { return url.QueryEscape(colour) }
