package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pocketid/internal/fault"
)

var (
	errUsed  = fault.New(fault.Invalid, "invalid_grant")
	errTaken = fault.New(fault.Conflict, "test_taken").At("username")
	errBusy  = fault.New(fault.Unavailable, "test_busy").After(1500 * time.Millisecond)
	errOwn   = fault.New(fault.Unauthenticated, "test_who")
)

func TestSurfaces(t *testing.T) {
	const jsonType = "application/json"
	tests := []struct {
		name      string
		surface   Surface
		err       error
		headers   []string
		status    int
		body      string
		header    string
		value     string
		mediaType string
	}{
		{"oauth says its own code", OAuth, errUsed.Because("used at %d", 7), nil, 400, `{"error":"invalid_grant"`, "Cache-Control", "no-store", jsonType},
		{"oauth says more when there is more to say", OAuth, errUsed.Saying("The code was used before."), nil, 400, `{"error":"invalid_grant","error_description":"The code was used before."}`, "Pragma", "no-cache", jsonType},
		{"oauth maps a code of the domain", OAuth, errTaken, nil, 400, `{"error":"invalid_request"}`, "", "", jsonType},
		{"oauth says what a code of the domain means", OAuth, errRepeated.With("name", "scope"), nil, 400, `{"error":"invalid_request","error_description":"The parameter scope was sent more than once."}`, "", "", jsonType},
		{"oauth keeps to the characters of a description", OAuth, errUsed.Saying("a \"b\" \\ “c” – ü\n\x00d"), nil, 400, `{"error":"invalid_grant","error_description":"a 'b' / 'c' -  d"}`, "", "", jsonType},
		{"oauth names the scheme that was used", OAuth, errOwn, []string{"Authorization", "basic eDp5"}, 401, `{"error":"invalid_client"}`, "WWW-Authenticate", `Basic realm="pocket-id"`, jsonType},
		{"oauth names no scheme for a secret in the body", OAuth, errOwn, nil, 401, `{"error":"invalid_client"}`, "WWW-Authenticate", "", jsonType},
		{"oauth is temporarily unavailable in an outage", OAuth, errBusy, nil, 503, `{"error":"temporarily_unavailable"}`, "Retry-After", "2", jsonType},
		{"oauth is temporarily unavailable for who asks too often", OAuth, errRateLimited.After(time.Minute), nil, 429, `{"error":"temporarily_unavailable","error_description":"Too many requests came from your network in a short time, so we are taking a break."}`, "Retry-After", "60", jsonType},
		{"oauth says nothing about a bug", OAuth, errors.New("dial tcp 10.0.0.3: refused"), nil, 500, `{"error":"server_error","error_description":"Something broke on our side, so what you asked for was not done."}`, "", "", jsonType},
		{"oauth has no 403", OAuth, ErrForbidden, nil, 400, `{"error":"access_denied","error_description":"Your account does not have the right to see or do this."}`, "", "", jsonType},

		{"a resource asks for a token", Bearer, ErrNoToken, nil, 401, "", "WWW-Authenticate", `Bearer realm="pocket-id"`, ""},
		{"a resource refuses a token", Bearer, fault.New(fault.Unauthenticated, "invalid_token").Saying("It has expired."), nil, 401, `{"error":"invalid_token","error_description":"It has expired."}`, "WWW-Authenticate", `Bearer realm="pocket-id", error="invalid_token", error_description="It has expired."`, jsonType},
		{"a resource refuses who is not known as a bad token", Bearer, errOwn, nil, 401, `{"error":"invalid_token"}`, "WWW-Authenticate", `Bearer realm="pocket-id", error="invalid_token"`, jsonType},
		{"a resource wants more scope", Bearer, fault.New(fault.Forbidden, "insufficient_scope").Saying("It lacks openid."), nil, 403, `{"error":"insufficient_scope","error_description":"It lacks openid."}`, "WWW-Authenticate", `Bearer realm="pocket-id", error="insufficient_scope", error_description="It lacks openid."`, jsonType},
		{"a resource is down", Bearer, errBusy, nil, 503, `{"error":"temporarily_unavailable"}`, "WWW-Authenticate", "", jsonType},

		{"the api names the field", Problem, fmt.Errorf("sign up: %w", errTaken), nil, 409, `"details":{"fields":[{"code":"test_taken","field":"username","message":"Something else was changed or created in the meantime, and both cannot stand side by side."}]}`, "", "", jsonType},
		{"the api says the code", Problem, errTaken, nil, 409, `"code":"test_taken"`, "", "", jsonType},
		{"the api says the values", Problem, errRepeated.With("name", "scope"), nil, 400, `"details":{"name":"scope"}`, "", "", jsonType},
		{"the api says when to come back", Problem, errBusy, nil, 503, `"status":503`, "Retry-After", "2", jsonType},
		{"the api says nothing about a bug", Problem, errors.New("dial tcp 10.0.0.3: refused"), nil, 500, `"code":"internal_error"`, "", "", jsonType},
		{"the api writes a problem for who accepts one", Problem, errTaken, []string{"Accept", "application/problem+json, */*"}, 409, `"type":"about:blank"`, "", "", "application/problem+json"},

		{"a page says what happened", Page, ErrForbidden, nil, 403, "<h1>You do not have access to this</h1><p>Your account does not have the right", "Cache-Control", "no-store", "text/html; charset=utf-8"},
		{"a page says it in the reader's language", Page, ErrForbidden, []string{"Accept-Language", "zh-CN"}, 403, `lang="zh-CN"`, "", "", "text/html; charset=utf-8"},
		{"a page says nothing about a bug", Page, errors.New("dial tcp 10.0.0.3: refused"), nil, 500, "Something broke on our side", "", "", "text/html; charset=utf-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newKit(t, nil, open("GET /a", tt.surface, fails(tt.err)))
			w := k.do("GET", "/a", "", tt.headers...)
			if got := w.Body.String(); w.Code != tt.status || !strings.Contains(got, tt.body) || strings.Contains(got, "10.0.0.3") {
				t.Errorf("got %d %s, want %d %s", w.Code, got, tt.status, tt.body)
			}
			if got := w.Header().Get("Content-Type"); got != tt.mediaType {
				t.Errorf("got %s, want %s", got, tt.mediaType)
			}
			if tt.header != "" && w.Header().Get(tt.header) != tt.value {
				t.Errorf("got %s: %q, want %q", tt.header, w.Header().Get(tt.header), tt.value)
			}
			if strings.HasPrefix(tt.mediaType, "application/") && !json.Valid(w.Body.Bytes()) {
				t.Errorf("got %s", w.Body)
			}
		})
	}
}

