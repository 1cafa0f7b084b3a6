package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

const settingsPath = "/settings/admin/application-configuration"

func (x *Web) settingsRoutes() []edge.Route {
	routes := []edge.Route{page("GET "+settingsPath, edge.Admin, x.settingsShow)}
	for _, c := range settingsCards {
		routes = append(routes, page("POST "+settingsPath+"/"+c.name, edge.Admin, x.settingsSave(c)))
	}
	return routes
}

// A settingsCard is a form of the page: its address, the tab it stands in, and what it
// reads. A form sets what is on its card and nothing else (threats 65).
type settingsCard struct {
	name, tab string
	card      settings.Card
	read      func(form url.Values) settings.Card
	follow    func(shown string, typed, is settings.Card) settings.Card
}

// cardOf makes a settingsCard of how its form is read.
func cardOf[C settings.Card](name, tab string, read func(form url.Values) C) settingsCard {
	var zero C
	return settingsCard{name, tab, zero, func(form url.Values) settings.Card { return read(form) },
		func(shown string, typed, is settings.Card) settings.Card {
			return settings.Follow(shown, typed.(C), is.(C))
		}}
}

var settingsCards = []settingsCard{
	cardOf("general", "general", func(f url.Values) settings.General {
		n, err := strconv.Atoi(strings.TrimSpace(f.Get("sessionDuration")))
		if err != nil {
			n = 0 // which is refused, as what was typed has to be
		}
		return settings.General{AppName: f.Get("appName"), SessionDuration: n, HomePageURL: f.Get("homePageUrl"), DefaultLocale: f.Get("defaultLocale")}
	}),
	cardOf("accounts", "general", func(f url.Values) settings.Accounts {
		return settings.Accounts{AllowOwnAccountEdit: f.Has("allowOwnAccountEdit"), RequireUserEmail: f.Has("requireUserEmail"),
			EmailsVerified: f.Has("emailsVerified"), AllowAccountDelete: f.Has("allowAccountDelete")}
	}),
	cardOf("details", "general", func(f url.Values) settings.Details {
		return settings.Details{OwnClaimNames: f["userEditableClaims"]}
	}),
	cardOf("passkeys", "signin", func(f url.Values) settings.Passkeys {
		return settings.Passkeys{UserVerification: f.Get("webauthnUserVerification"), AllowSynced: f.Has("webauthnAllowSyncedPasskeys"),
			Attachment: f.Get("webauthnAuthenticatorAttachment"), DeniedAAGUIDs: lines(f.Get("webauthnDeniedAaguids")),
			RelatedOrigins: lines(f.Get("relatedOrigins"))}
	}),
	cardOf("codes", "signin", func(f url.Values) settings.Codes {
		return settings.Codes{AdminLoginCodes: f.Has("adminLoginCodes")}
	}),
	cardOf("branding", "branding", func(f url.Values) settings.Branding {
		return settings.Branding{AccentColor: accentTyped(f), DisableAnimations: f.Has("disableAnimations")}
	}),
}

// lines are the lines of a text area that hold something.
func lines(text string) []string {
	return slices.DeleteFunc(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }),
		func(s string) bool { return strings.TrimSpace(s) == "" })
}

// An accent is a colour that can be picked by name. The sheet knows them too.
type accent struct{ Name, Colour string }

var accents = []accent{
	{"indigo", settings.DefaultColour},
	{"sea", "oklch(.5 .09 220)"},
	{"pine", "oklch(.46 .09 165)"},
	{"plum", "oklch(.45 .13 330)"},
	{"brick", "oklch(.5 .14 32)"},
	{"sun", "oklch(.8 .15 85)"},
	{"slate", "oklch(.4 .03 260)"},
}

// accentTyped is the colour of a form: one of ours, or the one that was typed.
func accentTyped(f url.Values) string {
	for _, a := range accents {
		if a.Name == f.Get("accent") {
			return a.Colour
		}
	}
	return f.Get("accentColor")
}

// settingsPage shows the settings. Each card is a form of its own.
type settingsPage struct {
	Frame
	S     settings.Settings
	Shown map[string]string // what the cards show, by their names
	// Minutes is the session lifetime as it was typed.
	Minutes         string
	Origins, Models string
	Homes           []homePage
	Languages       []languageChoice
	Details         []detailChoice
	Accents         []accentChoice
	Own             string // the colour that is none of ours
	Picked          string // the name of the colour, "own" when it is none of ours
	RPID, Address   string
	Version         string
	Crowded         bool     // there are more names among the related origins than browsers have to read
	Given           []string // the variables that decide
	Tab             string
	Meanwhile       []meanwhile
	Outside         signin.Outside // passkeys that the rules as they are saved exclude
}

// A homePage is a page that may be the first one.
type homePage struct {
	Path, Words string
	Chosen      bool
}

