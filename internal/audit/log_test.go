package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/fault"
)

var admin = audit.Actor{UserID: "user-9", Name: "nina", Admin: true, Via: "page"}

func list(t *testing.T, l *audit.Log, f audit.Filter) audit.Page {
	t.Helper()
	p, err := l.List(t.Context(), admin, f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// all follows a filter to the end of the log.
func all(t *testing.T, l *audit.Log, f audit.Filter) (entries []audit.Entry) {
	t.Helper()
	for range 1000 {
		p := list(t, l, f)
		entries = append(entries, p.Entries...)
		if p.Older == "" {
			return entries
		}
		f.Cursor = p.Older
	}
	t.Fatalf("%+v never comes to an end", f)
	return nil
}

// passes says by hand what a filter means.
func passes(f audit.Filter, e *audit.Entry) bool {
	return (len(f.Events) == 0 || slices.Contains(f.Events, e.Event)) &&
		(f.Person == "" || f.Part != audit.Did && e.User == f.Person || f.Part != audit.Concerned && e.Actor == f.Person) &&
		(!f.ByOthers || e.Actor != "" && e.Actor != e.User) &&
		(f.Client == "" || e.Client == f.Client) &&
		(f.ObjectID == "" || e.Object.Kind == f.ObjectKind && e.Object.ID == f.ObjectID) &&
		(f.Via == "" || e.Via == f.Via) && (f.Address == "" || e.Address == f.Address) &&
		(f.From.IsZero() || !e.At.Before(f.From)) && (f.Until.IsZero() || e.At.Before(f.Until)) &&
		(f.Search == "" || e.RequestID == f.Search || e.Address == f.Search)
}

// Every filter, alone and with every other, gives what it means: no more, no less, in
// order, whichever index it is read along and however many pages it takes.
func TestListGivesWhatTheFilterMeans(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 700)
		l := audit.New(d, time.Hour)
		everything := all(t, l, audit.Filter{Limit: 100})
		if len(everything) != 700 {
			t.Fatalf("%d entries", len(everything))
		}
		filters := asked
		filters = append(filters, []struct {
			name   string
			filter audit.Filter
		}{
			{"object", audit.Filter{ObjectKind: "client", ObjectID: "o3"}},
			{"page", audit.Filter{Via: "page"}},
			{"time", audit.Filter{From: begun.Add(300 * time.Minute), Until: begun.Add(400 * time.Minute)}},
			{"the person who does it", audit.Filter{Person: "user-9"}},
			{"about the person to whom it is done", audit.Filter{Person: "user-0", Part: audit.Concerned}},
			{"done by the person to whom it is done", audit.Filter{Person: "user-0", Part: audit.Did}},
		}...)
		for i, a := range filters {
			for _, b := range filters[i:] {
				f := merged(a.filter, b.filter)
				f.Limit = 100
				var want []string
				for i := range everything {
					if passes(f, &everything[i]) {
						want = append(want, everything[i].ID)
					}
				}
				var got []string
				for _, e := range all(t, l, f) {
					got = append(got, e.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s and %s: %d entries, want %d", a.name, b.name, len(got), len(want))
				}
				if p := list(t, l, f); p.Total >= 0 && p.Total != min(len(want), audit.MaxCount) {
					t.Errorf("%s and %s: counted %d, want %d", a.name, b.name, p.Total, len(want))
				}
			}
		}
	})
}

// merged is the filter of both, or the first when they ask for the same thing.
func merged(a, b audit.Filter) audit.Filter {
	text := func(a *string, b string) {
		if *a == "" {
			*a = b
		}
	}
	if a.Person == "" {
		a.Person, a.Part = b.Person, b.Part
	}
	a.ByOthers = a.ByOthers || b.ByOthers
	text(&a.Client, b.Client)
	text(&a.Via, b.Via)
	text(&a.Address, b.Address)
	text(&a.Search, b.Search)
	if a.ObjectID == "" {
		a.ObjectKind, a.ObjectID = b.ObjectKind, b.ObjectID
	}
	if a.Events == nil {
		a.Events = b.Events
	}
	if a.From.IsZero() && a.Until.IsZero() {
		a.From, a.Until = b.From, b.Until
	}
	return a
}

