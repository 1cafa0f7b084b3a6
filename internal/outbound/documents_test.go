package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a site in memory with documents that a test changes, and the collection that
// keeps them. It is for a bubble.
type shelf struct {
	*Documents
	mu     sync.Mutex
	asked  int
	status int
	header http.Header
	text   string
	wait   time.Duration
}

// pipes is a listener in memory.
type pipes struct{ conns, closed chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.IPAddr{} }

func newShelf(t *testing.T) *shelf {
	s := &shelf{status: 200, header: http.Header{}, text: "one"}
	at := pipes{make(chan net.Conn), make(chan net.Conn)}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked++
		status, text, wait := s.status, s.text, s.wait
		for name, values := range s.header {
			w.Header()[name] = values
		}
		s.mu.Unlock()
		time.Sleep(wait)
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})}
	go server.Serve(at)
	t.Cleanup(func() { server.Close() })
	s.Documents = NewDocuments(New(Config{Private: private(t, "10.0.0.1, 10.0.0.2"), Connect: func(context.Context, netip.AddrPort) (net.Conn, error) {
		mine, theirs := net.Pipe()
		at.conns <- theirs
		return mine, nil
	}}))
	return s
}

var errStatus = errors.New("not 200")

func document(path string) Document[string] {
	return Document[string]{Request: Request{URL: "http://10.0.0.1/" + path}, Stale: time.Hour, Read: func(a Answer) (string, error) {
		if a.Status != 200 {
			return "", errStatus
		}
		return string(a.Body), nil
	}}
}

// fetches fails unless the document is want and it cost that many requests.
func (s *shelf) fetches(t *testing.T, name, want string, requests int) {
	t.Helper()
	s.costs(t, name, requests, func() {
		if got, err := Fetch(t.Context(), s.Documents, document("doc")); err != nil || got != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	})
}

func (s *shelf) costs(t *testing.T, name string, requests int, fn func()) {
	t.Helper()
	before := s.asked
	fn()
	if got := s.asked - before; got != requests {
		t.Errorf("%s: %d requests, want %d", name, got, requests)
	}
}

