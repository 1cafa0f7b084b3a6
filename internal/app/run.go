package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

const (
	// turnAway is how long the socket stays open after /readyz has begun to
	// fail, so that balancers notice before connections are refused.
	turnAway = 3 * time.Second
	// drain is how long requests in flight may go on after that.
	drain = 15 * time.Second
	// maxConnections is how many sockets may be open at once; more wait.
	maxConnections = 4096
)

// ErrInterrupted is the cause of a stop that somebody waits for at a terminal:
// there is no balancer to turn away.
var ErrInterrupted = errors.New("interrupted")

// Run serves until ctx ends, and returns when everything has stopped. All
// goroutines of the program start here and end with it.
func (a *App) Run(ctx context.Context) error {
	var l net.ListenConfig
	socket, err := l.Listen(ctx, "tcp", net.JoinHostPort(a.config.Host, strconv.Itoa(a.config.Port)))
	if err != nil {
		return &Stop{fmt.Sprintf("The server cannot listen: %v.", err), "Stop what uses the port, or choose another by PORT."}
	}
	return a.serve(ctx, socket)
}

// serve serves on a socket until ctx ends.
func (a *App) serve(ctx context.Context, socket net.Listener) error {
	// Whoever reaches the page at once has to find it open.
	setup, err := a.SignIn.OpenSetup(ctx, audit.System("serve"))
	if err != nil && !errors.Is(err, signin.ErrSetupDone) {
		a.log.Error("set-up could not be opened", "err", err)
	}
	first := err == nil
	server := a.server()
	var requests atomic.Int64
	server.Handler = counted(a.leaving(server.Handler), &requests)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(limited(socket, maxConnections)) }()

	work, end := context.WithCancel(context.WithoutCancel(ctx))
	var working sync.WaitGroup
	working.Go(func() { a.Work(work) })
	working.Go(func() { rest(work, &requests, release) })
	taken := make(chan error, 1)
	working.Go(func() { taken <- a.DB.Attend(work) })

	a.log.Info("ready", "address", a.config.PublicURL.String(), "listening", socket.Addr().String())
	if first {
		a.log.Info("nobody has an account yet; make the first one", "address", a.SignIn.SetupURL(), "until", setup.Until.Format(time.RFC3339))
	}

	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case err = <-taken: // the database is somebody else's now
		err = errors.Join(err, a.stop(ctx, server))
	case <-ctx.Done():
		err = a.stop(ctx, server)
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
	protocols.SetUnencryptedHTTP2(true) // for proxies that speak it behind TLS
	return &http.Server{
		Handler:           a.handler,
		MaxHeaderBytes:    edge.MaxHeaderBytes,
		ReadHeaderTimeout: edge.ReadHeaderTimeout,
		ReadTimeout:       edge.ReadTimeout,
		WriteTimeout:      edge.WriteTimeout,
		IdleTimeout:       edge.IdleTimeout,
		Protocols:         &protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug), // broken handshakes and headers of strangers
	}
}

// stop ends the server: it is not ready any more, then takes no connection,
// then finishes what is in flight.
func (a *App) stop(ctx context.Context, server *http.Server) error {
	a.stopping.Store(true)
	if cause := context.Cause(ctx); !errors.Is(cause, ErrInterrupted) {
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

// limited hands out at most n connections at a time.
func limited(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, free: make(chan struct{}, n), closed: make(chan struct{})}
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
