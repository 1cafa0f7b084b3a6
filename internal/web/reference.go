package web

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"pocketid/internal/api"
	"pocketid/internal/edge"
)

func (x *Web) referenceRoutes() []edge.Route {
	return []edge.Route{page("GET /api/docs", edge.SignedIn, x.reference)}
}

// maxReferenceSearch bounds what is looked for in the reference, in characters.
const maxReferenceSearch = 100

// referencePage tells what programs can do.
type referencePage struct {
	Frame
	Search   string
	Sections []api.Section
	// Open shows the operations unfolded: few are left.
	Open bool
	URL  string
}

// reference shows the operations of the API, or those in which all words of a search stand.
func (x *Web) reference(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	if !utf8.ValidString(q) || utf8.RuneCountInString(q) > maxReferenceSearch {
		q = ""
	}
	p := &referencePage{Frame: Frame{Title: x.words(r).T("reference.title"), Area: "account", Here: "keys"}, Search: q, URL: strings.TrimSuffix(x.public.String(), "/")}
	found := 0
	for _, s := range x.operations() {
		var entries []api.Entry
		for _, e := range s.Entries {
			if matchesAll(strings.ToLower(strings.Join([]string{s.Name, e.Method, e.Path, e.Does, e.Scope}, " ")), q) {
				entries = append(entries, e)
			}
		}
		if found += len(entries); len(entries) > 0 {
			s.Entries = entries
			p.Sections = append(p.Sections, s)
		}
	}
	p.Open = found <= 3
	return x.show(w, r, "reference", p)
}

// matchesAll reports whether all words of a search stand in a text.
func matchesAll(text, search string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
