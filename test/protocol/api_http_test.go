package protocol

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// bounds are how large a body may be, in KiB, by route, where the list of routes says so.
func bounds(t *testing.T) map[string]int {
	t.Helper()
	golden, err := os.ReadFile("../../internal/app/testdata/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^(/\S*)\s+([A-Z]+)\s.*?(\d+) KiB$`).FindAllStringSubmatch(string(golden), -1) {
		list[m[2]+" "+m[1]], _ = strconv.Atoi(m[3])
	}
	return list
}

// What HTTP itself refuses is refused at every operation with a body of a fault: another
// method, too large a body, one of another type, too many requests, and an address that
// there is not. HEAD is GET without its body.
func TestHTTPOfTheAPI(t *testing.T) {
	apptest.SQLite(t, func(t *testing.T, h *apptest.House) {
		w := worldOf(t, h)
		doc, kib := w.doc, bounds(t)
		session := func() caller { return bySession(t, h, w.admin) }
		served := func(method, path string) bool { // by this path, or by one that takes it
			parts := strings.Split(path, "/")
			return slices.ContainsFunc(routes(t), func(r route) bool {
				other := strings.Split(r.path, "/")
				if r.method != method && !(r.method == "GET" && method == "HEAD") || len(other) != len(parts) {
					return false
				}
				for i := range other {
					if other[i] != parts[i] && !strings.HasPrefix(other[i], "{") {
						return false
					}
				}
				return true
			})
		}
		tired := h.Program() // who has asked too often
		tries := 0
		for ; tries < 1000; tries++ {
			if tired.Get("/api/version/latest").Status == http.StatusTooManyRequests {
				break
			}
		}
		if tries < 100 || tries == 1000 {
			t.Fatalf("too many are %d", tries)
		}
		files := 0
		for _, route := range doc.operations() {
			method, path, _ := strings.Cut(route, " ")
			address := template.ReplaceAllString(path, "x")
			for _, other := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
				if served(other, address) {
					continue
				}
				a, name := nobody(t, h).ask(other, address, nil), other+" "+path
				allow := strings.Split(a.Header.Get("Allow"), ", ")
				if !slices.Contains(allow, method) || slices.Contains(allow, other) {
					t.Errorf("%s: Allow is %v", name, allow)
				}
				if other == "HEAD" {
					if a.Status != http.StatusMethodNotAllowed || a.Body != "" {
						t.Errorf("%s: %d %s", name, a.Status, a.Body)
					}
					continue
				}
				faulty(t, name, a, http.StatusMethodNotAllowed, "method_not_allowed")
			}
			if method == "GET" && path != "/api/audit-logs/export" { // which records that
				get, head := session().ask("GET", address, nil), session().ask("HEAD", address, nil)
				for _, name := range []string{"Content-Type", "Etag", "Cache-Control", "Allow"} {
					if get.Header.Get(name) != head.Header.Get(name) {
						t.Errorf("HEAD %s: %s is %q, and of GET %q", path, name, head.Header.Get(name), get.Header.Get(name))
					}
				}
				if head.Status != get.Status || head.Body != "" && path != "/api/openapi.json" { // which net/http cuts off behind us
					t.Errorf("HEAD %s: %d %q, and GET %d", path, head.Status, head.Body, get.Status)
				}
			}
			limited := tired.Ask(method, address, "")
			if faulty(t, route+" too often", limited, http.StatusTooManyRequests, "rate_limited"); limited.Header.Get("Retry-After") == "" {
				t.Errorf("%s too often: nothing says when to ask again", route)
			}
			content, _ := doc.at("paths", path, strings.ToLower(method), "requestBody", "content").(map[string]any)
			if content == nil {
				continue
			}
			large := strings.Repeat(" ", 1+max(64, kib[route])<<10)
			if content["multipart/form-data"] != nil {
				files++
				large = strings.Repeat(" ", 12<<20)
				faulty(t, route+" with no form", session().ask(method, address, map[string]any{"file": "x"}), http.StatusBadRequest, "invalid_request_body")
				faulty(t, route+" with no picture", session().send(method, address, []byte("x")), http.StatusUnsupportedMediaType, "file_type_not_supported")
				faulty(t, route+" with what is too large", session().program.Ask(method, address, large, append(session().headers, "Content-Type", "multipart/form-data; boundary=x")...), http.StatusRequestEntityTooLarge, "file_too_large")
				continue
			}
			faulty(t, route+" with what is too large", session().program.Ask(method, address, large, append(session().headers, "Content-Type", "application/json")...), http.StatusRequestEntityTooLarge, "request_too_large")
			for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "application/xml"} {
				a := session().program.Ask(method, address, `{}`, append(session().headers, "Content-Type", media)...)
				if fresh := a.Status == 401 || a.Status == 404 || a.Status == 400 && strings.HasPrefix(path, "/api/webauthn/"); !fresh { // which is asked first
					faulty(t, route+" as "+media, a, http.StatusBadRequest, "invalid_request_body")
				}
			}
		}
		if files < 6 {
			t.Errorf("only %d operations take files", files)
		}

		for _, path := range []string{"/api", "/api/", "/api/nothing", "/api/users/", "/api/users//groups", "/api/users/x/nothing", "/api/../api/users", "/api/%2e%2e/users", "/api/users/%2e%2e/version/current", "/api/users%2fme", "/API/users", "/api/openapi.yaml", "/api/users/me/"} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
				a := session().ask(method, path, nil)
				if strings.HasPrefix(path, "/API") {
					if a.Status != http.StatusNotFound {
						t.Errorf("%s %s: %d", method, path, a.Status)
					}
					continue
				}
				faulty(t, fmt.Sprint(method, " ", path), a, http.StatusNotFound, "not_found")
			}
		}
	})
}
