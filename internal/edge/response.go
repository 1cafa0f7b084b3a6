package edge

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"pocketid/internal/fault"
)

// response holds an answer back until its handler is done, so that an error
// that comes late still becomes a whole error page. What grows beyond maxHeld,
// or is flushed, goes out as it comes.
type response struct {
	w       http.ResponseWriter
	r       *http.Request
	held    *bytes.Buffer
	status  int  // 0 until the handler says something
	through bool // the header has left
	plain   bool // never compressed
	sent    int64
}

var (
	heldBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	compressors = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, gzip.DefaultCompression); return w }}
	// compressing bounds how many compressors there are: each is most of a megabyte.
	compressing = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
)

func newResponse(w http.ResponseWriter, r *http.Request) *response {
	held := heldBuffers.Get().(*bytes.Buffer)
	held.Reset()
	return &response{w: w, r: r, held: held}
}

// Header is the header of the answer.
func (p *response) Header() http.Header { return p.w.Header() }

// WriteHeader sets the status. Only the first one counts.
func (p *response) WriteHeader(status int) {
	switch {
	case p.status != 0:
	case status < 200:
		p.w.WriteHeader(status)
	default:
		p.status = status
		if p.held == nil {
			p.send()
		}
	}
}

// Write holds b back, or lets it out.
func (p *response) Write(b []byte) (int, error) {
	if p.status == 0 {
		p.WriteHeader(http.StatusOK)
	}
	if p.held != nil && p.held.Len()+len(b) <= maxHeld {
		return p.held.Write(b)
	}
	if err := p.release(); err != nil {
		return 0, err
	}
	n, err := p.w.Write(b)
	p.sent += int64(n)
	return n, err
}

// FlushError lets out what is held, for http.ResponseController.
func (p *response) FlushError() error {
	if p.status == 0 {
		p.status = http.StatusOK
	}
	if err := p.release(); err != nil {
		return err
	}
	return http.NewResponseController(p.w).Flush()
}

// Unwrap is for http.ResponseController.
func (p *response) Unwrap() http.ResponseWriter { return p.w }

// stream stops holding back: the handler knows the size of what it sends.
func (p *response) stream() {
	if p.held != nil && p.held.Len() == 0 {
		heldBuffers.Put(p.held)
		p.held = nil
	}
}

// reset forgets what a handler began. Cookies stay: a session that ended stays ended.
func (p *response) reset() {
	p.status = 0
	if p.held != nil {
		p.held.Reset()
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "Etag", "Last-Modified", "Location", "Vary", "WWW-Authenticate"} {
		p.Header().Del(name)
	}
}

// release sends the header and what is held, uncompressed.
func (p *response) release() error {
	p.send()
	if p.held == nil {
		return nil
	}
	held := p.held
	p.held = nil
	defer drop(held)
	n, err := p.w.Write(held.Bytes())
	p.sent += int64(n)
	return err
}

func (p *response) send() {
	if !p.through {
		p.through = true
		p.w.WriteHeader(p.status)
	}
}

// finish sends an answer that was held to its end, compressed when that helps.
func (p *response) finish() {
	if p.through || p.held == nil {
		return
	}
	if p.status == 0 {
		p.status = http.StatusOK
	}
	body := p.held.Bytes()
	h := p.Header()
	if len(body) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", http.DetectContentType(body))
	}
	if small := p.compress(body); small != nil {
		defer drop(small)
		body = small.Bytes()
	}
	if p.status != http.StatusNoContent && p.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.send()
	held := p.held
	p.held = nil
	defer drop(held)
	if p.r.Method != http.MethodHead && len(body) > 0 {
		n, _ := p.w.Write(body)
		p.sent += int64(n)
	}
}

// compress is the body in gzip, or nil when it goes out as it is. Answers with
// tokens are never compressed: the length of a secret beside chosen text tells
// about the secret. Pages are, because cookies are SameSite=Lax: nobody else's
// page can ask for ours again and again in the name of a visitor.
func (p *response) compress(body []byte) *bytes.Buffer {
	h := p.Header()
	if p.plain || h.Get("Content-Encoding") != "" || strings.Contains(h.Get("Cache-Control"), "no-transform") || !compressible(h.Get("Content-Type")) {
		return nil
	}
	h.Add("Vary", "Accept-Encoding")
	if len(body) < minCompressed || !acceptsGzip(p.r) {
		return nil
	}
	small := heldBuffers.Get().(*bytes.Buffer)
	small.Reset()
	compressing <- struct{}{}
	defer func() { <-compressing }()
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(small)
	z.Write(body)
	z.Close()
	h.Set("Content-Encoding", "gzip")
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("Etag", "W/"+tag) // not the same bytes any more (RFC 9110 §8.8.1)
	}
	return small
}

// drop gives a buffer back, unless it grew so much that keeping it would cost.
func drop(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		heldBuffers.Put(b)
	}
}

// shown is the status for the log.
func (p *response) shown() int {
	if p.status == 0 {
		return http.StatusOK
	}
	return p.status
}

func compressible(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	switch mediaType {
	case "text/html", "text/css", "text/javascript", "text/plain", "application/json", "application/problem+json", "application/manifest+json", "image/svg+xml":
		return true
	}
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, v := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(v, ",") {
			coding, params, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			params = strings.ReplaceAll(params, " ", "")
			return !slices.Contains([]string{"q=0", "q=0.0", "q=0.00", "q=0.000"}, params)
		}
	}
	return false
}

// end is deferred around each request: it turns a panic into an answer, sends
// what is held, and writes the line of the log.
func (s *Server) end(p *response, r *http.Request, st *state) {
	abort := false
	if v := recover(); v != nil {
		abort = s.panicked(p, st, v)
	}
	if !abort {
		p.finish()
	}
	s.line(p, r, st)
	if s.config.Measure != nil {
		route := ""
		if st.route != nil {
			route = st.route.path()
		}
		s.config.Measure(route, methodName(r.Method), p.shown(), now().Sub(st.start))
	}
	if abort {
		panic(http.ErrAbortHandler) // net/http cuts the connection and says nothing
	}
}

// panicked answers a panic, and tells whether that came too late.
func (s *Server) panicked(p *response, st *state, v any) (abort bool) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	st.stack = debug.Stack()
	defer func() {
		if recover() != nil {
			abort = true
		}
	}()
	surface := s.surfaceOf(st.request)
	if st.route != nil {
		surface = st.route.Surface
	}
	s.fail(p, st.request, surface, fault.ErrInternal.Because("panic: %v", v))
	return false
}
