package edge

import (
	"log/slog"
	"net/http"
	"sync"

	"pocketid/internal/fault"
)

// ErrWrongHost is the fault of a page that was asked for under another host
// than the public one. Passkeys work at one address only. Its parameters are
// asked and app_url.
var ErrWrongHost = fault.New(fault.Invalid, "wrong_host")

// hostWatch remembers what the log was told about, so that it is told once.
type hostWatch struct {
	mu            sync.Mutex
	seen          map[string]bool
	ignoredHeader sync.Once
}

// first tells whether a host is seen for the first time. Beyond a bound nothing is new.
func (h *hostWatch) first(host string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen[host] || len(h.seen) >= maxHosts {
		return false
	}
	if h.seen == nil {
		h.seen = map[string]bool{}
	}
	h.seen[host] = true
	return true
}

// checkHost refuses a page under a host that is not the public one.
func (s *Server) checkHost(st *state, r *http.Request) error {
	public := s.config.PublicURL
	scheme, host := st.client.asked(r)
	if sameHost(host, public.Host, public.Scheme) {
		return nil
	}
	host = cut(host, maxHost)
	asked, want := scheme+"://"+host, public.Scheme+"://"+public.Host
	if s.hosts.first(host) {
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "a page was asked for under another address than APP_URL; open APP_URL, or set APP_URL to what people open",
			slog.String("asked", asked), slog.String("app_url", want))
	}
	return ErrWrongHost.With("asked", asked).With("app_url", want)
}
