package edge

import (
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

// writes answers n bytes of a media type.
func writes(mediaType string, n int) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Content-Type", mediaType)
		_, err := io.WriteString(w, strings.Repeat("words ", n/6+1)[:n])
		return err
	}
}

func TestCompression(t *testing.T) {
	tests := []struct {
		name      string
		route     Route
		accept    string
		size      int
		packed    bool
		mediaType string
	}{
		{"packs a page", Route{Access: Public, Surface: Page}, "gzip, deflate, br", 5000, true, "text/html; charset=utf-8"},
		{"packs JSON of the API", Route{Access: Public, Surface: Problem}, "gzip", 5000, true, "application/json"},
		{"packs for who would rather have something else", Route{Access: Public, Surface: Page}, "br;q=1.0, gzip;q=0.5", 5000, true, "text/html"},
		{"packs what is large", Route{Access: Public, Surface: Page}, "gzip", maxHeld, true, "text/html"},
		{"leaves what is larger than may be held back", Route{Access: Public, Surface: Page}, "gzip", maxHeld + 1, false, "text/html"},
		{"leaves what is small", Route{Access: Public, Surface: Page}, "gzip", minCompressed - 1, false, "text/html"},
		{"leaves a page for who does not understand", Route{Access: Public, Surface: Page}, "br", 5000, false, "text/html"},
		{"leaves a page for who refuses", Route{Access: Public, Surface: Page}, "gzip;q=0", 5000, false, "text/html"},
		{"leaves pictures", Route{Access: Public, Surface: Page}, "gzip", 5000, false, "image/png"},
		{"leaves tokens, whose length must not tell", Route{Access: Protocol, Surface: OAuth}, "gzip", 5000, false, "application/json"},
		{"leaves claims", Route{Access: Protocol, Surface: Bearer}, "gzip", 5000, false, "application/json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.route.Pattern, tt.route.Handler = "GET /a", writes(tt.mediaType, tt.size)
			w := newKit(t, nil, tt.route).do("GET", "/a", "", "Accept-Encoding", tt.accept)
			body := io.Reader(w.Body)
			length := w.Header().Get("Content-Length")
			if tt.size <= maxHeld && length != strconv.Itoa(w.Body.Len()) {
				t.Errorf("got Content-Length %q for %d bytes", length, w.Body.Len())
			}
			if packed := w.Header().Get("Content-Encoding") == "gzip"; packed != tt.packed {
				t.Errorf("got packed %v", packed)
			} else if packed {
				if w.Header().Get("Vary") != "Accept-Encoding" {
					t.Errorf("got Vary %q", w.Header().Get("Vary"))
				}
				z, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				body = z
			}
			if b, err := io.ReadAll(body); err != nil || len(b) != tt.size {
				t.Errorf("got %d bytes, %v, want %d", len(b), err, tt.size)
			}
		})
	}
}

func TestPackedAnswerHasAWeakTag(t *testing.T) {
	k := newKit(t, nil, open("GET /a", Problem, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("ETag", `"1"`)
		return writes("application/json", 2000)(w, r)
	}))
	if got := k.do("GET", "/a", "", "Accept-Encoding", "gzip").Header().Get("ETag"); got != `W/"1"` {
		t.Errorf("got %s", got)
	}
	if got := k.do("GET", "/a", "").Header().Get("ETag"); got != `"1"` {
		t.Errorf("got %s", got)
	}
}

func TestLateErrorReplacesTheAnswer(t *testing.T) {
	k := newKit(t, nil, open("GET /late", Page, func(w http.ResponseWriter, r *http.Request) error {
		SetCookie(w, r, "session", "", -1)
		w.Header().Set("Content-Type", "application/pdf")
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "half a page")
		return ErrForbidden
	}))
	w := k.do("GET", "/late", "")
	h := w.Header()
	if w.Code != 403 || strings.Contains(w.Body.String(), "half a page") || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Location") != "" || h.Get("ETag") != "" {
		t.Errorf("got %d %v %s", w.Code, h, w.Body)
	}
	if !strings.Contains(cookieOf(w), "__Host-session=;") {
		t.Error("the cookie of a session that ended is kept")
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	k := newKit(t, nil,
		open("GET /api/panic", Problem, func(w http.ResponseWriter, r *http.Request) error {
			io.WriteString(w, "half")
			panic("the promise of the map was broken")
		}),
		open("GET /panic", Page, func(http.ResponseWriter, *http.Request) error { panic(errors.New("page promise")) }))
	w := k.do("GET", "/api/panic", "")
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal_error"`) || strings.Contains(w.Body.String(), "promise") || strings.Contains(w.Body.String(), "half") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	log := k.log.String()
	for _, want := range []string{"level=ERROR", "msg=request", "status=500", "the promise of the map was broken", "response_test.go", "route=/api/panic"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if w := k.do("GET", "/panic", ""); w.Code != 500 || !strings.Contains(w.Body.String(), "Something broke on our side") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// What left already cannot be taken back: the connection is cut.
func TestErrorAfterTheHeaderCutsTheConnection(t *testing.T) {
	for name, end := range map[string]Handler{
		"error": fails(fault.ErrInternal),
		"panic": func(http.ResponseWriter, *http.Request) error { panic("too late") },
	} {
		k := newKit(t, nil, open("GET /a", Page, func(w http.ResponseWriter, r *http.Request) error {
			io.WriteString(w, "begun")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			return end(w, r)
		}))
		server := httptest.NewServer(k)
		r, _ := http.NewRequest("GET", server.URL+"/a", nil)
		r.Host = "id.example"
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err == nil || string(body) != "begun" {
			t.Errorf("%s: got %q and the end of a whole answer", name, body)
		}
		res.Body.Close()
		server.Close()
		if !strings.Contains(k.log.String(), "level=ERROR msg=request") {
			t.Errorf("%s: got %s", name, k.log)
		}
	}
}

func TestAnswersWithoutABody(t *testing.T) {
	for _, status := range []int{204, 304} {
		k := newKit(t, nil, open("GET /a", Problem, func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(status)
			return nil
		}))
		w := k.do("GET", "/a", "")
		if w.Code != status || w.Header().Get("Content-Length") != "" || w.Header().Get("Content-Type") != "" {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
	}
}

func TestOnlyTheFirstStatusCounts(t *testing.T) {
	k := newKit(t, nil, open("GET /a", Problem, func(w http.ResponseWriter, r *http.Request) error {
		w.WriteHeader(201)
		w.WriteHeader(500)
		return nil
	}))
	if w := k.do("GET", "/a", ""); w.Code != 201 {
		t.Errorf("got %d", w.Code)
	}
}

func TestLargeAnswerIsWhole(t *testing.T) {
	k := newKit(t, nil, open("GET /a", Problem, func(w http.ResponseWriter, r *http.Request) error {
		for range 100 {
			if err := writes("text/csv", 10_000)(w, r); err != nil {
				return err
			}
		}
		return nil
	}))
	if w := k.do("GET", "/a", ""); w.Body.Len() != 1_000_000 {
		t.Errorf("got %d bytes", w.Body.Len())
	}
}

func BenchmarkRequest(b *testing.B) {
	k := newKit(&testing.T{}, func(c *Config) { c.NoLimits, c.Log = true, slog.New(slog.NewTextHandler(io.Discard, nil)) }, Route{Pattern: "POST /api/oidc/token", Access: Protocol, Surface: OAuth, Handler: says("{}")})
	r := httptest.NewRequest("POST", "https://id.example/api/oidc/token", nil)
	b.ReportAllocs()
	for b.Loop() {
		k.ServeHTTP(httptest.NewRecorder(), r)
	}
}
