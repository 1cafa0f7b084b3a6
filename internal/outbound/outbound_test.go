package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// private is the list of a variable.
func private(t testing.TB, list string) Private {
	t.Helper()
	p, err := ParsePrivate(list)
	must(t, err)
	return p
}

// server is a site on loopback.
func server(t testing.TB, serve http.HandlerFunc) (s *httptest.Server, hostPort string) {
	t.Helper()
	s = httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return s, strings.TrimPrefix(s.URL, "http://")
}

// names is a resolver whose answers are as the test says, one after another; the last
// one stays. "*" is every other name.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers := n[host]
	if answers == nil {
		answers = n["*"]
	}
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n[host] = answers[1:]
	}
	var all []netip.Addr
	for s := range strings.SplitSeq(answers[0], " ") {
		all = append(all, netip.MustParseAddr(s))
	}
	return all, nil
}

// threats 74
func TestWhatIsPublic(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "127.255.0.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "0.0.0.0", "0.1.2.3",
		"100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "fd00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
		"64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::9.9.9.9", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1"} {
		if public(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	for _, s := range []string{"9.9.9.9", "172.32.0.1", "::ffff:9.9.9.9", "2620:fe::fe", "2a00:1450::1", "64:ff9b::9.9.9.9"} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not public", s)
		}
	}
}

// threats 74
func TestAddressesThatAreRefused(t *testing.T) {
	var connected atomic.Int32
	o := New(Config{
		Private:  private(t, "app.lan:8443, nas.lan, 10.1.0.0/16, 192.168.7.7:9000"),
		Resolver: names{"*": {"9.9.9.9"}, "localhost": {"127.0.0.1"}, "app.lan": {"10.0.0.1"}, "nas.lan": {"10.0.0.2"}, "in-range.lan": {"10.1.2.3"}},
		Connect: func(context.Context, netip.AddrPort) (net.Conn, error) {
			connected.Add(1)
			return nil, errors.New("the end of the test")
		},
	})
	for _, row := range []struct {
		address string
		ok      bool
	}{
		{"https://good.example/jwks.json", true},
		{"https://good.example:8443/", true},
		{"https://GOOD.example/", true},
		{"https://9.9.9.9/", true},
		{"https://[2620:fe::fe]/", true},
		{"https://app.lan:8443/", true},
		{"http://app.lan:8443/", true},
		{"https://nas.lan:81/", true},
		{"http://nas.lan/", true},
		{"https://in-range.lan/", true},
		{"http://10.1.2.3:3000/", true},
		{"http://192.168.7.7:9000/", true},
		{"http://in-range.lan/", false}, // http has to be known by its form
		{"http://192.168.7.7:9001/", false},
		{"https://192.168.7.7/", false},
		{"https://app.lan/", false},
		{"https://app.lan:9443/", false},
		{"http://good.example/", false},
		{"https://good.example:22/", false},
		{"https://good.example:25/", false},
		{"https://good.example:0/", false},
		{"ftp://good.example/", false},
		{"file:///etc/passwd", false},
		{"gopher://good.example/", false},
		{"//good.example/", false},
		{"https:good.example", false},
		{"https:///path", false},
		{"https://user@good.example/", false},
		{"https://good.example@127.0.0.1/", false},
		{"https://good.example./", false},
		{"https://localhost/", false},
		{"https://localhost./", false},
		{"https://127.0.0.1/", false},
		{"https://127.0.0.1./", false},
		{"https://127.1/", false},
		{"https://2130706433/", false},
		{"https://0x7f000001/", false},
		{"https://0x7f.0.0.1/", false},
		{"https://0177.0.0.1/", false},
		{"https://017700000001/", false},
		{"https://127.0.0.0x1/", false},
		{"https://127.0.0.01/", false},
		{"https://0/", false},
		{"https://①②⑦.⓪.⓪.①/", false},
		{"https://１２７.0.0.1/", false},
		{"https://127。0。0。1/", false},
		{"https://127%2e0.0.1/", false},
		{"https://[::1]/", false},
		{"https://[::]/", false},
		{"https://[::ffff:127.0.0.1]/", false},
		{"https://[::ffff:7f00:1]/", false},
		{"https://[::127.0.0.1]/", false},
		{"https://[64:ff9b::7f00:1]/", false},
		{"https://[64:ff9b::a9fe:a9fe]/", false},
		{"https://[fe80::1%25eth0]/", false},
		{"https://[2620:fe::fe%25eth0]/", false},
		{"https://[fd00:ec2::254]/", false},
		{"https://169.254.169.254/latest/meta-data/", false},
		{"https://10.0.0.1/", false},
		{"https://good.example/\x00", false},
		{"https://" + strings.Repeat("a", 64) + ".example/", false},
		{"https://good.example/" + strings.Repeat("a", 2048), false},
	} {
		before := connected.Load()
		_, err := o.Do(t.Context(), Request{URL: row.address})
		if err == nil {
			t.Errorf("%s: nobody is there, and it answered", row.address)
		}
		if got := connected.Load() > before; got != row.ok {
			t.Errorf("%s: reached is %t, want %t (%v)", row.address, got, row.ok, err)
		}
	}
}

