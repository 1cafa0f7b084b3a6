package audit

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// A File is an export of the log in the making: a table (CSV), or an entry a line (JSON).
type File struct {
	// Media is its media type, Ending that of its name.
	Media, Ending string

	out   *bufio.Writer
	table *csv.Writer
	lines *json.Encoder
	title func(Name) string
	last  time.Time
	begun bool
}

// NewFile begins a file: "jsonl" in lines, anything else as a table. title is what people
// call an event.
func NewFile(format string, to io.Writer, title func(Name) string) *File {
	f := &File{Media: "text/csv; charset=utf-8", Ending: ".csv", out: bufio.NewWriter(to), title: title}
	if format == "jsonl" {
		f.Media, f.Ending = "application/jsonl; charset=utf-8", ".jsonl"
		f.lines = json.NewEncoder(f.out)
		f.lines.SetEscapeHTML(false)
		return f
	}
	f.table = csv.NewWriter(f.out)
	return f
}

var fileColumns = []string{"time", "event", "title", "actor", "actor_id", "person", "person_id", "client", "client_id", "object_kind", "object_id", "object",
	"way", "address", "user_agent", "reference", "before", "after", "data", "key", "key_id"}

// cutShort stands where the event does in the last line of a file that does not hold all.
const cutShort = "export.cut"

// Write adds an entry.
func (f *File) Write(e *Entry) error {
	f.last = e.At
	if f.lines != nil {
		return f.lines.Encode(e)
	}
	if err := f.head(); err != nil {
		return err
	}
	return f.row(e.At.UTC().Format(time.RFC3339), e.Event.String(), f.title(e.Event), e.ActorName, e.Actor,
		e.UserName, e.User, e.ClientName, e.Client, e.Object.Kind, e.Object.ID, e.Object.Name, e.Via, e.Address, e.UserAgent, e.RequestID,
		members(e.Before), members(e.After), members(e.Data), e.KeyName, e.Key)
}

// Cut says that there is more, in words, as the last line.
func (f *File) Cut(words string) error {
	if f.lines != nil {
		return f.lines.Encode(map[string]any{"event": cutShort, "at": f.last})
	}
	cells := make([]string, len(fileColumns))
	cells[0], cells[1], cells[2] = f.last.UTC().Format(time.RFC3339), cutShort, words
	return f.row(cells...)
}

// End ends the file.
func (f *File) End() error {
	if f.table != nil {
		if err := f.head(); err != nil {
			return err
		}
		if f.table.Flush(); f.table.Error() != nil {
			return f.table.Error()
		}
	}
	return f.out.Flush()
}

func (f *File) head() error {
	if f.begun {
		return nil
	}
	f.begun = true
	return f.row(fileColumns...)
}

func (f *File) row(cells ...string) error {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = cell(c)
	}
	return f.table.Write(safe)
}

// cell keeps spreadsheets from taking a text for a formula: they do so by its first
// character.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

func members(m Members) string {
	if len(m) == 0 {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(b)
}
