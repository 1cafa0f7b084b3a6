package edge

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/fstest"
)

func tree(css string) fstest.MapFS {
	return fstest.MapFS{
		"app.css":       {Data: []byte(css)},
		"js/sign-in.js": {Data: []byte(strings.Repeat("const a = 1;\n", 100))},
		"icon.png":      {Data: []byte("\x89PNG random bytes that do not pack: \x01\x99\x23")},
	}
}

func TestAssets(t *testing.T) {
	css := strings.Repeat("a { color: red }\n", 100)
	a, err := NewAssets(tree(css))
	if err != nil {
		t.Fatal(err)
	}
	k := newKit(t, nil, a.Route())
	url := a.URL("app.css")
	if url != a.Base()+"app.css" || !strings.HasPrefix(url, "/assets/") || len(a.hash) != 12 {
		t.Fatalf("got %s", url)
	}

	w := k.do("GET", url, "", "Accept-Encoding", "gzip")
	h := w.Header()
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(z); string(body) != css || h.Get("Content-Encoding") != "gzip" || h.Get("Content-Type") != "text/css; charset=utf-8" ||
		h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Vary") != "Accept-Encoding" || h.Get("Content-Length") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %v", h)
	}
	packedTag := h.Get("ETag")

	w = k.do("GET", url, "")
	if w.Body.String() != css || w.Header().Get("Content-Encoding") != "" || w.Header().Get("ETag") == packedTag || w.Header().Get("ETag") == "" {
		t.Errorf("plain: got %v", w.Header())
	}
	if w := k.do("GET", url, "", "Accept-Encoding", "gzip", "If-None-Match", packedTag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("with its tag: got %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := k.do("GET", url, "", "If-None-Match", packedTag); w.Code != 200 {
		t.Errorf("with the tag of other bytes: got %d", w.Code)
	}
	if w := k.do("HEAD", url, ""); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "1700" {
		t.Errorf("HEAD: got %d %v", w.Code, w.Header())
	}
	if w := k.do("GET", a.URL("js/sign-in.js"), "", "Accept-Encoding", "gzip"); w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("a module: got %v", w.Header())
	}
	if w := k.do("GET", a.URL("icon.png"), "", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" || w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("a picture: got %v", w.Header())
	}
}

func TestAssetsOfAnotherVersionAreNotKept(t *testing.T) {
	a, err := NewAssets(tree("a{}"))
	if err != nil {
		t.Fatal(err)
	}
	if w := newKit(t, nil, a.Route()).do("GET", "/assets/0123456789ab/app.css", ""); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %d, %s", w.Code, w.Header().Get("Cache-Control"))
	}
}

func TestHashFollowsTheContent(t *testing.T) {
	one, _ := NewAssets(tree("a{}"))
	same, _ := NewAssets(tree("a{}"))
	other, _ := NewAssets(tree("b{}"))
	renamed := tree("a{}")
	renamed["app2.css"] = renamed["app.css"]
	delete(renamed, "app.css")
	moved, _ := NewAssets(renamed)
	if one.hash != same.hash || one.hash == other.hash || one.hash == moved.hash {
		t.Errorf("got %s %s %s %s", one.hash, same.hash, other.hash, moved.hash)
	}
}

func TestNoAsset(t *testing.T) {
	a, err := NewAssets(tree("a{}"))
	if err != nil {
		t.Fatal(err)
	}
	k := newKit(t, nil, a.Route())
	for _, path := range []string{"nothing.css", "", "js", "js/", "../app.css", "%2e%2e/app.css", "js%2fsign-in.css", "app.css%00"} {
		if w := k.do("GET", a.Base()+path, "", "Accept-Encoding", "gzip"); w.Code != 404 && w.Code != 400 || !strings.Contains(w.Body.String(), `"code"`) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
	if _, err := NewAssets(fstest.MapFS{"a.exe": {Data: []byte("x")}}); err == nil || !strings.Contains(err.Error(), "a.exe") {
		t.Errorf("a file of an unknown sort: got %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a page may link what is not there")
		}
	}()
	a.URL("nothing.css")
}
