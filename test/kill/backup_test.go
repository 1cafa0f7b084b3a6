package kill

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/dbtest"
)

// A book is the names of those whom the server has said it made.
type book struct {
	mu    sync.Mutex
	names []string
}

func (b *book) note(name string) { b.mu.Lock(); b.names = append(b.names, name); b.mu.Unlock() }

func (b *book) sofar() []string { b.mu.Lock(); defer b.mu.Unlock(); return slices.Clone(b.names) }

// Everything that was acknowledged before a backup begins is in it, however many go on
// writing; and a backup that is killed leaves nothing under its name. It is restored on
// the other engine.
func TestBackupUnderWriteLoad(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		s := newServer(t, dsn, key)
		s.start()
		s.ready()
		setUp(t, s)
		out, err := s.cli("api-key", "create", "--owner", "admin", "--name", "load", "--quiet")
		token := strings.TrimSpace(out)
		if err != nil || token == "" {
			t.Fatalf("%v %s", err, out)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		made := &book{}
		var writing sync.WaitGroup
		for w := range 4 {
			writing.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					name := fmt.Sprintf("w%d-%d", w, n)
					body := fmt.Sprintf(`{"username":%q,"email":"%s@example.test","firstName":"W","lastName":"R","displayName":"W R"}`, name, name)
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+"/api/users", strings.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("X-API-Key", token)
					req.Header.Set("Content-Type", "application/json")
					res, err := http.DefaultClient.Do(req)
					if err != nil {
						continue
					}
					res.Body.Close()
					if res.StatusCode != http.StatusCreated {
						t.Errorf("making %s: %d", name, res.StatusCode)
						return
					}
					made.note(name)
				}
			})
		}
		wait := func(n int) {
			for end := time.Now().Add(time.Minute); len(made.sofar()) < n && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
		}
		wait(20)
		dir := t.TempDir()
		for i := range 3 { // kills at several moments
			cmd := exec.Command(program, "backup", "-p", filepath.Join(dir, "killed.zip"))
			cmd.Dir, cmd.Env = s.dir, s.env
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(20+50*i) * time.Millisecond)
			cmd.Process.Kill()
			cmd.Wait()
			if _, err := os.Stat(filepath.Join(dir, "killed.zip")); err == nil { // it was faster, so it is whole
				if out, err := s.cli("restore", filepath.Join(dir, "killed.zip"), "--dry-run"); err != nil {
					t.Errorf("half a backup has its name: %s", out)
				}
				os.Remove(filepath.Join(dir, "killed.zip"))
			} else if !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
		before := made.sofar()
		file := filepath.Join(dir, "backup.zip")
		if out, err := s.cli("backup", "-p", file); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		after := len(made.sofar())
		wait(after + 4) // they go on
		stop()
		writing.Wait()
		if len(made.sofar()) < after+4 || len(before) < 20 {
			t.Errorf("%d were made before, %d during and %d after the backup", len(before), after, len(made.sofar()))
		}

		other := dbtest.SQLite
		if s.file != "" {
			other = dbtest.Postgres
		}
		copied := newServer(t, dbtest.DSN(t, other), key, "APP_URL="+s.url())
		if out, err := copied.cli("restore", file); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		copied.house(func(ctx context.Context, a *app.App) {
			for _, name := range before {
				if _, err := a.Directory.Find(ctx, audit.System("cli"), name); err != nil {
					t.Errorf("%s was acknowledged, and is gone: %v", name, err)
				}
			}
		})
		copied.start()
		copied.ready()
		if a, err := newPerson(copied, "admin").get("/.well-known/jwks.json", ""); err != nil || a.status != http.StatusOK {
			t.Errorf("the restored server: %v", unexpected("its keys", a, err))
		}
		s.kill()
		copied.kill()
	})
}
