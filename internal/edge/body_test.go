package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

type note struct {
	Title  string `json:"title"`
	Stars  int    `json:"stars"`
	Author struct {
		Name string `json:"name"`
	} `json:"author"`
	Tags map[string]any `json:"tags"`
}

func jsonKit(t *testing.T) *edgeKit {
	return newKit(t, nil,
		open("POST /api/notes", Problem, JSON(func(_ context.Context, n note) (note, error) {
			if n.Title == "taken" {
				return note{}, errTaken
			}
			return n, nil
		})),
		open("POST /api/nothing", Problem, JSON(func(context.Context, Nothing) (Nothing, error) { return Nothing{}, nil })))
}

func TestJSON(t *testing.T) { // threats 76
	k := jsonKit(t)
	deep := strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat("}", 63)
	tests := []struct {
		name, mediaType, body string
		status                int
		says                  string
	}{
		{"answers what the function answers", "application/json", `{"title":"a","stars":3}`, 200, `"title":"a","stars":3`},
		{"takes a charset", "application/json; charset=utf-8", `{"title":"a"}`, 200, `"title":"a"`},
		{"takes a JSON of another name", "application/scim+json", `{"title":"a"}`, 200, `"title":"a"`},
		{"passes over members that it does not know", "application/json", `{"title":"a","more":[{"x":1},{"x":2}]}`, 200, `"title":"a"`},
		{"takes one name in two objects", "application/json", `{"tags":{"title":1},"author":{"name":"b"},"title":"a"}`, 200, `"title":"a"`},
		{"takes the depth that there may be", "application/json", `{"tags":` + deep + `}`, 200, `"tags"`},
		{"answers a fault of the function", "application/json", `{"title":"taken"}`, 409, `"code":"test_taken"`},
		{"refuses a form", "application/x-www-form-urlencoded", `title=a`, 400, `"code":"invalid_request_body"`},
		{"refuses text, which any site may send", "text/plain", `{"title":"a"}`, 400, `"code":"invalid_request_body"`},
		{"refuses what does not say what it is", "", `{"title":"a"}`, 400, `"code":"invalid_request_body"`},
		{"refuses a name that ends like JSON", "application/notjson", `{"title":"a"}`, 400, `"code":"invalid_request_body"`},
		{"refuses nothing at all", "application/json", ``, 400, `"code":"invalid_request_body"`},
		{"refuses half of it", "application/json", `{"title":"a"`, 400, `"code":"invalid_request_body"`},
		{"refuses what follows", "application/json", `{"title":"a"} {"title":"b"}`, 400, `"code":"invalid_request_body"`},
		{"refuses noise that follows", "application/json", `{"title":"a"}}`, 400, `"code":"invalid_request_body"`},
		{"names the member of another type", "application/json", `{"stars":"three"}`, 400, `"field":"stars"`},
		{"names a member inside another", "application/json", `{"author":{"name":7}}`, 400, `"field":"author.name"`},
		{"refuses a member twice", "application/json", `{"title":"a","title":"b"}`, 400, `"field":"title"`},
		{"refuses a member twice in other case", "application/json", `{"title":"a","Title":"b"}`, 400, `"field":"Title"`},
		{"refuses a member twice further down", "application/json", `{"tags":{"x":[{"k":1,"k":2}]}}`, 400, `"field":"k"`},
		{"refuses a NUL", "application/json", `{"title":"a\u0000"}`, 400, `"code":"invalid_request_body"`},
		{"refuses broken UTF-8", "application/json", "{\"title\":\"\xff\"}", 400, `"code":"invalid_request_body"`},
		{"refuses what is too deep", "application/json", `{"tags":{"b":` + deep + `}}`, 400, `"code":"invalid_request_body"`},
		{"refuses what is too large", "application/json", `{"title":"` + strings.Repeat("x", MaxBody) + `"}`, 413, `"code":"request_too_large"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			headers := []string{"Content-Type", tt.mediaType}
			if tt.mediaType == "" {
				headers = nil
			}
			w := k.do("POST", "/api/notes", tt.body, headers...)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.says)
			}
		})
	}
	if w := k.do("POST", "/api/nothing", "{}", "Content-Type", "application/json"); w.Code != 204 || w.Body.Len() != 0 {
		t.Errorf("nothing is %d %s", w.Code, w.Body)
	}
}

// threats 80
func TestBodiesHaveABound(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) error {
		_, err := ReadBody(r)
		return err
	}
	small := Route{Pattern: "POST /small", Access: Public, Surface: Problem, Handler: read, MaxBody: 10}
	k := newKit(t, nil, small, open("POST /usual", Problem, read), open("POST /unread", Problem, says("done")))
	server := httptest.NewServer(k)
	defer server.Close()
	for _, tt := range []struct {
		name, path string
		size       int
		status     int
	}{
		{"takes what is within", "/small", 10, 200},
		{"refuses one byte more", "/small", 11, 413},
		{"has a bound where the route names none", "/usual", MaxBody + 1, 413},
		{"takes the usual", "/usual", MaxBody, 200},
		{"refuses what says that it is too large, although nobody reads it", "/unread", MaxBody + 1, 413},
	} {
		for _, chunked := range []bool{false, true} {
			if chunked && tt.path == "/unread" {
				continue // nobody notices
			}
			r, _ := http.NewRequest("POST", server.URL+tt.path, strings.NewReader(strings.Repeat("x", tt.size)))
			if chunked {
				r.ContentLength = -1
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != tt.status {
				t.Errorf("it %s (chunked %v): got %d, want %d", tt.name, chunked, res.StatusCode, tt.status)
			}
		}
	}
}

func TestForm(t *testing.T) {
	var form url.Values
	k := newKit(t, nil, open("POST /f", Problem, func(w http.ResponseWriter, r *http.Request) (err error) {
		if form, err = Form(r); err != nil {
			return err
		}
		if again, err := Form(r); err != nil || len(again) != len(form) || r.PostFormValue("a") != form.Get("a") {
			t.Errorf("read again: %v %v", again, err)
		}
		return Single(form, "resource")
	}))
	const mediaType = "application/x-www-form-urlencoded"
	tests := []struct {
		name, path, mediaType, body string
		status                      int
		says                        string
	}{
		{"is read", "/f", mediaType, "a=1&b=%C3%BC+x", 200, ""},
		{"may be empty", "/f", mediaType, "", 200, ""},
		{"is not that of the query", "/f?secret=1", mediaType, "a=1", 200, ""},
		{"may repeat what may be repeated", "/f", mediaType, "resource=a&resource=b", 200, ""},
		{"may not repeat the rest", "/f", mediaType, "client_id=a&client_id=b", 400, `"field":"client_id"`},
		{"may not be JSON", "/f", "application/json", "{}", 400, "invalid_request_body"},
		{"may not be nameless", "/f", "", "a=1", 400, "invalid_request_body"},
		{"may not be plain text", "/f", "text/plain", "a=1", 400, "invalid_request_body"},
		{"may not be broken", "/f", mediaType, "a=%zz", 400, "invalid_request_body"},
		{"may not hold a NUL", "/f", mediaType, "a=x%00", 400, `"field":"a"`},
		{"may not hold broken UTF-8", "/f", mediaType, "a=%ff", 400, `"field":"a"`},
		{"may not hide a NUL in a name", "/f", mediaType, "a%00b=1", 400, `"field":"ab"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form = nil
			w := k.do("POST", tt.path, tt.body, "Content-Type", tt.mediaType)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.says)
			}
			if form.Has("secret") {
				t.Error("the query got into the form")
			}
		})
	}
}

