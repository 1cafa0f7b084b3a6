package outbound

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Where the system has no certificates, those that came along count; where it has some,
// its own alone.
func TestBroughtRoots(t *testing.T) {
	if os.Getenv("ROOTS_OF_THE_TEST") == "" {
		empty := t.TempDir()
		for _, tt := range []struct{ name, file string }{
			{"counts those that came along in an image without any", empty + "/none.pem"},
			{"counts those of the system alone where it has some", "testdata/root.pem"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				cmd := exec.Command(os.Args[0], "-test.run=^TestBroughtRoots$")
				cmd.Env = append(os.Environ(), "ROOTS_OF_THE_TEST="+tt.file, "SSL_CERT_FILE="+tt.file, "SSL_CERT_DIR="+empty)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		return
	}
	BringRoots()
	BringRoots()
	all, trusted := 0, 0
	for root := range bundle.Roots() {
		c, err := x509.ParseCertificate(root.Certificate)
		must(t, err)
		all++
		// A root is its own chain; within its time everything but the trust is right.
		if _, err := c.Verify(x509.VerifyOptions{CurrentTime: c.NotBefore.AddDate(0, 0, 1), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			trusted++
		}
	}
	want := all
	if os.Getenv("ROOTS_OF_THE_TEST") == "testdata/root.pem" {
		want = 0
	}
	if all < 100 || trusted != want {
		t.Errorf("%d of %d are trusted, want %d", trusted, all, want)
	}
}

func BenchmarkRoots(b *testing.B) {
	for b.Loop() {
		for root := range bundle.Roots() {
			if _, err := x509.ParseCertificate(root.Certificate); err != nil {
				b.Fatal(err)
			}
		}
	}
}
