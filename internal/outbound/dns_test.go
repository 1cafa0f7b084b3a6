package outbound

import (
	"context"
	"encoding/binary"
	"net"
	"sync/atomic"
	"testing"
)

// dnsServer answers every question for an IPv4 address with a public one or with
// loopback, and every other one with nothing (RFC 1035 §4.1).
type dnsServer struct {
	conn   net.PacketConn
	inside atomic.Bool
}

func newDNS(t testing.TB) *dnsServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	d := &dnsServer{conn: conn}
	go d.serve()
	return d
}

// answer sets where names lead from now on.
func (d *dnsServer) answer(inside bool) { d.inside.Store(inside) }

func (d *dnsServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", d.conn.LocalAddr().String())
	}}
}

func (d *dnsServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		end := 12
		for end < n && buf[end] != 0 {
			end += int(buf[end]) + 1
		}
		end += 5 // the root, type and class
		if end > n {
			continue
		}
		out := append([]byte{}, buf[:end]...)
		out[2], out[3] = 0x81, 0x80 // an answer without error
		copy(out[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})
		if binary.BigEndian.Uint16(buf[end-4:]) == 1 {
			out[7] = 1
			to := []byte{9, 9, 9, 9}
			if d.inside.Load() {
				to = []byte{127, 0, 0, 1}
			}
			out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			out = append(out, to...)
		}
		d.conn.WriteTo(out, from)
	}
}
