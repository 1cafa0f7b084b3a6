package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
)

// limitFlag bounds a list.
var limitFlag = option{name: "limit", value: "N", about: "print N at most"}

// A line is one object of a list: its id, its cells, and what --json prints.
type line struct {
	id     string
	cells  []string
	object any
}

// perPage is how many objects are read at once.
const perPage = 100

// list prints what page reads, page after page, as the flags want it: a table, JSON, or
// ids. A page begins after the cursor that the one before returned.
func (c *call) list(head []string, page func(after string, limit int) (lines []line, next string, err error)) error {
	left, err := c.limit()
	if err != nil {
		return err
	}
	t := table{head: head}
	first, after := true, ""
	for left != 0 {
		size := perPage
		if left > 0 {
			size = min(size, left)
		}
		lines, next, err := page(after, size)
		if err != nil {
			return err
		}
		for _, l := range lines {
			switch {
			case c.on("json"):
				if err := element(c.out, l.object, first); err != nil {
					return err
				}
			case c.on("quiet"):
				fmt.Fprintln(c.out, l.id)
			default:
				t.add(l.cells...)
			}
			first = false
		}
		if left > 0 {
			left -= len(lines)
		}
		if after = next; after == "" {
			break
		}
	}
	switch {
	case c.on("json") && first:
		_, err = fmt.Fprintln(c.out, "[]")
	case c.on("json"):
		_, err = fmt.Fprintln(c.out, "\n]")
	case !c.on("quiet"):
		err = t.print(c.out)
	}
	return err
}

// element writes one object of a JSON list, so that a long list need not be held.
func element(w io.Writer, v any, first bool) error {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	before := ",\n  "
	if first {
		before = "[\n  "
	}
	_, err := io.WriteString(w, before+strings.TrimSuffix(b.String(), "\n"))
	return err
}

// limit is how many objects are wanted, or -1 for all.
func (c *call) limit() (int, error) {
	if !c.has("limit") {
		return -1, nil
	}
	n, err := strconv.Atoi(c.text("limit"))
	if err != nil || n < 1 {
		return 0, usageError(fmt.Sprintf("--limit is a number from 1, and not %q", c.text("limit")))
	}
	return n, nil
}

// when is an instant in the time of the terminal; never is nothing.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// instant reads a time that somebody typed: a day, an instant of RFC 3339, or how long
// from now, like 90d, 12h or 30m.
func instant(flag, typed string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, typed); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, typed, time.Local); err == nil {
		return t, nil
	}
	if d, err := span(typed); err == nil {
		return now.Add(d), nil
	}
	return time.Time{}, usageError(fmt.Sprintf("--%s is a day (2027-01-31), an instant (2027-01-31T12:00:00Z), or how long from now (90d, 12h), and not %q", flag, typed))
}

// span reads how long: what Go writes, and days.
func span(typed string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(typed, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is not a number of days", days)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(typed)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s has passed", typed)
	}
	return d, err
}

// howLong is a span as it is typed.
func howLong(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// yesNo is a truth in a table.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// deed is a command that works on the open house as who sits at the terminal.
func deed(do func(ctx context.Context, c *call, a *app.App, by audit.Actor) error) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		return c.beside(ctx, func(a *app.App) error { return do(ctx, c, a, terminalActor()) })
	}
}
