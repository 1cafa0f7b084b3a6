package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/signin"
)

// Where somebody is signed in is listed for people and for programs; sessions are ended
// one by one, by as much of their ids as tells them apart, and the log says who did it.
func TestSessionsOfSomebody(t *testing.T) {
	dir := inhabited(t)
	c, err := app.Load([]string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db")}, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, agent := range []string{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "curl/8", "wget"} {
		code, _, err := a.SignIn.MakeLoginLink(t.Context(), audit.System("cli"), "ada", time.Hour)
		if err == nil {
			_, err = a.SignIn.RedeemLogin(t.Context(), nil, signin.Seen{Address: "192.0.2.7", UserAgent: agent}, code, "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	table := try(t, dir, nil, "user", "sessions", "list", "ada")
	if table.status != 0 || !strings.Contains(table.out, "Firefox") || !strings.Contains(table.out, "192.0.2.7") || strings.Count(table.out, "login link") != 3 {
		t.Errorf("got %+v", table)
	}
	var list []struct{ ID, SignedInBy, Device, UserAgent string }
	asJSON := try(t, dir, nil, "user", "sessions", "list", "ada@example.test", "--json")
	if err := json.Unmarshal([]byte(asJSON.out), &list); err != nil || len(list) != 3 || list[0].UserAgent != "wget" || list[0].SignedInBy != "code" {
		t.Fatalf("got %+v, %v", asJSON, err)
	}
	first, second := list[0].ID, list[1].ID
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"refuses somebody who is not there", []string{"user", "sessions", "list", "eve"}, 1, "nobody here"},
		{"needs a session", []string{"user", "sessions", "end", "ada"}, 2, "<session>"},
		{"refuses one that is not there", []string{"user", "sessions", "end", "ada", "ffffffff", "--yes"}, 1, "no session with the id"},
		{"refuses too little of an id", []string{"user", "sessions", "end", "ada", first[:4], "--yes"}, 1, "no session with the id"},
		{"does not ask nobody", []string{"user", "sessions", "end", "ada", first}, 1, "1 of the 3 sessions of ada end"},
		{"ends two, one of them named twice", []string{"user", "sessions", "end", "ada", first[:8], second, first, "--yes"}, 0, "Ended 2 of the sessions of ada."},
		{"does so once", []string{"user", "sessions", "end", "ada", second, "--yes"}, 1, "no session with the id"},
		{"leaves the other", []string{"user", "sessions", "list", "ada", "--quiet"}, 0, list[2].ID + "\n"},
	} {
		if got := try(t, dir, nil, tt.args...); got.status != tt.status || !strings.Contains(got.out+got.err, tt.want) {
			t.Errorf("it %s: got %+v", tt.name, got)
		}
	}
	if a, err = app.Beside(t.Context(), c, c.Logger(io.Discard)); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	page, err := a.Audit.List(t.Context(), audit.System("cli"), audit.Filter{Limit: 100, Events: []audit.Name{audit.SessionEnded}})
	if err != nil || len(page.Entries) != 2 {
		t.Fatalf("%d entries, %v", len(page.Entries), err)
	}
	for _, e := range page.Entries {
		if e.Via != "cli" || e.ActorName != loginName() {
			t.Errorf("the log says %+v", e)
		}
	}
}
