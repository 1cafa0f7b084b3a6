package oidc

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

// threats 23, 24, 25, 26: what an address of a client may look like.
func TestCheckURI(t *testing.T) {
	for _, row := range []struct {
		uri     string
		want    *fault.Error
		pattern bool
		public  bool
		strict  bool // http is refused beyond loopback
	}{
		{uri: "https://shop.example/cb"},
		{uri: "https://shop.example"},
		{uri: "https://shop.example/"},
		{uri: "https://Shop.example/CB"},
		{uri: "https://shop.example:443/cb"},
		{uri: "https://shop.example:8443/cb?a=b&c=%2Fd"},
		{uri: "https://shop.example//cb"},
		{uri: "https://xn--bcher-kva.example/cb"},
		{uri: "https://app_one.internal/cb"},
		{uri: "https://192.168.1.20/cb"},
		{uri: "https://[2001:db8::1]:8443/cb"},
		{uri: "http://127.0.0.1/cb", public: true, strict: true},
		{uri: "http://127.0.0.1:8000/cb", strict: true},
		{uri: "http://[::1]:8000/cb", strict: true},
		{uri: "http://localhost:3000/cb", strict: true},
		{uri: "http://nas.lan/cb"},
		{uri: "http://nas.lan/cb", strict: true, want: ErrURIInsecure},
		{uri: "http://127.0.0.2/cb", strict: true},
		{uri: "http://LOCALHOST/cb", strict: true},
		{uri: "http://128.0.0.1/cb", strict: true, want: ErrURIInsecure},
		{uri: "http://[2001:db8::1]/cb", strict: true, want: ErrURIInsecure},
		{uri: "http://localhost.evil.example/cb", strict: true, want: ErrURIInsecure},
		{uri: "com.example.app:/cb", public: true},
		{uri: "com.example.app:cb", public: true},
		{uri: "app.immich:///oauth-callback", public: true},
		{uri: "com.example.app://callback", public: true},
		{uri: "myapp://callback"},
		{uri: "myapp://callback", public: true, want: ErrURIPrivate},

		{uri: "", want: ErrURIMalformed},
		{uri: "shop", want: ErrURIMalformed},
		{uri: "/cb", want: ErrURIMalformed},
		{uri: "//shop.example/cb", want: ErrURIMalformed},
		{uri: "///shop.example/cb", want: ErrURIMalformed},
		{uri: "https:", want: ErrURIMalformed},
		{uri: "https:/shop.example/cb", want: ErrURIMalformed},
		{uri: "https:shop.example/cb", want: ErrURIMalformed},
		{uri: "https:///shop.example/cb", want: ErrURIMalformed},
		{uri: "HTTPS://shop.example/cb", want: ErrURIMalformed},
		{uri: "https://shop.example@evil.example/cb", want: ErrURIMalformed},
		{uri: "https://user:pass@shop.example/cb", want: ErrURIMalformed},
		{uri: "https://shop.example%40evil.example/cb", want: ErrURIMalformed},
		{uri: "https://@shop.example/cb", want: ErrURIMalformed},
		{uri: "https://shop.example:@evil.example/cb", want: ErrURIMalformed},
		{uri: "com.example.app://user@callback", want: ErrURIMalformed},
		{uri: "https://shop.example/cb#frag", want: ErrURIFragment},
		{uri: "https://shop.example/cb#", want: ErrURIFragment},
		{uri: "https://shop.example#@evil.example/cb", want: ErrURIFragment},
		{uri: `https://shop.example\@evil.example/cb`, want: ErrURIMalformed},
		{uri: `https:\\shop.example\cb`, want: ErrURIMalformed},
		{uri: `https://shop.example\/cb`, want: ErrURIMalformed},
		{uri: "https://shop.example/\tcb", want: ErrURIMalformed},
		{uri: "https://shop.example/cb\n", want: ErrURIMalformed},
		{uri: "https://shop.example/cb\r\nSet-Cookie:x", want: ErrURIMalformed},
		{uri: "https://shop.example/c b", want: ErrURIMalformed},
		{uri: "https://shop.example/cb\x00", want: ErrURIMalformed},
		{uri: "https://shop.example/cb%00", want: ErrURIMalformed},
		{uri: "https://shop.example/cb%0d%0aX", want: ErrURIMalformed},
		{uri: "https://shop.example/cb?x=%0A", want: ErrURIMalformed},
		{uri: "https://shop.example/%7F", want: ErrURIMalformed},
		{uri: "https://shop.example/%", want: ErrURIMalformed},
		{uri: "https://shop.example/%2", want: ErrURIMalformed},
		{uri: "https://shop.example/%zz", want: ErrURIMalformed},
		{uri: "https://shop.example/..", want: ErrURIMalformed},
		{uri: "https://shop.example/../cb", want: ErrURIMalformed},
		{uri: "https://shop.example/a/./cb", want: ErrURIMalformed},
		{uri: "https://shop.example/%2e%2e/cb", want: ErrURIMalformed},
		{uri: "https://shop.example/.%2E/cb", want: ErrURIMalformed},
		{uri: "https://shop.example/..;/cb", want: ErrURIMalformed},
		{uri: "https://shop.example/..;a=b/cb", want: ErrURIMalformed},
		{uri: "https://shop.example/a%2F../cb", want: ErrURIMalformed},
		{uri: "https://shop.example/a%2f..%2fcb", want: ErrURIMalformed},
		{uri: "https://shop.example/a%252f..", want: ErrURIMalformed},
		{uri: "https://shop.example/a%5C..%5Ccb", want: ErrURIMalformed},
		{uri: "https://shop.example/..%3b/cb", want: ErrURIMalformed},
		{uri: "https://shop.example./cb", want: ErrURIMalformed},
		{uri: "https://.shop.example/cb", want: ErrURIMalformed},
		{uri: "https://shop..example/cb", want: ErrURIMalformed},
		{uri: "https://-shop.example/cb", want: ErrURIMalformed},
		{uri: "https://bücher.example/cb", want: ErrURIMalformed},
		{uri: "https://shop。example/cb", want: ErrURIMalformed},
		{uri: "https://shop.example\u2044cb", want: ErrURIMalformed},
		{uri: "https://shop.example:/cb", want: ErrURIMalformed},
		{uri: "https://shop.example:0/cb", want: ErrURIMalformed},
		{uri: "https://shop.example:0443/cb", want: ErrURIMalformed},
		{uri: "https://shop.example:65536/cb", want: ErrURIMalformed},
		{uri: "https://shop.example:8x/cb", want: ErrURIMalformed},
		{uri: "https://shop.example:80:90/cb", want: ErrURIMalformed},
		{uri: "http://127.1/cb", want: ErrURIMalformed},
		{uri: "http://2130706433/cb", want: ErrURIMalformed},
		{uri: "http://0x7f.0.0.1/cb", want: ErrURIMalformed},
		{uri: "http://0x7f.1/cb", want: ErrURIMalformed},
		{uri: "http://0177.0.0.1/cb", want: ErrURIMalformed},
		{uri: "http://1.2.3.256/cb", want: ErrURIMalformed},
		{uri: "http://[::1/cb", want: ErrURIMalformed},
		{uri: "http://[::1]x/cb", want: ErrURIMalformed},
		{uri: "http://[::1%25eth0]/cb", want: ErrURIMalformed},
		{uri: "http://[127.0.0.1]/cb", want: ErrURIMalformed},
		{uri: "https://shop.example/" + strings.Repeat("a", maxURI), want: ErrURITooLong},

		{uri: "javascript:alert(1)", want: ErrURIScheme},
		{uri: "javascript://shop.example/%20alert(1)", want: ErrURIScheme},
		{uri: "JavaScript:alert(1)", want: ErrURIMalformed},
		{uri: "java\tscript:alert(1)", want: ErrURIMalformed},
		{uri: " javascript:alert(1)", want: ErrURIMalformed},
		{uri: "data:text/html,x", want: ErrURIScheme},
		{uri: "file:///etc/passwd", want: ErrURIScheme},
		{uri: "vbscript:x", want: ErrURIScheme},
		{uri: "blob:https://shop.example/1", want: ErrURIScheme},
		{uri: "filesystem:https://shop.example/1", want: ErrURIScheme},
		{uri: "view-source:https://shop.example/", want: ErrURIScheme},
		{uri: "about:blank", want: ErrURIScheme},
		{uri: "intent://x#Intent;end", want: ErrURIFragment},

		{uri: "https://*.shop.example/cb", want: ErrURIWildcard},
		{uri: "https://shop.example/*", want: ErrURIWildcard},
		{uri: "https://shop.example/*", pattern: true},
		{uri: "https://shop.example/a*b/cb", pattern: true},
		{uri: "https://*.shop.example/cb", pattern: true},
		{uri: "https://*.shop.co.uk/cb", pattern: true},
		{uri: "https://pr.*.shop.example:8443/*/cb?x=y", pattern: true},
		{uri: "http://127.0.0.1/*", pattern: true},
		{uri: "https://*/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://*.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://*.co.uk/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.*/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.*.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://*.*.shop.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://a*.shop.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://*shop.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://**.shop.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.example/**", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.example/*/*/*/*/*", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.example/cb", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.example/*?x=*", pattern: true, want: ErrURIPattern},
		{uri: "https://shop.example:*/cb", pattern: true, want: ErrURIMalformed},
		{uri: "http*://shop.example/cb", pattern: true, want: ErrURIMalformed},
		{uri: "https://*@shop.example/cb", pattern: true, want: ErrURIMalformed},
		{uri: "com.example.app://*/cb", pattern: true, want: ErrURIPattern},
		{uri: "com.example.app:/*", pattern: true, want: ErrURIPattern},
	} {
		t.Run(row.uri[:min(len(row.uri), 80)], func(t *testing.T) {
			err := checkURI(URI{URI: row.uri, Pattern: row.pattern}, rules{public: row.public, insecure: !row.strict})
			if row.want == nil && err != nil || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// threats 23, 24, 25, 69: what an address matches, and what it does not.
func TestMatches(t *testing.T) {
	exact := func(s string) URI { return URI{URI: s} }
	pattern := func(s string) URI { return URI{URI: s, Pattern: true} }
	for _, row := range []struct {
		registered URI
		asked      string
		want       bool
	}{
		{exact("https://shop.example/cb"), "https://shop.example/cb", true},
		{exact("https://shop.example/cb?a=b"), "https://shop.example/cb?a=b", true},
		{exact("https://shop.example/cb"), "https://shop.example/cb/", false},
		{exact("https://shop.example/cb"), "https://shop.example/CB", false},
		{exact("https://shop.example/cb"), "https://SHOP.example/cb", false},
		{exact("https://shop.example/cb"), "https://shop.example:443/cb", false},
		{exact("https://shop.example/cb"), "https://shop.example:8443/cb", false},
		{exact("https://shop.example/cb"), "https://shop.example./cb", false},
		{exact("https://shop.example/cb"), "https://shop.example/cb?x=y", false},
		{exact("https://shop.example/cb"), "https://shop.example/cb?", false},
		{exact("https://shop.example/cb"), "https://shop.example/%63b", false},
		{exact("https://shop.example/cb"), "http://shop.example/cb", false},
		{exact("https://shop.example/cb"), "https://shop.example.evil.example/cb", false},
		{exact("https://shop.example/cb"), "https://evil-shop.example/cb", false},
		{exact("https://shop.example/cb"), "https://shop.example@evil.example/cb", false},
		{exact("https://shop.example/cb"), "https://shop.example/cb/../evil", false},
		{exact("https://shop.example/cb"), "https://shop.example/cb%2f..%2fevil", false},
		{exact("https://shop.example/cb"), "https://shop.example/cb#x", false},
		{exact("https://shop.example"), "https://shop.example/", false},
		{exact("com.example.app:/cb"), "com.example.app:/cb", true},
		{exact("com.example.app:/cb"), "com.example.app:/evil", false},

		{exact("http://127.0.0.1/cb"), "http://127.0.0.1:51234/cb", true},
		{exact("http://127.0.0.1:8000/cb"), "http://127.0.0.1:51234/cb", true},
		{exact("http://127.0.0.1:8000/cb"), "http://127.0.0.1/cb", true},
		{exact("http://[::1]/cb"), "http://[::1]:51234/cb", true},
		{exact("http://127.0.0.1/cb"), "http://127.0.0.1:51234/CB", false},
		{exact("http://127.0.0.1/cb"), "http://127.0.0.1:51234/cb/x", false},
		{exact("http://127.0.0.1/cb"), "http://127.0.0.1:51234/cb?x=y", false},
		{exact("http://127.0.0.1/cb"), "https://127.0.0.1:51234/cb", false},
		{exact("http://127.0.0.1/cb"), "http://[::1]:51234/cb", false},
		{exact("http://127.0.0.1/cb"), "http://localhost:51234/cb", false},
		{exact("http://127.0.0.1/cb"), "http://127.0.0.2:51234/cb", false},
		{exact("http://127.0.0.1/cb"), "http://127.0.0.1.evil.example/cb", false},
		{exact("http://127.0.0.1/cb"), "http://127.0.0.1:51234@evil.example/cb", false},
		{exact("http://localhost/cb"), "http://localhost:51234/cb", false},
		{exact("http://localhost:3000/cb"), "http://localhost:3000/cb", true},
		{exact("https://127.0.0.1/cb"), "https://127.0.0.1:51234/cb", false},

		{pattern("https://*.shop.example/cb"), "https://pr-1.shop.example/cb", true},
		{pattern("https://*.shop.example/cb"), "https://shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://a.b.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://evil.example/x.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://evil.example?.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://evil.example#.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://evil.example%2f.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), `https://evil.example\.shop.example/cb`, false},
		{pattern("https://*.shop.example/cb"), "https://user@pr-1.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://x:y@.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://*.shop.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://pr-1.shopXexample/cb", false},
		{pattern("https://*.shop.example/cb"), "https://pr-1.shop.example.evil.example/cb", false},
		{pattern("https://*.shop.example/cb"), "https://pr-1.shop.example:8443/cb", false},
		{pattern("https://*.shop.example/cb"), "http://pr-1.shop.example/cb", false},
		{pattern("https://shop.example/*"), "https://shop.example/a", true},
		{pattern("https://shop.example/*"), "https://shop.example/", false},
		{pattern("https://shop.example/*"), "https://shop.example/a/b", false},
		{pattern("https://shop.example/*"), "https://shop.example/a?x=y", false},
		{pattern("https://shop.example/*"), "https://shop.example/..", false},
		{pattern("https://shop.example/*"), "https://shop.example/%2e%2e", false},
		{pattern("https://shop.example/*"), "https://shop.example/..;x", false},
		{pattern("https://shop.example/*"), "https://shop.example/a%2fb", false},
		{pattern("https://shop.example/*"), "https://shop.example.evil.example/a", false},
		{pattern("https://shop.example/a*c/cb"), "https://shop.example/abc/cb", true},
		{pattern("https://shop.example/a*c/cb"), "https://shop.example/ac/cb", false},
		{pattern("https://shop.example/a*b*c"), "https://shop.example/axbxc", true},
		{pattern("https://shop.example/a*b*c"), "https://shop.example/abbc", false},
		{pattern("https://shop.example/a*b*c"), "https://shop.example/aXbbc", true},
		{pattern("https://shop.example/*"), "https://shop.example/*", true},
		{pattern("http://127.0.0.1/*"), "http://127.0.0.1:5000/a", false},
	} {
		t.Run(row.registered.URI+" "+row.asked, func(t *testing.T) {
			c := Client{ClientEdit: ClientEdit{RedirectURIs: []URI{row.registered}}}
			_, err := c.redirect(row.asked, rules{insecure: true})
			if got := err == nil; got != row.want {
				t.Errorf("got %v (%v), want %v", got, err, row.want)
			}
		})
	}
}

// threats 26: a row that is older than a rule is refused when it is used.
func TestSchemesAreAskedAgainAtUse(t *testing.T) {
	for _, row := range []struct {
		name   string
		uri    string
		public bool
		want   *fault.Error
	}{
		{"refuses script", "javascript:alert(1)", false, ErrURIScheme},
		{"refuses a private scheme without a domain", "myapp:/cb", true, ErrURIPrivate},
		{"refuses http when the operator does", "http://nas.lan/cb", false, ErrURIInsecure},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := Client{ClientEdit: ClientEdit{Public: row.public, RedirectURIs: []URI{{URI: row.uri}}}}
			if _, err := c.redirect(row.uri, rules{public: row.public}); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
		})
	}
}

// threats 24: whatever parseAddress accepts, net/url reads in the same way, and nothing is
// in it that browsers (WHATWG URL) read differently.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"https://shop.example/cb", "https://shop.example:8443/a/b?c=d", "http://[::1]:80/", "com.example.app:/cb", "app.immich:///cb",
		"https://a@b/", "https://a\\b/", "https://1.2.3.4/", "http://0x7f.1/", "https://a/..;/b", "https://a/%2e%2e", "https://*.a.b/*", "x:y?z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil {
			if strings.Contains(s, "*") { // a pattern is no URI
				return
			}
			t.Fatalf("net/url refuses %q: %v", s, err)
		}
		if u.User != nil || u.Fragment != "" || strings.Contains(s, "#") {
			t.Fatalf("%q has userinfo or a fragment", s)
		}
		host := a.host
		if a.port != "" {
			host += ":" + a.port
		}
		query := ""
		if u.ForceQuery || u.RawQuery != "" {
			query = "?" + u.RawQuery
		}
		path := u.Opaque
		if path == "" {
			path = u.EscapedPath()
		}
		if u.Scheme != a.scheme || u.Host != host || query != a.query || path != a.path && u.Path != a.path {
			t.Fatalf("%q: net/url has %q %q %q %q, we have %+v", s, u.Scheme, u.Host, path, query, a)
		}
		if !a.web {
			return
		}
		if u.Hostname() == "" || strings.Contains(a.host, "@") || strings.ContainsAny(s, "\\\t\n\r \x00") {
			t.Fatalf("%q has what browsers read differently", s)
		}
		// Browsers take a host whose last label is a number for an IPv4 address.
		labels := strings.Split(u.Hostname(), ".")
		if last := labels[len(labels)-1]; !strings.Contains(u.Hostname(), ":") && last[0] >= '0' && last[0] <= '9' {
			if _, err := netip.ParseAddr(u.Hostname()); err != nil {
				t.Fatalf("%q has a host that browsers read as an address", s)
			}
		}
		// What we send there is what was asked for, with parameters behind it.
		sent, err := url.Parse(withQuery(s, url.Values{"code": {"c"}}))
		if err != nil || sent.Host != u.Host || sent.Scheme != u.Scheme || sent.Path != u.Path || sent.Query().Get("code") == "" {
			t.Fatalf("%q becomes %v", s, sent)
		}
	})
}