// threats 18
func TestSingleNamesTheParameter(t *testing.T) {
	err := Single(url.Values{"state": {"a", "b"}, "scope": {"x"}})
	if f := fault.Of(err); f.Code != "parameter_repeated" || f.Field != "state" || f.Params["name"] != "state" {
		t.Errorf("got %+v", f)
	}
	if err := Single(url.Values{"resource": {"a", "b"}}, "resource"); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestWriteJSONRefusesWhatIsNoJSON(t *testing.T) {
	k := newKit(t, nil, open("GET /a", Problem, func(w http.ResponseWriter, r *http.Request) error {
		return WriteJSON(w, 200, map[string]any{"a": func() {}})
	}))
	if w := k.do("GET", "/a", ""); w.Code != 500 || !strings.Contains(w.Body.String(), "internal_error") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `[{"a":{"b":[]}},null]`, `"x"`, `{"a":1,"a":2}`, `1 2`, `{"a"`, `[]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkJSON(b) == nil && !json.Valid(b) {
			t.Errorf("%q was taken for JSON", b)
		}
	})
}

func TestQueriesHaveABound(t *testing.T) { // threats 80
	k := newKit(t, nil, open("GET /page", Page, says("done")), Route{Pattern: "GET /protocol", Access: Protocol, Surface: Page, Handler: says("done")})
	for _, tt := range []struct {
		path         string
		size, status int
	}{{"/page", maxQuery, 200}, {"/page", maxQuery + 1, 413}, {"/protocol", maxQuery + 1, 200}} {
		w := httptest.NewRecorder()
		k.ServeHTTP(w, httptest.NewRequest("GET", "https://id.example"+tt.path+"?"+strings.Repeat("x", tt.size), nil))
		if w.Code != tt.status {
			t.Errorf("%s with %d bytes: %d, want %d", tt.path, tt.size, w.Code, tt.status)
		}
	}
}
