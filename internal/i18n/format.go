package i18n

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// plurals picks the form of a whole number for the languages that have more
// than one. A language that is not here has only "other".
var plurals = map[string]func(n int64) string{
	"en": func(n int64) string {
		if n == 1 {
			return "one"
		}
		return "other"
	},
}

// Forms are the plural forms that a catalogue of this locale must have.
func (l *Locale) Forms() []string {
	if plurals[l.ID] == nil {
		return []string{"other"}
	}
	return []string{"one", "other"}
}

// form is the plural form that the argument n asks for.
func (l *Locale) form(args []any) string {
	pick := plurals[l.ID]
	if pick == nil {
		return "other"
	}
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "n" {
			if n, ok := whole(args[i+1]); ok {
				return pick(n)
			}
		}
	}
	return "other"
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint32:
		return int64(n), true
	case uint64:
		return int64(min(n, math.MaxInt64)), true
	}
	return 0, false
}

// show writes a value into a text.
func (l *Locale) show(v any) string {
	if n, ok := whole(v); ok {
		return l.Number(n)
	}
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return l.Date(v)
	}
	return fmt.Sprint(v)
}

// Number is a whole number with its digits in groups.
func (l *Locale) Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	group := l.words["format.group"].text
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + group + s[i:]
	}
	return sign + s
}

// ISO is the style of dates and times that is the same in all languages: 2026-03-14,
// 24 hours (ISO 8601). The empty style is the one of the language.
const ISO = "iso"

// Dated is l with dates and times in this style. It is the one door to it: whoever
// writes dates with what it returns obeys the person's choice.
func (l *Locale) Dated(style string) *Locale {
	if l.iso == (style == ISO) {
		return l
	}
	other := *l
	other.iso = style == ISO
	return &other
}

// Key names l with its style of dates.
func (l *Locale) Key() string {
	if l.iso {
		return l.ID + " " + ISO
	}
	return l.ID
}

// Date is a day.
func (l *Locale) Date(t time.Time) string {
	if l.iso {
		return t.Format(time.DateOnly)
	}
	return l.when("format.date", t)
}

// DateTime is a minute of a day, in the zone of t.
func (l *Locale) DateTime(t time.Time) string {
	if l.iso {
		return t.Format("2006-01-02 15:04 MST")
	}
	return l.when("format.date_time", t)
}

func (l *Locale) when(key string, t time.Time) string {
	return fill(l.words[key].text, func(name string) (string, bool) {
		switch name {
		case "year":
			return strconv.Itoa(t.Year()), true
		case "month":
			return l.months[t.Month()-1], true
		case "m":
			return strconv.Itoa(int(t.Month())), true
		case "day":
			return strconv.Itoa(t.Day()), true
		case "time":
			return t.Format("15:04"), true
		case "zone":
			return t.Format("MST"), true
		}
		return "", false
	})
}

// week is how long a time is told by how long ago it is.
const week = 7 * 24 * time.Hour

// Relative is t as seen from now: "5 minutes ago", "in 3 days"; a date when it
// is a week away or more.
func (l *Locale) Relative(now, t time.Time) string {
	d, key := now.Sub(t), "ago"
	if d < 0 {
		d, key = -d, "in"
	}
	switch {
	case d >= week:
		return l.Date(t)
	case d < time.Minute && key == "ago":
		return l.T("time.now")
	case d < time.Minute:
		return l.T("time.in_seconds", "n", int64(math.Ceil(d.Seconds())))
	case d < time.Hour:
		return l.T("time."+key+"_minutes", "n", int64(d/time.Minute))
	case d < 24*time.Hour:
		return l.T("time."+key+"_hours", "n", int64(d/time.Hour))
	}
	return l.T("time."+key+"_days", "n", int64(d/(24*time.Hour)))
}

// Dir is the direction of the script, for the dir attribute: "ltr" or "rtl".
func (l *Locale) Dir() string {
	language, _, _ := strings.Cut(l.ID, "-")
	switch language {
	case "ar", "fa", "he", "ur", "ps", "sd", "ug", "yi", "dv", "ckb":
		return "rtl"
	}
	return "ltr"
}
