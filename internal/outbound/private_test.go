package outbound

import (
	"net/netip"
	"strings"
	"testing"
)

func TestWhatMayBeNamed(t *testing.T) {
	for _, bad := range []string{"https://app.lan", "app.lan/path", "*.lan", "user@app.lan", "app.lan:0", "app.lan:65536", "app.lan:http", "app.lan:", ":80",
		"10.0.0.0/33", "10.0.0", "0177.0.0.1", "127.1", "2130706433", "fe80::1%eth0", "[fe80::1%eth0]:80", "app lan", "app.lan:80:80", "ä.lan", "::ffff:10.0.0.0/8",
		strings.Repeat("a.lan,b.lan,", 1000) + strings.Repeat("1.2.3.4,", 1001)} {
		if _, err := ParsePrivate(bad); err == nil {
			t.Errorf("%.60s was taken", bad)
		}
	}
	p := private(t, " App.lan, app.lan:8443 ,nas.lan:5000,10.1.0.0/16, 192.168.1.7,[fd00::7]:8443,192.168.2.2:80,fd12::/16,[fd00::8],::ffff:10.9.0.0/112,,")
	for _, row := range []struct {
		host, port string
		want       bool
	}{
		{"app.lan", "1", true}, {"APP.lan", "443", true}, {"nas.lan", "5000", true}, {"nas.lan", "5001", false}, {"x.app.lan", "443", false},
		{"xapp.lan", "443", false}, {"fd00::7", "8443", true}, {"fd00:0::7", "8443", true}, {"fd00::7", "443", false}, {"192.168.2.2", "80", true},
		{"::ffff:192.168.2.2", "80", true}, {"192.168.2.2", "81", false}, {"lan", "443", false}, {"", "443", false},
	} {
		if got := p.host(row.host, row.port); got != row.want {
			t.Errorf("%s port %s is %t", row.host, row.port, got)
		}
	}
	for address, want := range map[string]bool{"10.1.2.3": true, "10.2.0.1": false, "192.168.1.7": true, "192.168.1.8": false, "fd12::1": true, "fd13::1": false,
		"::ffff:10.1.2.3": true, "fd00::8": true, "10.9.0.1": true, "10.9.1.1": true, "10.10.0.1": false} {
		if got := p.address(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %t", address, got)
		}
	}
	if none := (Private{}); none.host("app.lan", "443") || none.address(netip.MustParseAddr("10.0.0.1")) || none.address(netip.Addr{}) {
		t.Error("an empty list allows something")
	}
}

// FuzzParsePrivate looks for a panic and for a list that opens more than it names.
func FuzzParsePrivate(f *testing.F) {
	for _, s := range []string{"", "app.lan", "app.lan:8443, 10.0.0.0/8", "[fd00::7]:8443,fd00::/8", "::ffff:10.0.0.0/104", "0x7f.1:80", "a,,b", "1.2.3.4:5", "[::1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		p, err := ParsePrivate(list)
		if err != nil {
			return
		}
		for name := range p.hosts {
			host, port, _ := strings.Cut(name, " ")
			if strings.ContainsAny(host, "/@%*\\ \t\r\n") || host == "" || port == "0" {
				t.Errorf("%q names %q port %q", list, host, port)
			}
			if !strings.Contains(strings.ToLower(list), host) && !strings.Contains(host, ":") && !strings.Contains(strings.ToLower(list), "::ffff:") {
				t.Errorf("%q does not say %q", list, host)
			}
		}
		for _, net := range p.nets {
			if net != net.Masked() || net.Addr().Is4In6() {
				t.Errorf("%q names %s", list, net)
			}
		}
		if !strings.Contains(list, "/") && p.address(netip.MustParseAddr("169.254.169.254")) != strings.Contains(list, "169.254.169.254") && !strings.Contains(list, ":") {
			t.Errorf("%q opens a place that it does not name", list)
		}
	})
}
