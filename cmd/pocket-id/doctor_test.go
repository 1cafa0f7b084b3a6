package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pocketid/internal/overview"
)

// An issuer signs certificates for tests.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certify makes a certificate as change wants it; by nil signs itself.
func certify(t *testing.T, by *issuer, change func(c *x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-48 * time.Hour),
		NotAfter: time.Now().Add(90 * 24 * time.Hour), BasicConstraintsValid: true, DNSNames: []string{"localhost"}}
	change(c)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &issuer{c, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.DNSNames = true, x509.KeyUsageCertSign, nil
}

// What stands in front of the house is looked at as a browser does: a certificate that has
// ended, ends soon, counts from tomorrow, is for another host, comes without its chain or
// from nobody whom browsers know, a proxy that changes what it passes on. Each is told with
// its cure, and decides about the status.
func TestDoctorAtTheDoor(t *testing.T) {
	dir := inhabited(t)
	root := certify(t, nil, authority)
	between := certify(t, root, authority)
	good := certify(t, between, func(*x509.Certificate) {})
	span := func(from, to time.Duration) *issuer {
		return certify(t, between, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) })
	}
	day := 24 * time.Hour
	usual := map[string]http.HandlerFunc{
		"/healthz": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"/.well-known/openid-configuration": func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(map[string]string{"issuer": "https://" + r.Host})
		},
		"/.well-known/jwks.json": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"keys":[{"kid":"another"}]}`) },
		"/login":                 func(w http.ResponseWriter, _ *http.Request) {},
	}
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if n < 400 {
				w.Header().Set("Location", "https://elsewhere.example/")
			}
			w.WriteHeader(n)
		}
	}
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
	}
	for _, tt := range []struct {
		name  string
		chain []*issuer
		path  string // that is answered in another way
		by    http.HandlerFunc
		check string
		state overview.State
		say   string
		cure  string
	}{
		{"is content", []*issuer{good, between}, "", nil, "certificate", overview.OK, "Browsers trust the certificate", ""},
		{"tells one that has ended", []*issuer{span(-9*day, -day), between}, "", nil, "certificate", overview.Bad, "The certificate has ended", "Renew it at the proxy"},
		{"tells one that ends soon", []*issuer{span(-9*day, 5*day), between}, "", nil, "certificate", overview.Warn, "The certificate ends soon", "Renew it at the proxy"},
		{"tells one that begins tomorrow", []*issuer{span(day, 9*day), between}, "", nil, "certificate", overview.Bad, "does not count yet", "Set the clock"},
		{"tells one of another host", []*issuer{certify(t, between, func(c *x509.Certificate) { c.DNSNames = []string{"id.example.com"} }), between}, "", nil, "certificate", overview.Bad, "id.example.com, not localhost", "a certificate for localhost"},
		{"tells one without its chain", []*issuer{good}, "", nil, "certificate", overview.Bad, "unknown authority", "the whole chain"},
		{"tells one that signs itself", []*issuer{certify(t, nil, func(*x509.Certificate) {})}, "", nil, "certificate", overview.Bad, "unknown authority", "signs itself"},
		{"tells one of an issuer that nobody knows", []*issuer{certify(t, certify(t, nil, authority), func(*x509.Certificate) {}), between}, "", nil, "certificate", overview.Bad, "unknown authority", "that browsers trust"},

		{"tells a proxy that answers itself", []*issuer{good, between}, "/healthz", status(http.StatusForbidden), "reach", overview.Bad, "/healthz answers 403", "pass all paths on"},
		{"tells a proxy that leads away", []*issuer{good, between}, "/healthz", status(http.StatusFound), "reach", overview.Bad, "leads on to https://elsewhere.example/", "pass all paths on"},
		{"tells a discovery document that is kept back", []*issuer{good, between}, "/.well-known/openid-configuration", status(http.StatusNotFound), "discovery", overview.Bad, "answers 404", "pass /.well-known/ on"},
		{"tells another issuer", []*issuer{good, between}, "/.well-known/openid-configuration", text(`{"issuer":"https://other.example"}`), "discovery", overview.Bad, "The server says https://other.example", "settings of the server"},
		{"tells keys that are kept back", []*issuer{good, between}, "/.well-known/jwks.json", status(http.StatusBadGateway), "keys", overview.Bad, "does not answer with them", "The log"},
		{"tells that there are no keys", []*issuer{good, between}, "/.well-known/jwks.json", text(`{"keys":[]}`), "keys", overview.Bad, "No application can check a token", "seconds after the first start"},
		{"tells the keys of another house", []*issuer{good, between}, "", nil, "keys", overview.Bad, "APP_URL leads to another Pocket ID", "lead to this server"},
		{"tells pages that do not arrive", []*issuer{good, between}, "/login", status(http.StatusMisdirectedRequest), "proxy", overview.Bad, "answers 421", "pass Host and X-Forwarded-Proto on"},
		{"tells a name that can be forged", []*issuer{good, between}, "/login", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Forwarded-Host") != "" {
				w.WriteHeader(http.StatusMisdirectedRequest)
			}
		}, "forged", overview.Warn, "is believed", "overwrite X-Forwarded-Host"},
		{"tells another time", []*issuer{good, between}, "/healthz", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusNoContent)
		}, "date", overview.Bad, "differ by ", "NTP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			door := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := usual[r.URL.Path]
				if tt.path == r.URL.Path {
					answer = tt.by
				}
				if answer == nil {
					answer = http.NotFound
				}
				answer(w, r)
			}))
			shown := tls.Certificate{PrivateKey: tt.chain[0].key}
			for _, c := range tt.chain {
				shown.Certificate = append(shown.Certificate, c.cert.Raw)
			}
			door.TLS = &tls.Config{Certificates: []tls.Certificate{shown}}
			door.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			door.StartTLS()
			defer door.Close()
			at, err := url.Parse(door.URL)
			if err != nil {
				t.Fatal(err)
			}
			got := rooted(t, dir, root.cert, "https://localhost:"+at.Port(), "doctor", "--json")
			var list []finding
			if err := json.Unmarshal([]byte(got.out), &list); err != nil {
				t.Fatalf("%v: %+v", err, got)
			}
			found := false
			for _, f := range list {
				if f.Where != outside || f.Name != tt.check {
					continue
				}
				found = true
				if f.State != tt.state || !strings.Contains(f.Title+". "+f.Text, tt.say) || !strings.Contains(f.Cure, tt.cure) || (f.Cure == "") != (f.State == overview.OK) {
					t.Errorf("got %+v", f)
				}
			}
			if !found {
				t.Errorf("nothing is said of the %s: %+v", tt.check, list)
			}
			if got.status != 1 { // no server of this house runs here
				t.Errorf("the status is %d", got.status)
			}
		})
	}
	// Whatever state something is in, it alone decides about the status.
	for _, tt := range []struct {
		state  overview.State
		strict bool
		want   bool
	}{{overview.OK, true, false}, {overview.Warn, false, false}, {overview.Warn, true, true}, {overview.Bad, false, true}} {
		var flags []string
		if tt.strict {
			flags = append(flags, "--strict")
		}
		c, err := doctorCommand.parse(&process{out: io.Discard}, flags)
		if err != nil {
			t.Fatal(err)
		}
		u := &checkup{}
		u.add(outside, "certificate", tt.state, "x", "y", "z")
		if err := c.tell(u); (err != nil) != tt.want {
			t.Errorf("%v, strictly %v: %v", tt.state, tt.strict, err)
		}
	}
}

// rooted is try for a house at an address, where certificates of one issuer are trusted.
func rooted(t *testing.T, dir string, root *x509.Certificate, address string, args ...string) outcome {
	t.Helper()
	var out, err bytes.Buffer
	p := &process{in: strings.NewReader(""), out: &out, err: &err, book: chapters, roots: x509.NewCertPool(),
		environ: []string{"DB_CONNECTION_STRING=" + filepath.Join(dir, "pocket-id.db"), "APP_URL=" + address, "PORT=" + freePort(t)}}
	p.roots.AddCert(root)
	status := p.main(t.Context(), args)
	return outcome{status, out.String(), err.String()}
}
