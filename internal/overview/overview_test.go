package overview

import (
	"context"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/edge"
	"pocketid/internal/jobs"
)

func at(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// certified has a certificate for a name that ends in so many days and lasts for a year.
func certified(u *url.URL, days int, name string, refused error) Config {
	until := time.Now().AddDate(0, 0, days)
	leaf := &x509.Certificate{DNSNames: []string{name}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	return Config{PublicURL: u, Certificate: func() (*x509.Certificate, error) { return leaf, refused }}
}

// Each way in which an installation can be wrong has its finding.
func TestWhatChecksFind(t *testing.T) { // threats 31, 35
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("a key"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	https := at(t, "https://id.example.com")
	direct := edge.Way{Scheme: "https", Host: "id.example.com", Peer: "203.0.113.5", Address: "203.0.113.5"}
	behind := func(change func(*edge.Way)) edge.Way {
		w := edge.Way{Scheme: "https", Host: "id.example.com", Peer: "10.0.0.1", Trusted: true, Forwarded: true, Hops: 1, Address: "203.0.113.5"}
		change(&w)
		return w
	}
	for _, tt := range []struct {
		name, want string
		state      State
		c          Config
		way        edge.Way
		look       func(*Overview, context.Context, edge.Way) (*Check, error)
	}{
		{"sees that the address is the one", "same", OK, Config{PublicURL: https}, direct, (*Overview).address},
		{"takes no notice of the port of the scheme", "same", OK, Config{PublicURL: https}, edge.Way{Host: "ID.example.com:443"}, (*Overview).address},
		{"does not guess at the scheme behind a proxy that nobody trusts", "same", OK, Config{PublicURL: https}, edge.Way{Scheme: "http", Host: "id.example.com"}, (*Overview).address},
		{"believes a trusted proxy about the scheme", "other", Bad, Config{PublicURL: https}, behind(func(w *edge.Way) { w.Scheme = "http" }), (*Overview).address},
		{"sees another port", "other", Bad, Config{PublicURL: https}, edge.Way{Host: "id.example.com:8443"}, (*Overview).address},
		{"says nothing of the address at a terminal", "", "", Config{PublicURL: https}, edge.Way{}, (*Overview).address},

		{"finds https secure", "https", OK, Config{PublicURL: https}, direct, (*Overview).secure},
		{"finds localhost secure", "local", OK, Config{PublicURL: at(t, "http://id.localhost:1411")}, direct, (*Overview).secure},
		{"finds http open", "http", Bad, Config{PublicURL: at(t, "http://id.example.com")}, direct, (*Overview).secure},
		{"is not taken in by a name that ends alike", "http", Bad, Config{PublicURL: at(t, "http://notlocalhost")}, direct, (*Overview).secure},

		{"says nothing of a certificate that a proxy has", "", "", Config{PublicURL: https}, direct, (*Overview).certificate},
		{"finds a certificate that fits", "fine", OK, certified(https, 100, "id.example.com", nil), direct, (*Overview).certificate},
		{"sees a certificate that ends soon", "soon", Warn, certified(https, 10, "id.example.com", nil), direct, (*Overview).certificate},
		{"sees one that has ended", "ended", Bad, certified(https, -1, "id.example.com", nil), direct, (*Overview).certificate},
		{"sees one that does not count yet", "early", Bad, certified(https, 500, "id.example.com", nil), direct, (*Overview).certificate},
		{"sees one for another name", "name", Bad, certified(https, 100, "other.example.com", nil), direct, (*Overview).certificate},
		{"sees new files that cannot be used", "refused", Bad, certified(https, 100, "id.example.com", errors.New("it does not fit")), direct, (*Overview).certificate},
		{"sees that there is none to use", "missing", Bad, Config{PublicURL: https, Certificate: func() (*x509.Certificate, error) { return nil, errors.New("none") }}, direct, (*Overview).certificate},

		{"sees a browser that connects itself", "direct", OK, Config{}, direct, (*Overview).proxy},
		{"sees a trusted proxy", "trusted", OK, Config{Proxies: true}, behind(func(*edge.Way) {}), (*Overview).proxy},
		{"sees a proxy while nobody is trusted", "ignored", Warn, Config{}, behind(func(w *edge.Way) { w.Trusted, w.Address = false, w.Peer }), (*Overview).proxy},
		{"sees a proxy that is not named", "stranger", Warn, Config{Proxies: true}, behind(func(w *edge.Way) { w.Trusted, w.Address = false, w.Peer }), (*Overview).proxy},
		{"sees an address that cannot be read", "unreadable", Warn, Config{Proxies: true}, behind(func(w *edge.Way) { w.Address = "" }), (*Overview).proxy},
		{"sees two proxies of which the last counts", "inner", Warn, Config{Proxies: true, EveryProxy: true}, behind(func(w *edge.Way) { w.Hops, w.Address, w.Private = 2, "10.0.0.2", true }), (*Overview).proxy},
		{"sees two hops to somebody outside", "trusted", OK, Config{Proxies: true, EveryProxy: true}, behind(func(w *edge.Way) { w.Hops = 2 }), (*Overview).proxy},
		{"sees the header of a platform", "platform", OK, Config{}, edge.Way{Peer: "10.0.0.1", Platform: true, Address: "203.0.113.5"}, (*Overview).proxy},
		{"sees that there are no limits", "unlimited", Warn, Config{NoLimits: true}, direct, (*Overview).proxy},
		{"says nothing of proxies at a terminal", "", "", Config{}, edge.Way{}, (*Overview).proxy},

		{"knows a key of the environment", "environment", OK, Config{}, direct, (*Overview).key},
		{"knows a file for its owner", "file", OK, Config{KeyFile: file("own", 0o600)}, direct, (*Overview).key},
		{"sees a file that others may read", "open", Warn, Config{KeyFile: file("read", 0o640)}, direct, (*Overview).key},
		{"lets a platform lay a file that others may read", "file", OK, Config{KeyFile: file("laid", 0o644), KeyNamed: true}, direct, (*Overview).key},
		{"sees a file that others may write", "open", Warn, Config{KeyFile: file("write", 0o666), KeyNamed: true}, direct, (*Overview).key},
		{"sees that the file is gone", "gone", Bad, Config{KeyFile: filepath.Join(dir, "none")}, direct, (*Overview).key},
	} {
		c, err := tt.look(New(tt.c), t.Context(), tt.way)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			c = &Check{}
		}
		if c.Finding != tt.want || c.State != tt.state {
			t.Errorf("it %s: got %q (%s), want %q (%s)", tt.name, c.Finding, c.State, tt.want, tt.state)
		}
	}
	for _, tt := range []struct {
		free, total int64
		want        State
	}{{1 << 30, 10 << 30, OK}, {150 << 20, 1 << 30, OK}, {90 << 20, 1 << 30, Warn}, {300 << 20, 1 << 40, OK}, {20 << 20, 100 << 20, Bad}} {
		if got := room(db.Space{Free: tt.free, Total: tt.total}); got.State != tt.want {
			t.Errorf("%d free of %d: %s, want %s", tt.free, tt.total, got.State, tt.want)
		}
	}
}

// All checks together look at a real database, in few statements, and what is wrong comes
// first; what cannot be found out is said, and takes no other check with it.
func TestChecksTogether(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		o := New(Config{DB: d, PublicURL: at(t, "http://id.example.com"), Version: "1"})
		admin := audit.System("cli")
		before := d.Statements()
		found, err := o.Checks(t.Context(), admin, edge.Way{})
		if err != nil {
			t.Fatal(err)
		}
		if n := d.Statements() - before; n > 4 {
			t.Errorf("%d statements", n)
		}
		var names []string
		for _, c := range found {
			names = append(names, c.Name+" "+c.Finding)
		}
		got := strings.Join(names, ", ")
		want := "secure http, signing missing, key environment, jobs none, database answers, clock same, version runs"
		if !d.Postgres {
			want = "secure http, signing missing, key environment, jobs none, database answers, disk enough, version runs"
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		d.Close()
		found, err = o.Checks(t.Context(), admin, edge.Way{})
		if err != nil || len(found) < 5 || found[0].State != Bad {
			t.Errorf("without a database: %v, %v", found, err)
		}
		unknown := 0
		for _, c := range found {
			if c.Finding == "unknown" {
				unknown++
			}
		}
		if unknown < 3 {
			t.Errorf("without a database only %d checks say that they do not know", unknown)
		}
	})
}

// What rests is tried again or forgotten by an administrator alone, once, and it is noted.
func TestRestingJobs(t *testing.T) { // threats 63
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		o, admin := New(Config{DB: d}), audit.Actor{UserID: "u1", Name: "Ada", Admin: true}
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			for _, id := range []string{"a", "b", "c"} {
				tx.Do(`INSERT INTO jobs (id, kind, body, run_at, tries, rests, error, created_at) VALUES ($1, 'oidc.user_out', 'x', $2, 10, $3, 'it broke', $2)`,
					id, tx.Now().UnixMicro(), id != "c")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := o.Resting(t.Context(), admin)
		if err != nil || len(list) != 2 || list[0].Error != "it broke" {
			t.Fatalf("got %v, %v", list, err)
		}
		for _, tt := range []struct {
			name string
			do   func(context.Context, audit.Actor, string) error
			id   string
			want error
		}{
			{"try again", o.TryAgain, "a", nil}, {"try again", o.TryAgain, "a", jobs.ErrNotResting}, {"forget", o.Forget, "a", jobs.ErrNotResting},
			{"forget", o.Forget, "b", nil}, {"forget", o.Forget, "b", jobs.ErrNotResting}, {"forget", o.Forget, "c", jobs.ErrNotResting}, {"try again", o.TryAgain, "", jobs.ErrNotResting},
		} {
			if err := tt.do(t.Context(), audit.Actor{UserID: "u2"}, tt.id); !errors.Is(err, audit.ErrNotAdmin) {
				t.Errorf("%s %s by somebody else: %v", tt.name, tt.id, err)
			}
			if err := tt.do(t.Context(), admin, tt.id); !errors.Is(err, tt.want) {
				t.Errorf("%s %s: got %v, want %v", tt.name, tt.id, err, tt.want)
			}
		}
		var left, tries, noted int
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.One([]any{&left, &tries, &noted}, `SELECT (SELECT count(*) FROM jobs), (SELECT tries FROM jobs WHERE id = 'a' AND rests = FALSE),
				(SELECT count(*) FROM audit WHERE event IN ('job.retried', 'job.forgotten') AND actor_id = 'u1' AND object_name = 'oidc.user_out')`)
		})
		if err != nil || left != 2 || tries != 0 || noted != 2 {
			t.Errorf("%d jobs left, %d tries, %d notes: %v", left, tries, noted, err)
		}
	})
}

