//go:build parties

package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// These tests let relying parties of others sign in, as their users run them: with https
// and the configuration that they come with. `make parties` installs what they need.

// certificate is that of the proxy in front of the provider; authority is it in PEM, for
// the relying parties, which trust nothing else.
var certificate, authority = selfSigned()

func init() {
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		panic(err)
	}
	key := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	moreFlags = append(moreFlags, chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])))
}

func selfSigned() (tls.Certificate, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	names := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, &names, &names, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// behindTLS starts the program behind a proxy that speaks https, and returns it with the
// file of the proxy's authority.
func behindTLS(t *testing.T) (*server, string) {
	t.Helper()
	port := freePort(t)
	inner := &url.URL{Scheme: "http", Host: "localhost:" + port}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	front.StartTLS()
	t.Cleanup(front.Close)
	_, outer, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, authority, 0o644); err != nil {
		t.Fatal(err)
	}
	s := &server{URL: "https://localhost:" + outer, port: port, extra: []string{"TRUST_PROXY=127.0.0.1,::1"}, Dir: t.TempDir(), log: &buffer{}}
	return s.start(t), ca
}

// runParty starts a program of others and waits until it answers at address.
func runParty(t *testing.T, address string, c *exec.Cmd, logs ...string) {
	t.Helper()
	log := &buffer{}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
		if t.Failed() {
			for _, name := range logs {
				text, _ := os.ReadFile(name)
				log.Write(text)
			}
			t.Logf("the relying party said:\n%s", log)
		}
	})
	for range 400 {
		if res, err := http.Get(address); err == nil {
			res.Body.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the relying party did not start:\n%s", log)
}

// needs fails when a program is missing that `make parties` installs.
func needs(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: run `make parties`, which installs what is needed", path)
	}
}

func TestOpenIDClient(t *testing.T) {
	s, ca := behindTLS(t)
	admin := s.newPerson(t, "en")
	admin.setUp("Set up Pocket ID")
	port := freePort(t)
	self := "http://localhost:" + port
	id, secret := admin.addClient("Example", self+"/callback", self+"/out")

	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/openid-client").(fs.FS)); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--silent", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	node := exec.Command("node", "party.mjs", s.URL, id, secret, port)
	node.Dir, node.Env = dir, append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
	runParty(t, self+"/out", node)

	for _, way := range []string{"/in", "/pushed"} {
		if way == "/pushed" && !strings.Contains(get(t, "http://localhost:"+s.port+"/.well-known/openid-configuration"), "pushed_authorization_request_endpoint") {
			continue
		}
		admin.open(self + way)
		if way == "/in" {
			admin.at("/consent")
			admin.click(`button[value="allow"]`)
		}
		admin.see("#told")
		told := admin.value(`document.querySelector("#told").textContent`)
		for _, want := range []string{`"email":"ada@example.com"`, `"name":"Ada Lovelace"`, `"refreshed":true`} {
			if !strings.Contains(told, want) {
				t.Errorf("%s: the application was told %s and not %s", way, told, want)
			}
		}
		if strings.Contains(told, "active") && !strings.Contains(told, `"active":true,"revoked":true,"after":false`) {
			t.Errorf("%s: introspection around a revocation said %s", way, told)
		}
	}
	admin.click("#out")
	admin.text("nobody is signed in")
	admin.newAuthenticator()
	admin.open("/settings/account")
	admin.at("/login")
}

func get(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestApacheModAuthOpenIDC(t *testing.T) {
	const modules = "/usr/lib/apache2/modules"
	needs(t, modules+"/mod_auth_openidc.so")
	s, _ := behindTLS(t)
	admin := s.newPerson(t, "en")
	admin.setUp("Set up Pocket ID")
	port := freePort(t)
	self := "http://localhost:" + port
	id, secret := admin.addClient("Example", self+"/inside/callback", self+"/")
	admin.withoutPKCE(id) // which this version asks for only when it is told to

	dir, err := os.MkdirTemp("", "pocket-id-apache") // not below a directory of root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	for name, text := range map[string]string{"ca.pem": string(authority), "index.html": "<p id=\"outside\">outside</p>", "inside/index.html": "<p>inside</p>"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`
ServerRoot %[1]s
ServerName localhost
Listen 127.0.0.1:%[2]s
PidFile %[1]s/pid
ErrorLog %[1]s/error.log
DocumentRoot %[1]s
User nobody
Group nogroup
LoadModule mpm_event_module %[3]s/mod_mpm_event.so
LoadModule authn_core_module %[3]s/mod_authn_core.so
LoadModule authz_core_module %[3]s/mod_authz_core.so
LoadModule authz_user_module %[3]s/mod_authz_user.so
LoadModule dir_module %[3]s/mod_dir.so
LoadModule include_module %[3]s/mod_include.so
LoadModule auth_openidc_module %[3]s/mod_auth_openidc.so
OIDCProviderMetadataURL %[4]s/.well-known/openid-configuration
OIDCClientID %[5]s
OIDCClientSecret %[6]s
OIDCRedirectURI %[7]s/inside/callback
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCCABundlePath %[1]s/ca.pem
OIDCScope "openid profile email"
OIDCRemoteUserClaim email
<Directory %[1]s>
  Options +Includes
  SetOutputFilter INCLUDES
</Directory>
<Location /inside>
  AuthType openid-connect
  Require valid-user
</Location>
`, dir, port, modules, s.URL, id, secret, self)
	if err := os.WriteFile(filepath.Join(dir, "inside/index.html"), []byte(`<p id="who"><!--#echo var="REMOTE_USER" --></p><p id="name"><!--#echo var="OIDC_CLAIM_name" --></p>`), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	runParty(t, self+"/", exec.Command("apache2", "-X", "-f", file), filepath.Join(dir, "error.log"))

	admin.open(self + "/inside/")
	admin.at("/consent")
	admin.click(`button[value="allow"]`)
	admin.see("#who")
	admin.text("ada@example.com")
	admin.text("Ada Lovelace")
	admin.open(self + "/inside/callback?logout=" + url.QueryEscape(self+"/"))
	admin.see("#outside")
	admin.newAuthenticator()
	admin.open("/settings/account")
	admin.at("/login")
}

// withoutPKCE lets a client leave PKCE out.
func (p *person) withoutPKCE(id string) {
	p.t.Helper()
	p.open("/settings/admin/oidc-clients/" + id + "#tokens")
	p.click("#pkce_required")
	p.click(`section#tokens footer button.primary`)
	p.until(`document.querySelector("#pkce_required") && !document.querySelector("#pkce_required").checked && document.readyState === "complete"`)
}
