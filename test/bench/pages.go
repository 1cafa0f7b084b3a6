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

// A list is a page of an administrator that has to be as quick in a large house as in a
// small one. With back it is so many pages behind the first.
type list struct {
	name, path, promised string
	back                 int
}

// somebody is a person in whose name some of the log of the large house is.
const somebody = "/settings/audit-log/global?person=00000000-0000-4000-8000-000000000007"

// lists are those that are measured. {group} is a group with a part of the people.
var lists = []list{
	{"people", "/settings/admin/users", "", 0},
	{"people, 20 pages on", "/settings/admin/users", "", 20},
	{"people, search for one of 24 names", "/settings/admin/users?q=lov", "1 / 2 ms", 0},
	{"people, search for nobody", "/settings/admin/users?q=zzz", "1 / 2 ms", 0},
	{"people, last seen first", "/settings/admin/users?sort=-seen", "", 0},
	{"people, by e-mail", "/settings/admin/users?sort=email", "", 0},
	{"people, disabled ones", "/settings/admin/users?state=disabled", "", 0},
	{"people, who never signed in", "/settings/admin/users?state=new", "", 0},
	{"people, who signed in and have no passkey", "/settings/admin/users?state=keyless", "", 0},
	{"people, with several passkeys", "/settings/admin/users?passkeys=several", "", 0},
	{"people, administrators", "/settings/admin/users?role=admin", "", 0},
	{"people, of a group", "/settings/admin/users?group={group}", "", 0},
	{"people, of a group, search, disabled", "/settings/admin/users?group={group}&state=disabled&q=lov", "", 0},
	{"a group and its members", "/settings/admin/user-groups/{group}", "", 0},
	{"groups", "/settings/admin/user-groups", "", 0},
	{"overview", "/settings/admin", "", 0},
	{"audit log, newest", "/settings/audit-log/global", "within 2 times", 0},
	{"audit log, 20 pages back", "/settings/audit-log/global", "within 2 times", 20},
	{"audit log, only passkeys", "/settings/audit-log/global?event=passkeys", "within 2 times", 0},
	{"audit log, one person", somebody, "within 2 times", 0},
	{"audit log, three filters", somebody + "&event=signed-in&address=192.0.2.99", "within 2 times", 0},
	{"audit log, search for a name", "/settings/audit-log/global?q=lov", "within 2 times", 0},
	{"own activity", "/settings/audit-log", "", 0},
}

// pages compares lists in a small house and in one with many people and a long log.
func (b *bench) pages(ctx context.Context, binary, engine, dsn string) error {
	old := b.people
	b.people = min(old, 10)
	defer func() { b.people = old }()
	var towns []*town
	for _, grown := range []bool{false, true} {
		if dsn != "" {
			var err error
			if dsn, err = b.schema(ctx); err != nil {
				return err
			}
		}
		t, err := b.settleIn(ctx, "pages", binary, dsn)
		if err != nil {
			return err
		}
		people, entries := 20, 20
		if grown {
			people, entries = b.crowd, b.entries
			b.say("%d people more move in, and the log grows to %d entries", people, entries)
		}
		if err := t.grow(ctx, people, entries); err != nil {
			return err
		}
		towns = append(towns, t)
	}
	b.print("### Pages, on %s\n", engine)
	b.print("| page, one at a time | few p50 ms | many p50 ms | many p95 ms | CPU s per 1,000, few | many | many, scaled | promised |\n| --- | --: | --: | --: | --: | --: | --: | --: |")
	for _, l := range lists {
		var one [2]result
		for i, t := range towns {
			t.leave() // the server closes connections that rest for long
			path, err := t.people[0].back(strings.ReplaceAll(l.path, "{group}", t.group), l.back)
			if err != nil {
				return err
			}
			b.say("page %s", l.name)
			r := row{l.name, 0, func(_ *town, p *person) error {
				a, err := p.open(path, ownSite)
				if err != nil {
					return err
				}
				return a.expect(200)
			}}
			if one[i], err = load(ctx, t, r, 1, b.long); err != nil {
				return err
			}
			if one[i].first != nil {
				b.failed = append(b.failed, fmt.Errorf("page %s: %w", l.name, one[i].first))
			}
		}
		few, many := &one[0], &one[1]
		b.print("| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %s |", l.name, few.within(0.5), many.within(0.5), many.within(0.95),
			few.per1000(), many.per1000(), many.per1000()*b.scale, l.promised)
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
	if t.dsn == "" {
		err = a.DB.Write(ctx, func(tx *db.Tx) error { // 256 MiB of pages in memory, for this process alone
			_, err := tx.Exec(`PRAGMA cache_size(-262144)`)
			return err
		})
	}
	if err == nil {
		t.group, err = addPeople(ctx, a, people)
	}
	err = errors.Join(err, addEntries(ctx, a, entries), a.Close())
	if err != nil {
		return err
	}
	_, err = t.start(ctx, nil)
	return err
}

// teams are how many groups share the people.
const teams = 20

// addPeople adds n people, most of them in a group, some disabled, few administrators,
// and returns the first group.
func addPeople(ctx context.Context, a *app.App, n int) (string, error) {
	first := strings.Fields("Ada Alan Amara Annie Barbara Claude Donald Edsger Frances Grace Hanna Hedy Ingrid Jean Jonas Katherine Linus Margaret Mia Niklaus Priya Radia Svetlana Tomasz")
	last := strings.Fields("Lovelace Turing Okafor Easley Liskov Shannon Knuth Dijkstra Allen Hopper Virtanen Lamarr Daubechies Bartik Weber Johnson Torvalds Hamilton Lindqvist Wirth Nair Perlman Petrova Zielinski")
	by := audit.System("cli")
	var groups []string
	for i := range teams {
		g, err := a.Directory.AddGroup(ctx, by, directory.GroupEdit{Name: fmt.Sprintf("team%d", i), FriendlyName: fmt.Sprintf("Team %d", i)})
		if err != nil {
			return "", err
		}
		groups = append(groups, g.ID)
	}
	for from := 0; from < n; from += chunk {
		err := a.DB.Write(ctx, func(tx *db.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				f, l := first[i*7%len(first)], last[i*11%len(last)]
				chance := uint32(i) * 2654435761 >> 16 // has nothing to do with the names
				n := directory.NewUser{Username: fmt.Sprintf("user%d", i), FirstName: f, LastName: l, Email: fmt.Sprintf("%s.%s.%d@example.test", f, l, i),
					Disabled: chance%50 == 1, Admin: chance%1000 == 2}
				if team := chance % (teams + 5); team < teams {
					n.Groups = groups[team : team+1]
				}
				if _, err := directory.AddUser(tx, by, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return groups[1], nil
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
