package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/i18n"
	"pocketid/internal/oidc"
	"pocketid/internal/settings"
	"pocketid/internal/signin"
)

const settingsPath = "/settings/admin/application-configuration"

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

// accentTyped is the colour of a form: the one of ours with the name that was picked, or the
// one that was typed.
func accentTyped(picked, typed string) string {
	for _, a := range accents {
		if a.Name == picked {
			return a.Colour
		}
	}
	return typed
}

// accentsFor are our colours with the one that is chosen, the name of that one, "own" when it
// is none of ours, and then what is typed for it.
func accentsFor(colour string) (list []accentChoice, picked, own string) {
	picked, own = "own", colour
	for _, a := range accents {
		chosen := a.Colour == colour
		if chosen {
			picked, own = a.Name, ""
		}
		list = append(list, accentChoice{a.Name, chosen})
	}
	return list, picked, own
}

// settingsPage shows the settings. Each card is a form of its own.
type settingsPage struct {
	Frame
	S     settings.Settings
	Shown map[string]string // what the cards show, by their names
	// Span is the session lifetime as it was typed, in the unit of Units that is chosen.
	Span            string
	Units           []timeUnit
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
	Pictures        []pictureField
	Logos           oidc.LogoPaths
	Background      string  // the address of the picture
	Environment     []Fixed // what the environment says beside the settings

	variables map[string]string // where the environment decides: the variables of the settings
}

// PrivateHosts are the places on inner networks that may be reached.
func (p *settingsPage) PrivateHosts() string {
	for _, f := range p.Environment {
		if f.Name == "ALLOWED_PRIVATE_HOSTS" {
			return f.Value
		}
	}
	return ""
}

// Var is the variable of a setting where the environment decides, or "".
func (p *settingsPage) Var(key string) string { return p.variables[key] }

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

// showSettings shows the settings as typed, over those that are.
func (x *Web) showSettings(w http.ResponseWriter, r *http.Request, typed, is settings.Settings, f settingsTyped) error {
	p := settingsPage{
		Frame: Frame{Title: x.words(r).T("settings.title"), Area: "admin", Here: "settings", Narrow: true,
			Modules: []string{"preview.js"}, Fault: f.problem},
		S: typed, Shown: map[string]string{}, variables: map[string]string{}, RPID: x.signin.RPID(), Address: x.public.String(), Version: x.version,
		Origins: strings.Join(typed.RelatedOrigins, "\n"), Models: strings.Join(typed.WebauthnDeniedAAGUIDs, "\n"),
		Crowded: settings.OriginLabels(is.RelatedOrigins) > settings.ClientLabels, Tab: f.tab, Meanwhile: f.meanwhile,
	}
	var err error
	if p.Outside, err = x.signin.OutsideRules(r.Context(), actor(r)); err != nil {
		return err
	}
	unit := unitOf(typed.SessionDuration)
	p.Span = strconv.Itoa(typed.SessionDuration / unit.Minutes)
	if f.form != nil && f.form.Has("sessionDuration") {
		p.Span, unit.Name = f.form.Get("sessionDuration"), cmp.Or(f.form.Get("sessionDuration_unit"), "minutes")
	}
	for _, u := range slices.Backward(timeUnits) {
		u.Chosen = u.Name == unit.Name
		p.Units = append(p.Units, u)
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
	p.Accents, p.Picked, p.Own = accentsFor(typed.AccentColor)
	for _, v := range settings.Variables() {
		if is.Locked {
			p.variables[v.Key] = v.Name
		}
		if slices.Contains(is.Given, v.Key) {
			p.Given = append(p.Given, v.Name)
		}
	}
	p.Environment = x.environment
	p.words = x.words(r)
	p.pictureFields(is)
	return x.show(w, r, "settings", &p)
}
