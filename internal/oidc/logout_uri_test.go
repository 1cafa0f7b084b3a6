package oidc

import (
	"strings"
	"testing"

	"pocketid/internal/fault"
	"pocketid/internal/outbound"
)

// threats 73
func TestAddressesOfSignOuts_OIDC_BackChannel_2_2(t *testing.T) {
	private, err := outbound.ParsePrivate("app.lan, app.lan:8080, 10.0.0.0/8")
	must(t, err)
	p := &Provider{outbound: outbound.New(outbound.Config{Private: private})}
	callbacks := []URI{{URI: "https://app.example/cb"}, {URI: "https://app.example:8443/cb"}, {URI: "http://localhost:3000/cb"}, {URI: "https://*.apps.example.com/cb", Pattern: true}, {URI: "com.example.app:/cb"}}
	for _, test := range []struct {
		name, back, front string
		want              *fault.Error
		field             string
	}{
		{"takes none", "", "", nil, ""},
		{"takes https", "https://app.example/out?a=b", "https://app.example/out?a=b", nil, ""},
		{"trims blanks", " https://app.example/out ", " https://app.example/out ", nil, ""},
		{"takes another host behind", "https://inner.example/out", "", nil, ""},
		{"takes http on an inner network that was named", "http://app.lan/out", "", nil, ""},
		{"takes http at an inner address that was named", "http://10.1.2.3/out", "", nil, ""},
		{"refuses http elsewhere", "http://app.example/out", "", ErrLogoutInsecure, "backchannel_logout"},
		{"refuses loopback", "http://127.0.0.1/out", "", ErrLogoutInsecure, "backchannel_logout"},
		{"refuses an inner address", "https://192.168.1.1/out", "", ErrLogoutInsecure, "backchannel_logout"},
		{"refuses where clouds keep secrets", "http://169.254.169.254/latest", "", ErrLogoutInsecure, "backchannel_logout"},
		{"refuses a fragment behind", "https://app.example/out#a", "", ErrLogoutURI, "backchannel_logout"},
		{"refuses a user behind", "https://a:b@app.example/out", "", ErrLogoutURI, "backchannel_logout"},
		{"refuses a wildcard behind", "https://*.app.example/out", "", ErrLogoutURI, "backchannel_logout"},
		{"refuses another scheme behind", "ftp://app.example/out", "", ErrLogoutURI, "backchannel_logout"},
		{"refuses an application's own scheme behind", "com.example.app:/out", "", ErrLogoutURI, "backchannel_logout"},
		{"refuses no host behind", "/out", "", ErrLogoutURI, "backchannel_logout"},
		{"refuses what is too long behind", "https://app.example/" + strings.Repeat("a", 3000), "", ErrLogoutURI, "backchannel_logout"},
		{"takes the port that goes without saying", "", "https://app.example:443/out", nil, ""},
		{"takes another port of a callback", "", "https://app.example:8443/out", nil, ""},
		{"takes http where a callback has it", "", "http://localhost:3000/out", nil, ""},
		{"takes a host of a pattern", "", "https://blue.apps.example.com/out", nil, ""},
		{"refuses another host in a frame", "", "https://evil.example/out", ErrLogoutOrigin, "frontchannel_logout"},
		{"refuses a host below in a frame", "", "https://a.app.example/out", ErrLogoutOrigin, "frontchannel_logout"},
		{"refuses two labels for a star", "", "https://a.b.apps.example.com/out", ErrLogoutOrigin, "frontchannel_logout"},
		{"refuses another port in a frame", "", "https://app.example:444/out", ErrLogoutOrigin, "frontchannel_logout"},
		{"refuses http in a frame", "", "http://app.example/out", ErrLogoutOrigin, "frontchannel_logout"},
		{"refuses a fragment in a frame", "", "https://app.example/out#a", ErrLogoutURI, "frontchannel_logout"},
		{"refuses script in a frame", "", "javascript:alert(1)", ErrLogoutURI, "frontchannel_logout"},
		{"refuses an application's own scheme in a frame", "", "com.example.app:/out", ErrLogoutURI, "frontchannel_logout"},
		{"refuses a star in a frame", "", "https://*.apps.example.com/out", ErrLogoutURI, "frontchannel_logout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := ClientEdit{BackchannelLogout: test.back, FrontchannelLogout: test.front, RedirectURIs: callbacks}
			err := p.checkLogout(&e)
			if test.want == nil {
				must(t, err)
				if strings.ContainsRune(e.BackchannelLogout+e.FrontchannelLogout, ' ') {
					t.Error("the blanks are still there")
				}
				return
			}
			wantFault(t, err, test.want, test.field)
		})
	}
}