// The menu costs three statements, the figures three.
func TestCounts(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		o := New(Config{DB: d})
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			now := tx.Now()
			for i, id := range []string{"a", "b", "c", "d"} {
				seen := now.Add(-time.Duration(i) * 5 * 24 * time.Hour).UnixMicro()
				tx.Do(`INSERT INTO users (id, kind, username, username_key, display_key, created_at, updated_at, last_sign_in_at, passkeys) VALUES ($1, $2, $1, $1, $1, $3, $3, $4, $5)`,
					id, map[bool]string{true: "service", false: "person"}[id == "d"], now.UnixMicro(), seen, i)
			}
			tx.Do(`INSERT INTO user_groups (id, name, name_key, created_at, updated_at) VALUES ('g', 'g', 'g', 0, 0)`)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		before := d.Statements()
		c, err := o.Counts(t.Context(), audit.System("cli"))
		if want := (Counts{Users: 3, Groups: 1}); err != nil || c != want {
			t.Errorf("got %+v, want %+v: %v", c, want, err)
		}
		if n := d.Statements() - before; n != 3 {
			t.Errorf("the menu takes %d statements", n)
		}
		before = d.Statements()
		f, err := o.Figures(t.Context(), audit.System("cli"))
		if want := (Figures{Active: 2, Everybody: 3, Single: 1}); err != nil || f != want {
			t.Errorf("got %+v, want %+v: %v", f, want, err)
		}
		if n := d.Statements() - before; n != 3 {
			t.Errorf("the figures take %d statements", n)
		}
		if _, err := o.Counts(t.Context(), audit.Actor{UserID: "a"}); !errors.Is(err, audit.ErrNotAdmin) {
			t.Error(err)
		}
		if _, err := o.Figures(t.Context(), audit.Actor{UserID: "a"}); !errors.Is(err, audit.ErrNotAdmin) {
			t.Error(err)
		}
	})
}
