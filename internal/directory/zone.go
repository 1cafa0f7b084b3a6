package directory

import (
	_ "embed" // zones
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"
)

// zones are the time zones of the tz database: in each line the rule by which clocks go
// now, in the form of TZ strings (RFC 8536 §3.3), and the names of the zones that go by
// it. What clocks did in former years is not brought along: it is twenty times as much.
//
//go:embed zones.txt
var zones string

// Zones are the names of the time zones that a claim can have, sorted.
func Zones() []string {
	var names []string
	for line := range strings.Lines(zones) {
		names = append(names, strings.Fields(line)[1:]...)
	}
	slices.Sort(names)
	return names
}

func zone(field, typed string) (string, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" || ruleOf(typed) != "" {
		return typed, nil
	}
	return "", ErrZoneUnknown.At(field)
}

// ruleOf is the rule of a zone; "" when there is no such zone.
func ruleOf(name string) string {
	for line := range strings.Lines(zones) {
		fields := strings.Fields(line)
		if slices.Contains(fields[1:], name) {
			return fields[0]
		}
	}
	return ""
}

// locations are those of the rules that somebody reads by. There are no more of them than
// lines of zones.
var locations sync.Map

// Zone is where clocks go as they do now in the zone of that name. It is not there when
// the name is no zone.
func Zone(name string) (*time.Location, bool) {
	rule := ruleOf(name)
	if rule == "" {
		return nil, false
	}
	if at, ok := locations.Load(rule); ok {
		return at.(*time.Location), true
	}
	at, err := time.LoadLocationFromTZData(name, tzif(rule))
	if err != nil {
		return nil, false
	}
	locations.Store(rule, at)
	return at, true
}

// tzif is a file of a zone (RFC 8536 §3) that has no history and goes by a rule.
func tzif(rule string) []byte {
	header := append([]byte("TZif2"), make([]byte, 15)...)
	for _, n := range []uint32{0, 0, 0, 0, 0, 0} { // the part for old readers is empty
		header = binary.BigEndian.AppendUint32(header, n)
	}
	file := append(slices.Clip(header), header[:20]...)
	for _, n := range []uint32{0, 0, 0, 0, 1, 4} { // one type of local time, four bytes of names
		file = binary.BigEndian.AppendUint32(file, n)
	}
	file = append(file, 0, 0, 0, 0, 0, 0) // it is UTC, and never used
	file = append(file, "UTC\x00"...)
	return append(file, "\n"+rule+"\n"...)
}
