package edge

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"pocketid/internal/fault"
)

func TestEachRequestIsOneLine(t *testing.T) {
	k := newKit(t, func(c *Config) { c.Log = nil }, // replaced below
		open("GET /users/{id}", Page, func(w http.ResponseWriter, r *http.Request) error {
			Note(r.Context(), "client", "shop")
			_, err := io.WriteString(w, "hello")
			return err
		}),
		open("GET /api/fail", Problem, fails(errTaken.Because("row %d", 7))),
		Route{Pattern: "GET /healthz", Access: Open, Surface: Problem, Limit: LimitNone, Handler: says("ok")})
	k.Server.log = slog.New(slog.NewJSONHandler(k.log, nil))
	id := k.do("GET", "/users/ada?tab=2", "", as("ada")...).Header().Get("X-Request-ID")
	k.do("GET", "/api/fail", "")
	k.do("GET", "/nowhere", "")
	k.do("BREW", "/users/ada", "")
	k.do("GET", "/healthz", "") // only whoever debugs wants to see these

	want := []map[string]any{
		{"level": "INFO", "msg": "request", "id": id, "method": "GET", "route": "/users/{id}", "status": 200.0, "bytes": 5.0, "user": "ada-id", "client": "shop"},
		{"level": "INFO", "msg": "request", "route": "/api/fail", "status": 409.0, "code": "test_taken", "err": "test_taken: row 7"},
		{"level": "INFO", "msg": "request", "route": nil, "status": 404.0, "code": "not_found", "err": nil},
		{"level": "INFO", "msg": "request", "method": "other", "route": nil, "status": 405.0},
	}
	lines := bufio.NewScanner(strings.NewReader(k.log.String()))
	n := 0
	for ; lines.Scan(); n++ {
		var got map[string]any
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if n >= len(want) {
			t.Fatalf("one line too many: %s", lines.Text())
		}
		for key, value := range want[n] {
			if got[key] != value {
				t.Errorf("line %d: got %s %v, want %v", n, key, got[key], value)
			}
		}
		if _, ok := got["took"].(float64); !ok || got["address"] != nil {
			t.Errorf("line %d: %s", n, lines.Text())
		}
	}
	if n != len(want) {
		t.Errorf("got %d lines: %s", n, k.log)
	}
}

func TestLevels(t *testing.T) {
	for kind, level := range map[fault.Kind]string{
		fault.Internal: "ERROR", fault.Unavailable: "ERROR", fault.Forbidden: "WARN", fault.TooMany: "WARN", fault.Invalid: "INFO", fault.Unauthenticated: "INFO",
	} {
		k := newKit(t, nil, open("GET /a", Problem, fails(&fault.Error{Kind: kind, Code: "test_level"})))
		k.do("GET", "/a", "")
		if !strings.Contains(k.log.String(), "level="+level+" msg=request") {
			t.Errorf("%s: got %s", kind, k.log)
		}
	}
}

// threats 84
func TestSecretsAreNotLogged(t *testing.T) {
	const canary = "canary-7f3kqm21"
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		fault := fault.New(fault.Invalid, "test_canary").With("value", canary).Saying(canary)
		handler := func(w http.ResponseWriter, r *http.Request) error {
			SetCookie(w, r, "session", canary, 0)
			AllowFormTo(w, "https://"+canary+".example/cb")
			switch r.URL.Query().Get("do") {
			case "fault":
				return fault
			case "form":
				_, err := Form(r)
				return err
			case "json":
				var v struct {
					Secret int `json:"secret"`
				}
				return ReadJSON(r, &v)
			case "panic":
				panic("a broken promise")
			case "bug":
				return errors.New("a bug")
			}
			io.WriteString(w, canary)
			return nil
		}
		var routes []Route
		for name, s := range map[string]Surface{"page": Page, "api/problem": Problem, "api/oidc/token": OAuth, "userinfo": Bearer} {
			for _, method := range []string{"GET ", "POST "} {
				routes = append(routes, Route{Pattern: method + "/" + name + "/{code}", Access: Public, Surface: s, Handler: handler})
			}
		}
		routes = append(routes, Route{Pattern: "GET /own", Access: SignedIn, Surface: Page, Handler: handler})
		k := newKit(t, func(c *Config) {
			c.NoLimits = true
		}, routes...)
		k.Server.log = slog.New(slog.NewTextHandler(k.log, &slog.HandlerOptions{Level: level}))

		headers := []string{
			"Authorization", "Bearer " + canary, "Cookie", "__Host-session=" + canary, "X-API-Key", canary, "X-Request-ID", canary,
			"User-Agent", canary, "Referer", "https://id.example/?code=" + canary, "Accept-Language", canary, "X-Forwarded-For", canary, "DPoP", canary,
		}
		for _, do := range []string{"", "fault", "form", "json", "panic", "bug"} {
			for _, path := range []string{"/page", "/api/problem", "/api/oidc/token", "/userinfo", "/nowhere", "/api/nowhere", "/api/oidc/nowhere"} {
				target := fmt.Sprintf("%s/%s?code=%s&do=%s", path, canary, canary, do)
				k.do("GET", target, "", headers...)
				k.do("POST", target, "client_secret="+canary+"&"+canary+"=%ff", append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
				k.do("POST", target, `{"secret":"`+canary+`","secret2":}`, append(headers, "Content-Type", "application/json")...)
				k.do("POST", target, `{"secret":"`+canary+`"}`, append(headers, "Content-Type", "application/json")...)
				k.do(strings.ToUpper(canary), target, canary, headers...)
				k.do("POST", target, "x", append(headers, "Sec-Fetch-Site", "cross-site", "Origin", "https://"+canary)...)
			}
		}
		k.do("GET", "/own?code="+canary, "", headers...)
		log := k.log.String()
		if n := strings.Count(log, "msg=request"); n < 200 {
			t.Errorf("only %d lines were written", n)
		}
		for line := range strings.Lines(log) {
			if strings.Contains(strings.ToLower(line), canary) {
				t.Errorf("%s: %s", level, line)
			}
		}
		if strings.Contains(log, "192.0.2.1") != (level == slog.LevelDebug) {
			t.Errorf("%s: the network address is there for whoever debugs, and only then", level)
		}
	}
}

// threats 81
func TestWhatTheLogNamesIsAClosedSet(t *testing.T) {
	k := newKit(t, nil, open("GET /users/{id}", Page, says("")))
	for i := range 20 {
		k.do(fmt.Sprintf("METHOD%d", i), fmt.Sprintf("/users/%d", i), "")
		k.do("GET", fmt.Sprintf("/users/%d", i), "")
	}
	seen := map[string]bool{}
	for word := range strings.FieldsSeq(k.log.String()) {
		if strings.HasPrefix(word, "method=") || strings.HasPrefix(word, "route=") {
			seen[word] = true
		}
	}
	if len(seen) != 3 {
		t.Errorf("got %v", seen)
	}
}
