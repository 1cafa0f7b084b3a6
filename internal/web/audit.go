package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/edge"
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
		script("GET "+auditPath+"/names", edge.Admin, edge.LimitGeneral, x.auditNames),
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
	Parts []logChoice
	// Unclear are the names that were typed and mean nobody, or several.
	Unclear []logUnclear
	Most    int    // entries that a file holds
	CSV     string // where the filtered log is to be had as a file
	JSONL   string
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
	Zone   string // in which the times are; "" is UTC
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
	Search, From, Until, Via, Part string
	Who, Which                     string // names of a person and of a client, as they were typed
	Open                           bool   // the filters that few need are in use
	Exchanged                      bool   // From lies after Until
	Hidden                         []logHidden
}

// A logUnclear is a name that does not say whom it means, and those whom it may mean.
type logUnclear struct {
	Typed   string
	Choices []logMeant
}

// A logMeant is somebody who may be meant, and the page about them.
type logMeant struct{ Name, Note, Address string }

// A logHidden is a filter that the form passes on.
type logHidden struct{ Name, Value string }

// spans are the times that a filter offers, in days.
var spans = []struct {
	value string
	days  int
}{{"1", 1}, {"7", 7}, {"30", 30}, {"90", 90}}

// ways are those that a filter offers.
var ways = []string{"page", "api", "cli", "job", "serve"}

// parts are what somebody may have had to do with an entry.
var parts = []audit.Part{audit.Did, audit.Concerned}

func (x *Web) auditLog(w http.ResponseWriter, r *http.Request) error {
	words, query, now := x.words(r), r.URL.Query(), nowOf(r)
	filter, form := auditFilterOf(query, now)
	unclear, clear, err := x.namesMeant(r, query)
	if err != nil {
		return err
	}
	if clear != "" {
		return seeOther(w, clear)
	}
	var found audit.Page
	if len(unclear) == 0 {
		if found, err = x.audit.List(r.Context(), actor(r), filter); err != nil {
			return err
		}
	}
	p := auditPage{
		Frame: Frame{Title: words.T("audit.title"), Area: "admin", Here: "audit", Modules: []string{"log.js"}},
		Days:  int(x.audit.Keep / (24 * time.Hour)), Form: form, Most: audit.MaxExport, Unclear: unclear,
		logPage: logPageOf(auditPath, query, &found),
	}
	lines := make([]logLine, 0, len(found.Entries))
	for i := range found.Entries {
		found.Entries[i].At = found.Entries[i].At.In(now.Location())
		lines = append(lines, lineOf(words, &found.Entries[i]))
	}
	p.Lines, p.Zone = daysOf(words, now, lines), zoneOf(r)
	p.What, p.When = whatChoices(words, query.Get("event"), audit.Families), whenChoices(words, query.Get("when"))
	for _, v := range ways {
		p.Vias = append(p.Vias, logChoice{v, wayName(words, v), v == form.Via})
	}
	for _, part := range parts {
		p.Parts = append(p.Parts, logChoice{string(part), words.T("audit.part." + string(part)), string(part) == form.Part})
	}
	p.Chips = chipsOf(words, query, &found)
	p.CSV, p.JSONL = auditPath+"/export?"+exported(query, "csv"), auditPath+"/export?"+exported(query, "jsonl")
	return x.show(w, r, "audit", &p)
}

// typed are the filters into which a name can be typed, the filters for what it means, and
// the kinds of that.
var typed = []struct{ name, id, kind string }{{"who", "person", "user"}, {"which", "client", "client"}}

// namesMeant finds out whom typed names mean. When that is clear, it returns the address of the
// page that says so by ids, which can be kept: names change.
func (x *Web) namesMeant(r *http.Request, query url.Values) (unclear []logUnclear, clear string, err error) {
	q, found := filtersOf(query), false
	for _, f := range typed {
		text := q.Get(f.name)
		if text == "" {
			continue
		}
		folded := directory.Fold(text)
		objects, err := x.audit.Names(r.Context(), actor(r), f.kind, folded)
		if err != nil {
			return nil, "", err
		}
		exact := slices.DeleteFunc(slices.Clone(objects), func(o audit.Object) bool { return directory.Fold(o.Name) != folded })
		if len(exact) == 1 {
			objects = exact
		}
		if len(objects) == 1 {
			found = true
			q.Del(f.name)
			q.Set(f.id, objects[0].ID)
			continue
		}
		u := logUnclear{Typed: clipTo(text, 60)}
		for _, o := range objects {
			next := filtersOf(query)
			next.Del(f.name)
			next.Set(f.id, o.ID)
			u.Choices = append(u.Choices, logMeant{o.Name, shortID(o.ID), auditPath + "?" + next.Encode()})
		}
		unclear = append(unclear, u)
	}
	if found && unclear == nil {
		clear = auditPath + "?" + q.Encode()
	}
	return unclear, clear, nil
}

// namesAnswer is what log.js offers while somebody types a name.
type namesAnswer struct {
	Names []nameAnswer `json:"names"`
}

// A nameAnswer is somebody or something that a name may mean.
type nameAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Username is of people who are here now, for fields that take it.
	Username string `json:"username,omitempty"`
}

func (x *Web) auditNames(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	found, err := x.audit.Names(r.Context(), actor(r), query.Get("kind"), directory.Fold(strings.TrimSpace(query.Get("q"))))
	if err != nil {
		return err
	}
	answer := namesAnswer{Names: make([]nameAnswer, 0, len(found))}
	for _, o := range found {
		answer.Names = append(answer.Names, nameAnswer{ID: o.ID, Name: o.Name})
	}
	w.Header().Set("Cache-Control", "no-store")
	return edge.WriteJSON(w, http.StatusOK, answer)
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
	e.At = e.At.In(nowOf(r).Location())
	p := auditEntryPage{
		Frame: Frame{Title: words.T(eventKey(e.Event) + ".title"), Area: "admin", Here: "audit", Narrow: true},
		Line:  lineOf(words, &e),
	}
	return x.show(w, r, "audit-entry", &p)
}