func TestPagesLeadToAndFro(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 60)
		l := audit.New(d, time.Hour)
		ids := func(p audit.Page) (ids []string) {
			for _, e := range p.Entries {
				ids = append(ids, strings.TrimPrefix(e.ID, "entry-"))
			}
			return ids
		}
		want := func(p audit.Page, first, last string, older, newer bool) {
			t.Helper()
			got := ids(p)
			if len(got) == 0 || got[0] != first || got[len(got)-1] != last || (p.Older != "") != older || (p.Newer != "") != newer {
				t.Errorf("got %v, older %q, newer %q; want %s to %s", got, p.Older, p.Newer, first, last)
			}
		}
		f := audit.Filter{Limit: 25}
		one := list(t, l, f)
		want(one, "60", "36", true, false)
		if one.Total != 60 {
			t.Errorf("counted %d", one.Total)
		}
		f.Cursor = one.Older
		two := list(t, l, f)
		want(two, "35", "11", true, true)
		f.Cursor = two.Older
		three := list(t, l, f)
		want(three, "10", "1", false, true)
		f.Cursor = three.Newer
		want(list(t, l, f), "35", "11", true, true)
		f.Cursor = two.Newer
		want(list(t, l, f), "60", "36", true, false)

		// What was deleted meanwhile leaves a way back, what came meanwhile does not shift pages.

		if p := list(t, l, audit.Filter{Cursor: "o" + fmt.Sprint(begun.UnixMicro()) + ".a"}); len(p.Entries) != 0 || p.Newer == "" {
			t.Errorf("before all entries: %v, newer %q", ids(p), p.Newer)
		}
		if p := list(t, l, audit.Filter{Cursor: "n" + fmt.Sprint(time.Now().UnixMicro()) + ".a"}); len(p.Entries) != 25 {
			t.Errorf("newer than all entries: %v", ids(p))
		}
	})
}

// What few entries pass is looked for a bounded way at a time.
func TestFiltersThatNoIndexHasAreFollowedInSteps(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 10_000)
		l := audit.New(d, time.Hour)
		f := audit.Filter{Address: "192.0.2.10", Events: []audit.Name{audit.SignIn, audit.PasskeyAdded}, Person: "user-1", Limit: 100}
		steps, found := 0, 0
		for {
			p := list(t, l, f)
			steps++
			found += len(p.Entries)
			if p.Older == "" {
				break
			}
			if len(p.Entries) < f.Limit && p.Until.IsZero() {
				t.Fatal("a page that is not full does not say how far it looked")
			}
			f.Cursor = p.Older
		}
		var want int
		for _, e := range all(t, l, audit.Filter{Limit: 100}) {
			if passes(f, &e) {
				want++
			}
		}
		if found != want || want == 0 {
			t.Errorf("found %d entries in %d steps, want %d", found, steps, want)
		}
		rare := audit.Filter{Via: "page", Events: []audit.Name{audit.SignIn}, Address: "192.0.2.9"}
		if p := list(t, l, rare); len(p.Entries) != 0 {
			t.Errorf("found %d", len(p.Entries))
		}
		nothing := audit.Filter{Client: "client-1", Person: "user-1", Events: []audit.Name{audit.ClientDeleted}, ObjectKind: "user", ObjectID: "o1"}
		if got := all(t, l, nothing); len(got) != 0 {
			t.Errorf("found %d", len(got))
		}
	})
}

// Of the indexes that know a part of what is asked for, the one is read that reaches
// farthest, so whatever is rare is found at once however frequent the rest is.
func TestWhatIsRareLeads(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 10_000)
		l := audit.New(d, time.Hour)
		signIns := []audit.Name{audit.SignIn}
		for name, f := range map[string]audit.Filter{
			"an address among sign-ins":      {Events: signIns, Address: "192.0.2.7"},
			"a way among what somebody did":  {Person: "user-0", Via: "cli"},
			"a deed of two people":           {Events: []audit.Name{audit.UserEdited}, Person: "user-0", Address: "192.0.2.9"},
			"what never happened":            {Person: "user-3", Client: "client-3", Events: []audit.Name{audit.NewClientAuthorization}},
			"what others did at an address":  {ByOthers: true, Address: "192.0.2.9"},
			"what others never did":          {ByOthers: true, Events: []audit.Name{audit.GroupDeleted}},
			"a way that nobody goes":         {Client: "client-3", Events: []audit.Name{audit.ClientAuthorization}, Via: "serve"},
			"what a person never did at all": {Person: "user-3", Part: audit.Did, Events: []audit.Name{audit.UserEdited}},
		} {
			f.Limit = 100
			p := list(t, l, f)
			if !p.Until.IsZero() {
				t.Errorf("%s is looked for back to %s only", name, p.Until)
			}
		}
	})
}

