package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/dbtest"
)

var update = flag.Bool("update", false, "write the golden files")

// built is the program as it is shipped, built once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pocket-id-built")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pocket-id")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if path, err := built(); err == nil && path != "" {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// A terminal runs the built program on a database.
type terminal struct {
	t       *testing.T
	environ []string
	dir     string
}

// at is a terminal on the database of dsn.
func at(t *testing.T, dsn string, environ ...string) *terminal {
	t.Helper()
	return &terminal{t, append([]string{"DB_CONNECTION_STRING=" + dsn, "APP_URL=https://id.example.test", "ENCRYPTION_KEY=the key of a terminal", "TZ=UTC", "PATH=" + os.Getenv("PATH"),
		"TRUST_PROXY=127.0.0.1"}, environ...), t.TempDir()}
}

// runs runs a command, with what it reads from its standard input.
func (x *terminal) runs(in string, args ...string) outcome {
	x.t.Helper()
	path, err := built()
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(x.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = x.environ, x.dir, strings.NewReader(in), &out, &errs
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		x.t.Fatalf("%v: %v", args, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs a command that has to go well and returns what it printed, without the last
// line break.
func (x *terminal) must(args ...string) string {
	x.t.Helper()
	got := x.runs("", args...)
	if got.status != 0 || got.err != "" {
		x.t.Fatalf("%v: %+v", args, got)
	}
	return strings.TrimSuffix(got.out, "\n")
}

// masks are what differs from one run to the next.
var masks = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<-- id of an object of the house --->"[:36]},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<instant>"},
	{regexp.MustCompile(`20[2-9]\d-\d\d-\d\d \d\d:\d\d`), "<date and time>."},
	{regexp.MustCompile(`pocketid_[A-Za-z0-9_-]{43}`), "<text of an API key>"},
	{regexp.MustCompile(`/lc/[0-9A-Z]{12}`), "/lc/<code>"},
	{regexp.MustCompile(`"token": "[0-9A-Z]{12}"`), `"token": "<code>"`},
	{regexp.MustCompile(`(?m)^[A-Za-z0-9_-]{43}$`), "<secret>"},
	{regexp.MustCompile(`"secret": "[A-Za-z0-9_-]{43}"`), `"secret": "<secret>"`},
	{regexp.MustCompile(`"prefix": "[A-Za-z0-9_-]{4}"`), `"prefix": "<4>"`},
	{regexp.MustCompile(`[A-Za-z0-9_-]{4}…`), "<4>…"},
}

// steps are the words of commands in a script, with quotes as in a shell.
func steps(t *testing.T, script string) (list [][]string) {
	t.Helper()
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		var words []string
		word, quote, open := "", rune(0), false
		for _, r := range line {
			switch {
			case quote != 0 && r == quote:
				quote = 0
			case quote != 0:
				word += string(r)
			case r == '\'' || r == '"':
				quote, open = r, true
			case r == ' ':
				if word != "" || open {
					words = append(words, word)
				}
				word, open = "", false
			default:
				word += string(r)
			}
		}
		if word != "" || open {
			words = append(words, word)
		}
		list = append(list, words)
	}
	return list
}

// Every command on people, groups, applications, keys and settings: what it prints, where,
// and its status. The script is read from the golden file itself.
func TestTranscript(t *testing.T) { // threats 84
	script, err := os.ReadFile("testdata/script.txt")
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Migrated(t, func(t *testing.T, dsn string) {
		t.Parallel()
		x := at(t, dsn)
		var b strings.Builder
		for _, words := range steps(t, string(script)) {
			in := ""
			if n := len(words); n > 2 && words[n-2] == "<<<" {
				in, words = words[n-1], words[:n-2]
			}
			got := x.runs(in, words...)
			fmt.Fprintf(&b, "$ %s\n%s", strings.Join(words, " "), got.out)
			for line := range strings.Lines(got.err) {
				b.WriteString("! " + line)
			}
			if got.status != 0 {
				fmt.Fprintf(&b, "[%d]\n", got.status)
			}
			b.WriteString("\n")
		}
		said := b.String()
		for _, m := range masks {
			said = m.what.ReplaceAllString(said, m.as)
		}
		if *update && strings.HasSuffix(t.Name(), dbtest.SQLite) {
			if err := os.WriteFile("testdata/transcript.txt", []byte(said), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/transcript.txt")
		if err != nil {
			t.Fatal(err)
		}
		differs(t, said, string(want))
	})
}

// differs tells the first lines that are not the same.
func differs(t *testing.T, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d differs; run make golden and look at the difference\ngot  %s\nwant %s", i+1, strings.Join(g[i:min(i+3, len(g))], "\n     "), strings.Join(w[min(i, len(w)):min(i+3, len(w))], "\n     "))
		}
	}
	t.Fatalf("%d lines are missing", len(w)-len(g))
}

