package edge

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sent is a form with files as browsers send it. A field of files is "name:file name".
func sent(t *testing.T, fields ...string) (body, mediaType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		name, file, isFile := strings.Cut(fields[i], ":")
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + name + `"`}}
		if isFile {
			h.Set("Content-Disposition", `form-data; name="`+name+`"; filename="`+file+`"`)
			h.Set("Content-Type", "application/octet-stream")
		}
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write([]byte(fields[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestFormWithFiles(t *testing.T) { // threats 80
	var form url.Values
	var file Upload
	var chosen bool
	read := func(w http.ResponseWriter, r *http.Request) (err error) {
		if form, err = Form(r); err != nil {
			return err
		}
		file, chosen, err = File(r, "picture")
		return err
	}
	k := newKit(t, nil,
		Route{Pattern: "POST /up", Access: SignedIn, Surface: Problem, MaxFile: 1 << 20, Handler: read},
		Route{Pattern: "POST /none", Access: SignedIn, Surface: Problem, Handler: read})
	many := []string{}
	for i := range maxParts + 1 {
		many = append(many, "f"+strconv.Itoa(i), "x")
	}
	tests := []struct {
		name, path string
		fields     []string
		status     int
		says       string
		file       string
	}{
		{"takes a file and what is beside it", "/up", []string{"a", "1", "picture:p.png", "PIXELS", "a", "2"}, 200, "", "PIXELS"},
		{"takes a form in which no file was chosen", "/up", []string{"a", "1", "picture:", ""}, 200, "", ""},
		{"takes as much as there may be", "/up", []string{"picture:p.png", strings.Repeat("x", 1<<20)}, 200, "", strings.Repeat("x", 1<<20)},
		{"refuses a byte more", "/up", []string{"picture:p.png", strings.Repeat("x", 1<<20+1)}, 413, `"code":"file_too_large"`, ""},
		{"refuses much more, and says so the same way", "/up", []string{"picture:p.png", strings.Repeat("x", 2<<20)}, 413, `"max":"1"`, ""},
		{"counts files together", "/up", []string{"picture:p.png", strings.Repeat("x", 600<<10), "other:p.png", strings.Repeat("x", 600<<10)}, 413, "file_too_large", ""},
		{"counts what is no file by itself", "/up", []string{"a", strings.Repeat("x", MaxBody+1)}, 413, "request_too_large", ""},
		{"refuses a file twice", "/up", []string{"picture:p.png", "1", "picture:q.png", "2"}, 400, "parameter_repeated", ""},
		{"refuses a hundred fields and one", "/up", many, 400, "invalid_request_body", ""},
		{"refuses a field without a name", "/up", []string{"", "1"}, 400, "invalid_request_body", ""},
		{"refuses what is not text", "/up", []string{"a", "\xff\x00"}, 400, "invalid_request_body", ""},
		{"takes no files where the route does not say so", "/none", []string{"picture:p.png", "1"}, 400, "invalid_request_body", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form, file, chosen = nil, Upload{}, false
			body, mediaType := sent(t, tt.fields...)
			w := k.do("POST", tt.path, body, "Content-Type", mediaType, "Cookie", "as=ada")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Fatalf("got %d %.300s, want %d %s", w.Code, w.Body, tt.status, tt.says)
			}
			if tt.status == 200 && (string(file.Data) != tt.file || chosen != (tt.file != "") || form.Has("picture")) {
				t.Errorf("got %d bytes of %q, %v", len(file.Data), file.Name, form)
			}
		})
	}
	if len(carrying) != 0 {
		t.Errorf("%d requests hold files that are over", len(carrying))
	}
	t.Run("takes the other forms as well", func(t *testing.T) {
		if w := k.do("POST", "/up", "a=1", "Content-Type", "application/x-www-form-urlencoded", "Cookie", "as=ada"); w.Code != 200 || form.Get("a") != "1" || chosen {
			t.Errorf("got %d %v", w.Code, form)
		}
	})
	t.Run("and those to their own bound", func(t *testing.T) {
		if w := k.do("POST", "/up", "a="+strings.Repeat("x", MaxBody), "Content-Type", "application/x-www-form-urlencoded", "Cookie", "as=ada"); w.Code != 413 {
			t.Errorf("got %d", w.Code)
		}
	})
	t.Run("refuses what breaks off", func(t *testing.T) {
		body, mediaType := sent(t, "picture:p.png", "PIXELS")
		for _, b := range []string{body[:len(body)-20], "", "x"} {
			if w := k.do("POST", "/up", b, "Content-Type", mediaType, "Cookie", "as=ada"); w.Code != 400 {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		}
		if w := k.do("POST", "/up", body, "Content-Type", "multipart/form-data", "Cookie", "as=ada"); w.Code != 400 {
			t.Errorf("without a boundary: got %d", w.Code)
		}
	})
}

// Only so many requests hold files at once; the next one waits until its time is over.
func TestFilesAreHeldByAFewAtOnce(t *testing.T) { // threats 80
	for range maxCarrying {
		carrying <- struct{}{}
	}
	defer func() {
		for range maxCarrying {
			<-carrying
		}
	}()
	k := newKit(t, nil, Route{Pattern: "POST /up", Access: SignedIn, Surface: Problem, MaxFile: 10, Handler: func(_ http.ResponseWriter, r *http.Request) error {
		_, err := Form(r)
		return err
	}})
	body, mediaType := sent(t, "picture:p.png", "1")
	r := httptest.NewRequest("POST", "https://id.example/up", strings.NewReader(body))
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("Cookie", "as=ada")
	over, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	w := httptest.NewRecorder()
	k.ServeHTTP(w, r.WithContext(over))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "files_busy") || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestStrangersSendNoFiles(t *testing.T) {
	for _, access := range []Access{Open, Public, Protocol} {
		if r := (Route{Pattern: "POST /up", Access: access, Surface: Page, MaxFile: 1, Handler: preflight}); r.check() == nil {
			t.Errorf("a route that is %s takes files", access)
		}
	}
}

func TestServe(t *testing.T) { // threats 29
	c := Content{Type: "image/png", ETag: "abc", Data: []byte("PIXELS")}
	drawing := Content{Type: "image/svg+xml", ETag: "def", Data: []byte("<svg/>")}
	serve := func(c Content) Handler {
		return func(w http.ResponseWriter, r *http.Request) error { return Serve(w, r, c) }
	}
	k := newKit(t, nil, Route{Pattern: "GET /p", Access: Open, Surface: Problem, Handler: serve(c)}, Route{Pattern: "GET /d", Access: Open, Surface: Problem, Handler: serve(drawing)})
	const short, long = "public, max-age=900, stale-while-revalidate=3600", "public, max-age=31536000, immutable"
	for _, tt := range []struct {
		name, method, path, match string
		status                    int
		body, cache               string
	}{
		{"sends it", "GET", "/p", "", 200, "PIXELS", short},
		{"sends its header alone", "HEAD", "/p", "", 200, "", short},
		{"sends it for ever at an address of its own", "GET", "/p?v=abc", "", 200, "PIXELS", long},
		{"not at that of another", "GET", "/p?v=old", "", 200, "PIXELS", short},
		{"says that it is still the same", "GET", "/p", `"abc"`, 304, "", short},
		{"also among others, and weakly", "GET", "/p", `"x", W/"abc"`, 304, "", short},
		{"sends what changed", "GET", "/p", `"x", "abcd"`, 200, "PIXELS", short},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := k.do(tt.method, tt.path, "", "If-None-Match", tt.match)
			h := w.Header()
			if w.Code != tt.status || w.Body.String() != tt.body || h.Get("Cache-Control") != tt.cache || h.Get("Etag") != `"abc"` || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got %d %q %v", w.Code, w.Body, h)
			}
		})
	}
	if got := k.do("GET", "/d", "").Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "sandbox; default-src 'none'; style-src 'unsafe-inline';") {
		t.Errorf("a drawing is under %q", got)
	}
}

