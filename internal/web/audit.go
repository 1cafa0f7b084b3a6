package web

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
)

const (
	activityPath = "/settings/audit-log"
	auditPath    = activityPath + "/global"
)

func entryPath(id string) string { return auditPath + "/" + url.PathEscape(id) }

func (x *Web) auditRoutes() []edge.Route {
	return []edge.Route{
		page("GET "+activityPath, edge.SignedIn, x.activity),
		page("GET "+auditPath, edge.Admin, x.auditLog),
		page("GET "+auditPath+"/{id}", edge.Admin, x.auditEntry),
		page("GET "+auditPath+"/export", edge.Admin, x.auditExport),
	}
}

// auditPage is the log, for administrators.
type auditPage struct {
	Frame
	logPage
	Days  int // how long entries are kept
	Chips []logChip
	Form  auditForm
	Vias  []logChoice
	CSV   string // where the filtered log is to be had as a file
	JSONL string
}

// A logPage is a page of entries, and the filters that both pages of the log have.
type logPage struct {
	Lines    []logDay
	Filtered bool
	Total    int
	Counted  bool // Total is exact
	Unknown  bool // nobody counted
	Newer    string
	Older    string
	Newest   string // the first page; "" on it
	Clear    string // the page without filters
	// Looked is how far back was looked when the log was not looked through.
	Looked time.Time
	What   []logGroup
	When   []logChoice
}

// A logGroup is choices that belong together.
type logGroup struct {
	Label   string
	Choices []logChoice
}

// A logChoice is a choice of a filter.
type logChoice struct {
	Value, Label string
	Chosen       bool
}

// A logChip is a filter that was chosen by a link, and the page without it.
type logChip struct{ Label, Without string }

// An auditForm is what was asked for, as it stands in the form.
type auditForm struct {
	Search, From, Until, Via string
	Open                     bool // the filters that few need are in use
	Exchanged                bool // From lies after Until
	Hidden                   []logHidden
}

// A logHidden is a filter that the form passes on.
type logHidden struct{ Name, Value string }

// spans are the times that a filter offers, in days.
var spans = []struct {
	value string
	days  int
}{{"1", 1}, {"7", 7}, {"30", 30}, {"90", 90}}

// ways are those that a filter offers.
var ways = []string{"page", "api", "cli", "job", "ldap", "scim"}

func (x *Web) auditLog(w http.ResponseWriter, r *http.Request) error {
	words, query := x.words(r), r.URL.Query()
	filter, form := auditFilterOf(query, edge.Now(r.Context()))
	found, err := x.audit.List(r.Context(), actor(r), filter)
	if err != nil {
		return err
	}
	p := auditPage{
		Frame: Frame{Title: words.T("audit.title"), Area: "admin", Here: "audit"},
		Days:  int(x.audit.Keep / (24 * time.Hour)), Form: form,
		logPage: logPageOf(auditPath, query, &found),
	}
	lines := make([]logLine, 0, len(found.Entries))
	for i := range found.Entries {
		lines = append(lines, lineOf(words, &found.Entries[i]))
	}
	p.Lines = daysOf(words, edge.Now(r.Context()), lines)
	p.What, p.When = whatChoices(words, query.Get("event"), audit.Families), whenChoices(words, query.Get("when"))
	for _, v := range ways {
		p.Vias = append(p.Vias, logChoice{v, wayName(words, v), v == form.Via})
	}
	p.Chips = chipsOf(words, query, &found)
	p.CSV, p.JSONL = auditPath+"/export?"+exported(query, "csv"), auditPath+"/export?"+exported(query, "jsonl")
	return x.show(w, r, "audit", &p)
}

// exported is a query for a file.
func exported(query url.Values, format string) string {
	q := filtersOf(query)
	q.Set("format", format)
	return q.Encode()
}

// filters are the parameters that narrow the log; all others are places in it.
var filters = []string{"q", "event", "when", "from", "until", "way", "person", "client", "app", "object", "address"}

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