// threats 75, 80
func TestHostileFilters(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 30)
		l := audit.New(d, time.Hour)
		long := strings.Repeat("a", 100_000)
		for _, text := range []string{"' OR 1=1 --", "%", "_", "\x00", "\xff\xfe", long, "a' UNION SELECT 1 --", "$1", "?", "?; DROP TABLE audit"} {
			for name, f := range map[string]audit.Filter{"person": {Person: text}, "client": {Client: text}, "object": {ObjectKind: text, ObjectID: text},
				"way": {Via: text}, "address": {Address: text}, "search": {Search: text}} {
				if p := list(t, l, f); len(p.Entries) != 0 {
					t.Errorf("%s %.20q finds %d entries", name, text, len(p.Entries))
				}
			}
			if p := list(t, l, audit.Filter{Cursor: text}); len(p.Entries) != 25 {
				t.Errorf("the cursor %.20q leads to %d entries, want the newest", text, len(p.Entries))
			}
		}
		for _, cursor := range []string{"o", "o1", "o1.", "o.x", "x1.a", "o99999999999999999999.a", "n-1.\x00", "o1.\xff", "o1." + long} {
			if p := list(t, l, audit.Filter{Cursor: cursor}); len(p.Entries) != 25 {
				t.Errorf("the cursor %.20q leads to %d entries, want the newest", cursor, len(p.Entries))
			}
		}
		far := []time.Time{time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(250_000, 1, 1, 0, 0, 0, 0, time.UTC)}
		for _, at := range far {
			list(t, l, audit.Filter{From: at})
			list(t, l, audit.Filter{Until: at})
		}
		if p := list(t, l, audit.Filter{From: far[1], Until: far[0]}); len(p.Entries) != 0 {
			t.Error("a time that ends before it begins has entries")
		}
		for _, limit := range []int{-1, 1, 100, 1 << 40} {
			if p := list(t, l, audit.Filter{Limit: limit}); len(p.Entries) > 100 || len(p.Entries) == 0 {
				t.Errorf("limit %d gives %d entries", limit, len(p.Entries))
			}
		}
		// Each event there is, for somebody: the statement stays below what engines take.
		list(t, l, audit.Filter{Events: audit.Names(), Person: "user-1", Search: "user"})
	})
}

// threats 54
func TestPeopleSeeWhatConcernsThemAlone(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		ada := audit.Actor{UserID: "ada", Name: "ada", Via: "page", Address: "192.0.2.1", UserAgent: "Ada's Firefox", RequestID: "ada's request"}
		boss := audit.Actor{UserID: "boss", Name: "boss", Admin: true, Via: "page", Address: "198.51.100.7", UserAgent: "the boss's browser", RequestID: "the boss's request"}
		stranger := audit.Actor{Via: "page", Address: "203.0.113.66", UserAgent: "a stranger's browser"}
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			audit.Record(tx, ada, audit.Event{Name: audit.SignIn, User: "ada", Data: map[string]any{"session": "canary", "passkeyName": "YubiKey"}})
			audit.Record(tx, boss, audit.Event{Name: audit.UserEdited, User: "ada", Object: audit.Object{Kind: "user", ID: "ada", Name: "ada"},
				Before: map[string]any{"email": "a@example.test", "claims": "canary"}, After: map[string]any{"email": "b@example.test", "note": "canary"}})
			audit.Record(tx, stranger, audit.Event{Name: audit.LoginCodeRefused, User: "ada"})
			audit.Record(tx, boss, audit.Event{Name: audit.UserEdited, User: "eve", Object: audit.Object{Kind: "user", ID: "eve", Name: "canary"}})
			audit.Record(tx, ada, audit.Event{Name: audit.ClientCreated, Client: "shop", Object: audit.Object{Kind: "client", ID: "shop", Name: "canary"}})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		l := audit.New(d, time.Hour)
		for _, f := range []audit.Filter{{}, {Person: "eve"}, {Person: "boss"}, {Address: "198.51.100.7"}, {Search: "eve"}, {ObjectKind: "user", ObjectID: "eve"}, {Via: "cli"}} {
			p, err := l.Mine(t.Context(), ada, f)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Entries) != 3 || p.Total != 3 {
				t.Errorf("%+v: ada sees %d entries of %d", f, len(p.Entries), p.Total)
			}
			shown := fmt.Sprintf("%+v", p)
			for _, hidden := range []string{"canary", "198.51.100.7", "203.0.113.66", "boss's", "stranger's"} {
				if strings.Contains(shown, hidden) {
					t.Errorf("%+v: ada sees %q", f, hidden)
				}
			}
			for _, own := range []string{"192.0.2.1", "Ada's Firefox", "YubiKey", "a@example.test", "b@example.test"} {
				if !strings.Contains(shown, own) {
					t.Errorf("%+v: ada does not see %q", f, own)
				}
			}
		}
		if p, err := l.Mine(t.Context(), audit.Actor{}, audit.Filter{}); fault.Of(err).Kind != fault.Forbidden || len(p.Entries) != 0 {
			t.Errorf("nobody sees %+v: %v", p, err)
		}
		if p, err := l.Mine(t.Context(), audit.Actor{UserID: "eve"}, audit.Filter{Events: []audit.Name{audit.SignIn}}); err != nil || len(p.Entries) != 0 {
			t.Errorf("eve sees %+v: %v", p, err)
		}

		_, listed := l.List(t.Context(), ada, audit.Filter{Person: "ada"})
		_, read := l.Entry(t.Context(), ada, "x")
		_, exported := l.Export(t.Context(), ada, audit.Filter{}, func(*audit.Entry) error { t.Error("an entry left"); return nil })
		for verb, err := range map[string]error{"List": listed, "Entry": read, "Export": exported} {
			if fault.Of(err).Code != audit.ErrNotAdmin.Code {
				t.Errorf("%s by one who is no administrator: %v", verb, err)
			}
		}
	})
}

