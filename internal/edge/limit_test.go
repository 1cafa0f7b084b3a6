package edge

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestEachClassLetsItsBurstThrough(t *testing.T) {
	for name, c := range classes {
		synctest.Test(t, func(t *testing.T) {
			b := newBuckets(c)
			for i := range c.burst {
				if wait := b.take(ip("192.0.2.1"), time.Now()); wait != 0 {
					t.Fatalf("%q: request %d has to wait %s", name, i, wait)
				}
			}
			wait := b.take(ip("192.0.2.1"), time.Now())
			if wait <= 0 || wait > c.every {
				t.Fatalf("%q: after the burst the wait is %s, want up to %s", name, wait, c.every)
			}
			if got := b.take(ip("192.0.2.2"), time.Now()); got != 0 {
				t.Errorf("%q: another network waits %s", name, got)
			}
			time.Sleep(wait)
			if got := b.take(ip("192.0.2.1"), time.Now()); got != 0 {
				t.Errorf("%q: after the wait it is still %s", name, got)
			}
			if got := b.take(ip("192.0.2.1"), time.Now()); got == 0 {
				t.Errorf("%q: two got through after the wait for one", name)
			}
			time.Sleep(time.Duration(c.burst) * c.every)
			for i := range c.burst {
				if got := b.take(ip("192.0.2.1"), time.Now()); got != 0 {
					t.Fatalf("%q: request %d of the second burst waits %s", name, i, got)
				}
			}
		})
	}
}

// threats 71
func TestNetworksThatShareABucket(t *testing.T) {
	tests := []struct {
		name, a, b string
		shared     bool
	}{
		{"an address with itself", "192.0.2.1", "192.0.2.1", true},
		{"an address with its mapped form", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"no two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
		{"all addresses of a /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true},
		{"no two networks of /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"no IPv4 with an IPv6 that looks like it", "0.0.0.1", "0:0:0:1::", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := networkOf(ip(tt.a)) == networkOf(ip(tt.b)); got != tt.shared {
				t.Errorf("got %v", got)
			}
		})
	}
}

// threats 71: whoever holds a /48 has 65,536 networks of /64.
func TestOneSiteCannotGuessFromAllItsNetworks(t *testing.T) {
	b := newBuckets(classes[LimitSignIn])
	at, passed := time.Now(), 0
	for i := range 65536 {
		if b.take(ip(fmt.Sprintf("2001:db8:1:%x::1", i)), at) == 0 {
			passed++
		}
	}
	if want := wider * b.burst; passed != want {
		t.Errorf("%d got through, want %d", passed, want)
	}
	if len(b.full) > wider*b.burst+1 {
		t.Errorf("%d networks are remembered", len(b.full))
	}
	if wait := b.take(ip("2001:db8:2::1"), at); wait != 0 {
		t.Errorf("the neighbour waits %s", wait)
	}
}

// threats 82
func TestLimitsAreBoundedAndRefuseWhenFull(t *testing.T) {
	for _, tt := range []struct {
		name      string
		sensitive bool
	}{{LimitSignIn, true}, {LimitGeneral, false}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBuckets(classes[tt.name])
			address := func(i int) netip.Addr {
				var a [4]byte
				binary.BigEndian.PutUint32(a[:], uint32(i))
				return netip.AddrFrom4(a)
			}
			for i := range maxNetworks {
				b.take(address(i), time.Now())
			}
			passed := 0
			for i := range 4 * maxNetworks {
				if b.take(address(maxNetworks+i), time.Now()) == 0 {
					passed++
				}
			}
			if len(b.full) > maxNetworks {
				t.Errorf("%q: %d networks are remembered", tt.name, len(b.full))
			}
			if tt.sensitive && passed != 0 {
				t.Errorf("%q: %d guesses were not counted", tt.name, passed)
			}
			if !tt.sensitive && (passed == 0 || passed > len(b.crowd)*b.burst) {
				t.Errorf("%q: %d got through the shared buckets", tt.name, passed)
			}
			if wait := b.take(address(0), time.Now()); wait != 0 {
				t.Errorf("%q: a network that is known waits %s", tt.name, wait)
			}
			// Once the buckets are full again there is room.
			time.Sleep(time.Hour)
			if wait := b.take(address(7*maxNetworks), time.Now()); wait != 0 || len(b.full) != 1 {
				t.Errorf("%q: after an hour it waits %s, %d networks are remembered", tt.name, wait, len(b.full))
			}
		})
	}
}

