package apptest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Program speaks HTTP and is no browser: it keeps no cookies, says nothing of
// itself and follows nothing. It has an address of its own.
type Program struct {
	t    testing.TB
	http *http.Client
}

// Program makes one.
func (h *House) Program() *Program {
	return &Program{h.t, &http.Client{Transport: h.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Answer is what the house answered, as it came.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	t      testing.TB
}

// Ask makes a request. Headers are pairs of a name and its value; a name may
// come twice, and Host is the name that is asked for.
func (p *Program) Ask(method, path, body string, headers ...string) *Answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return answerOf(p.t, res)
}

// Get makes a GET.
func (p *Program) Get(path string, headers ...string) *Answer {
	p.t.Helper()
	return p.Ask(http.MethodGet, path, "", headers...)
}

// Post sends a form.
func (p *Program) Post(path string, form url.Values, headers ...string) *Answer {
	p.t.Helper()
	return p.Ask(http.MethodPost, path, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// answerOf reads an answer to its end.
func answerOf(t testing.TB, res *http.Response) *Answer {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &Answer{res.StatusCode, res.Header, string(body), t}
}

// JSON is the object that the body has to be.
func (a *Answer) JSON() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		a.t.Errorf("%d %s is no JSON: %.200s", a.Status, a.Header.Get("Content-Type"), a.Body)
	}
	return v
}

// List is the body as a list.
func (a *Answer) List() (list []any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil {
		a.t.Fatalf("%d %.300s: %v", a.Status, a.Body, err)
	}
	return list
}

// Error is the error that a JSON body names (RFC 6749 §5.2), or "".
func (a *Answer) Error() string {
	a.t.Helper()
	code, _ := a.JSON()["error"].(string)
	return code
}

// Raw makes one request of a browser and follows nothing.
func (b *Browser) Raw(method, target string, form url.Values, site string) *Answer {
	b.t.Helper()
	res, err := b.Do(method, target, form, site)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return answerOf(b.t, res)
}
