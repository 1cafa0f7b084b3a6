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
)

func (x *Web) settingsRoutes() []edge.Route {
	routes := []edge.Route{page("GET "+settingsPath, edge.Admin, x.settingsShow)}
	for _, c := range settingsCards {
		routes = append(routes, page("POST "+settingsPath+"/"+c.name, edge.Admin, x.settingsSave(c)))
	}
	routes = append(routes, pictureForm("POST "+settingsPath+"/pictures/{name}", edge.Admin, x.settingsPicture))
	for _, tab := range settingsTabs {
		routes = append(routes,
			page("GET "+settingsPath+"/"+tab+"/reset", edge.Admin, x.settingsReset(tab)),
			page("POST "+settingsPath+"/"+tab+"/reset", edge.Admin, x.settingsResetDone(tab)))
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
		return settings.General{AppName: f.Get("appName"), SessionDuration: spanTyped(f.Get("sessionDuration"), f.Get("sessionDuration_unit")),
			HomePageURL: f.Get("homePageUrl"), DefaultLocale: f.Get("defaultLocale")}
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
		return settings.Branding{AccentColor: accentTyped(f.Get("accent"), f.Get("accentColor")), DisableAnimations: f.Has("disableAnimations")}
	}),
}

// settingsTabs are the tabs with settings in them.
var settingsTabs = []string{"general", "signin", "branding"}

// A timeUnit is what a time can be typed in.
type timeUnit struct {
	Name    string
	Minutes int
	Chosen  bool
}

// timeUnits are from the longest to the shortest.
var timeUnits = []timeUnit{{Name: "days", Minutes: 24 * 60}, {Name: "hours", Minutes: 60}, {Name: "minutes", Minutes: 1}}

// spanTyped is how many minutes were typed, or 0, which is refused, as what was typed has
// to be. Without a unit it is minutes.
func spanTyped(number, unit string) int {
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 1 || n > settings.MaxSessionDuration {
		return 0
	}
	for _, u := range timeUnits {
		if u.Name == unit {
			return n * u.Minutes
		}
	}
	return n
}

// unitOf is the longest unit in which minutes are a whole number.
func unitOf(minutes int) timeUnit {
	i := slices.IndexFunc(timeUnits, func(u timeUnit) bool { return minutes%u.Minutes == 0 })
	return timeUnits[max(i, 0)]
}

// spanText is a time of whole minutes in words.
func spanText(words *i18n.Locale, minutes int) string {
	u := unitOf(minutes)
	return words.T("settings.time."+u.Name, "n", minutes/u.Minutes)
}

// settingsTyped is what a form says beside the settings in it.
type settingsTyped struct {
	problem *Problem
	tab     string
	// form is what was typed, where the settings cannot hold it; nil where it was none or
	// has been taken over.
	form      url.Values
	meanwhile []meanwhile
}

// saveCard is what all forms of settings do: it sets what was typed, and goes to the place
// done. What cannot be set, or would take back what somebody else has set, is shown again
// by show, as it was typed over what is.
func (x *Web) saveCard(w http.ResponseWriter, r *http.Request, c settingsCard, done string,
	show func(typed, is settings.Settings, f settingsTyped) error) error {
	form, err := edge.Form(r)
	if err != nil {
		return err
	}
	typed := c.read(form)
	_, err = x.keeper.Revise(r.Context(), actor(r), form.Get("was"), typed)
	if err == nil {
		flash(w, r, "flash.settings")
		return seeOther(w, done)
	}
	problem := x.problem(r, err)
	if problem == nil {
		return err
	}
	is, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	f := settingsTyped{problem: problem, tab: c.tab, form: form}
	if problem.Code == settings.ErrStale.Code {
		typed = c.follow(form.Get("was"), typed, c.card.Of(is))
		f.meanwhile, f.form = x.settingsMeanwhile(x.words(r), typed, c.card.Of(is)), nil
	}
	return show(typed.On(is), is, f)
}

func (x *Web) settingsSave(c settingsCard) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return x.saveCard(w, r, c, settingsPath+"#"+c.tab, func(typed, is settings.Settings, f settingsTyped) error {
			return x.showSettings(w, r, typed, is, f)
		})
	}
}

// settingsMeanwhile is what somebody else has set to something other than was typed.
func (x *Web) settingsMeanwhile(words *i18n.Locale, typed, is settings.Card) (list []meanwhile) {
	now := settings.Fields(is)
	for _, field := range settings.Fields(typed) {
		i := slices.IndexFunc(now, func(f settings.Field) bool { return f.Key == field.Key })
		if fmt.Sprint(now[i].Value) != fmt.Sprint(field.Value) {
			list = append(list, meanwhile{words.T("settings." + field.Key), settingText(words, now[i])})
		}
	}
	return list
}

// settingText is the value of a setting in a sentence.
func settingText(words *i18n.Locale, f settings.Field) string {
	switch v := f.Value.(type) {
	case int:
		if f.Key == "sessionDuration" {
			return spanText(words, v)
		}
	case string:
		if key := "settings." + f.Key + "." + v; words.Has(key) {
			return words.T(key)
		}
		switch {
		case f.Key == "accentColor":
			return accentText(words, v)
		case f.Key == "defaultLocale" && v != "":
			return i18n.For(v).T("language.name")
		case f.Key == "homePageUrl":
			if i := slices.IndexFunc(homePages, func(h homePage) bool { return h.Path == v }); i >= 0 {
				return words.T(homePages[i].Words)
			}
		case v == "":
			return words.T("settings.defaultLocale.browser")
		}
	case bool:
		return words.T(fmt.Sprintf("settings.is.%v", v))
	case []string:
		if len(v) == 0 {
			return words.T("meanwhile.empty")
		}
		return strings.Join(v, " ")
	}
	return fmt.Sprint(f.Value)
}

// accentText is a colour by the name that it has here, or as it is written.
func accentText(words *i18n.Locale, colour string) string {
	for _, a := range accents {
		if a.Colour == colour {
			return words.T("settings.accent." + a.Name)
		}
	}
	return colour
}