func limited(limit string) Route {
	return Route{Pattern: "POST /try", Access: Public, Surface: Problem, Limit: limit, Handler: says("{}")}
}

func TestTooManyRequestsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil, limited(LimitStepUp), open("GET /page", Page, says("page")))
		for i := range 5 {
			if w := k.do("POST", "/try", ""); w.Code != 200 {
				t.Fatalf("request %d: got %d", i, w.Code)
			}
		}
		time.Sleep(500 * time.Millisecond)
		w := k.do("POST", "/try", "")
		if w.Code != 429 || w.Header().Get("Retry-After") != "10" || !strings.Contains(w.Body.String(), `"code":"rate_limited"`) {
			t.Errorf("got %d, Retry-After %s, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
		}
		if w := k.do("GET", "/page", ""); w.Code != 200 {
			t.Errorf("a page outside of the class got %d", w.Code)
		}
		time.Sleep(10 * time.Second)
		if w := k.do("POST", "/try", ""); w.Code != 200 {
			t.Errorf("after Retry-After got %d", w.Code)
		}
	})
}

func TestGeneralLimitCountsEverythingButProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil, open("GET /page", Page, says("page")),
			Route{Pattern: "GET /healthz", Access: Open, Surface: Problem, Limit: LimitNone, Handler: says("ok")})
		for range classes[LimitGeneral].burst / 2 {
			k.do("GET", "/page", "")
			k.do("GET", "/nowhere", "")
		}
		refused := func(path string) bool {
			return k.do("GET", path, "").Code == 429
		}
		if !refused("/page") || !refused("/nowhere") {
			t.Error("a burst had no end")
		}
		if refused("/healthz") {
			t.Error("a probe was refused")
		}
	})
}

// threats 71: loopback is a network like others.
func TestLoopbackIsNotExempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, func(c *Config) { c.TrustProxy = prefixes(t, "true") }, limited(LimitSignIn))
		last := 0
		for range 11 {
			last = k.do("POST", "/try", "", "X-Forwarded-For", "127.0.0.1").Code
		}
		if last != 429 {
			t.Errorf("got %d", last)
		}
	})
}

// threats 71: an address that a client makes up does not open a new bucket.
func TestForgedAddressOpensNoBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, trust := range []string{"false", "true", "192.0.2.1"} {
			k := newKit(t, func(c *Config) { c.TrustProxy = prefixes(t, trust) }, limited(LimitSignIn))
			last := 0
			for i := range 11 {
				last = k.do("POST", "/try", "", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.9", i)).Code
			}
			if last != 429 {
				t.Errorf("TRUST_PROXY=%s: got %d", trust, last)
			}
		}
	})
}

// threats 70, 82: who cannot be counted may not guess.
func TestUnknownAddressMayNotGuess(t *testing.T) {
	trust := func(c *Config) { c.TrustProxy = prefixes(t, "true") }
	for name, c := range classes {
		k := newKit(t, trust, limited(name))
		w := k.do("POST", "/try", "", "X-Forwarded-For", "nonsense")
		if c.sensitive && (w.Code != 403 || !strings.Contains(w.Body.String(), "address_unknown")) {
			t.Errorf("%q: got %d %s", name, w.Code, w.Body)
		}
		if !c.sensitive && w.Code != 200 {
			t.Errorf("%q: got %d %s", name, w.Code, w.Body)
		}
	}
	for _, name := range []string{LimitSignIn, LimitStepUp, LimitLoginCode} {
		if !classes[name].sensitive {
			t.Errorf("%q guards guesses and lets them through when in doubt", name)
		}
	}
}

func TestLimitsCanBeSwitchedOff(t *testing.T) {
	k := newKit(t, func(c *Config) { c.NoLimits = true }, limited(LimitLoginCode))
	for range 50 {
		if w := k.do("POST", "/try", ""); w.Code != 200 {
			t.Fatalf("got %d", w.Code)
		}
	}
}

func BenchmarkLimit(b *testing.B) {
	s, err := New(Config{PublicURL: &url.URL{Scheme: "https", Host: "id.example"}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	st := &state{start: time.Now(), client: client{address: ip("192.0.2.1")}}
	for b.Loop() {
		st.start = st.start.Add(time.Second)
		s.limit(st, LimitToken)
	}
}
