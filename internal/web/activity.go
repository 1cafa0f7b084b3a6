package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/i18n"
)

// activityPage is what happened with somebody's own account.
type activityPage struct {
	Frame
	logPage
	Days int // how long entries are kept
	Apps []logChoice
}

// ownFamilies are the events that people find in their own activity.
var ownFamilies = audit.Families[:4]

func (x *Web) activity(w http.ResponseWriter, r *http.Request) error {
	words, query, me, now := x.words(r), r.URL.Query(), visitor(r).User.ID, nowOf(r)
	found, err := x.audit.Mine(r.Context(), actor(r), audit.Filter{Cursor: query.Get("at"), Events: eventsOf(query.Get("event")),
		Client: strings.TrimSpace(query.Get("app")), From: sinceOf(query.Get("when"), now)})
	if err != nil {
		return err
	}
	apps, err := x.audit.Apps(r.Context(), actor(r))
	if err != nil {
		return err
	}
	p := activityPage{
		Frame:   Frame{Title: words.T("activity.title"), Area: "account", Here: "activity", Narrow: true},
		logPage: logPageOf(activityPath, query, &found), Days: int(x.audit.Keep / (24 * time.Hour)),
	}
	p.What, p.When = whatChoices(words, query.Get("event"), ownFamilies), whenChoices(words, query.Get("when"))
	for _, a := range apps {
		name := a.Name
		if name == "" {
			name = shortID(a.ID)
		}
		p.Apps = append(p.Apps, logChoice{a.ID, name, a.ID == query.Get("app")})
	}
	strange, err := x.strange(r, words, found.Entries)
	if err != nil {
		return err
	}
	lines := make([]logLine, 0, len(found.Entries))
	for i := range found.Entries {
		found.Entries[i].At = found.Entries[i].At.In(now.Location())
		line := ownLineOf(words, &found.Entries[i], me)
		line.New = slices.Contains(strange, line.ID)
		lines = append(lines, line)
	}
	p.Lines, p.Zone = daysOf(words, now, lines), zoneOf(r)
	return x.show(w, r, "activity", &p)
}

// strange are the sign-ins among entries, which begin with the newest, that came from a
// browser and system from which there had been none. The first sign-in of all is none.
func (x *Web) strange(r *http.Request, words *i18n.Locale, entries []audit.Entry) (ids []string, err error) {
	var seen []string
	looked := false
	for _, e := range slices.Backward(entries) {
		if e.Event != audit.SignIn || e.UserAgent == "" {
			continue
		}
		if !looked {
			agents, err := x.audit.UserAgents(r.Context(), actor(r), e.At)
			if err != nil {
				return nil, err
			}
			for _, agent := range agents {
				seen = append(seen, deviceName(words, agent))
			}
			looked = true
		}
		name := deviceName(words, e.UserAgent)
		if len(seen) > 0 && !slices.Contains(seen, name) {
			ids = append(ids, e.ID)
		}
		seen = append(seen, name)
	}
	return ids, nil
}
