package kill

import (
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The drills of docs/incidents.md, with the commands that stand there, on the built program.
func TestDrills(t *testing.T) {
	if testing.Short() {
		t.Skip("drills are left out by -short")
	}
	s := newServer(t, filepath.Join(t.TempDir(), "pocket-id.db"))
	s.start()
	s.ready()
	admin := setUp(t, s)
	ada := arrive(t, s, "ada")
	apps := applications(t, s, "ada")
	run := func(args ...string) string {
		t.Helper()
		out, err := s.cli(args...)
		if err != nil {
			t.Fatalf("pocket-id %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	signIn := func(p *person) *session {
		t.Helper()
		cookie, err := p.enter()
		if err != nil {
			t.Fatalf("%s cannot sign in: %v", p.name, err)
		}
		return &session{cookie: cookie}
	}
	isIn := func(p *person, in *session) bool {
		t.Helper()
		a, err := p.get("/settings/account", in.cookie)
		if err != nil {
			t.Fatal(err)
		}
		return a.status == http.StatusOK
	}
	tokensFor := func(in *session) tokens {
		t.Helper()
		k, err := ada.authorize(apps[0], in, true)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ada.redeem(k)
		if err != nil || got.Refresh == "" {
			t.Fatal(got, err)
		}
		return got
	}
	refreshes := func(got tokens) bool {
		t.Helper()
		again, err := ada.refresh(apps[0], got.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		return again.Error == ""
	}

	t.Run("sign everybody out", func(t *testing.T) {
		in, boss := signIn(ada), signIn(admin)
		got := tokensFor(in)
		run("user", "sign-out", "--everybody", "--yes")
		if isIn(ada, in) || isIn(admin, boss) || refreshes(got) {
			t.Error("somebody is still in")
		}
		if good, err := ada.knows(got.Access); good || err != nil {
			t.Errorf("an access token is still good: %v", err)
		}
		signIn(ada)
	})

	t.Run("a signing key is compromised", func(t *testing.T) {
		in := signIn(ada)
		got := tokensFor(in)
		before := published(t, ada)
		kid := regexp.MustCompile(`"kid":"([^"]+)"`)
		header, err := base64.RawURLEncoding.DecodeString(strings.Split(got.Access, ".")[0])
		m := kid.FindStringSubmatch(string(header))
		if err != nil || m == nil || !before[m[1]] {
			t.Fatalf("the access token was signed by %s", header)
		}
		run("key-rotate", "--compromised", m[1], "--yes")
		for end := time.Now().Add(45 * time.Second); published(t, ada)[m[1]]; time.Sleep(200 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the key is still published")
			}
		}
		if good, err := ada.knows(got.Access); good || err != nil {
			t.Errorf("what it signed is still good: %v", err)
		}
		if !isIn(ada, in) || !refreshes(got) {
			t.Error("it cost people their sessions, or applications their grants")
		}
	})

	t.Run("an administrator is locked out", func(t *testing.T) {
		out := run("one-time-access-token", "admin", "--lost-passkeys")
		m := link.FindStringSubmatch(out)
		if m == nil {
			t.Fatal(out)
		}
		if _, err := admin.enter(); err == nil {
			t.Error("a lost passkey still opens the account")
		}
		in, err := admin.post("/lc", "", map[string][]string{"code": {m[1]}})
		if err != nil || in.session == "" {
			t.Fatal(unexpected("the link", in, err))
		}
		admin.keys.Credentials = nil
		made, keep, err := admin.create("/settings/account/passkeys", in.session, map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		if a, err := admin.call("/settings/account/passkeys/finish", in.session, made, nil); err != nil || a.status != http.StatusOK {
			t.Fatal(unexpected("the new passkey", a, err))
		}
		keep()
		signIn(admin)
		run("user", "edit", "ada", "--admin")
		if a, err := ada.get("/settings/admin", signIn(ada).cookie); err != nil || a.status != http.StatusOK {
			t.Errorf("somebody who was made an administrator: %d, %v", a.status, err)
		}
	})

	t.Run("the encryption key is lost", func(t *testing.T) {
		got := tokensFor(signIn(ada))
		s.kill()
		path := filepath.Join(filepath.Dir(s.file), "encryption-key")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if out, err := s.cli(); err == nil || !strings.Contains(out, "encryption-key-rotate --lost") {
			t.Fatalf("a start without the key: %v\n%s", err, out)
		}
		out := run("encryption-key-rotate", "--lost", "--yes")
		if !strings.Contains(out, path) {
			t.Errorf("it says %s", out)
		}
		s.start()
		s.ready()
		if !refreshes(got) {
			t.Error("a refresh token does not survive")
		}
		tokensFor(signIn(ada))
	})
}

// On a volume that is full nothing is lost and reading goes on; with room the server goes on
// by itself.
func TestVolumeIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("a full volume is left out by -short")
	}
	volume := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", volume).CombinedOutput(); err != nil {
		t.Fatalf("a small volume cannot be mounted (%v: %s); run this as root, or: unshare -Urm go test ./test/kill -run TestVolumeIsFull", err, strings.TrimSpace(string(out)))
	}
	t.Cleanup(func() { exec.Command("umount", "-l", volume).Run() })
	s := newServer(t, filepath.Join(volume, "pocket-id.db"), key)
	s.start()
	s.ready()
	full(t, s, func() { fill(t, filepath.Join(volume, "others")) }, func() {
		if err := os.Remove(filepath.Join(volume, "others")); err != nil {
			t.Fatal(err)
		}
	})
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for b := make([]byte, size); ; {
			if _, err := f.Write(b); err != nil {
				break
			}
		}
	}
}

// full lets people work on a volume without room, and then with room again.
func full(t *testing.T, s *server, take, free func()) {
	t.Helper()
	admin := setUp(t, s)
	cookie, err := admin.enter()
	if err != nil {
		t.Fatal(err)
	}
	published(t, admin) // all signing keys are there
	take()
	refused := 0
	for i := 0; i < 2000 && refused < 3; i++ { // what is allocated already still has some room
		if _, err := admin.enter(); err != nil {
			o, ok := errors.AsType[*outage](err)
			if !ok || o.status != http.StatusServiceUnavailable || o.retry == "" {
				t.Fatalf("sign-in %d: %v", i, err)
			}
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("the volume is full, and everything works")
	}
	if a, err := admin.get("/.well-known/openid-configuration", ""); err != nil || a.status != http.StatusOK {
		t.Errorf("discovery: %d, %v", a.status, err)
	}
	if a, err := admin.get("/settings/account", cookie); err != nil || a.status != http.StatusOK {
		t.Errorf("a page that only reads: %d, %v", a.status, err)
	}
	out, err := s.cli("doctor", "--inside")
	if err == nil || !strings.Contains(out, "MB") {
		t.Errorf("doctor does not see it: %v\n%s", err, out)
	}
	free()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, err := admin.enter()
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("with room again: %v", err)
		}
	}
	s.kill()
	s.sound()
}
