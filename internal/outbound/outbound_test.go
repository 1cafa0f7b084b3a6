package outbound

import (
	"net/netip"
	"testing"
)

// threats 74
func TestWhatIsPublic(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "0.0.0.0", "::1", "::ffff:10.0.0.1", "fd00::1", "fe80::1", "64:ff9b::a00:1", "100.64.0.1", "224.0.0.1", "255.255.255.255"} {
		if public(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	for _, s := range []string{"9.9.9.9", "2620:fe::fe"} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is not public", s)
		}
	}
}
