package app

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// frame is one of HTTP/2 (RFC 9113 §4.1).
func frame(kind, flags byte, stream uint32, body ...byte) []byte {
	b := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), body...)
}

// readFrame is the next one that the server sends.
func readFrame(c net.Conn) (kind byte, stream uint32, body []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(c, head[:]); err != nil {
		return
	}
	body = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	_, err = io.ReadFull(c, body)
	return head[3], binary.BigEndian.Uint32(head[5:]) &^ (1 << 31), body, err
}

// late says whether nothing came in time.
func late(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// A connection of HTTP/2 has so many requests in flight and no more, also when it breaks
// each off as soon as it was asked; who goes on so is cut off. Without TLS it is spoken
// by those who begin with it, as proxies do.
func TestStreamsHaveABound(t *testing.T) { // threats 82
	var going, most, all atomic.Int64
	until := make(chan struct{})
	a := &App{log: quiet(), handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := going.Add(1)
		defer going.Add(-1)
		all.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-until // as a handler that looks at nothing
	})}
	server := a.server()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go a.accept(server, l)
	defer server.Close()
	defer close(until)
	get := []byte{0x82, 0x86, 0x84, 0x41, 1, 'x'} // GET, http, /, authority x (RFC 7541 §6)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		c.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0)...))
		return c
	}
	// heard reads until a frame of a kind comes, and answers its error code.
	heard := func(c net.Conn, want byte) (uint32, error) {
		for {
			kind, _, body, err := readFrame(c)
			if err != nil {
				return 0, err
			}
			if kind == want {
				return binary.BigEndian.Uint32(body[len(body)-4:]), nil
			}
			if kind == 7 && len(body) >= 8 { // GOAWAY
				return binary.BigEndian.Uint32(body[4:]), nil
			}
		}
	}

	// One stream more than there may be is refused: REFUSED_STREAM, or PROTOCOL_ERROR once
	// the client has taken note of the bound.
	c := dial()
	for i := range uint32(maxStreams + 1) {
		c.Write(frame(1, 0x5, 2*i+1, get...))
	}
	if code, err := heard(c, 3); err != nil || code != 7 && code != 1 {
		t.Errorf("a stream too many: %d, %v", code, err)
	}
	c.Close()

	// Asked and broken off, again and again (CVE-2023-44487).
	c = dial()
	defer c.Close()
	go func() {
		for i := range uint32(20 * maxStreams) {
			if _, err := c.Write(append(frame(1, 0x5, 2*i+1, get...), frame(3, 0, 2*i+1, 0, 0, 0, 8)...)); err != nil {
				return
			}
		}
	}()
	if code, err := heard(c, 7); late(err) || err == nil && code != 0xb { // ENHANCE_YOUR_CALM, or closed
		t.Errorf("who asks and breaks off hears %d, %v", code, err)
	}
	if n := most.Load(); n > 2*maxStreams || all.Load() < maxStreams {
		t.Errorf("%d at once on two connections, %d in all", n, all.Load())
	}
}

// Beyond the bound of a header HTTP/2 answers as HTTP/1 does.
func TestHeadersOfStreamsHaveABound(t *testing.T) { // threats 80
	a := &App{log: quiet(), handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})}
	server := a.server()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go a.accept(server, l)
	defer server.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	c.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0)...))
	go func() { // a header that never ends (CVE-2023-45288)
		c.Write(frame(1, 0x1, 1, 0x82, 0x86, 0x84))
		piece := append([]byte{0x40, 1, 'a', 0x7f, 0x81, 0x7e}, bytes.Repeat([]byte("a"), 127+1+126*128)...)
		for range 1000 {
			if _, err := c.Write(frame(9, 0, 1, piece...)); err != nil {
				return
			}
		}
	}()
	for {
		kind, _, _, err := readFrame(c)
		if late(err) {
			t.Fatal("a header without an end is read on and on")
		}
		if err != nil || kind == 7 {
			return // GOAWAY, or closed at once
		}
	}
}