// Commands work while a server runs on the same file, several at once, and the server
// knows at once; the doctor finds it well, and says so when it is away.
func TestBesideARunningServer(t *testing.T) { // threats 84
	t.Parallel()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	address := "http://localhost:" + port
	x := at(t, "data/pocket-id.db", "APP_URL="+address, "PORT="+port, "HOST=127.0.0.1", "LOG_LEVEL=debug", "SETUP_TOKEN=canary-of-the-set-up-page")
	var log bytes.Buffer
	server := exec.Command(path)
	server.Env, server.Dir, server.Stderr, server.Stdout = x.environ, x.dir, &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() { server.Process.Kill(); server.Wait() })
	defer stop()
	for begun := time.Now(); app.Probe(t.Context(), address+"/readyz") != nil; {
		if time.Since(begun) > time.Minute {
			t.Fatalf("the server does not start: %s", log.String())
		}
	}
	var all sync.WaitGroup
	failed := make(chan outcome, 8)
	for i := range 8 {
		all.Go(func() {
			if got := x.runs("", "user", "create", "--username", fmt.Sprintf("person%d", i), "--email", fmt.Sprintf("p%d@example.test", i), "--quiet"); got.status != 0 {
				failed <- got
			}
		})
	}
	all.Wait()
	select {
	case got := <-failed:
		t.Fatalf("beside others: %+v", got)
	default:
	}
	if n := strings.Count(x.must("user", "list", "--quiet"), "\n") + 1; n != 8 {
		t.Errorf("%d people", n)
	}
	for begun := time.Now(); ; { // the RSA key comes seconds after the start
		got := x.runs("", "doctor", "--json")
		// The machine itself is a trusted proxy in this test, and so whoever asks is one.
		if got.status == 0 && strings.Count(got.out, `"state": "warn"`) == 1 && strings.Contains(got.out, `"name": "forged"`) {
			for _, want := range []string{`"name": "server"`, `"name": "discovery"`, `"name": "keys"`, `"name": "date"`, `"name": "proxy"`, `"name": "volume"`, `"name": "schema"`, `"name": "key"`, `"name": "jobs"`, `"name": "disk"`} {
				if !strings.Contains(got.out, want) {
					t.Errorf("the doctor does not look at %s", want)
				}
			}
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("the doctor is not content: %+v", got)
		}
	}
	if got := x.runs("", "doctor", "--quiet", "--strict"); got.status != 1 || !strings.HasPrefix(got.out, "warn  outside  Whoever asks can forge") {
		t.Errorf("strictly: %+v", got)
	}
	// On another database the same keys cannot be.
	y := at(t, dbtest.MigratedDSN(t, dbtest.SQLite), "APP_URL="+address, "PORT="+port, "HOST=127.0.0.1")
	if got := y.runs("", "doctor", "--quiet"); got.status != 1 || !strings.Contains(got.out, "The server runs on another database") {
		t.Errorf("another database: %+v", got)
	}
	if got := x.runs("", "config", "list"); strings.Contains(got.out+log.String(), "canary-of") || strings.Contains(got.out, "the key of a terminal") {
		t.Error("a secret of the environment is shown")
	}
	stop()
	if got := x.runs("", "doctor", "--quiet"); got.status != 1 || !strings.Contains(got.out, "The server does not run here") || !strings.Contains(got.out, "Cure: Start it.") {
		t.Errorf("without a server: %+v", got)
	}
	if got := x.runs("", "doctor", "--inside"); got.status != 0 || strings.Contains(got.out, "outside") {
		t.Errorf("from the inside: %+v", got)
	}
	if got := x.runs("", "user", "show", "person3"); got.status != 0 {
		t.Errorf("without a server: %+v", got)
	}
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A secret is printed by the command that made it, and is then in no output, no error and
// not in the database.
func TestNoSecretIsPrinted(t *testing.T) { // threats 84
	t.Parallel()
	dsn := dbtest.MigratedDSN(t, dbtest.SQLite)
	x := at(t, dsn, "SETUP_TOKEN=canary-of-the-set-up-page", "LOG_LEVEL=debug", "ENCRYPTION_KEY=canary of the encryption key")
	secrets := map[string]string{"the set-up token": "canary-of-the-set-up-page", "the encryption key": "canary of the encryption key",
		"a chosen secret": "canary-of-a-client-1", "another chosen secret": "canary-of-a-client-2", "a secret that is refused": "canary-weak", "a password": "canary-of-mail"}
	x.must("user", "create", "--username", "ada", "--email", "ada@example.test", "--admin")
	secrets["an API key"] = x.must("api-key", "create", "--owner", "ada", "--name", "terraform", "--quiet")
	secrets["a renewed API key"] = x.must("api-key", "renew", "terraform", "--yes", "--quiet")
	_, secrets["a client secret"], _ = strings.Cut(x.must("client", "create", "--name", "Grafana", "--id", "grafana", "--redirect-uri", "https://g.example.test/cb", "--quiet"), "\n")
	secrets["a second client secret"] = x.must("client", "secrets", "add", "grafana", "--quiet")
	_, secrets["a login link"], _ = strings.Cut(x.must("user", "login-link", "ada", "--quiet"), "/lc/")
	var said strings.Builder
	try := func(in string, args ...string) outcome {
		got := x.runs(in, args...)
		said.WriteString(got.out + got.err)
		return got
	}
	for _, tt := range []struct {
		in     string
		args   []string
		status int
	}{
		{"canary-of-a-client-1\n", []string{"client", "create", "--name", "Wiki", "--id", "wiki", "--redirect-uri", "https://w.example.test/cb", "--secret-file", "-", "--json"}, 0},
		{"canary-of-a-client-2", []string{"client", "secrets", "add", "wiki", "--secret-file", "-"}, 0},
		{"canary-weak", []string{"client", "secrets", "add", "wiki", "--secret-file", "-"}, 1},
		{"canary-of-mail", []string{"config", "set", "smtpPassword", "--file", "-"}, 0},
		{"canary-of-mail", []string{"config", "set", "sessionDuration", "--file", "-"}, 1},
		{"", []string{"user", "list", "--json"}, 0}, {"", []string{"user", "show", "ada"}, 0},
		{"", []string{"client", "list", "--json"}, 0}, {"", []string{"client", "show", "grafana"}, 0}, {"", []string{"client", "show", "wiki", "--json"}, 0},
		{"", []string{"client", "secrets", "list", "wiki", "--json"}, 0}, {"", []string{"client", "secrets", "list", "wiki"}, 0},
		{"", []string{"api-key", "list", "--json"}, 0}, {"", []string{"api-key", "show", "terraform"}, 0},
		{"", []string{"config", "list", "--all"}, 0}, {"", []string{"config", "list", "--all", "--json"}, 0}, {"", []string{"config", "get", "smtpPassword"}, 0},
		{"", []string{"config", "get", "ENCRYPTION_KEY"}, 0}, {"", []string{"config", "get", "SETUP_TOKEN"}, 0}, {"", []string{"doctor", "--inside", "--json"}, 0},
		{"", []string{"client", "delete", "wiki", "--yes"}, 0}, {"", []string{"api-key", "revoke", "terraform", "--yes"}, 0},
	} {
		if got := try(tt.in, tt.args...); got.status != tt.status {
			t.Errorf("%v: %+v", tt.args, got)
		}
	}
	kept := ""
	for _, name := range []string{dsn, dsn + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		kept += string(b)
	}
	if len(kept) < 100_000 || !strings.Contains(kept, "grafana") || !strings.Contains(said.String(), "grafana") {
		t.Fatal("there is nothing to look through")
	}
	for what, secret := range secrets {
		if len(secret) < 10 {
			t.Errorf("%s is %q", what, secret)
		}
		if strings.Contains(said.String(), secret) {
			t.Errorf("%s is printed again", what)
		}
		if strings.Contains(kept, secret) {
			t.Errorf("%s is in the database", what)
		}
	}
}
