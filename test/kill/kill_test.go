package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/oidc"
)

const key = "ENCRYPTION_KEY=a key for killing, not for people"

// setUp makes the first account of a server that runs.
func setUp(t *testing.T, s *server) *person {
	t.Helper()
	p := newPerson(s, "admin")
	made, keep, err := p.create("/setup", "", map[string]any{"profile": profile(p.name)})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := p.call("/setup/finish", "", made, nil); err != nil || a.status != http.StatusOK {
		t.Fatal(unexpected("set-up", a, err))
	}
	keep()
	return p
}

func profile(name string) map[string]string {
	return map[string]string{"username": name, "email": name + "@example.test", "firstName": name, "lastName": "Example"}
}

// arrive makes somebody with a passkey.
func arrive(t *testing.T, s *server, name string) *person {
	t.Helper()
	p := newPerson(s, name)
	s.house(func(ctx context.Context, a *app.App) {
		if _, err := a.Directory.AddUserAs(ctx, audit.System("cli"), directory.NewUser{Username: name, Email: name + "@example.test", FirstName: name, LastName: "Example"}); err != nil {
			t.Fatal(err)
		}
	})
	out, err := s.cli("one-time-access-token", name)
	m := link.FindStringSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%v %s", err, out)
	}
	in, err := p.post("/lc", "", url.Values{"code": {m[1]}})
	if err != nil || in.session == "" {
		t.Fatal(unexpected("the link", in, err))
	}
	made, keep, err := p.create("/settings/account/passkeys", in.session, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := p.call("/settings/account/passkeys/finish", in.session, made, nil); err != nil || a.status != http.StatusOK {
		t.Fatal(unexpected("the first passkey", a, err))
	}
	keep()
	return p
}

// applications are one of each kind: its refresh token stays, rotates with an overlap,
// rotates without.
func applications(t *testing.T, s *server, name string) (list []*client) {
	t.Helper()
	s.house(func(ctx context.Context, a *app.App) {
		for _, change := range []func(*oidc.ClientEdit){
			func(*oidc.ClientEdit) {},
			func(e *oidc.ClientEdit) { e.RefreshRotation = oidc.RotationAlways },
			func(e *oidc.ClientEdit) { e.Public = true },
		} {
			edit := oidc.NewClientEdit()
			edit.Name, edit.RedirectURIs, edit.IDTokenAlg = "Shop of "+name, []oidc.URI{{URI: callback}}, "ES256"
			change(&edit)
			made, plain, err := a.OIDC.AddClient(ctx, audit.System("cli"), edit)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, &client{made.ID, plain, edit.Public, edit.RefreshRotation == oidc.RotationAlways})
		}
	})
	return list
}

// What was acknowledged outlives a kill at any moment, and what works once does not work
// again. Four fifths of the kills are here, some of them while the server starts.
func TestKills(t *testing.T) { // threats 1, 4, 5, 42, 52
	engines(t, func(t *testing.T, dsn string) {
		begun, n := time.Now(), max(kills(t)*4/5, 1)
		choices := seed(t)
		rng := rand.New(rand.NewPCG(choices, 1))
		s := newServer(t, dsn, key)
		s.start()
		s.ready()
		var killed atomic.Bool
		var workers []*worker
		for i, name := range []string{"admin", "bert", "cleo", "dora"} {
			p := (*person)(nil)
			if i == 0 {
				p = setUp(t, s)
			} else {
				p = arrive(t, s, name)
			}
			w := &worker{t: t, person: p, rng: rand.New(rand.NewPCG(choices, uint64(i+2))), excused: func(error) bool { return killed.Load() }, clients: applications(t, s, name)}
			switch i {
			case 0:
				w.titles = map[*client]*text{}
			case 1:
				w.links = []string{}
			}
			workers = append(workers, w)
		}
		each := func(fn func(w *worker)) {
			var working sync.WaitGroup
			for _, w := range workers {
				working.Go(func() { fn(w) })
			}
			working.Wait()
		}
		starting := 0
		for i := range n {
			if s.cmd == nil {
				s.start()
				if rng.IntN(4) == 0 && i < n-1 { // while it starts
					time.Sleep(time.Duration(rng.IntN(150)) * time.Millisecond)
					s.kill()
					s.sound()
					starting++
					continue
				}
				s.ready()
				each(func(w *worker) { w.check(false) })
			}
			var working sync.WaitGroup
			working.Go(func() { each((*worker).load) })
			time.Sleep(time.Duration(20+rng.IntN(600)) * time.Millisecond)
			killed.Store(true)
			s.kill()
			working.Wait()
			killed.Store(false)
			s.sound()
			if t.Failed() {
				t.Fatalf("after kill %d of %d", i+1, n)
			}
		}
		s.start()
		s.ready()
		each(func(w *worker) { w.check(true) })
		var did, half, sessions, families int
		for _, w := range workers {
			did, half, sessions, families = did+w.did, half+w.half, sessions+len(w.sessions), families+len(w.families)
		}
		t.Logf("%d kills in %v, %d of them while it started; %d things acknowledged, %d under way; %d sessions, %d grants",
			n, time.Since(begun).Round(time.Second), starting, did, half, sessions, families)
		if did < n || half == 0 {
			t.Errorf("there was no load: %d things were acknowledged and %d under way", did, half)
		}
	})
}

