package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network, so that a bubble's time passes.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1411} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// running serves in a bubble. The handler of /slow takes as long as told; all
// else is that of the house.
func running(t *testing.T, slow time.Duration, fn func(get func(path string) (int, error), stop func(cause error), ended <-chan error)) {
	synctest.Test(t, func(t *testing.T) {
		a, err := New(t.Context(), fresh(t), quiet())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		house := a.handler
		a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/slow" {
				house.ServeHTTP(w, r)
				return
			}
			time.Sleep(slow)
			io.WriteString(w, "done")
		})
		p := newPipes()
		client := &http.Client{Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true}}
		get := func(path string) (int, error) {
			res, err := client.Get("http://localhost:1411" + path)
			if err != nil {
				return 0, err
			}
			defer res.Body.Close()
			_, err = io.Copy(io.Discard, res.Body)
			return res.StatusCode, err
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- a.serve(ctx, p) }()
		fn(get, cancel, ended)
		cancel(ErrInterrupted)
		client.CloseIdleConnections()
		time.Sleep(slow) // a handler that was cut off still sleeps
		synctest.Wait()
	})
}

var errSignal = errors.New("signal terminated")

func TestStopTurnsAwayThenDrains(t *testing.T) {
	running(t, 10*time.Second, func(get func(string) (int, error), stop func(error), ended <-chan error) {
		for _, path := range []string{"/healthz", "/readyz"} {
			if status, err := get(path); status != 204 {
				t.Fatalf("%s before the stop: %d, %v", path, status, err)
			}
		}
		inFlight := make(chan error, 1)
		go func() {
			status, err := get("/slow")
			if err == nil && status != 200 {
				err = errors.New(http.StatusText(status))
			}
			inFlight <- err
		}()
		synctest.Wait()
		begun := time.Now()
		stop(errSignal)
		time.Sleep(turnAway / 2)
		if status, err := get("/readyz"); status != 503 {
			t.Errorf("/readyz while turning away: %d, %v", status, err)
		}
		if status, err := get("/healthz"); status != 204 {
			t.Errorf("/healthz while turning away: %d, %v", status, err)
		}
		time.Sleep(turnAway)
		if _, err := get("/healthz"); err == nil {
			t.Error("a connection was taken after the socket should have closed")
		}
		if err := <-inFlight; err != nil {
			t.Errorf("the request in flight: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
		if took := time.Since(begun); took > 11*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	running(t, 40*time.Second, func(get func(string) (int, error), stop func(error), ended <-chan error) {
		inFlight := make(chan error, 1)
		go func() {
			_, err := get("/slow")
			inFlight <- err
		}()
		synctest.Wait()
		begun := time.Now()
		stop(errSignal)
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
		if took := time.Since(begun); took < drain || took > turnAway+drain+time.Second {
			t.Errorf("the stop took %v", took)
		}
		if <-inFlight == nil {
			t.Error("the request was answered")
		}
	})
}

func TestStopAtATerminalDoesNotWait(t *testing.T) {
	running(t, 0, func(get func(string) (int, error), stop func(error), ended <-chan error) {
		if _, err := get("/healthz"); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		stop(ErrInterrupted)
		<-ended
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}

func TestListenerWaitsWhenAllPlacesAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limited(p, make(chan struct{}, 1))
		accepted := make(chan net.Conn, 2)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		dial := func() { p.dial(t.Context(), "", "") }
		dial()
		synctest.Wait()
		go dial()
		synctest.Wait()
		if len(accepted) != 1 {
			t.Errorf("%d connections are open", len(accepted))
		}
		first := <-accepted
		first.Close()
		first.Close() // twice frees one place
		synctest.Wait()
		if len(accepted) != 1 {
			t.Error("the place was not given to the next")
		}
		l.Close()
		(<-accepted).Close()
	})
}
