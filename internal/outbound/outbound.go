// Package outbound makes the requests that the house makes to elsewhere: keys and
// documents of clients, notes of sign-outs, pictures. What it is sent to comes from
// strangers, so it reaches public addresses only, looked at after the name was resolved
// and for each redirect anew, and it takes no more bytes and no more time than it was
// told (threats 73, 74).
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// Why a request was not made, or its answer not taken. None of it is for strangers: it
// would tell them what there is on inner networks.
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
	connectTimeout = 5 * time.Second
	defaultMax     = 64 << 10 // bytes
	maxHeaders     = 32 << 10 // bytes
	maxAddress     = 2048     // characters of a URL
	maxRedirects   = 3
	maxAtOnce      = 32 // requests
	maxTries       = 4  // addresses of one name
)

// A Resolver finds the addresses of a name. A net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a Client has to know.
type Config struct {
	// Private are inner networks and hosts that may be reached all the same
	// (ALLOWED_PRIVATE_HOSTS).
	Private Private
	// UserAgent is how requests introduce themselves; "" is "pocket-id".
	UserAgent string
	// Resolver is where names are looked up; nil is as the system does it.
	Resolver Resolver
	// Connect opens a connection to an address that was found to be right; nil is the
	// network. Tests have a network of their own.
	Connect func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Roots are whose certificates count; nil is as the system has them, or BringRoots.
	Roots *x509.CertPool
}

// A Client makes requests. It is safe for use by many at once.
type Client struct {
	private   Private
	userAgent string
	resolver  Resolver
	connect   func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	transport *http.Transport
	// room holds a token for each request that goes on.
	room chan struct{}
}

// New makes a client.
func New(c Config) *Client {
	o := &Client{private: c.Private, userAgent: c.UserAgent, resolver: c.Resolver, connect: c.Connect, room: make(chan struct{}, maxAtOnce)}
	if o.userAgent == "" {
		o.userAgent = "pocket-id"
	}
	if o.resolver == nil {
		o.resolver = net.DefaultResolver
	}
	// No proxy of the environment: it would resolve names where nobody looks. No
	// connection is kept: it would go on leading where its name once led. HTTP/1.1 alone,
	// because its answers have the bounds that stand here.
	o.transport = &http.Transport{
		DialContext:            o.dial,
		TLSHandshakeTimeout:    connectTimeout,
		ResponseHeaderTimeout:  defaultTimeout,
		MaxResponseHeaderBytes: maxHeaders,
		DisableKeepAlives:      true,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
	}
	return o
}

// A Request is what is to be asked.
type Request struct {
	// URL is https, or http where the host or the address in it is one of Config.Private or
	// HTTP is set.
	URL string
	// Form makes it a POST of this form, whose answer is not followed elsewhere; nil is a GET.
	Form url.Values
	// Accept is the media type that is hoped for; "" is any.
	Accept string
	// Max is how many bytes the answer may have, however it was packed; 0 is 64 KiB.
	// Timeout bounds all of it; 0 is ten seconds.
	Max     int64
	Timeout time.Duration
	// Redirects lets up to three redirects of a GET be followed, each to an address that
	// may be reached. Without it a redirect is ErrRedirected.
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
	select {
	case o.room <- struct{}{}:
		defer func() { <-o.room }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("outbound: wait for other requests: %w", ctx.Err())
	}
	r, err := o.request(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	if o.transport.TLSClientConfig.RootCAs == nil {
		BringRoots()
	}
	client := http.Client{Transport: o.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if !q.Redirects || q.Form != nil || len(via) > maxRedirects {
			return ErrRedirected
		}
		next.Header.Del("Referer") // where it came from concerns nobody
		return o.check(next.URL.String(), q.HTTP && via[len(via)-1].URL.Scheme == "http")
	}}
	res, err := client.Do(r)
	if err != nil {
		return Answer{}, fmt.Errorf("outbound: %w", err)
	}
	defer res.Body.Close()                                     //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1)) // after it was unpacked
	if err != nil {
		return Answer{}, fmt.Errorf("outbound: read the answer: %w", err)
	}
	if int64(len(body)) > limit {
		return Answer{}, ErrTooLarge
	}
	return Answer{res.StatusCode, res.Header, body}, nil
}

// request is q for net/http. It carries no cookies and no credentials.
func (o *Client) request(ctx context.Context, q Request) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if q.Form != nil {
		method, body = http.MethodPost, strings.NewReader(q.Form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, q.URL, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if q.Form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.Accept != "" {
		r.Header.Set("Accept", q.Accept)
	}
	r.Header.Set("User-Agent", o.userAgent)
	return r, nil
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
	case len(address) > maxAddress:
		return fmt.Errorf("%w: it is too long", ErrForbidden)
	case u.Host == "" || u.User != nil || u.Opaque != "":
		return fmt.Errorf("%w: it has no host, or names a user", ErrForbidden)
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%w: its scheme is not https", ErrForbidden)
	}
	to, err := parseHost(u.Hostname())
	if err != nil {
		return err
	}
	private := o.private.host(u.Hostname(), port(u)) || o.private.address(to)
	switch {
	case u.Scheme == "http" && !insecure && !private:
		return fmt.Errorf("%w: its scheme is not https", ErrForbidden)
	case to.IsValid() && !private && !public(to):
		return fmt.Errorf("%w: it is on an inner network", ErrForbidden)
	case !private && !usualPort(port(u)):
		return fmt.Errorf("%w: its port is one of another service", ErrForbidden)
	}
	return nil
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
// resolved to, and that is connected to and nothing else, so a name that changes its mind
// gains nothing.
func (o *Client) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, err
	}
	reachable := public
	if o.private.host(host, port) {
		reachable = inner
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	all, err := o.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	tried := 0
	err = fmt.Errorf("%w: %s leads to an inner network", ErrForbidden, host)
	for _, to := range all {
		if !reachable(to) && !o.private.address(to) || tried == maxTries {
			continue
		}
		tried++
		var conn net.Conn
		if conn, err = o.open(ctx, netip.AddrPortFrom(to.Unmap(), uint16(number))); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// lookup is the addresses of a host, which may be one itself.
func (o *Client) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if to, err := parseHost(host); err != nil || to.IsValid() {
		return []netip.Addr{to}, err
	}
	all, err := o.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", host, err)
	}
	return all, nil
}

// open connects to one address, and looks once more at where the connection really goes.
func (o *Client) open(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if o.connect != nil {
		return o.connect(ctx, to)
	}
	d := net.Dialer{Control: func(_, at string, _ syscall.RawConn) error {
		if got, err := netip.ParseAddrPort(at); err != nil || got != to {
			return fmt.Errorf("%w: %s is another address than %s", ErrForbidden, at, to)
		}
		return nil
	}}
	return d.DialContext(ctx, "tcp", to.String())
}