// A server that dies while it starts for the first time, makes its key, its tables, its
// signing keys or its first administrator, starts again without a cure. The last fifth.
func TestKillsOfAFirstStart(t *testing.T) { // threats 56
	engines(t, func(t *testing.T, dsn string) {
		rng := rand.New(rand.NewPCG(seed(t), 0))
		for i := range max(kills(t)/5, 1) {
			if i > 0 {
				dsn = another(t, dsn)
			}
			settings := []string{key}
			if !strings.HasPrefix(dsn, "postgres") && i%2 == 1 {
				settings = nil // it makes a key of its own, beside the database
			}
			s := newServer(t, dsn, settings...)
			s.start()
			switch i % 4 {
			case 0, 1: // the key, the tables
				time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
			case 2: // RSA
				s.ready()
				time.Sleep(2*time.Second + time.Duration(rng.IntN(400))*time.Millisecond)
			}
			keys, half, p := map[string]bool{}, proof{}, newPerson(s, "admin")
			sent := make(chan error, 1)
			if i%4 > 1 {
				s.ready()
				keys = published(t, p)
				var keep func()
				var err error
				if half, keep, err = p.create("/setup", "", map[string]any{"profile": profile(p.name)}); err != nil {
					t.Fatal(err)
				}
				keep()
				go func() {
					_, err := p.call("/setup/finish", "", half, nil)
					sent <- err
				}()
				time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
			} else {
				sent <- fmt.Errorf("nothing was sent")
			}
			s.kill()
			acknowledged := <-sent == nil
			s.sound()
			s.start()
			s.ready()
			for kid := range published(t, p) {
				delete(keys, kid)
			}
			if len(keys) > 0 {
				t.Errorf("keys that were published are gone: %v", keys)
			}
			_, err := signedIn(p, half)
			if err != nil && acknowledged {
				t.Errorf("set-up was acknowledged: %v", err)
			}
			if err != nil {
				p = setUp(t, s)
				if _, err = signedIn(p, proof{ID: "x"}); err != nil {
					t.Errorf("after set-up: %v", err)
				}
			}
			if a, err := newPerson(s, "eve").call("/setup/begin", "", map[string]any{"profile": profile("eve")}, nil); err != nil || a.status == http.StatusOK {
				t.Errorf("set-up is still open: %d %v", a.status, err)
			}
			s.kill()
		}
	})
}

// signedIn signs in the one whom set-up made, if it did.
func signedIn(p *person, made proof) (string, error) {
	if made.ID == "" {
		return "", fmt.Errorf("there was no set-up")
	}
	return p.enter()
}

// published are the ids of the keys that clients see.
func published(t *testing.T, p *person) map[string]bool {
	t.Helper()
	a, err := p.get("/.well-known/jwks.json", "")
	var set struct{ Keys []struct{ Kid string } }
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &set)
	}
	if err != nil || len(set.Keys) < 3 {
		t.Fatal(unexpected("the keys", a, err))
	}
	kids := map[string]bool{}
	for _, k := range set.Keys {
		kids[k.Kid] = true
	}
	return kids
}

// another is the connection string of another empty database on the same engine.
func another(t *testing.T, dsn string) string {
	t.Helper()
	engine := dbtest.SQLite
	if strings.HasPrefix(dsn, "postgres") {
		engine = dbtest.Postgres
	}
	return dbtest.DSN(t, engine)
}