func TestProblemHasTheMembersOfBothWorlds(t *testing.T) {
	k := newKit(t, nil, open("GET /a", Problem, fails(errTaken)))
	w := k.do("GET", "/a", "")
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	id := w.Header().Get("X-Request-ID")
	for name, want := range map[string]any{
		"request_id": id, "instance": "urn:uuid:" + id, "type": "about:blank", "title": "Conflict", "status": 409.0, "code": "test_taken",
	} {
		if body[name] != want {
			t.Errorf("got %s %v, want %v", name, body[name], want)
		}
	}
	if body["error"] == "" || body["error"] != body["detail"] {
		t.Errorf("got %v and %v", body["error"], body["detail"])
	}
}

func TestEveryKindHasItsLine(t *testing.T) {
	for _, k := range fault.Kinds() {
		if line, ok := kinds[k]; !ok || line.status < 400 || !registered[line.oauth] {
			t.Errorf("%s: got %+v", k, line)
		}
	}
}

func TestPageIsRenderedByTheApp(t *testing.T) {
	var saw *fault.Error
	render := func(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
		saw = f
		switch {
		case errors.Is(f, ErrForbidden):
			panic("a template is broken")
		case errors.Is(f, ErrNotFound):
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		io.WriteString(w, "<p>page of the app")
	}
	k := newKit(t, func(c *Config) { c.RenderError = render },
		open("GET /taken", Page, fails(errTaken)), open("GET /forbidden", Page, fails(ErrForbidden)))
	if w := k.do("GET", "/taken", ""); w.Code != 409 || w.Body.String() != "<p>page of the app" || saw.Field != "username" {
		t.Errorf("got %d %s, fault %+v", w.Code, w.Body, saw)
	}
	if w := k.do("GET", "/forbidden", ""); w.Code != 403 || !strings.Contains(w.Body.String(), "You do not have access") {
		t.Errorf("a page that panics: got %d %s", w.Code, w.Body)
	}
	if w := k.do("GET", "/nowhere", ""); w.Code != 404 || !strings.Contains(w.Body.String(), "There is nothing here") {
		t.Errorf("a page that is not written: got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(k.log.String(), "a template is broken") {
		t.Errorf("the log does not say that the error page is broken: %s", k.log)
	}
}

func TestRequestsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil, open("GET /slow", Problem, func(w http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return fmt.Errorf("read the users: %w", r.Context().Err())
		}))
		begin := time.Now()
		w := k.do("GET", "/slow", "")
		if w.Code != 504 || !strings.Contains(w.Body.String(), "request_timeout") || time.Since(begin) != RequestTimeout {
			t.Errorf("got %d %s after %s", w.Code, w.Body, time.Since(begin))
		}

		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		k.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/slow", nil))
		if log := k.log.String(); !strings.Contains(log, "level=INFO msg=request") || !strings.Contains(log, "status=499") || strings.Count(log, "level=ERROR") != 1 {
			t.Errorf("somebody who goes away is no error: %s", log)
		}
	})
}

func TestMessageOfTheDomainOutlivesTheDeadline(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	ctx, cancel := context.WithTimeout(r.Context(), -time.Second)
	defer cancel()
	r = r.WithContext(ctx)
	for _, tt := range []struct {
		name string
		err  error
		want *fault.Error
	}{
		{"a refusal stays a refusal", errTaken, errTaken},
		{"an outage that was told stays one", errBusy, errBusy},
		{"the rest is a time-out", errors.New("x"), errTimeout},
	} {
		if got := judge(r, tt.err); got.Code != tt.want.Code {
			t.Errorf("%s: got %s", tt.name, got.Code)
		}
	}
}
