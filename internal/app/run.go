package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
	"pocketid/internal/socket"
)

const (
	// turnAway is how long the socket stays open after /readyz has begun to
	// fail, so that balancers notice before connections are refused.
	turnAway = 3 * time.Second
	// drain is how long requests in flight may go on after that.
	drain = 15 * time.Second
	// maxConnections is how many sockets may be open at once; more wait.
	maxConnections = 4096
	// maxStreams is how many requests a connection of HTTP/2 may have in flight.
	maxStreams = 100
)

// ErrInterrupted is the cause of a stop that somebody waits for at a terminal:
// there is no balancer to turn away.
var ErrInterrupted = errors.New("interrupted")

// Run serves until ctx ends, and returns when everything has stopped. All
// goroutines of the program start here and end with it.
func (a *App) Run(ctx context.Context) error {
	if err := a.secure(); err != nil {
		return err
	}
	sockets, err := a.config.listen(ctx)
	if err != nil {
		return err
	}
	if a.config.Metrics.On {
		watched, err := tcp(ctx, a.config.Metrics.Host, a.config.Metrics.Port, "OTEL_EXPORTER_PROMETHEUS_PORT")
		if err != nil {
			for _, s := range sockets {
				s.Close()
			}
			return err
		}
		measures := a.tellMeasures(watched)
		defer measures.Close()
	}
	return a.serve(ctx, sockets...)
}

// serve serves on sockets until ctx ends.
func (a *App) serve(ctx context.Context, sockets ...net.Listener) error {
	// Whoever reaches the page at once has to find it open.
	setup, err := a.SignIn.OpenSetup(ctx, audit.System("serve"))
	if err != nil && !errors.Is(err, signin.ErrSetupDone) {
		a.log.Error("set-up could not be opened", "err", err)
	}
	first := err == nil
	server := a.server()
	var requests atomic.Int64
	server.Handler = counted(a.leaving(server.Handler), &requests)
	failed := make(chan error, len(sockets))
	free := make(chan struct{}, maxConnections)
	var at []string
	for _, s := range sockets {
		at = append(at, s.Addr().String())
		s = limited(s, free)
		if len(a.config.ProxyProtocol) > 0 {
			s = socket.Proxied(s, a.config.ProxyProtocol)
		}
		go func() { failed <- a.accept(server, s) }()
	}

	work, end := context.WithCancel(context.WithoutCancel(ctx))
	var working sync.WaitGroup
	working.Go(func() { a.Work(work) })
	working.Go(func() { rest(work, &requests, release) })
	taken := make(chan error, 1)
	working.Go(func() { taken <- a.DB.Attend(work) })

	working.Go(func() { a.watch(work) })
	working.Go(func() { a.config.Systemd.Supervisor.Reassure(work, a.alive) })

	a.log.Info("ready", "address", a.config.PublicURL.String(), "listening", strings.Join(at, " "))
	if first {
		a.log.Info("nobody has an account yet; make the first one", "address", a.SignIn.SetupURL(), "until", setup.Until.Format(time.RFC3339))
	}

	a.tell("READY=1\nSTATUS=Serves " + a.config.PublicURL.String())

	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
		server.Close() // the other sockets
	case err = <-taken: // the database is somebody else's now
		err = errors.Join(err, a.stop(ctx, server, cmp.Or(err, errTaken)))
	case <-ctx.Done():
		err = a.stop(ctx, server, context.Cause(ctx))
	}
	end()
	working.Wait()
	return err
}

// Work does what goes on beside requests, until ctx ends: jobs, and the care of
// the signing keys, which makes the RSA key two seconds from now.
func (a *App) Work(ctx context.Context) {
	var working sync.WaitGroup
	working.Go(func() { a.Jobs.Run(ctx) })
	working.Go(func() {
		a.OIDC.Keys().Run(ctx, func(err error) { a.log.Error("signing keys cannot be looked after", "err", err) })
	})
	working.Wait()
}

// server is the http.Server with its bounds.
func (a *App) server() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	s := &http.Server{
		Handler:           a.handler,
		MaxHeaderBytes:    edge.MaxHeaderBytes,
		ReadHeaderTimeout: edge.ReadHeaderTimeout,
		ReadTimeout:       edge.ReadTimeout,
		WriteTimeout:      edge.WriteTimeout,
		IdleTimeout:       edge.IdleTimeout,
		Protocols:         &protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReadFrameSize: 16 << 10,
			MaxReceiveBufferPerConnection: 256 << 10, MaxReceiveBufferPerStream: 128 << 10,
		},
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // broken handshakes and headers of strangers
	}
	if certs := a.certificates.Load(); certs != nil {
		protocols.SetHTTP2(true)
		s.TLSConfig = certs.Config()
	} else {
		protocols.SetUnencryptedHTTP2(true) // for proxies that speak it behind TLS
	}
	return s
}

// errTaken is why a server stops whose database is somebody else's.
var errTaken = errors.New("the database was taken")

// stop ends the server because of something: it is not ready any more, then takes no
// connection, then finishes what is in flight.
func (a *App) stop(ctx context.Context, server *http.Server, cause error) error {
	a.stopping.Store(true)
	a.tell("STOPPING=1")
	if !errors.Is(cause, ErrInterrupted) {
		a.log.Info("stopping", "cause", cause.Error(), "in", turnAway)
		time.Sleep(turnAway)
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		a.log.Warn("requests were cut off", "after", drain)
		server.Close()
	}
	a.log.Info("stopped")
	return nil
}

// leaving asks whoever keeps a connection to let go of it after the answer, once the server
// is on its way out. What a balancer keeps open is then closed by the time at which the
// server would close it itself, perhaps just as a request comes.
func (a *App) leaving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// limited hands out at most as many connections at a time as there are free places, which
// listeners may share.
func limited(l net.Listener, free chan struct{}) net.Listener {
	return &limitedListener{Listener: l, free: free, closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	free   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a free place, then for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
}

// Close ends the listener and whoever waits for a place.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close ends the connection and frees its place.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
