package web

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/i18n"
)

// exported is a query for a file.
func exported(query url.Values, format string) string {
	q := filtersOf(query)
	q.Set("format", format)
	return q.Encode()
}

// filters are the parameters that narrow the log; all others are places in it.
var filters = []string{"q", "event", "when", "from", "until", "way", "person", "part", "client", "app", "object", "address", "key", "who", "which"}

// filtersOf are the filters of a query that say something.
func filtersOf(query url.Values) url.Values {
	q := url.Values{}
	for _, name := range filters {
		if v := strings.TrimSpace(query.Get(name)); v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// logPageOf is what a page of entries shows around them.
func logPageOf(path string, query url.Values, found *audit.Page) logPage {
	q := filtersOf(query)
	at := func(place string) string {
		if place == "" {
			return ""
		}
		next := filtersOf(query)
		next.Set("at", place)
		return path + "?" + next.Encode()
	}
	p := logPage{Filtered: len(q) > 0, Total: found.Total, Counted: found.Total < audit.MaxCount, Unknown: found.Total < 0,
		Older: at(found.Older), Newer: at(found.Newer), Clear: path, Looked: found.Until}
	if found.Newer != "" {
		p.Newest = path
		if len(q) > 0 {
			p.Newest += "?" + q.Encode()
		}
	}
	return p
}

// byOthers is the choice that stands for what administrators change.
const byOthers = "others"

// auditFilterOf reads the filters of an address, with the days of the zone of now. What cannot be understood does not
// narrow, and does not stand in the form again.
func auditFilterOf(query url.Values, now time.Time) (f audit.Filter, form auditForm) {
	get := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	f.Cursor, f.Events, f.ByOthers = query.Get("at"), eventsOf(get("event")), get("event") == byOthers
	f.Search, form.Search = directory.Fold(get("q")), get("q")
	f.Person, f.Client, f.Address, f.Key = get("person"), get("client"), get("address"), get("key")
	f.ObjectKind, f.ObjectID, _ = strings.Cut(get("object"), " ")
	if f.ObjectID == "" {
		f.ObjectKind = ""
	}
	if v := get("way"); slices.Contains(ways, v) {
		f.Via, form.Via = v, v
	}
	switch part := audit.Part(get("part")); part {
	case audit.Did, audit.Concerned:
		f.Part, form.Part = part, string(part)
	}
	f.From = sinceOf(get("when"), now)
	if day, ok := dayOf(get("from"), now.Location()); ok {
		f.From, form.From = day, get("from")
	}
	if day, ok := dayOf(get("until"), now.Location()); ok {
		f.Until, form.Until = day.AddDate(0, 0, 1), get("until")
	}
	form.Exchanged = !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until)
	form.Who, form.Which = get("who"), get("which")
	form.Open = form.From+form.Until+form.Via+form.Part+form.Who+form.Which != ""
	for _, name := range []string{"person", "client", "object", "address", "key"} {
		if v := get(name); v != "" {
			form.Hidden = append(form.Hidden, logHidden{name, v})
		}
	}
	return f, form
}

// eventsOf are the events that a choice means: one, or a family.
func eventsOf(choice string) []audit.Name {
	if n, ok := audit.Named(choice); ok {
		return []audit.Name{n}
	}
	return audit.Family(choice).Names()
}

// sinceOf is the instant since when the days of a choice are; the zero time is ever.
func sinceOf(choice string, now time.Time) time.Time {
	for _, s := range spans {
		if s.value == choice {
			return now.Add(-time.Duration(s.days) * 24 * time.Hour)
		}
	}
	return time.Time{}
}

// dayOf reads a day as date fields write it: its first instant where the reader is. Days
// that no entry can have are none.
func dayOf(s string, zone *time.Location) (time.Time, bool) {
	day, err := time.ParseInLocation("2006-01-02", s, zone)
	return day, err == nil && day.Year() >= 1970 && day.Year() < 10_000
}

// whatChoices are the events to choose from, family by family.
func whatChoices(words *i18n.Locale, chosen string, families []audit.Family) (groups []logGroup) {
	often := logGroup{Label: words.T("audit.what.often")}
	for _, of := range families[0].Outcomes() {
		often.Choices = append(often.Choices, logChoice{string(of), words.T("audit.family." + string(of)), string(of) == chosen})
	}
	if len(families) == len(audit.Families) {
		often.Choices = append(often.Choices, logChoice{byOthers, words.T("audit.what.others"), chosen == byOthers})
	}
	groups = append(groups, often)
	for _, f := range families {
		label := words.T("audit.family." + string(f))
		g := logGroup{Label: label, Choices: []logChoice{{string(f), words.T("audit.family.all", "family", label), string(f) == chosen}}}
		for _, n := range f.Names() {
			g.Choices = append(g.Choices, logChoice{n.String(), words.T(eventKey(n) + ".title"), n.String() == chosen})
		}
		groups = append(groups, g)
	}
	return groups
}

func whenChoices(words *i18n.Locale, chosen string) (choices []logChoice) {
	for _, s := range spans {
		choices = append(choices, logChoice{s.value, words.T("audit.when." + s.value), s.value == chosen})
	}
	return choices
}

// chipsOf are the filters that links chose.
func chipsOf(words *i18n.Locale, query url.Values, found *audit.Page) (chips []logChip) {
	add := func(name, label string) {
		q := filtersOf(query)
		q.Del(name)
		without := auditPath
		if len(q) > 0 {
			without += "?" + q.Encode()
		}
		chips = append(chips, logChip{clipTo(label, 60), without})
	}
	named := func(id, name string) string {
		if name == "" {
			return id
		}
		return name
	}
	if id := query.Get("person"); id != "" {
		add("person", named(id, found.Person))
	}
	if id := query.Get("client"); id != "" {
		add("client", named(id, found.Client))
	}
	if kind, id, ok := strings.Cut(query.Get("object"), " "); ok {
		name := found.Object
		if name == "" {
			name = shortID(id)
		}
		if found.Object == "" && len(found.Entries) > 0 && found.Entries[0].Object.ID == id && found.Entries[0].Object.Name != "" {
			name = found.Entries[0].Object.Name
		}
		add("object", words.T("audit.chip.object", "kind", kindName(words, kind), "name", name))
	}
	if id := query.Get("key"); id != "" {
		name := shortID(id)
		if len(found.Entries) > 0 && found.Entries[0].Key == id {
			name = named(name, found.Entries[0].KeyName)
		}
		add("key", words.T("audit.chip.key", "name", name))
	}
	if a := query.Get("address"); a != "" {
		add("address", words.T("audit.chip.address", "address", a))
	}
	return chips
}

// clipTo cuts a text at n characters.
func clipTo(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
