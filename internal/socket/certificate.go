package socket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// LookEvery is how often the files of a certificate are looked at.
const LookEvery = 10 * time.Second

// maxPEM is the bound of each file of a certificate.
const maxPEM = 256 << 10

// A Pair says where a certificate and its key are: both in files, or both as text.
type Pair struct {
	CertFile, KeyFile string
	Cert, Key         []byte // PEM
}

// Set says whether there is one at all.
func (p Pair) Set() bool { return p.CertFile != "" || len(p.Cert) > 0 }

// load reads the pair. The key has to fit the certificate.
func (p Pair) load() (*tls.Certificate, error) {
	cert, key := p.Cert, p.Key
	if p.CertFile != "" {
		var err error
		if cert, err = readPEM(p.CertFile); err != nil {
			return nil, err
		}
		if key, err = readPEM(p.KeyFile); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

func readPEM(path string) ([]byte, error) {
	about, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !about.Mode().IsRegular() || about.Size() > maxPEM {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no file of a certificate")}
	}
	return os.ReadFile(path)
}

// A stamp tells one state of the files from another without reading them.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

func (p Pair) stamp() (s stamp) {
	if about, err := os.Stat(p.CertFile); err == nil {
		s.cert, s.certSize = about.ModTime(), about.Size()
	}
	if about, err := os.Stat(p.KeyFile); err == nil {
		s.key, s.keySize = about.ModTime(), about.Size()
	}
	return s
}

// Certificates secure connections by a pair that is read again when its files change. A new
// pair that cannot be used leaves the old one where it is.
type Certificates struct {
	pair    Pair
	current atomic.Pointer[tls.Certificate]

	mu      sync.Mutex
	used    stamp // of the files that are in use
	suspect stamp // of files that could not be used, once
	refused stamp // and twice, which was told
	err     error // why the newest files are not in use
}

// NewCertificates reads a pair for the first time.
func NewCertificates(p Pair) (*Certificates, error) {
	c := &Certificates{pair: p, used: p.stamp()}
	first, err := p.load()
	if err != nil {
		return nil, err
	}
	c.current.Store(first)
	return c, nil
}

// Config is TLS by whatever pair is the newest, of versions and ciphers that hold.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Of TLS 1.2 only what is authenticated and forward secret; TLS 1.3 has nothing else.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// Leaf is the certificate in use, and why a newer one is not, if there is one.
func (c *Certificates) Leaf() (*x509.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Load().Leaf, c.err
}

// Reload reads the files now, whether or not they look changed.
func (c *Certificates) Reload() error {
	if c.pair.CertFile == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(c.pair.stamp())
}

// take puts the files to use that had a stamp a moment ago. The caller has the lock.
func (c *Certificates) take(now stamp) error {
	pair, err := c.pair.load()
	if err != nil {
		c.refused, c.err = now, err
		return err
	}
	c.current.Store(pair)
	c.used, c.suspect, c.refused, c.err = now, stamp{}, stamp{}, nil
	return nil
}

// look reads the files if they changed, and says whether there is something to tell. A pair
// of which one half is new is perhaps being written: it is looked at twice.
func (c *Certificates) look() (news bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.pair.stamp()
	switch now {
	case c.used:
		c.suspect, c.refused, c.err = stamp{}, stamp{}, nil // what was broken has been put back
		return false, nil
	case c.refused:
		return false, nil
	}
	if now != c.suspect {
		if _, err := c.pair.load(); err != nil {
			c.suspect = now
			return false, nil
		}
	}
	return true, c.take(now)
}

// Watch looks at the files until ctx ends and tells what it found: nil for a pair that is
// now in use, or why a new one is not.
func (c *Certificates) Watch(ctx context.Context, tell func(error)) {
	if c.pair.CertFile == "" {
		return
	}
	every := time.NewTicker(LookEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if news, err := c.look(); news {
				tell(err)
			}
		}
	}
}
