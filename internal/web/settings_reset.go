package web

import (
	"fmt"
	"net/http"

	"pocketid/internal/edge"
	"pocketid/internal/settings"
)

// settingsResetPage asks before the settings of a tab are as they were at first.
type settingsResetPage struct {
	Frame
	Tab     string // its words
	Back    string
	Was     string // what the settings are, for what somebody else changes meanwhile
	Changes []settingChange
}

// A settingChange is a setting with what it is and what it would be.
type settingChange struct{ Name, Now, Then string }

// deckOf is all settings of a tab.
func deckOf(tab string) (d settings.Deck) {
	for _, c := range settingsCards {
		if c.tab == tab {
			d = append(d, c.card)
		}
	}
	return d
}

func (x *Web) settingsReset(tab string) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return x.showSettingsReset(w, r, tab, nil)
	}
}

func (x *Web) showSettingsReset(w http.ResponseWriter, r *http.Request, tab string, problem *Problem) error {
	is, err := x.settings(r.Context())
	if err != nil {
		return err
	}
	if is.Locked {
		return settings.ErrFixed
	}
	words, deck := x.words(r), deckOf(tab)
	p := settingsResetPage{Tab: words.T("settings.tab." + tab), Back: settingsPath + "#" + tab, Was: settings.Shown(deck.Of(is))}
	p.Frame = Frame{Title: words.T("settings_reset.title", "tab", p.Tab), Area: "admin", Here: "settings", Narrow: true, Fault: problem}
	then := settings.Fields(deck.Of(settings.Default()))
	for i, f := range settings.Fields(deck.Of(is)) {
		if fmt.Sprint(f.Value) != fmt.Sprint(then[i].Value) {
			p.Changes = append(p.Changes, settingChange{words.T("settings." + f.Key), settingText(words, f), settingText(words, then[i])})
		}
	}
	return x.show(w, r, "settings-reset", &p)
}

func (x *Web) settingsResetDone(tab string) edge.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		form, err := edge.Form(r)
		if err != nil {
			return err
		}
		if _, err = x.keeper.Revise(r.Context(), actor(r), form.Get("was"), deckOf(tab).Of(settings.Default())); err != nil {
			problem := x.problem(r, err)
			if problem == nil {
				return err
			}
			return x.showSettingsReset(w, r, tab, problem)
		}
		flash(w, r, "flash.settings_reset")
		return seeOther(w, settingsPath+"#"+tab)
	}
}