// threats 22: every spelling of this device is this device.
func TestNative(t *testing.T) {
	for uri, want := range map[string]bool{
		"com.example.app:/cb": true, "myapp://cb": true, "http://127.0.0.1/cb": true, "http://127.1.2.3/cb": true, "http://[::1]:80/cb": true,
		"http://[0:0:0:0:0:0:0:1]/cb": true, "http://[::ffff:127.0.0.1]/cb": true, "http://localhost/cb": true, "https://LocalHost/cb": true,
		"http://app.localhost/cb": true, "http://0.0.0.0/cb": true, "http://[::]/cb": true,
		"https://shop.example/cb": false, "http://nas.lan/cb": false, "https://localhost.shop.example/cb": false, "http://192.168.1.1/cb": false,
	} {
		a, err := parseAddress(uri)
		must(t, err)
		if a.native() != want {
			t.Errorf("%s: got %v", uri, a.native())
		}
	}
}

func TestWithQuery(t *testing.T) {
	params := url.Values{"code": {"c"}, "state": {"a b&c"}}
	for _, row := range []struct{ uri, want string }{
		{"https://shop.example/cb", "https://shop.example/cb?code=c&state=a+b%26c"},
		{"https://shop.example/cb?x=y", "https://shop.example/cb?x=y&code=c&state=a+b%26c"},
		{"https://shop.example/cb?x=y&", "https://shop.example/cb?x=y&code=c&state=a+b%26c"},
		{"https://shop.example/cb?", "https://shop.example/cb?code=c&state=a+b%26c"},
		{"com.example.app:/cb", "com.example.app:/cb?code=c&state=a+b%26c"},
	} {
		if got := withQuery(row.uri, params); got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}