// TestANameThatLeadsInside holds that a look is taken at each address that a name has,
// and that nothing but that is connected to.
func TestANameThatLeadsInside(t *testing.T) { // threats 74
	for _, row := range []struct {
		name, answer, private, want string
	}{
		{"refuses loopback", "127.0.0.1", "", ""},
		{"refuses the place of a cloud's secrets", "169.254.169.254", "", ""},
		{"refuses IPv4 in IPv6", "::ffff:10.0.0.1", "", ""},
		{"refuses translated IPv4", "64:ff9b::a00:1", "", ""},
		{"refuses an address that ends in a zone", "fe80::1%lo", "", ""},
		{"passes over the inner one of two", "10.0.0.1 9.9.9.9", "", "9.9.9.9:443"},
		{"goes to a public one", "9.9.9.9", "", "9.9.9.9:443"},
		{"goes where a range allows", "10.0.0.1", "10.0.0.0/8", "10.0.0.1:443"},
		{"goes where the name is allowed", "10.0.0.1", "rp.example", "10.0.0.1:443"},
		{"goes where name and port are allowed", "fd00::5", "rp.example:443", "[fd00::5]:443"},
		{"refuses another port of a name", "10.0.0.1", "rp.example:8443", ""},
		{"refuses another name", "10.0.0.1", "example, other.example", ""},
		{"refuses a cloud's secrets to a name that is allowed", "169.254.169.254", "rp.example", ""},
		{"refuses nobody's address to a name that is allowed", "0.0.0.0", "rp.example", ""},
		{"goes to a cloud's secrets when that address is allowed", "169.254.169.254", "169.254.169.254", "169.254.169.254:443"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ""
			o := New(Config{Private: private(t, row.private), Resolver: names{"rp.example": {row.answer}},
				Connect: func(_ context.Context, to netip.AddrPort) (net.Conn, error) {
					got = to.String()
					return nil, errors.New("the end of the test")
				}})
			_, err := o.Do(t.Context(), Request{URL: "https://rp.example/"})
			if got != row.want || row.want == "" && !errors.Is(err, ErrForbidden) {
				t.Errorf("connected to %q, want %q: %v", got, row.want, err)
			}
		})
	}
}

// TestANameThatChangesItsMind goes over a real resolver and real sockets: the name is
// public when it is first looked up, and loopback ever after.
func TestANameThatChangesItsMind(t *testing.T) { // threats 74
	asked := 0
	_, at := server(t, func(http.ResponseWriter, *http.Request) { asked++ })
	_, port, _ := strings.Cut(at, ":")
	dns := newDNS(t)
	var connected []string
	var o *Client
	o = New(Config{Resolver: dns.resolver(), Connect: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		connected = append(connected, to.Addr().String())
		return nil, errors.New("nobody is at the public address")
	}})
	for i := range 3 {
		dns.answer(i > 0)
		if _, err := o.Do(t.Context(), Request{URL: "http://rebind.example:" + port + "/", HTTP: true}); err == nil {
			t.Error("loopback answered")
		}
	}
	if fmt.Sprint(connected) != "[9.9.9.9]" || asked != 0 {
		t.Errorf("connected to %v, loopback was asked %d times", connected, asked)
	}

	// By the network itself: the same name when it may lead there.
	o = New(Config{Private: private(t, "rebind.example:"+port), Resolver: dns.resolver()})
	if _, err := o.Do(t.Context(), Request{URL: "http://rebind.example:" + port + "/"}); err != nil || asked != 1 {
		t.Errorf("a name that is allowed: %v, asked %d times", err, asked)
	}
	// And when it may not.
	o = New(Config{Resolver: dns.resolver()})
	if _, err := o.Do(t.Context(), Request{URL: "http://rebind.example:" + port + "/", HTTP: true}); !errors.Is(err, ErrForbidden) || asked != 1 {
		t.Errorf("a name that is not allowed: %v, asked %d times", err, asked)
	}
}

