package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pocketid/internal/fault"
	"pocketid/internal/i18n"
	"pocketid/internal/secret"
)

// state is what is known about one request.
type state struct {
	parent  context.Context // of the server; deadline.go makes a context of the state
	server  *Server
	id      string
	start   time.Time
	client  client
	route   *Route        // nil while no route has taken it
	request *http.Request // with the newest context
	maxBody int64

	files    map[string]Upload // of the form, once it has been read
	carrying bool              // this request is among those that hold files

	identity Identity
	browser  string // the browser cookie set by this very request

	err   error
	fault *fault.Error
	stack []byte

	mu     sync.Mutex
	notes  []slog.Attr
	cancel context.CancelFunc // frees the timer of timed
	timed  atomic.Pointer[context.Context]

	idHeader [1]string // what the header of the id consists of
}

type stateKey struct{}

func newState(s *Server, r *http.Request) *state {
	st := &state{parent: r.Context(), server: s, id: secret.ID(), start: now(), request: r, maxBody: MaxBody}
	st.idHeader[0] = st.id
	st.client = s.proxies.client(r)
	if st.client.ignored {
		s.hosts.ignoredHeader.Do(func() {
			s.log.LogAttrs(r.Context(), slog.LevelWarn, "a proxy is not trusted, so everybody behind it shares one limit; set TRUST_PROXY to its address",
				slog.String("header", "X-Forwarded-For"))
		})
	}
	return st
}

// stateOf is the state of the request of ctx; outside a Server it is empty.
func stateOf(ctx context.Context) *state {
	if st, ok := ctx.Value(stateKey{}).(*state); ok {
		return st
	}
	return &state{maxBody: MaxBody}
}

// Now is when the request of ctx came in: what a page compares times with.
func Now(ctx context.Context) time.Time {
	if st := stateOf(ctx); !st.start.IsZero() {
		return st.start
	}
	return now()
}

// Who is the identity behind the request of ctx; the zero value is nobody.
func Who(ctx context.Context) Identity { return stateOf(ctx).identity }

// Address is the client's address as text, or "" when it is not known.
func Address(ctx context.Context) string {
	if a := stateOf(ctx).client.address; a.IsValid() {
		return a.String()
	}
	return ""
}

// RequestID is the id that the log, the answer's X-Request-ID and the error page share.
func RequestID(ctx context.Context) string { return stateOf(ctx).id }

// UserAgent is the browser's own name, cut to a bound.
func UserAgent(ctx context.Context) string {
	r := stateOf(ctx).request
	if r == nil {
		return ""
	}
	return cut(r.UserAgent(), maxUserAgent)
}

// cut is s as valid text of at most n bytes.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// Note adds a fact to the log line of the request: an id, never a secret.
func Note(ctx context.Context, key string, value any) {
	st := stateOf(ctx)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.notes = append(st.notes, slog.Any(key, value))
}

// Locale is the id of the locale to answer in; user is the user's own choice or "".
func Locale(r *http.Request, user string) string {
	ui := ""
	if r.URL.RawQuery != "" {
		ui = r.URL.Query().Get("ui_locales")
	}
	return i18n.Match(ui, user, ReadCookie(r, "locale"), r.Header.Get("Accept-Language"))
}

// line writes the one line that the log gets for a request. It names the
// pattern of the route, because paths and queries hold codes and names; the
// network address is there for whoever debugs.
func (s *Server) line(p *response, r *http.Request, st *state) {
	level := slog.LevelInfo
	if st.fault != nil {
		level = kinds[st.fault.Kind].level
	} else if st.route != nil && st.route.Access == Open {
		level = slog.LevelDebug // probes and assets would drown the rest
	}
	if st.stack != nil {
		level = slog.LevelError
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	a := make([]slog.Attr, 0, 16)
	a = append(a, slog.String("id", st.id), slog.String("method", methodName(r.Method)))
	if st.route != nil {
		a = append(a, slog.String("route", st.route.path()))
	}
	a = append(a, slog.Int("status", p.shown()), slog.Int64("bytes", p.sent), slog.Duration("took", now().Sub(st.start)))
	if st.identity.UserID != "" {
		a = append(a, slog.String("user", st.identity.UserID))
	}
	if st.fault != nil {
		a = append(a, slog.String("code", st.fault.Code)) // not the field: its name may come from outside
		if st.err != nil && st.err.Error() != st.fault.Code {
			a = append(a, slog.String("err", st.err.Error()))
		}
	}
	st.mu.Lock()
	a = append(a, st.notes...)
	st.mu.Unlock()
	if st.stack != nil {
		a = append(a, slog.String("stack", string(st.stack)))
	}
	if s.log.Enabled(r.Context(), slog.LevelDebug) && st.client.address.IsValid() {
		a = append(a, slog.String("address", st.client.address.String()))
	}
	s.log.LogAttrs(r.Context(), level, "request", a...)
}

func methodName(m string) string {
	if methods[m] {
		return m
	}
	return "other"
}

// client is where a request comes from.
type client struct {
	// address is invalid when a trusted proxy told something that cannot be read.
	address netip.Addr
	// peer is the other end of the connection.
	peer netip.Addr
	// trusted says that the peer is a proxy whose X-Forwarded headers count.
	trusted bool
	// ignored says that there was an X-Forwarded-For and no proxy is trusted.
	ignored bool
}
