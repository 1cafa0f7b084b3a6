package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The kit itself must be able to find a fault, or every test that uses it is blind.
func TestTheKitSeesFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("browser tests are left out by -short")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>t</title><main><h1>hello</h1><input><p style="color:#777;background:#888">faint</p></main></html>`)
	}))
	defer srv.Close()
	p := (&server{URL: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)}).newPerson(t, "en")
	p.open("/")
	p.text("hello")
	if len(p.violations(allRules)) == 0 {
		t.Error("axe-core found nothing on a page with an unlabelled field")
	}
	if n := len(p.violations(colourRules)); n != 1 {
		t.Errorf("axe-core found %d faults of colour on a page with a faint line", n)
	}
	if n, bytes, _ := p.traffic(); n < 1 || bytes < 50 {
		t.Errorf("counted %d requests, %d bytes", n, bytes)
	}
}