// auditFilterOf reads the filters of an address. What cannot be understood does not
// narrow, and does not stand in the form again.
func auditFilterOf(query url.Values, now time.Time) (f audit.Filter, form auditForm) {
	get := func(name string) string { return strings.TrimSpace(query.Get(name)) }
	f.Cursor, f.Events = query.Get("at"), eventsOf(get("event"))
	f.Search, form.Search = directory.Fold(get("q")), get("q")
	f.Person, f.Client, f.Address = get("person"), get("client"), get("address")
	f.ObjectKind, f.ObjectID, _ = strings.Cut(get("object"), " ")
	if f.ObjectID == "" {
		f.ObjectKind = ""
	}
	if v := get("way"); slices.Contains(ways, v) {
		f.Via, form.Via = v, v
	}
	f.From = sinceOf(get("when"), now)
	if day, ok := dayOf(get("from")); ok {
		f.From, form.From = day, get("from")
	}
	if day, ok := dayOf(get("until")); ok {
		f.Until, form.Until = day.AddDate(0, 0, 1), get("until")
	}
	form.Exchanged = !f.From.IsZero() && !f.Until.IsZero() && !f.From.Before(f.Until)
	form.Open = form.From+form.Until+form.Via != ""
	for _, name := range []string{"person", "client", "object", "address"} {
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

// dayOf reads a day as date fields write it. Days that no entry can have are none.
func dayOf(s string) (time.Time, bool) {
	day, err := time.Parse("2006-01-02", s)
	return day, err == nil && day.Year() >= 1970 && day.Year() < 10_000
}

// whatChoices are the events to choose from, family by family.
func whatChoices(words *i18n.Locale, chosen string, families []audit.Family) (groups []logGroup) {
	for _, f := range families {
		label := words.T("audit.family." + string(f))
		g := logGroup{Label: label, Choices: []logChoice{{string(f), words.T("audit.family.all", "family", label), string(f) == chosen}}}
		for _, of := range f.Outcomes() {
			g.Choices = append(g.Choices, logChoice{string(of), words.T("audit.family." + string(of)), string(of) == chosen})
		}
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
		name := shortID(id)
		if len(found.Entries) > 0 && found.Entries[0].Object.ID == id && found.Entries[0].Object.Name != "" {
			name = found.Entries[0].Object.Name
		}
		add("object", words.T("audit.chip.object", "kind", kindName(words, kind), "name", name))
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

// auditEntryPage is one entry by itself.
type auditEntryPage struct {
	Frame
	Line logLine
}

func (x *Web) auditEntry(w http.ResponseWriter, r *http.Request) error {
	e, err := x.audit.Entry(r.Context(), actor(r), r.PathValue("id"))
	if err != nil {
		return err
	}
	words := x.words(r)
	p := auditEntryPage{
		Frame: Frame{Title: words.T(eventKey(e.Event) + ".title"), Area: "admin", Here: "audit", Narrow: true},
		Line:  lineOf(words, &e),
	}
	return x.show(w, r, "audit-entry", &p)
}

// auditExport is the filtered log as a file.
func (x *Web) auditExport(w http.ResponseWriter, r *http.Request) error {
	filter, _ := auditFilterOf(r.URL.Query(), edge.Now(r.Context()))
	name := "audit-log-" + edge.Now(r.Context()).UTC().Format("2006-01-02")
	out := bufio.NewWriter(w)
	var write func(*audit.Entry) error
	var end func() error
	if r.URL.Query().Get("format") == "jsonl" {
		w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
		name += ".jsonl"
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		write, end = func(e *audit.Entry) error { return lines.Encode(e) }, out.Flush
	} else {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		name += ".csv"
		write, end = csvOf(x.words(r), out)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	if err := x.audit.Export(r.Context(), actor(r), filter, write); err != nil {
		return err
	}
	return end()
}

// csvOf writes entries as a table.
func csvOf(words *i18n.Locale, to io.Writer) (write func(*audit.Entry) error, end func() error) {
	table := csv.NewWriter(to)
	row := func(cells ...string) error {
		for i, c := range cells {
			cells[i] = cell(c)
		}
		return table.Write(cells)
	}
	head := row("time", "event", "title", "actor", "actor_id", "person", "person_id", "client", "client_id", "object_kind", "object_id", "object",
		"way", "address", "user_agent", "reference", "before", "after", "data")
	write = func(e *audit.Entry) error {
		if head != nil {
			return head
		}
		return row(e.At.UTC().Format(time.RFC3339), e.Event.String(), words.T(eventKey(e.Event)+".title"), e.ActorName, e.Actor,
			e.UserName, e.User, e.ClientName, e.Client, e.Object.Kind, e.Object.ID, e.Object.Name, e.Via, e.Address, e.UserAgent, e.RequestID,
			members(e.Before), members(e.After), members(e.Data))
	}
	end = func() error {
		table.Flush()
		if f, ok := to.(*bufio.Writer); ok && table.Error() == nil {
			return f.Flush()
		}
		return table.Error()
	}
	return write, end
}

// cell keeps spreadsheets from taking a text for a formula: they do so by its first
// character.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

func members(m audit.Members) string {
	if len(m) == 0 {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(b)
}
