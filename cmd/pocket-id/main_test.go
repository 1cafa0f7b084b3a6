package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

// outcome is what a command leaves behind.
type outcome struct {
	status   int
	out, err string
}

// try runs the program with a state of its own directory.
func try(t *testing.T, dir string, environ []string, args ...string) outcome {
	t.Helper()
	var out, err bytes.Buffer
	p := &process{in: strings.NewReader(""), out: &out, err: &err,
		book: chapters, environ: append([]string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db"), "APP_URL=https://id.example.test"}, environ...)}
	status := p.main(t.Context(), args)
	return outcome{status, out.String(), err.String()}
}

// inhabited is a directory with the state of a house in which ada lives.
func inhabited(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c, err := app.Load([]string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db")}, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Directory.AddUserAs(t.Context(), audit.System("cli"), directory.NewUser{Username: "ada", Email: "ada@example.test", FirstName: "Ada"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name   string
		env    []string
		args   []string
		status int
		out    string // parts of what is printed, "" for none
		err    string
	}{
		{"prints the help", nil, []string{"help"}, 0, "one-time-access-token <username or e-mail>", ""},
		{"prints the help for a flag", nil, []string{"--help"}, 0, "usage: pocket-id", ""},
		{"prints the version", nil, []string{"version"}, 0, "pocket-id ", ""},
		{"prints the settings", nil, []string{"config", "variables"}, 0, "| `APP_URL` |", ""},
		{"refuses a command that is none", nil, []string{"srve"}, 2, "", `there is no command "srve"`},
		{"refuses a setting that cannot be understood", []string{"PORT=x"}, []string{"serve"}, 2, "", "PORT is \"x\", which is not a number"},
		{"refuses an address with a path", []string{"APP_URL=https://example.com/id"}, []string{"serve"}, 2, "", "APP_URL is \"https://example.com/id\", which has a path"},
		{"refuses arguments of the server", nil, []string{"serve", "now"}, 2, "", "it takes no arguments"},
		{"refuses a link without a name", nil, []string{"one-time-access-token"}, 2, "", "usage: pocket-id one-time-access-token"},
		{"says that somebody is unknown", nil, []string{"one-time-access-token", "eve"}, 1, "", `nobody here has the username or e-mail address "eve"`},
		{"makes a link by name", nil, []string{"one-time-access-token", "ada"}, 0, "https://id.example.test/lc/", ""},
		{"makes a link by address", nil, []string{"one-time-access-token", "ADA@example.test"}, 0, "https://id.example.test/lc/", ""},
		{"opens no set-up where somebody lives", nil, []string{"setup-link"}, 1, "", "set"},
		{"rotates a key", nil, []string{"key-rotate", "-a", "es256", "-y"}, 0, "The ES256 key ", ""},
		{"rotates a key as scripts for Pocket ID 2.x do", nil, []string{"key-rotate", "--alg", "EdDSA", "--crv", "Ed25519", "--yes"}, 0, "The EdDSA key ", ""},
		{"refuses a key of another algorithm", nil, []string{"key-rotate", "-a", "HS256"}, 2, "", "there are keys of"},
		{"refuses a curve that is none", nil, []string{"key-rotate", "-a", "ES256", "-c", "Ed25519"}, 2, "", "curve"},
		{"refuses a flag that is none", nil, []string{"key-rotate", "--force"}, 2, "", "force"},
		{"ends no key that it does not know", nil, []string{"key-rotate", "--compromised", "x"}, 1, "", "key"},
		{"tells a key that does not fit", []string{"ENCRYPTION_KEY=0123456789abcdef"}, []string{"serve"}, 1, "", "is not the one that sealed"},
	}
	dir := inhabited(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := try(t, dir, test.env, test.args...)
			if got.status != test.status || !strings.Contains(got.out, test.out) || !strings.Contains(got.err, test.err) {
				t.Errorf("got %+v", got)
			}
			if test.status == 0 && got.err != "" || test.status != 0 && got.out != "" {
				t.Errorf("what went well goes out, what did not to the errors: %+v", got)
			}
		})
	}
}

func TestSetupLinkOpensSetUpOfAnEmptyHouse(t *testing.T) {
	dir := t.TempDir()
	if got := try(t, dir, []string{"PORT=1", "HOST=203.0.113.1"}); got.status != 1 || !strings.Contains(got.err, "cannot listen") {
		t.Fatalf("the first start: %+v", got) // it sets the house up, then has nowhere to listen
	}
	got := try(t, dir, nil, "setup-link")
	if got.status != 0 || !regexp.MustCompile(`until \d{4}-.*\nhttps://id.example.test/setup\n`).MatchString(got.out) {
		t.Errorf("got %+v", got)
	}
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	if got := try(t, t.TempDir(), nil, "healthcheck", "-e", server.URL+"/", "-v"); got.status != 0 || !strings.Contains(got.out, server.URL) {
		t.Errorf("a server that answers: %+v", got)
	}
	port := server.URL[strings.LastIndex(server.URL, ":")+1:]
	if got := try(t, t.TempDir(), []string{"PORT=" + port, "HOST=127.0.0.1"}, "healthcheck"); got.status != 0 || got.out != "" {
		t.Errorf("the server of the settings: %+v", got)
	}
	status = http.StatusInternalServerError
	if got := try(t, t.TempDir(), nil, "healthcheck", "--endpoint", server.URL); got.status != 1 || !strings.Contains(got.err, "500") {
		t.Errorf("a server that is ill: %+v", got)
	}
	server.Close()
	if got := try(t, t.TempDir(), nil, "healthcheck", "--endpoint", server.URL); got.status != 1 {
		t.Errorf("a server that is away: %+v", got)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	var out bytes.Buffer
	p := &process{out: &out, err: io.Discard}
	p.main(t.Context(), []string{"help"})
	for _, c := range chapters.commands() {
		if !strings.Contains(out.String(), "  "+c.name) {
			t.Errorf("the help does not name %s", c.name)
		}
	}
}
