package web

import (
	"cmp"
	"net/http"
	"time"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/images"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

func (x *Web) frameRoutes() []edge.Route {
	return []edge.Route{
		page("GET /{$}", edge.SignedIn, x.front),
		page("GET /settings", edge.SignedIn, x.front),
		page("GET /language", edge.Public, x.language),
		page("POST /language", edge.Public, x.setLanguage),
		page("POST /theme", edge.Public, x.setTheme),
		{Pattern: "GET /theme.css", Access: edge.Open, Surface: edge.Page, Handler: x.themeSheet},
		{Pattern: "GET /favicon.ico", Access: edge.Open, Surface: edge.Page, Handler: x.favicon},
	}
}

// front leads to the page that the administrator chose as the first one.
func (x *Web) front(w http.ResponseWriter, r *http.Request) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	for _, h := range homePages {
		if h.Path == s.HomePageURL {
			return seeOther(w, h.Path)
		}
	}
	return seeOther(w, accountPath) // what was chosen for another version may not be a page here
}

// homePages are the pages that may be the first one.
var homePages = []homePage{
	{accountPath, "frame.profile", false},
	{appsPath, "apps.title", false},
	{passkeysPath, "frame.passkeys", false},
	{sessionsPath, "frame.sessions", false},
	{allowedPath, "frame.allowed", false},
	{activityPath, "frame.activity", false},
}

type languagePage struct {
	Frame
	Back    string
	Choices []languageChoice
}

type languageChoice struct {
	ID, Name string
	Chosen   bool
}

// language asks which language to speak.
func (x *Web) language(w http.ResponseWriter, r *http.Request) error {
	now := x.words(r)
	p := languagePage{Frame: Frame{Title: now.T("language.title"), Seal: "globe"}, Back: inside(r.URL.Query().Get("back"), home)}
	for _, id := range i18n.Locales() {
		p.Choices = append(p.Choices, languageChoice{id, i18n.For(id).T("language.name"), id == now.ID})
	}
	return x.show(w, r, "language", &p)
}

// setLanguage keeps the choice in the browser and, for somebody who is signed in, in
// the account.
func (x *Web) setLanguage(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	id := i18n.For(form.Get("locale")).ID
	if v, ok := signin.From(r.Context()); ok {
		look := v.User.Look()
		look.Locale = id
		if _, err := x.directory.EditLook(r.Context(), actor(r), look); err != nil {
			return err
		}
	}
	edge.SetCookie(w, r, localeCookie, id, lookFor)
	return seeOther(w, inside(form.Get("back"), home))
}

// setTheme is what the theme switch does without scripts.
func (x *Web) setTheme(w http.ResponseWriter, r *http.Request) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	x.keepTheme(w, form.Get("theme"))
	return seeOther(w, inside(form.Get("back"), home))
}

// keepTheme remembers a theme in this browser. The module of the switch writes the same
// cookie, so scripts may read it.
func (x *Web) keepTheme(w http.ResponseWriter, theme string) {
	if theme != "light" && theme != "dark" {
		theme = "auto"
	}
	http.SetCookie(w, &http.Cookie{Name: "theme", Value: theme, Path: "/", MaxAge: int(lookFor / time.Second),
		Secure: x.public.Scheme == "https", SameSite: http.SameSiteLaxMode})
}

// themeSheet is the one rule that a colour makes: the administrator's for all, or with
// ?client= the one for the pages on the way to an application.
func (x *Web) themeSheet(w http.ResponseWriter, r *http.Request) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	colour := s.AccentColor
	if id := r.URL.Query().Get("client"); id != "" {
		own, err := x.oidc.AccentOf(r.Context(), id)
		if err != nil {
			return err
		}
		colour = cmp.Or(own, colour)
	}
	rule := ""
	// A row of another version may say what we would not write into a sheet.
	if colour, err = settings.CheckColour(colour); err == nil && colour != settings.DefaultColour {
		rule = ":root{--accent:" + colour + "}\n"
	} else {
		colour = settings.DefaultColour
	}
	return edge.Serve(w, r, edge.Content{Type: "text/css; charset=utf-8", ETag: accentTag(colour), Data: []byte(rule)})
}

// favicon is for those who ask where browsers used to.
func (x *Web) favicon(w http.ResponseWriter, r *http.Request) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	return seeOther(w, cmp.Or(ownPictures(s.Pictures).path(images.Favicon), x.assets.URL("favicon.svg")))
}
