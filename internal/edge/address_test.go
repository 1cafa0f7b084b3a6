package edge

import (
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func prefixes(t *testing.T, s string) []netip.Prefix {
	t.Helper()
	p, err := ParseProxies(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseProxies(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string // nil is an error
	}{
		{"reads nothing as nobody", "", []string{}},
		{"reads false as nobody", " false ", []string{}},
		{"reads 0 as nobody", "0", []string{}},
		{"reads true as everybody", "true", []string{"0.0.0.0/0", "::/0"}},
		{"reads TRUE as everybody", "TRUE", []string{"0.0.0.0/0", "::/0"}},
		{"reads an address", "10.0.0.7", []string{"10.0.0.7/32"}},
		{"reads addresses and networks", "10.1.2.3/8, ::1,fd00::/8", []string{"10.0.0.0/8", "::1/128", "fd00::/8"}},
		{"reads mapped addresses as IPv4", "::ffff:10.0.0.7,::ffff:10.0.0.0/104", []string{"10.0.0.7/32", "10.0.0.0/8"}},
		{"refuses a name", "proxy.local", nil},
		{"refuses yes", "yes", nil},
		{"refuses a port", "10.0.0.7:80", nil},
		{"refuses a network too long", "10.0.0.0/33", nil},
		{"refuses a zone", "fe80::1%eth0", nil},
		{"refuses a mapped network wider than IPv4", "::ffff:0:0/80", nil},
		{"refuses one bad entry among good ones", "10.0.0.7,true", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nets, err := ParseProxies(tt.in)
			if (err != nil) != (tt.want == nil) {
				t.Fatalf("got %v, %v", nets, err)
			}
			if err != nil && !strings.Contains(err.Error(), "10.0.0.0/8") && !strings.Contains(err.Error(), "mapped") {
				t.Errorf("%v shows no good example", err)
			}
			got := []string{}
			for _, n := range nets {
				got = append(got, n.String())
			}
			if err == nil && !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// threats 70, 71
func TestClientAddress(t *testing.T) {
	tests := []struct {
		name, trust, peer string
		forwarded         []string
		want              string // "" is unknown
	}{
		{"is the peer when nobody is trusted", "false", "192.0.2.1:4711", []string{"203.0.113.9"}, "192.0.2.1"},
		{"is the peer when the peer is not trusted", "10.0.0.0/8", "192.0.2.1:4711", []string{"203.0.113.9"}, "192.0.2.1"},
		{"is the peer when a trusted proxy tells nothing", "10.0.0.0/8", "10.0.0.7:80", nil, "10.0.0.7"},
		{"is what a trusted proxy tells", "10.0.0.0/8", "10.0.0.7:80", []string{"203.0.113.9"}, "203.0.113.9"},
		{"is not what the client told the proxy", "10.0.0.0/8", "10.0.0.7:80", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"is found through a chain of proxies", "10.0.0.0/8,192.0.2.0/24", "10.0.0.7:80", []string{"198.51.100.1, 203.0.113.9, 192.0.2.4, 10.9.9.9"}, "203.0.113.9"},
		{"joins several headers in their order", "10.0.0.0/8", "10.0.0.7:80", []string{"198.51.100.1", "203.0.113.9", "10.2.2.2"}, "203.0.113.9"},
		{"is the left-most hop when all are proxies", "10.0.0.0/8", "10.0.0.7:80", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"is the right-most hop when everybody is trusted", "true", "10.0.0.7:80", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"takes a port", "true", "10.0.0.7:80", []string{"203.0.113.9:55123"}, "203.0.113.9"},
		{"takes IPv6", "true", "[fd00::1]:80", []string{"2001:db8::5"}, "2001:db8::5"},
		{"takes IPv6 in brackets", "true", "[fd00::1]:80", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"takes IPv6 with a port", "true", "[fd00::1]:80", []string{"[2001:db8::5]:55123"}, "2001:db8::5"},
		{"reads a mapped address as IPv4", "10.0.0.0/8", "[::ffff:10.0.0.7]:80", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"is unknown when the hop is no address", "true", "10.0.0.7:80", []string{"unknown"}, ""},
		{"is unknown when the hop is empty", "true", "10.0.0.7:80", []string{""}, ""},
		{"is unknown when the last of several is no address", "true", "10.0.0.7:80", []string{"203.0.113.9, _hidden"}, ""},
		{"is unknown when a hop behind a proxy is no address", "10.0.0.0/8", "10.0.0.7:80", []string{"203.0.113.9, nonsense, 10.2.2.2"}, ""},
		{"does not look left of the client", "10.0.0.0/8", "10.0.0.7:80", []string{"nonsense, 203.0.113.9"}, "203.0.113.9"},
		{"is loopback for a socket without address", "false", "@", nil, "127.0.0.1"},
		{"is what comes through a socket that is trusted", "127.0.0.1", "@", []string{"203.0.113.9"}, "203.0.113.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			if tt.forwarded == nil {
				r.Header.Del("X-Forwarded-For")
			}
			got := ""
			if c := newProxies(prefixes(t, tt.trust), "").client(r); c.address.IsValid() {
				got = c.address.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClientAddressFromThePlatform(t *testing.T) {
	tests := []struct {
		name, trust, value, want string
	}{
		{"is what the platform tells", "", "203.0.113.9", "203.0.113.9"},
		{"is what the platform tells through a trusted peer", "192.0.2.0/24", "203.0.113.9", "203.0.113.9"},
		{"is the peer when the peer is not the platform", "10.0.0.0/8", "203.0.113.9", "192.0.2.1"},
		{"is the peer when the platform tells nothing", "", "", "192.0.2.1"},
		{"is unknown when the platform tells nonsense", "", "nonsense", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = "192.0.2.1:4711"
			if tt.value != "" {
				r.Header.Set("Fly-Client-IP", tt.value)
			}
			got := ""
			if c := newProxies(prefixes(t, tt.trust), "Fly-Client-IP").client(r); c.address.IsValid() {
				got = c.address.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzClientAddress(f *testing.F) {
	f.Add("192.0.2.1:80", "203.0.113.9, [::1]:80")
	p := newProxies([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", forwarded)
		c := p.client(r)
		if !c.trusted && c.address != c.peer {
			t.Errorf("%q was believed from %q: %s", forwarded, peer, c.address)
		}
		if c.address.Zone() != "" || c.address.Is4In6() {
			t.Errorf("got %s", c.address)
		}
	})
}

// The log says once that a proxy is in front of us whose word does not count.
func TestUntrustedProxyIsTold(t *testing.T) {
	k := newKit(t, nil, open("GET /a", Problem, says("")))
	for range 3 {
		k.do("GET", "/a", "", "X-Forwarded-For", "203.0.113.9")
	}
	if n := strings.Count(k.log.String(), "TRUST_PROXY"); n != 1 {
		t.Errorf("told %d times: %s", n, k.log)
	}
	k = newKit(t, func(c *Config) { c.TrustProxy = prefixes(t, "10.0.0.0/8") }, open("GET /a", Problem, says("")))
	k.do("GET", "/a", "", "X-Forwarded-For", "203.0.113.9")
	if strings.Contains(k.log.String(), "TRUST_PROXY") {
		t.Errorf("told although proxies are configured: %s", k.log)
	}
}

// threats 70
func TestWrongHost(t *testing.T) {
	routes := []Route{
		open("GET /login", Page, says("sign in")), open("POST /login", Page, says("done")),
		{Pattern: "GET /own", Access: SignedIn, Surface: Page, Handler: says("own")},
		open("GET /api/x", Problem, says("{}")),
		{Pattern: "GET /authorize", Access: Protocol, Surface: Page, Handler: says("go")},
		{Pattern: "GET /healthz", Access: Open, Surface: Problem, Limit: LimitNone, Handler: says("ok")},
		{Pattern: "GET /assets/{tree}/{name...}", Access: Open, Surface: Problem, Handler: says("css")},
	}
	tests := []struct {
		name, public, trust, url string
		headers                  []string
		status                   int
	}{
		{"opens under the public address", "https://id.example", "", "https://id.example/login", nil, 200},
		{"minds no case", "https://id.example", "", "https://ID.Example/login", nil, 200},
		{"minds no default port", "https://id.example", "", "https://id.example:443/login", nil, 200},
		{"opens under a public address with a port", "http://localhost:1411", "", "http://localhost:1411/login", nil, 200},
		{"minds the port", "https://id.example", "", "https://id.example:1411/login", nil, 421},
		{"minds the port of another scheme", "https://id.example", "", "http://id.example:80/login", nil, 421},
		{"does not open under an address", "http://localhost:1411", "", "http://127.0.0.1:1411/login", nil, 421},
		{"does not open under another name", "https://id.example", "", "https://other.example/login", nil, 421},
		{"does not take a form under another name", "https://id.example", "", "POST https://other.example/login", nil, 421},
		{"does not send to sign in under another name", "https://id.example", "", "https://other.example/own", nil, 421},
		{"answers the API under any name", "https://id.example", "", "http://pocket-id.svc/api/x", nil, 200},
		{"answers clients under any name", "https://id.example", "", "http://pocket-id.svc/authorize", nil, 200},
		{"answers probes under any name", "https://id.example", "", "http://10.0.0.7:1411/healthz", nil, 200},
		{"shows its style sheet under any name", "https://id.example", "", "https://other.example/assets/1/app.css", nil, 200},
		{"does not believe a stranger about the host", "https://id.example", "", "https://other.example/login", []string{"X-Forwarded-Host", "id.example"}, 421},
		{"believes a trusted proxy about the host", "https://id.example", "192.0.2.1", "http://10.0.0.7/login", []string{"X-Forwarded-Host", "id.example", "X-Forwarded-Proto", "https"}, 200},
		{"believes a trusted proxy about a wrong host", "https://id.example", "192.0.2.1", "http://id.example/login", []string{"X-Forwarded-Host", "other.example"}, 421},
		{"takes the proxy's own word of several", "https://id.example", "192.0.2.1", "http://10.0.0.7/login", []string{"X-Forwarded-Host", "other.example, id.example"}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, func(c *Config) {
				c.PublicURL, _ = url.Parse(tt.public)
				c.TrustProxy = prefixes(t, tt.trust)
			}, routes...)
			method, target, ok := strings.Cut(tt.url, " ")
			if !ok {
				method, target = "GET", tt.url
			}
			w := k.do(method, target, "", tt.headers...)
			if w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			if tt.status == 421 && !strings.Contains(w.Body.String(), tt.public) {
				t.Errorf("the page does not say where to go: %s", w.Body)
			}
		})
	}
}

func TestWrongHostIsSaidOnce(t *testing.T) {
	k := newKit(t, nil, open("GET /login", Page, says("sign in")))
	for range 3 {
		w := k.do("GET", "https://other.example/login", "")
		if body := w.Body.String(); !strings.Contains(body, "https://other.example") && !strings.Contains(body, "http://other.example") || !strings.Contains(body, "https://id.example") || !strings.Contains(body, "APP_URL") {
			t.Errorf("got %s", body)
		}
	}
	if n := strings.Count(k.log.String(), "asked="); n != 1 {
		t.Errorf("said %d times: %s", n, k.log)
	}
	r := httptest.NewRequest("GET", "/login", nil)
	for i := range 3 * maxHosts {
		r.Host = strings.Repeat("x", 2*maxHost) + string(rune('a'+i%26)) + strings.Repeat("y", i)
		k.ServeHTTP(httptest.NewRecorder(), r)
		r.Host = "h" + strings.Repeat("z", i%200) + ".example:" + string(rune('1'+i%9))
		k.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n := strings.Count(k.log.String(), "asked="); n > maxHosts {
		t.Errorf("said %d times", n)
	}
	if len(k.hosts.seen) > maxHosts {
		t.Errorf("%d hosts are remembered", len(k.hosts.seen))
	}
}

// threats 28, 70: what the Host says is shown as text.
func TestWrongHostIsEscaped(t *testing.T) {
	k := newKit(t, nil, open("GET /login", Page, says("sign in")))
	r := httptest.NewRequest("GET", "/login", nil)
	r.Host = `"><svg onload=alert(1)>`
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r)
	if w.Code != 421 || strings.Contains(w.Body.String(), "<svg") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