// A detailChoice is a claim that people may be allowed to change themselves.
type detailChoice struct {
	Claim  string
	Chosen bool
}

// An accentChoice is a swatch.
type accentChoice struct {
	Name   string
	Chosen bool
}

func (x *Web) settingsShow(w http.ResponseWriter, r *http.Request) error {
	s, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	return x.showSettings(w, r, s, s, settingsTyped{})
}

// settingsTyped is what a form says beside the settings in it.
type settingsTyped struct {
	problem   *Problem
	minutes   string
	tab       string
	meanwhile []meanwhile
}

// showSettings shows the settings as typed, over those that are.
func (x *Web) showSettings(w http.ResponseWriter, r *http.Request, typed, is settings.Settings, f settingsTyped) error {
	p := settingsPage{
		Frame: Frame{Title: x.words(r).T("settings.title"), Area: "admin", Here: "settings", Narrow: true,
			Modules: []string{"preview.js"}, Fault: f.problem},
		S: typed, Shown: map[string]string{}, Minutes: f.minutes, RPID: x.signin.RPID(), Address: x.public.String(), Version: x.version,
		Origins: strings.Join(typed.RelatedOrigins, "\n"), Models: strings.Join(typed.WebauthnDeniedAAGUIDs, "\n"),
		Crowded: settings.OriginLabels(is.RelatedOrigins) > settings.ClientLabels, Tab: f.tab, Meanwhile: f.meanwhile,
	}
	var err error
	if p.Outside, err = x.signin.OutsideRules(r.Context(), actor(r)); err != nil {
		return err
	}
	if p.Minutes == "" {
		p.Minutes = strconv.Itoa(typed.SessionDuration)
	}
	for _, c := range settingsCards {
		p.Shown[c.name] = settings.Shown(c.card.Of(is))
	}
	for _, h := range homePages {
		h.Chosen = h.Path == typed.HomePageURL
		p.Homes = append(p.Homes, h)
	}
	for _, id := range i18n.Locales() {
		p.Languages = append(p.Languages, languageChoice{id, i18n.For(id).T("language.name"), id == typed.DefaultLocale})
	}
	for _, claim := range settings.PersonalClaims {
		p.Details = append(p.Details, detailChoice{claim, slices.Contains(typed.OwnClaimNames, claim)})
	}
	p.Picked, p.Own = "own", typed.AccentColor
	for _, a := range accents {
		chosen := a.Colour == typed.AccentColor
		if chosen {
			p.Picked, p.Own = a.Name, ""
		}
		p.Accents = append(p.Accents, accentChoice{a.Name, chosen})
	}
	for _, v := range settings.Variables() {
		if slices.Contains(is.Given, v.Key) {
			p.Given = append(p.Given, v.Name)
		}
	}
	return x.show(w, r, "settings", &p)
}

func (x *Web) settingsSave(c settingsCard) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		form, err := edge.Form(r)
		if err != nil {
			return err
		}
		typed := c.read(form)
		_, err = x.keeper.Revise(r.Context(), actor(r), form.Get("was"), typed)
		if err == nil {
			flash(w, r, "flash.settings")
			return seeOther(w, settingsPath+"#"+c.tab)
		}
		problem := x.problem(r, err)
		if problem == nil {
			return err
		}
		is, err := x.settings(r.Context())
		if err != nil {
			return err
		}
		f := settingsTyped{problem: problem, tab: c.tab, minutes: form.Get("sessionDuration")}
		if problem.Code == settings.ErrStale.Code {
			typed = c.follow(form.Get("was"), typed, c.card.Of(is))
			f.meanwhile, f.minutes = x.settingsMeanwhile(x.words(r), typed, c.card.Of(is)), ""
		}
		return x.showSettings(w, r, typed.On(is), is, f)
	}
}

// settingsMeanwhile is what somebody else has set to something other than was typed.
func (x *Web) settingsMeanwhile(words *i18n.Locale, typed, is settings.Card) (list []meanwhile) {
	now := settings.Fields(is)
	for _, field := range settings.Fields(typed) {
		i := slices.IndexFunc(now, func(f settings.Field) bool { return f.Key == field.Key })
		if fmt.Sprint(now[i].Value) != fmt.Sprint(field.Value) {
			list = append(list, meanwhile{words.T("settings." + field.Key), settingText(words, now[i].Value)})
		}
	}
	return list
}

// settingText is the value of a setting in a sentence.
func settingText(words *i18n.Locale, v any) string {
	switch v := v.(type) {
	case bool:
		return words.T(fmt.Sprintf("settings.is.%v", v))
	case []string:
		if len(v) == 0 {
			return words.T("meanwhile.empty")
		}
		return strings.Join(v, " ")
	}
	return fmt.Sprint(v)
}
