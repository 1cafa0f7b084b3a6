package web

import (
	"time"

	"pocketid/internal/fault"
)

// errDay refuses what is no date.
var errDay = fault.New(fault.Invalid, "date_malformed")

const dayFormat = "2006-01-02" // of <input type="date">

// lastDay is the last day, in UTC, of what ends at an instant, as a field of a form
// has it; "" is for ever.
func lastDay(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	return end.UTC().Add(-time.Microsecond).Format(dayFormat)
}

// endOf reads a last day. An end that was not touched stays the instant that it was.
func endOf(field, typed string, was time.Time) (time.Time, error) {
	switch typed {
	case lastDay(was):
		return was, nil
	case "":
		return time.Time{}, nil
	}
	day, err := time.Parse(dayFormat, typed)
	if err != nil || day.Year() < 1970 {
		return time.Time{}, errDay.At(field)
	}
	return day.AddDate(0, 0, 1), nil
}
