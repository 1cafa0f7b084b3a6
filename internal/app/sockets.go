package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"pocketid/internal/socket"
)

// maxSocketPath is how long the path of a Unix socket may be: what the kernel takes, less
// the longer name under which the socket is made.
const maxSocketPath = 90

// Systemd is what systemd says to a service in its environment.
type Systemd struct {
	// ListenPID and ListenFDs tell which sockets are passed, and to whom.
	ListenPID, ListenFDs string
	// Supervisor wants to know how the process is.
	Supervisor socket.Supervisor
}

// readSockets takes what several variables say together about sockets and certificates.
func (c *Config) readSockets(env map[string]string) (flaws []error) {
	c.TLS.CertFile, c.TLS.KeyFile = env["TLS_CERT_FILE"], env["TLS_KEY_FILE"]
	c.Systemd = Systemd{ListenPID: env["LISTEN_PID"], ListenFDs: env["LISTEN_FDS"], Supervisor: socket.Supervisor{Address: env["NOTIFY_SOCKET"]}}
	if every, err := strconv.ParseInt(env["WATCHDOG_USEC"], 10, 64); err == nil && every > 0 {
		c.Systemd.Supervisor.Patience = time.Duration(every) * time.Microsecond
	}
	t := c.TLS
	for _, g := range []Given{{Name: "TLS_CERT_FILE", Value: t.CertFile}, {Name: "TLS_KEY_FILE", Value: t.KeyFile}} {
		if g.Value != "" {
			c.Given = append(c.Given, g)
		}
	}
	switch {
	case (t.CertFile != "" || t.KeyFile != "") && (len(t.Cert) > 0 || len(t.Key) > 0):
		flaws = append(flaws, &ConfigError{"TLS_CERT_FILE", "is set beside a certificate or a key without a file; give both by files", "/etc/pocket-id/fullchain.pem"})
	case t.CertFile != "" && t.KeyFile == "":
		flaws = append(flaws, &ConfigError{"TLS_KEY_FILE", "is missing beside TLS_CERT_FILE", "/etc/pocket-id/privkey.pem"})
	case t.CertFile == "" && t.KeyFile != "":
		flaws = append(flaws, &ConfigError{"TLS_CERT_FILE", "is missing beside TLS_KEY_FILE", "/etc/pocket-id/fullchain.pem"})
	case (len(t.Cert) > 0) != (len(t.Key) > 0):
		flaws = append(flaws, &ConfigError{"TLS_CERT", "and TLS_KEY belong together, and one of them is missing", `"$(cat fullchain.pem)"`})
	}
	if c.Metrics.On && c.Metrics.Port == c.Port && c.UnixSocket == "" && !c.SystemdSocket {
		flaws = append(flaws, &ConfigError{"OTEL_EXPORTER_PROMETHEUS_PORT", "is that of the server itself; measures have a port of their own", "9464"})
	}
	switch {
	case c.UnixSocket != "" && c.SystemdSocket:
		flaws = append(flaws, &ConfigError{"SYSTEMD_SOCKET", "and UNIX_SOCKET are both set; keep one of them", "false"})
	case c.UnixSocket != "" && len(c.ProxyProtocol) > 0:
		flaws = append(flaws, &ConfigError{"PROXY_PROTOCOL", "is not for a Unix socket, whose proxy writes X-Forwarded-For", "false"})
	}
	return flaws
}

// pemText takes PEM as it is, or in base64, as it fits on one line.
func pemText(s string) ([]byte, error) {
	if s = strings.TrimSpace(s); s == "" || strings.HasPrefix(s, "-----BEGIN ") {
		return []byte(s), nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil || !strings.HasPrefix(string(b), "-----BEGIN ") {
		return nil, flaw("is neither PEM, which begins with -----BEGIN, nor that in base64")
	}
	return b, nil
}

// listen opens the sockets that the settings name.
func (c *Config) listen(ctx context.Context) ([]net.Listener, error) {
	switch {
	case c.SystemdSocket:
		passed, err := socket.Passed(c.Systemd.ListenPID, c.Systemd.ListenFDs)
		if err != nil {
			return nil, &Stop{fmt.Sprintf("SYSTEMD_SOCKET is true, and there is no socket to take: %v.", err),
				"Start the service by its socket unit (systemctl start pocket-id.socket), or set SYSTEMD_SOCKET=false."}
		}
		return passed, nil
	case c.UnixSocket != "":
		l, err := socket.Unix(ctx, c.UnixSocket, c.UnixSocketMode)
		if err != nil {
			return nil, &Stop{fmt.Sprintf("The server cannot listen on the Unix socket: %v.", err), socketCure(err)}
		}
		return []net.Listener{l}, nil
	}
	s, err := tcp(ctx, c.Host, c.Port, "PORT")
	if err != nil {
		return nil, err
	}
	return []net.Listener{s}, nil
}

// tcp listens on a port, which a variable names.
func tcp(ctx context.Context, host string, port int, variable string) (net.Listener, error) {
	var l net.ListenConfig
	s, err := l.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, &Stop{fmt.Sprintf("The server cannot listen: %v.", err), "Stop what uses the port, or choose another by " + variable + "."}
	}
	return s, nil
}

