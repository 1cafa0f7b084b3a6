package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"regexp"

	"strings"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// lists are the pages of an administrator that have to be as quick in a large house as
// in a small one.
var lists = []struct{ name, path, promised string }{
	{"people", "/settings/admin/users", ""},
	{"people, search for one of 24 names", "/settings/admin/users?q=lov", "1 / 2 ms"},
	{"people, search for nobody", "/settings/admin/users?q=zzz", "1 / 2 ms"},
	{"audit log, newest", "/settings/audit-log/global", "within 2 times"},
	{"audit log, 20 pages back", "", "within 2 times"},
	{"audit log, only passkeys", "/settings/audit-log/global?event=passkeys", "within 2 times"},
	{"audit log, one person", "/settings/audit-log/global?person=00000000-0000-4000-8000-000000000007", "within 2 times"},
	{"audit log, three filters", "/settings/audit-log/global?person=00000000-0000-4000-8000-000000000007&event=signed-in&address=192.0.2.99", "within 2 times"},
	{"audit log, search for a name", "/settings/audit-log/global?q=lov", "within 2 times"},
}

// pages compares lists in a small house and in one with many people and a long log.
func (b *bench) pages(ctx context.Context, binary string) error {
	old := b.people
	b.people = min(old, 10)
	defer func() { b.people = old }()
	var towns []*town
	for _, grown := range []bool{false, true} {
		t, err := b.settleIn(ctx, "pages", binary, "")
		if err != nil {
			return err
		}
		if grown {
			b.say("%d people more move in, and the log grows to %d entries", b.crowd, b.entries)
			if err := t.grow(ctx, b.crowd, b.entries); err != nil {
				return err
			}
		}
		towns = append(towns, t)
	}
	b.print("| page, one at a time | %d people p50 ms | %d people, %d entries p50 ms | CPU s per 1,000, few | many | promised |\n| --- | --: | --: | --: | --: | --: |",
		b.people, b.people+b.crowd, b.entries)
	for _, l := range lists {
		var one [2]result
		for i, t := range towns {
			t.leave() // the server closes connections that rest for long
			path := l.path
			if path == "" {
				var err error
				if path, err = t.people[0].back("/settings/audit-log/global", 20); err != nil {
					return err
				}
			}
			b.say("page %s", l.name)
			r := row{l.name, 0, func(_ *town, p *person) error {
				a, err := p.open(path, ownSite)
				if err != nil {
					return err
				}
				return a.expect(200)
			}}
			var err error
			if one[i], err = load(ctx, t, r, 1, b.long); err != nil {
				return err
			}
			if one[i].first != nil {
				b.failed = append(b.failed, fmt.Errorf("page %s: %w", l.name, one[i].first))
			}
		}
		b.print("| %s | %.2f | %.2f | %.2f | %.2f | %s |", l.name, one[0].within(0.5), one[1].within(0.5), one[0].per1000(), one[1].per1000(), l.promised)
	}
	b.print("")
	for _, t := range towns {
		t.leave()
		if err := t.stop(); err != nil {
			return err
		}
	}
	return nil
}

// next finds the link to the next page of a list.
var next = regexp.MustCompile(`href="([^"]*)" rel="next"`)

// back goes so many pages back in a list, or as far as there are any.
func (p *person) back(path string, n int) (string, error) {
	plain := p.s.wire("User-Agent: bench\r\n") // nothing is compressed for it
	defer plain.close()
	for range n {
		a, err := plain.get(path, ownSite+p.cookies())
		if err == nil {
			err = a.expect(200)
		}
		if err != nil {
			return "", err
		}
		link := next.FindSubmatch(a.body)
		if link == nil {
			return path, nil
		}
		path = html.UnescapeString(string(link[1]))
	}
	return path, nil
}

// chunk is how many rows one transaction writes.
const chunk = 5000

// grow fills the house through the domain, in large transactions, while the server
// stands still.
func (t *town) grow(ctx context.Context, people, entries int) error {
	t.leave()
	if err := t.stop(); err != nil {
		return err
	}
	a, err := t.house(ctx)
	if err != nil {
		return err
	}
	err = a.DB.Write(ctx, func(tx *db.Tx) error { // 256 MiB of pages in memory, for this process alone
		_, err := tx.Exec(`PRAGMA cache_size(-262144)`)
		return err
	})
	err = errors.Join(err, addPeople(ctx, a, people), addEntries(ctx, a, entries), a.Close())
	if err != nil {
		return err
	}
	_, err = t.start(ctx, nil)
	return err
}

func addPeople(ctx context.Context, a *app.App, n int) error {
	first := strings.Fields("Ada Alan Amara Annie Barbara Claude Donald Edsger Frances Grace Hanna Hedy Ingrid Jean Jonas Katherine Linus Margaret Mia Niklaus Priya Radia Svetlana Tomasz")
	last := strings.Fields("Lovelace Turing Okafor Easley Liskov Shannon Knuth Dijkstra Allen Hopper Virtanen Lamarr Daubechies Bartik Weber Johnson Torvalds Hamilton Lindqvist Wirth Nair Perlman Petrova Zielinski")
	by := audit.System("cli")
	for from := 0; from < n; from += chunk {
		err := a.DB.Write(ctx, func(tx *db.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				f, l := first[i*7%len(first)], last[i*11%len(last)]
				_, err := directory.AddUser(tx, by, directory.NewUser{Username: fmt.Sprintf("user%d", i), FirstName: f, LastName: l,
					Email: fmt.Sprintf("%s.%s.%d@example.test", f, l, i)})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func addEntries(ctx context.Context, a *app.App, n int) error {
	events := []audit.Name{audit.SignIn, audit.ClientAuthorization, audit.SignIn, audit.ClientAuthorization, audit.SignIn, audit.NewClientAuthorization}
	for from := 0; from < n; from += chunk {
		err := a.DB.Write(ctx, func(tx *db.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				person := fmt.Sprintf("00000000-0000-4000-8000-%012d", i*7919%500)
				e := audit.Event{Name: events[i%len(events)], Object: audit.Object{Kind: "user", ID: person, Name: "somebody"}, User: person}
				if i%1000 == 0 { // few of many
					e.Name = audit.PasskeyAdded
				}
				audit.Record(tx, audit.Actor{UserID: person, Name: "somebody", Via: "page", Address: "192.0.2.1", UserAgent: "Firefox on Linux"}, e)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