// threats 74
func TestRedirects(t *testing.T) {
	secret, secretAt := server(t, func(http.ResponseWriter, *http.Request) { t.Error("the inner server was asked") })
	var mu sync.Mutex
	var seen []*http.Request
	var bodies []string
	site, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen, bodies = append(seen, r), append(bodies, string(b))
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "v"})
		if to := r.URL.Query().Get("to"); to != "" {
			code := http.StatusFound
			if r.Method == http.MethodPost {
				code = http.StatusTemporaryRedirect // which repeats the body
			}
			http.Redirect(w, r, to, code)
		}
	})
	o := New(Config{Private: private(t, at)})
	there := func(to string) string { return site.URL + "/?to=" + url.QueryEscape(to) }
	for _, row := range []struct {
		name string
		q    Request
		want error
		hops int
	}{
		{"follows one within what may be reached", Request{URL: there(site.URL + "/end"), Redirects: true}, nil, 2},
		{"follows three", Request{URL: there(there(there(site.URL + "/end"))), Redirects: true}, nil, 4},
		{"does not follow four", Request{URL: there(there(there(there(site.URL + "/end")))), Redirects: true}, ErrRedirected, 4},
		{"follows none unasked", Request{URL: there(site.URL + "/end")}, ErrRedirected, 1},
		{"follows none with a body", Request{URL: there(site.URL + "/end"), Form: url.Values{"logout_token": {"t"}}, Redirects: true}, ErrRedirected, 1},
		{"does not go to another port of loopback", Request{URL: there(secret.URL), Redirects: true}, ErrForbidden, 1},
		{"does not go to it by a name", Request{URL: there("http://localhost:" + strings.Split(secretAt, ":")[1]), Redirects: true, HTTP: true}, ErrForbidden, 1},
		{"does not go to a cloud's secrets", Request{URL: there("http://169.254.169.254/latest/"), Redirects: true, HTTP: true}, ErrForbidden, 1},
		{"does not go to another scheme", Request{URL: there("file:///etc/passwd"), Redirects: true}, ErrForbidden, 1},
		{"does not go to http", Request{URL: there("http://example.com/"), Redirects: true}, ErrForbidden, 1},
		{"does not take a name along", Request{URL: there("https://user:pass@example.com/"), Redirects: true}, ErrForbidden, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			seen, bodies = nil, nil
			_, err := o.Do(t.Context(), row.q)
			if !errors.Is(err, row.want) || row.want == nil && err != nil || len(seen) != row.hops {
				t.Errorf("got %v after %d requests, want %v after %d", err, len(seen), row.want, row.hops)
			}
			for i, r := range seen {
				if r.Header.Get("Cookie") != "" || r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" || i > 0 && bodies[i] != "" {
					t.Errorf("request %d tells too much: %v %q", i+1, r.Header, bodies[i])
				}
			}
		})
	}
}

// threats 74
func TestAnAnswerHasBounds(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 64<<20))
	must(t, err)
	must(t, z.Close())
	stop := make(chan struct{})
	site, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/exact":
			io.WriteString(w, strings.Repeat("a", 1000))
		case "/more":
			io.WriteString(w, strings.Repeat("a", 1001))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, "unpacked")
			z.Close()
		case "/headers":
			for i := range 64 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 1000))
			}
		case "/silent", "/slow":
			if r.URL.Path == "/slow" {
				io.WriteString(w, "a")
				w.(http.Flusher).Flush()
			}
			select {
			case <-r.Context().Done():
			case <-stop:
			}
		}
	})
	defer close(stop)
	o := New(Config{Private: private(t, at)})
	ask := func(path string) (Answer, error) {
		return o.Do(t.Context(), Request{URL: site.URL + path, Max: 1000, Timeout: 300 * time.Millisecond})
	}
	if a, err := ask("/exact"); err != nil || len(a.Body) != 1000 {
		t.Errorf("as much as is allowed: %d bytes, %v", len(a.Body), err)
	}
	if a, err := ask("/packed"); err != nil || string(a.Body) != "unpacked" {
		t.Errorf("a packed answer: %q, %v", a.Body, err)
	}
	for _, path := range []string{"/more", "/endless", "/bomb"} {
		if _, err := ask(path); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want too large", path, err)
		}
	}
	if _, err := ask("/headers"); err == nil {
		t.Error("headers without end were read")
	}
	for _, path := range []string{"/silent", "/slow"} {
		if _, err := ask(path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want that the time is over", path, err)
		}
	}
}

// TestNotTooManyAtOnce holds that a site that answers nobody keeps only so many waiting.
func TestNotTooManyAtOnce(t *testing.T) { // threats 74
	var now, most atomic.Int32
	let := make(chan struct{})
	site, at := server(t, func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-let
		now.Add(-1)
	})
	o := New(Config{Private: private(t, at)})
	var all sync.WaitGroup
	for range 2 * maxAtOnce {
		all.Go(func() {
			if _, err := o.Do(context.Background(), Request{URL: site.URL, Timeout: time.Minute}); err != nil {
				t.Error(err)
			}
		})
	}
	for now.Load() < maxAtOnce {
		time.Sleep(time.Millisecond)
	}
	close(let)
	all.Wait()
	if most.Load() != maxAtOnce {
		t.Errorf("%d requests at once, want %d", most.Load(), maxAtOnce)
	}
}

// TestTheEnvironmentSetsNoProxy holds that names are not resolved where nobody looks.
func TestTheEnvironmentSetsNoProxy(t *testing.T) { // threats 74
	proxy, _ := server(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	if New(Config{}).transport.Proxy != nil {
		t.Error("there is a proxy")
	}
	_, err := New(Config{}).Do(t.Context(), Request{URL: "http://10.255.255.1/", HTTP: true})
	if !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v", err)
	}
}
