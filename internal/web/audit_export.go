package web

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/i18n"
)

// auditExport is the filtered log as a file.
func (x *Web) auditExport(w http.ResponseWriter, r *http.Request) error {
	if q := filtersOf(r.URL.Query()); q.Has("who") || q.Has("which") { // the page finds out whom they mean
		return seeOther(w, auditPath+"?"+q.Encode())
	}
	now := nowOf(r)
	filter, _ := auditFilterOf(r.URL.Query(), now)
	name := "audit-log-" + now.Format("2006-01-02")
	out := bufio.NewWriter(w)
	var write func(*audit.Entry) error
	var cut func(last time.Time) error // says that there is more
	var end func() error
	var last time.Time
	if r.URL.Query().Get("format") == "jsonl" {
		w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
		name += ".jsonl"
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		write, end = func(e *audit.Entry) error { return lines.Encode(e) }, out.Flush
		cut = func(last time.Time) error { return lines.Encode(map[string]any{"event": cutShort, "at": last}) }
	} else {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		name += ".csv"
		write, cut, end = csvOf(x.words(r), out)
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	more, err := x.audit.Export(r.Context(), actor(r), filter, func(e *audit.Entry) error { last = e.At; return write(e) })
	if err == nil && more {
		err = cut(last)
	}
	if err != nil {
		return err
	}
	return end()
}

// cutShort stands where the event does in the last line of a file that does not hold all.
const cutShort = "export.cut"

// csvOf writes entries as a table.
func csvOf(words *i18n.Locale, to io.Writer) (write func(*audit.Entry) error, cut func(time.Time) error, end func() error) {
	table := csv.NewWriter(to)
	row := func(cells ...string) error {
		for i, c := range cells {
			cells[i] = cell(c)
		}
		return table.Write(cells)
	}
	columns := []string{"time", "event", "title", "actor", "actor_id", "person", "person_id", "client", "client_id", "object_kind", "object_id", "object",
		"way", "address", "user_agent", "reference", "before", "after", "data"}
	head := row(slices.Clone(columns)...)
	write = func(e *audit.Entry) error {
		if head != nil {
			return head
		}
		return row(e.At.UTC().Format(time.RFC3339), e.Event.String(), words.T(eventKey(e.Event)+".title"), e.ActorName, e.Actor,
			e.UserName, e.User, e.ClientName, e.Client, e.Object.Kind, e.Object.ID, e.Object.Name, e.Via, e.Address, e.UserAgent, e.RequestID,
			members(e.Before), members(e.After), members(e.Data))
	}
	cut = func(last time.Time) error {
		cells := make([]string, len(columns))
		cells[0], cells[1], cells[2] = last.UTC().Format(time.RFC3339), cutShort, words.T("audit.export.cut", "n", audit.MaxExport)
		return row(cells...)
	}
	end = func() error {
		table.Flush()
		if f, ok := to.(*bufio.Writer); ok && table.Error() == nil {
			return f.Flush()
		}
		return table.Error()
	}
	return write, cut, end
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