// threats 74
func TestDocumentsAreAskedForSeldom(t *testing.T) {
	t.Run("headers decide within bounds", func(t *testing.T) {
		for _, row := range []struct {
			header []string
			want   time.Duration
		}{
			{nil, 15 * time.Minute},
			{[]string{"Cache-Control", "max-age=600"}, 10 * time.Minute},
			{[]string{"Cache-Control", `public, max-age="600"`}, 10 * time.Minute},
			{[]string{"Cache-Control", "max-age=600", "Age", "300"}, 5 * time.Minute},
			{[]string{"Cache-Control", "max-age=0"}, time.Minute},
			{[]string{"Cache-Control", "no-store"}, time.Minute},
			{[]string{"Cache-Control", "no-cache, max-age=600"}, time.Minute},
			{[]string{"Cache-Control", "max-age=nonsense"}, time.Minute},
			{[]string{"Cache-Control", "max-age=2147483647"}, 24 * time.Hour},
			{[]string{"Cache-Control", "max-age=99999999999999999999"}, time.Minute},
			{[]string{"Date", "Sat, 01 Jan 2000 00:00:00 GMT", "Expires", "Sat, 01 Jan 2000 01:00:00 GMT"}, time.Hour},
			{[]string{"Expires", "0"}, time.Minute},
		} {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(t)
				for i := 0; i < len(row.header); i += 2 {
					s.header.Set(row.header[i], row.header[i+1])
				}
				name := strings.Join(row.header, " ")
				s.fetches(t, name, "one", 1)
				time.Sleep(row.want - time.Second)
				s.text = "two"
				s.fetches(t, name+", just before", "one", 0)
				time.Sleep(2 * time.Second)
				s.fetches(t, name+", just after", "two", 1)
			})
		}
	})
	t.Run("many who want it at once cost one request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			s.wait = time.Second
			ctx, cancel := context.WithCancel(t.Context())
			go Fetch(ctx, s.Documents, document("doc")) // goes away; the others still get it
			synctest.Wait()
			cancel()
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if got, err := Fetch(t.Context(), s.Documents, document("doc")); err != nil || got != "one" {
						t.Errorf("got %q, %v", got, err)
					}
				})
			}
			all.Wait()
			if s.asked != 1 {
				t.Errorf("%d requests", s.asked)
			}
		})
	})
	t.Run("failures are not kept for long, and nobody is hammered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			s.status = 500
			s.costs(t, "a hundred attempts", 1, func() {
				for range 100 {
					if _, err := Fetch(t.Context(), s.Documents, document("doc")); !errors.Is(err, errStatus) {
						t.Errorf("got %v", err)
					}
				}
			})
			time.Sleep(failureFor + time.Second)
			s.status = 200
			s.fetches(t, "a moment later", "one", 1)
			time.Sleep(time.Hour)
			s.status = 500
			s.fetches(t, "what was kept, while its house is down", "one", 1)
			s.fetches(t, "again", "one", 0)
			time.Sleep(time.Hour)
			if got, err := Fetch(t.Context(), s.Documents, document("doc")); !errors.Is(err, errStatus) {
				t.Errorf("what was kept too long: %q, %v", got, err)
			}
		})
	})
	t.Run("a look for something newer has a pause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			s.fetches(t, "first", "one", 1)
			s.text = "two"
			again := func(want string) {
				t.Helper()
				if got, err := Refetch(t.Context(), s.Documents, document("doc")); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			}
			s.costs(t, "at once", 0, func() { again("one") })
			time.Sleep(againAfter)
			s.costs(t, "after the pause", 1, func() { again("two"); again("two") })
			s.fetches(t, "for everybody", "two", 0)
			time.Sleep(againAfter)
			s.status = 500
			s.costs(t, "while its house is down", 1, func() { again("two"); again("two") })
		})
	})
	t.Run("one host is not asked too often, whatever the addresses", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			refused := 0
			for i := range hostBurst + 50 {
				if _, err := Fetch(t.Context(), s.Documents, document(fmt.Sprint(i))); errors.Is(err, ErrWait) {
					refused++
				}
			}
			if s.asked != hostBurst || refused != 50 {
				t.Errorf("%d requests, %d refused", s.asked, refused)
			}
			other := document("doc")
			other.URL = "http://10.0.0.2/doc"
			if _, err := Fetch(t.Context(), s.Documents, other); err != nil {
				t.Errorf("another host: %v", err)
			}
			time.Sleep(3 * hostEvery)
			s.fetches(t, "a little later", "one", 1)
		})
	})
	t.Run("what is kept has a bound", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			s.text = strings.Repeat("a", 60_000)
			for i := range 300 {
				if _, err := Fetch(t.Context(), s.Documents, document(fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
				time.Sleep(hostEvery)
			}
			if s.kept > maxKept || int(s.kept) != 60_000*len(s.entries) || len(s.entries) < 100 {
				t.Errorf("%d documents of %d bytes", len(s.entries), s.kept)
			}
			s.costs(t, "the newest is there", 0, func() { Fetch(t.Context(), s.Documents, document("299")) })
			s.costs(t, "the oldest is not", 1, func() { Fetch(t.Context(), s.Documents, document("0")) })
			s.status = 404
			for i := range maxEntries + 50 {
				Fetch(t.Context(), s.Documents, document(fmt.Sprint("none", i)))
				time.Sleep(hostEvery)
			}
			if len(s.entries) > maxEntries {
				t.Errorf("%d entries", len(s.entries))
			}
		})
	})
	t.Run("an address is kept for each reading by itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t)
			s.fetches(t, "as text", "one", 1)
			n, err := Fetch(t.Context(), s.Documents, Document[int]{Request: document("doc").Request, Read: func(a Answer) (int, error) { return len(a.Body), nil }})
			if err != nil || n != 3 || s.asked != 2 {
				t.Errorf("as a number: %d, %v, %d requests", n, err, s.asked)
			}
		})
	})
}
