package socket

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// made is a new certificate for a name, and its key, as PEM.
func made(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(4e9, 0)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// laid lies in two files that a test writes anew.
type laid struct {
	t *testing.T
	p Pair
	n int
}

func lay(t *testing.T) *laid {
	dir := t.TempDir()
	return &laid{t: t, p: Pair{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}}
}

func (l *laid) put(path string, b []byte) {
	l.t.Helper()
	l.n++
	at := time.Unix(1_700_000_000+int64(l.n), 0) // file systems may count time in large steps
	if err := os.WriteFile(path, b, 0o600); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		l.t.Fatal(err)
	}
}

func (l *laid) both(name string) (cert, key []byte) {
	l.t.Helper()
	cert, key = made(l.t, name)
	l.put(l.p.CertFile, cert)
	l.put(l.p.KeyFile, key)
	return cert, key
}

// A pair that is renewed is taken by the next look, half a pair is waited for, and one that
// cannot be used is told once and changes nothing.
func TestCertificatesAreReadAgain(t *testing.T) {
	l := lay(t)
	oldCert, oldKey := l.both("one.example")
	synctest.Test(t, func(t *testing.T) {
		c, err := NewCertificates(l.p)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		go c.Watch(t.Context(), func(err error) {
			if err != nil {
				told = append(told, "broken")
				return
			}
			told = append(told, "renewed")
		})
		look := func(what, name, news string, broken bool) {
			t.Helper()
			told = nil
			time.Sleep(LookEvery)
			synctest.Wait()
			leaf, err := c.Leaf()
			got := ""
			if len(told) > 0 {
				got = told[0]
			}
			if leaf.DNSNames[0] != name || got != news || len(told) > 1 || (err != nil) != broken {
				t.Errorf("%s: %s is in use, %q was told, and %v", what, leaf.DNSNames[0], told, err)
			}
		}
		look("nothing new", "one.example", "", false)
		l.both("two.example")
		look("a new pair", "two.example", "renewed", false)
		cert, key := made(t, "three.example")
		l.put(l.p.CertFile, cert)
		look("half a new pair", "two.example", "", false)
		l.put(l.p.KeyFile, key)
		look("the other half", "three.example", "renewed", false)
		l.put(l.p.KeyFile, oldKey)
		look("a key that does not fit, at first", "three.example", "", false)
		look("and again", "three.example", "broken", true)
		look("it is told once", "three.example", "", true)
		l.put(l.p.CertFile, []byte("no certificate"))
		look("no certificate, at first", "three.example", "", true)
		look("and again", "three.example", "broken", true)
		os.Remove(l.p.CertFile)
		look("none at all, at first", "three.example", "", true)
		look("and again", "three.example", "broken", true)
		l.put(l.p.CertFile, oldCert)
		look("a pair that fits", "one.example", "renewed", false)
		l.put(l.p.CertFile, make([]byte, maxPEM+1))
		if err := c.Reload(); err == nil {
			t.Error("a file of any size is read")
		}
		l.both("four.example")
		if err := c.Reload(); err != nil {
			t.Error(err)
		}
		look("after a signal nothing is new", "four.example", "", false)
	})
}

// A pair that does not belong together is refused at the start.
func TestCertificateAndKeyBelongTogether(t *testing.T) {
	cert, key := made(t, "one.example")
	_, other := made(t, "one.example")
	if _, err := NewCertificates(Pair{Cert: cert, Key: key}); err != nil {
		t.Error(err)
	}
	for _, p := range []Pair{{Cert: cert, Key: other}, {Cert: key, Key: cert}, {Cert: cert}, {CertFile: "/does/not/exist", KeyFile: "/does/not/exist"}, {CertFile: t.TempDir(), KeyFile: t.TempDir()}} {
		if _, err := NewCertificates(p); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

// Old versions of TLS and ciphers that do not hold are refused by the handshake.
func TestVersionsAndCiphers(t *testing.T) {
	cert, key := made(t, "one.example")
	c, err := NewCertificates(Pair{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, conn); conn.Close() }()
		}
	}()
	for _, tt := range []struct {
		name    string
		most    uint16
		ciphers []uint16
		want    bool
	}{
		{"speaks TLS 1.3", tls.VersionTLS13, nil, true},
		{"speaks TLS 1.2", tls.VersionTLS12, nil, true},
		{"does not speak TLS 1.1", tls.VersionTLS11, nil, false},
		{"does not speak TLS 1.0", tls.VersionTLS10, nil, false},
		{"takes no CBC", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}, false},
		{"takes ChaCha20", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}, true},
	} {
		d := &net.Dialer{}
		conn, err := tls.DialWithDialer(d, "tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tt.most, CipherSuites: tt.ciphers})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != tt.want {
			t.Errorf("it %s: %v", tt.name, err)
		}
	}
}