func TestSearchFindsPeopleAndClientsByTheNamesThatTheyHad(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		l := audit.New(d, time.Hour)
		record := func(by audit.Actor, e audit.Event) {
			t.Helper()
			if err := d.Write(t.Context(), func(tx *db.Tx) error { audit.Record(tx, by, e); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		user := func(name string) audit.Object {
			return audit.Object{Kind: "user", ID: "00000000-0000-4000-8000-000000000001", Name: name, Words: []string{name, name + "@example.test"}}
		}
		id := user("").ID
		record(admin, audit.Event{Name: audit.AccountCreated, Object: user("zoe"), User: id})
		record(admin, audit.Event{Name: audit.UserEdited, Object: user("zora"), User: id})
		record(audit.Actor{UserID: id, Name: "zora", Via: "page"}, audit.Event{Name: audit.ClientCreated, Client: "shop",
			Object: audit.Object{Kind: "client", ID: "shop", Name: "Web shop", Words: []string{"web shop", "shop"}}})
		record(admin, audit.Event{Name: audit.GroupMembersEdited, Object: audit.Object{Kind: "group", ID: "g", Name: "crew", Words: []string{"crew"}},
			After: map[string]any{"added": []string{id}}})
		for search, want := range map[string]int{"zoe": 3, "zor": 3, "zora@": 3, "shop": 1, "web s": 1, "crew": 1, "hop": 0, "z": 3, "zoe@example.test": 3, "nobody": 0} {
			if p := list(t, l, audit.Filter{Search: search}); len(p.Entries) != want {
				t.Errorf("%q finds %d entries, want %d", search, len(p.Entries), want)
			}
		}
		p := list(t, l, audit.Filter{Events: []audit.Name{audit.GroupMembersEdited}, Person: ""})
		if got := p.Entries[0].Names[id]; got != "zora" {
			t.Errorf("an id in what changed has the name %q", got)
		}
		if p := list(t, l, audit.Filter{Person: id}); p.Person != "zora" || p.Entries[len(p.Entries)-1].UserName != "zoe" {
			t.Errorf("the person is called %q, and was %q", p.Person, p.Entries[len(p.Entries)-1].UserName)
		}

		// The names of what is gone go after the entries about it.
		record(admin, audit.Event{Name: audit.ClientDeleted, Client: "shop", Object: audit.Object{Kind: "client", ID: "shop", Name: "Web shop", Words: []string{"shop"}}})
		forget := func(keep time.Duration) (n int64) {
			if err := d.Write(t.Context(), func(tx *db.Tx) (err error) { n, err = audit.ForgetNames(tx, keep, 10); return err }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := forget(time.Hour); n != 0 {
			t.Errorf("%d names are forgotten before their entries", n)
		}
		if n := forget(-time.Hour); n != 1 {
			t.Errorf("%d names are forgotten, want that of the client", n)
		}
		if p := list(t, l, audit.Filter{Search: "shop"}); len(p.Entries) != 0 {
			t.Error("a forgotten name is found")
		}
		if p := list(t, l, audit.Filter{Search: "zoe"}); len(p.Entries) == 0 {
			t.Error("a name that is in use was forgotten")
		}
	})
}

func TestEntry(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 3)
		l := audit.New(d, time.Hour)
		e, err := l.Entry(t.Context(), admin, "entry-2")
		if err != nil || e.Event != audit.SignIn || e.Actor != "user-0" || !e.At.Equal(begun.Add(2*time.Minute)) {
			t.Errorf("got %+v, %v", e, err)
		}
		for _, id := range []string{"", "entry-9", "\x00", "\xff", strings.Repeat("x", 10_000)} {
			if _, err := l.Entry(t.Context(), admin, id); !errors.Is(err, audit.ErrNoEntry) {
				t.Errorf("%.20q: %v", id, err)
			}
		}
	})
}

