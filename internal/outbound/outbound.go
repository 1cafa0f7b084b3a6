// Package outbound makes the requests that the house makes to elsewhere: keys and
// documents of clients, notes of sign-outs, pictures. What it is sent to comes from
// strangers, so it reaches public addresses only, looked at after the name was resolved
// and for each redirect anew, and it takes no more bytes and no more time than it was
// told (threats 73, 74).
package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Why a request was not made, or its answer not taken.
var (
	// ErrForbidden is an address that may not be reached, by its form or by where it leads.
	ErrForbidden = errors.New("outbound: the address may not be reached")
	// ErrTooLarge is an answer of more bytes than were allowed.
	ErrTooLarge = errors.New("outbound: the answer is too large")
	// ErrRedirected is a redirect that was not to be followed, or the fourth one.
	ErrRedirected = errors.New("outbound: the answer leads elsewhere")
)

const (
	defaultTimeout = 10 * time.Second
	defaultMax     = 64 << 10 // bytes
	maxRedirects   = 3
)

// Config is what a Client has to know.
type Config struct {
	// Private are inner networks and hosts that may be reached all the same
	// (ALLOWED_PRIVATE_HOSTS).
	Private Private
	// UserAgent is how requests introduce themselves; "" is "pocket-id".
	UserAgent string
}

// A Client makes requests. It is safe for use by many at once.
type Client struct {
	private   Private
	userAgent string
	transport *http.Transport
}

// New makes a client.
func New(c Config) *Client {
	o := &Client{private: c.Private, userAgent: c.UserAgent}
	if o.userAgent == "" {
		o.userAgent = "pocket-id"
	}
	o.transport = &http.Transport{
		DialContext:            o.dial,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  defaultTimeout,
		MaxResponseHeaderBytes: 32 << 10,
		MaxConnsPerHost:        8,
		MaxIdleConns:           16,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
		// No proxy of the environment: it would resolve names where nobody looks.
	}
	return o
}

// A Request is what is to be asked.
type Request struct {
	// URL is https, or http where the host or the address in it is one of Config.Private or
	// HTTP is set.
	URL string
	// Form makes it a POST of this form; nil is a GET.
	Form url.Values
	// Accept is the media type that is hoped for; "" is any.
	Accept string
	// Max is how many bytes the answer may have; 0 is 64 KiB. Timeout bounds all of it; 0 is
	// ten seconds.
	Max     int64
	Timeout time.Duration
	// Redirects lets up to three redirects be followed, each to an address that may be
	// reached. Without it a redirect is ErrRedirected.
	Redirects bool
	// HTTP lets the address be http.
	HTTP bool
}

// An Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes a request. An answer of any status is an answer. The error is one of this
// package or says that nobody could be reached; none of them is for strangers to see.
func (o *Client) Do(ctx context.Context, q Request) (Answer, error) {
	if err := o.check(q.URL, q.HTTP); err != nil {
		return Answer{}, err
	}
	timeout, limit := q.Timeout, q.Max
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	if limit <= 0 {
		limit = defaultMax
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	method, body := http.MethodGet, io.Reader(nil)
	if q.Form != nil {
		method, body = http.MethodPost, strings.NewReader(q.Form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, q.URL, body)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if q.Form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.Accept != "" {
		r.Header.Set("Accept", q.Accept)
	}
	r.Header.Set("User-Agent", o.userAgent)
	client := http.Client{Transport: o.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if !q.Redirects || len(via) > maxRedirects {
			return ErrRedirected
		}
		return o.check(next.URL.String(), q.HTTP)
	}}
	res, err := client.Do(r)
	if err != nil {
		return Answer{}, fmt.Errorf("outbound: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	read, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return Answer{}, fmt.Errorf("outbound: read the answer: %w", err)
	}
	if int64(len(read)) > limit {
		return Answer{}, ErrTooLarge
	}
	return Answer{res.StatusCode, res.Header, read}, nil
}

// Check says whether an address may be asked by its form: https, or http where the
// host is one of Config.Private. Where its name leads is seen only when it is asked.
func (o *Client) Check(address string) error { return o.check(address, false) }

// check looks at the form of an address, before any name is resolved.
func (o *Client) check(address string, insecure bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	case u.Host == "" || u.User != nil || u.Opaque != "":
		return fmt.Errorf("%w: it has no host, or names a user", ErrForbidden)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (insecure || o.private.host(u.Hostname(), port(u)) || o.private.literal(u.Hostname())):
		return nil
	}
	return fmt.Errorf("%w: its scheme is not https", ErrForbidden)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// dial connects to an address that may be reached. The look is at what the name was
// resolved to, at the moment of connecting, so a name that changes its mind gains nothing.
func (o *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	named := o.private.host(host, port)
	d := net.Dialer{Timeout: 5 * time.Second, Control: func(_, at string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(at)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
		if named || public(to.Addr()) || o.private.address(to.Addr()) {
			return nil
		}
		return fmt.Errorf("%w: %s leads to an inner network", ErrForbidden, host)
	}}
	return d.DialContext(ctx, network, address)
}

// Close lets go of connections that nobody uses.
func (o *Client) Close() { o.transport.CloseIdleConnections() }
