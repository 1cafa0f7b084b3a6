package app

import (
	"strings"
	"testing"
)

// Somebody who has set PUID and PGID hears when they are not whom the program runs as.
func TestRunsAs(t *testing.T) {
	for _, tt := range []struct {
		name, puid, pgid string
		says             string
	}{
		{"is content without them", "", "", ""},
		{"is content where it is so", "1000", "1000", ""},
		{"takes what is missing to be 1000", "1000", "", ""},
		{"says what to write", "1001", "100", `user: "1001:100"`},
		{"says what to write for a group", "", "100", `user: "1000:100"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			note, ok := runsAs(map[string]string{"PUID": tt.puid, "PGID": tt.pgid}, 1000, 1000)
			if ok != (tt.says != "") || !strings.Contains(note.Text, tt.says) {
				t.Errorf("%v %q", ok, note.Text)
			}
		})
	}
}