// socketCure is what helps when a Unix socket cannot be opened.
func socketCure(err error) string {
	switch {
	case errors.Is(err, socket.ErrTaken):
		return "Stop that server, or choose another path by UNIX_SOCKET."
	case errors.Is(err, socket.ErrNoSocket):
		return "Move that away, or choose another path by UNIX_SOCKET."
	}
	return "Let the server's user write in the directory of UNIX_SOCKET, and make it if it is not there."
}

// secure reads the certificate, where there is one.
func (a *App) secure() error {
	if !a.config.TLS.Set() {
		return nil
	}
	certs, err := socket.NewCertificates(a.config.TLS)
	if err != nil {
		name, example := "TLS_CERT", `"$(cat fullchain.pem)"`
		if a.config.TLS.CertFile != "" {
			name, example = "TLS_CERT_FILE", "/etc/pocket-id/fullchain.pem"
		}
		return &ConfigError{name, fmt.Sprintf("and its key cannot be used: %v", err), example}
	}
	a.certificates.Store(certs)
	return nil
}

// accept serves one socket, by TLS where there is a certificate.
func (a *App) accept(server *http.Server, s net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(s, "", "")
	}
	return server.Serve(s)
}

// watch keeps the certificate up with its files until ctx ends, and reads it again when
// somebody asks.
func (a *App) watch(ctx context.Context) {
	certs := a.certificates.Load()
	tell := func(err error) {
		if err != nil {
			a.log.Error("the new certificate cannot be used, so the old one stays in use", "err", err)
			return
		}
		leaf, _ := certs.Leaf()
		a.log.Info("a new certificate is in use", "until", leaf.NotAfter.Format(time.RFC3339))
	}
	var looking sync.WaitGroup
	if certs != nil {
		looking.Go(func() { certs.Watch(ctx, tell) })
	}
	defer looking.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.Again:
			a.tell("RELOADING=1")
			if certs != nil {
				tell(certs.Reload())
			}
			a.tell("READY=1")
		}
	}
}

// Reloads says whether there is something that a signal can have read again. Without it
// the signal keeps its meaning: the terminal is gone.
func (a *App) Reloads() bool {
	return a.config.TLS.CertFile != "" || a.config.Systemd.Supervisor.Address != ""
}

// tell tells systemd how the server is.
func (a *App) tell(state string) {
	if err := a.config.Systemd.Supervisor.Tell(state); err != nil {
		a.log.Warn("systemd cannot be told how the server is", "err", err)
	}
}

// alive says whether requests are answered: it makes one, without a network.
func (a *App) alive(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return false
	}
	w := &sign{header: http.Header{}}
	a.handler.ServeHTTP(w, r)
	return w.status == http.StatusNoContent
}

// A sign is an answer of which the status alone counts.
type sign struct {
	header http.Header
	status int
}

func (s *sign) Header() http.Header         { return s.header }
func (s *sign) Write(b []byte) (int, error) { return len(b), nil }
func (s *sign) WriteHeader(status int)      { s.status = status }

// certificate is the one in use, or beside a server the one that it would use.
func (a *App) certificate() (*x509.Certificate, error) {
	certs := a.certificates.Load()
	if certs == nil {
		var err error
		if certs, err = socket.NewCertificates(a.config.TLS); err != nil {
			return nil, err
		}
	}
	return certs.Leaf()
}

// Through is a way to a server of this machine: by the network, or by a Unix socket when
// there is a path. It looks at no certificate, because the machine's own name is on none.
func Through(path string) *http.Transport {
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	if path != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	}
	return t
}