// Who sends more than a form may bring hears so, and is not cut off while sending; a stranger
// is told to sign in, and nothing of theirs is read.
func TestFileThatIsTooLargeIsAnswered(t *testing.T) { // threats 80
	k := newKit(t, nil, Route{Pattern: "POST /up", Access: SignedIn, Surface: Problem, MaxFile: 1 << 20,
		Handler: func(http.ResponseWriter, *http.Request) error { t.Error("the handler was asked"); return nil }})
	server := httptest.NewServer(k)
	defer server.Close()
	server.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	body, mediaType := sent(t, "picture:a.png", strings.Repeat("x", 12<<20))
	for as, want := range map[string]int{"ada": http.StatusRequestEntityTooLarge, "": http.StatusUnauthorized} {
		read := strings.NewReader(body)
		r, err := http.NewRequest("POST", server.URL+"/up", read)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", mediaType)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if as != "" {
			r.AddCookie(&http.Cookie{Name: "as", Value: as})
		} else {
			r.Header.Set("Expect", "100-continue")
		}
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatalf("as %q: %v", as, err)
		}
		res.Body.Close()
		if res.StatusCode != want || as == "" && read.Len() != len(body) || as != "" && read.Len() > 0 {
			t.Errorf("as %q: %d, and %d bytes were not sent", as, res.StatusCode, read.Len())
		}
	}
}