func TestExportGivesAllThatPasses(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 1000)
		l := audit.New(d, time.Hour)
		var got []string
		if _, err := l.Export(t.Context(), admin, audit.Filter{Events: []audit.Name{audit.SignIn}, Address: "192.0.2.3"}, func(e *audit.Entry) error {
			got = append(got, e.ID)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != 20 || got[0] != "entry-953" || got[19] != "entry-3" {
			t.Errorf("got %v", got)
		}
		p := list(t, l, audit.Filter{Events: []audit.Name{audit.AuditExported}})
		if len(p.Entries) != 1 || p.Entries[0].Actor != admin.UserID || p.Entries[0].Data["address"] != "192.0.2.3" {
			t.Errorf("the export is recorded as %+v", p.Entries)
		}
		stop := errors.New("stop")
		if _, err := l.Export(t.Context(), admin, audit.Filter{}, func(*audit.Entry) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAppsAndBrowsersOfSomebody(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 2000)
		l := audit.New(d, time.Hour)
		apps, err := l.Apps(t.Context(), audit.Actor{UserID: "user-3"})
		if err != nil || len(apps) != 5 || apps[0].ID != "client-0" || apps[4].ID != "client-4" {
			t.Errorf("got %v, %v", apps, err)
		}
		for _, nobody := range []string{"", "user-77"} {
			if apps, err := l.Apps(t.Context(), audit.Actor{UserID: nobody}); err != nil || len(apps) != 0 {
				t.Errorf("%q has %v, %v", nobody, apps, err)
			}
		}
		agents, err := l.UserAgents(t.Context(), audit.Actor{UserID: "user-3"}, begun.Add(100*time.Minute))
		if err != nil || len(agents) != 4 {
			t.Errorf("got %d browsers, %v", len(agents), err)
		}
	})
}

func TestNamesOfEvents(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range audit.Names() {
		if found, ok := audit.Named(n.String()); !ok || found != n || seen[n.String()] || n.Family() == "" {
			t.Errorf("%s is not one name with a family", n)
		}
		seen[n.String()] = true
	}
	if len(seen) < 40 {
		t.Errorf("%d names", len(seen))
	}
	if _, ok := audit.Named("never.heard"); ok {
		t.Error("a name that nobody declared is known")
	}
	if got := audit.Family("never heard").Names(); got != nil {
		t.Errorf("an unknown family has %v", got)
	}
}

// No filter makes a database read the log as a whole: its plan names an index for every
// way to the table, and the one by time alone only where nothing else is asked for.
func TestNoFilterReadsTheWholeLog(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 20_000)
		if err := d.Write(t.Context(), func(tx *db.Tx) error { tx.Do(`ANALYZE audit`); return nil }); err != nil {
			t.Fatal(err)
		}
		for i, a := range asked {
			for _, b := range asked[i:] {
				f := merged(a.filter, b.filter)
				var plans []string
				if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
					plans, err = audit.Plans(tx, d.Postgres, f)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				alone := len(f.Events) == 0 && !f.ByOthers && f.Person+f.Client+f.ObjectID+f.Via+f.Address+f.Search == ""
				for _, plan := range plans {
					if strings.Contains(plan, "Seq Scan on audit") || strings.Contains(plan, "SCAN audit") && !strings.Contains(plan, "INDEX audit_time") && !strings.Contains(plan, "INDEX audit_others") ||
						!alone && strings.Contains(plan, "audit_time") {
						t.Errorf("%s and %s is read by\n%s", a.name, b.name, plan)
					}
				}
			}
		}
	})
}
