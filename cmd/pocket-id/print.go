package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// asJSON and quiet are the flags of commands that show something.
var (
	asJSON = option{name: "json", about: "print JSON, in the shape of the REST API"}
	quiet  = option{name: "quiet", short: "q", about: "print ids alone, one a line"}
)

// printJSON writes v for programs.
func (c *call) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// A table is rows of cells below names of columns.
type table struct {
	head []string
	rows [][]string
}

// add adds a row.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table aligned. A cell that is empty is a hyphen.
func (t *table) print(w io.Writer) error {
	all := append([][]string{t.head}, t.rows...)
	wide := make([]int, len(t.head))
	for _, row := range all {
		for i, cell := range row {
			if row[i] = strings.TrimSpace(plain(cell)); row[i] == "" {
				row[i] = "-"
			}
			wide[i] = max(wide[i], width(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", wide[i]-width(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// facts writes pairs of a name and a value, a line each; those without a value are left out.
func facts(w io.Writer, pairs ...string) error {
	wide := 0
	for i := 0; i < len(pairs); i += 2 {
		wide = max(wide, width(pairs[i]))
	}
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if value := plain(pairs[i+1]); value != "" {
			b.WriteString(pairs[i] + strings.Repeat(" ", wide-width(pairs[i])+2) + value + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain is text without what would move the cursor, colour the terminal or turn the
// direction of a line round: names come from elsewhere.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// width is how many columns text takes on a terminal.
func width(s string) (n int) {
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff ||
			r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd):
			n += 2
		default:
			n++
		}
	}
	return n
}

// done says what was done, unless ids alone are wanted.
func (c *call) done(id, format string, args ...any) error {
	if c.on("quiet") {
		_, err := fmt.Fprintln(c.out, id)
		return err
	}
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}

// say writes a sentence.
func (c *call) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}

// line writes text that programs read, as it is.
func (c *call) line(text string) error {
	_, err := fmt.Fprintln(c.out, text)
	return err
}
