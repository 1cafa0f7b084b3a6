package apptest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"pocketid/internal/outbound"
)

// network is the internet as the house sees it: the sites of a test, in memory, and
// loopback, where it may have servers of its own. Nothing else can be reached.
type network struct {
	mu     sync.Mutex
	names  map[string]netip.Addr
	doors  map[netip.AddrPort]chan net.Conn
	wires  *sync.Map // net.Conn -> nothing: all there were
	key    *ecdsa.PrivateKey
	issuer *x509.Certificate
}

// newNetwork makes one without sites. Its certificates are good at any time.
func newNetwork() *network {
	n := &network{names: map[string]netip.Addr{}, doors: map[netip.AddrPort]chan net.Conn{}, wires: &sync.Map{}}
	var err error
	if n.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		panic("apptest: no key: " + err.Error())
	}
	n.issuer = &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	if n.issuer, err = x509.ParseCertificate(n.certificate(n.issuer)); err != nil {
		panic("apptest: no certificate: " + err.Error())
	}
	return n
}

func (n *network) certificate(c *x509.Certificate) []byte {
	issuer := n.issuer
	if c.IsCA {
		issuer = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, &n.key.PublicKey, n.key)
	if err != nil {
		panic("apptest: no certificate: " + err.Error())
	}
	return der
}

// config is how the house goes out.
func (n *network) config() outbound.Config {
	roots := x509.NewCertPool()
	roots.AddCert(n.issuer)
	return outbound.Config{Resolver: n, Connect: n.connect, Roots: roots}
}

// LookupNetIP knows the sites by name.
func (n *network) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, ok := n.names[host]; ok {
		return []netip.Addr{at}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (n *network) connect(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	door := n.doors[to]
	n.mu.Unlock()
	if door == nil {
		if to.Addr().IsLoopback() {
			return (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
		}
		return nil, fmt.Errorf("nobody is at %s", to)
	}
	mine, theirs := net.Pipe()
	n.wires.Store(mine, nil)
	n.wires.Store(theirs, nil)
	select {
	case door <- theirs:
		return mine, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut ends all connections.
func (n *network) cut() {
	n.wires.Range(func(c, _ any) bool {
		_ = c.(net.Conn).Close()
		return true
	})
	n.wires.Clear()
}

// A Site is a server elsewhere that the house may ask: it has a public address and
// https, and it is there until the test ends.
type Site struct {
	// URL is where it is, without a slash at the end.
	URL   string
	asked atomic.Int64
}

// Asked is how many requests have come to it.
func (s *Site) Asked() int { return int(s.asked.Load()) }

// Site opens a site of that name, which answers by serve.
func (h *House) Site(host string, serve http.HandlerFunc) *Site {
	h.t.Helper()
	n := h.net
	door := make(chan net.Conn)
	n.mu.Lock()
	at, there := n.names[host]
	if !there {
		at = netip.AddrFrom4([4]byte{11, 0, byte(len(n.names) >> 8), byte(len(n.names))})
		n.names[host] = at
	}
	n.doors[netip.AddrPortFrom(at, 443)] = door
	leaf := n.certificate(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: n.issuer.NotBefore, NotAfter: n.issuer.NotAfter})
	n.mu.Unlock()
	s := &Site{URL: "https://" + host}
	closed := make(chan struct{})
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		serve(w, r)
	})}
	inside := tls.NewListener(&doorway{door, closed}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf}, PrivateKey: n.key}}})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(inside) })
	h.t.Cleanup(func() {
		n.cut() // who says goodbye by TLS would wait for an answer, and time stands still by now
		_ = server.Close()
		serving.Wait()
	})
	return s
}

// Near lets h reach the sites of other, as replicas of one house do.
func (h *House) Near(other *House) *House {
	other.net.mu.Lock()
	defer other.net.mu.Unlock()
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.net.names, h.net.doors, h.net.wires = other.net.names, other.net.doors, other.net.wires
	return h
}

// doorway is the listener of a site.
type doorway struct {
	door   chan net.Conn
	closed chan struct{}
}

// Accept waits for whoever comes.
func (d *doorway) Accept() (net.Conn, error) {
	select {
	case c := <-d.door:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more.
func (d *doorway) Close() error { close(d.closed); return nil }

// Addr is nowhere.
func (d *doorway) Addr() net.Addr { return &net.IPAddr{} }
