package edge

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pocketid/internal/fault"
)

// logBook is what the log was told.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// edgeKit is a server with its log.
type edgeKit struct {
	*Server
	log *logBook
}

// who is signed in, by the cookie "as".
var people = map[string]Identity{
	"ada":  {UserID: "ada-id", SessionID: "s1", Name: "Ada"},
	"root": {UserID: "root-id", SessionID: "s2", Name: "Root", Admin: true},
}

type askedKey struct{}

func identify(_ http.ResponseWriter, r *http.Request) (context.Context, Identity, error) {
	ctx := context.WithValue(r.Context(), askedKey{}, true)
	c, err := r.Cookie("as")
	if err != nil {
		return ctx, Identity{}, nil
	}
	if c.Value == "outage" {
		return nil, Identity{}, fault.New(fault.Unavailable, "database_gone")
	}
	return ctx, people[c.Value], nil
}

func says(text string) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, err := w.Write([]byte(text))
		return err
	}
}

func fails(err error) Handler {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

// newKit makes a server at https://id.example. change may change its configuration.
func newKit(t *testing.T, change func(*Config), routes ...Route) *edgeKit {
	t.Helper()
	log := &logBook{}
	c := Config{
		PublicURL: &url.URL{Scheme: "https", Host: "id.example"},
		Log:       slog.New(slog.NewTextHandler(log, nil)),
		Identify:  identify,
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c, routes)
	if err != nil {
		t.Fatal(err)
	}
	return &edgeKit{s, log}
}

// do sends a request. Headers are pairs of name and value; body may be "".
func (k *edgeKit) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	if strings.HasPrefix(target, "/") {
		target = "https://id.example" + target
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	return w
}

// as is the cookie of somebody.
func as(name string) []string { return []string{"Cookie", "as=" + name} }

// page, problem and oauth routes that all may use.
func open(pattern string, s Surface, h Handler) Route {
	return Route{Pattern: pattern, Access: Public, Surface: s, Handler: h}
}
