package apptest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Browser is somebody's browser: it keeps cookies, follows redirects inside
// the house, says where a request comes from as browsers do, and has an
// address on the network that is its own.
type Browser struct {
	h       *House
	t       testing.TB
	client  *http.Client
	Address string
	// Language is its Accept-Language.
	Language string
	// Agent is what it says of itself (User-Agent).
	Agent string
}

// Browser makes a browser that has never been here.
func (h *House) Browser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it never fails without options
	}
	h.peers++
	b := &Browser{h: h, t: h.t, Address: fmt.Sprintf("2001:db8:%x::1", h.peers), Language: "en",
		Agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"}
	b.client = &http.Client{Jar: jar, Transport: wire{h, b.Address},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// wire carries requests to the house without a network.
type wire struct {
	h       *House
	address string
}

// RoundTrip calls the handler as a listener would.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme+"://"+r.URL.Host != URL {
		return nil, fmt.Errorf("%s is outside the house", r.URL)
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "[" + w.address + "]:40000"
	in.Host = r.Host
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host = "", "" // as a server sees it
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	w.h.App.Handler().ServeHTTP(out, in)
	res := out.Result()
	res.Request = r
	return res, nil
}

// Transport is a way to the house for clients that are no browsers, each from
// an address of its own.
func (h *House) Transport() http.RoundTripper {
	h.peers++
	return wire{h, fmt.Sprintf("2001:db8:%x::1", h.peers)}
}

// Page is what a browser shows in the end.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
	// Away is where the house sent the browser to, when that is outside.
	Away *url.URL
	// Posted is the form that the browser takes there; nil when it takes none.
	Posted url.Values
}

// Answer is what an application is told by way of the browser.
func (p *Page) Answer() url.Values {
	switch {
	case p.Posted != nil:
		return p.Posted
	case p.Away != nil:
		return p.Away.Query()
	}
	return nil
}

// String is the page in a few words, for failures.
func (p *Page) String() string {
	if p.Away != nil {
		return "sent to " + p.Away.String()
	}
	body := p.Body
	if i := strings.Index(body, "<main"); i >= 0 {
		body = body[i:]
	}
	return fmt.Sprintf("%s: %d %.400s", p.URL, p.Status, body)
}

// Open goes to an address, as by a link of another site or of none, and
// follows redirects inside the house.
func (b *Browser) Open(target string) *Page {
	b.t.Helper()
	return b.follow(http.MethodGet, target, nil, "cross-site")
}

// Submit sends a form of a page of the house.
func (b *Browser) Submit(path string, form url.Values) *Page {
	b.t.Helper()
	return b.follow(http.MethodPost, path, form, "same-origin")
}

// Upload sends a form of a page of the house that carries a file in the field picture.
func (b *Browser) Upload(path string, form url.Values, file []byte) *Page {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, values := range form {
		for _, v := range values {
			if err := w.WriteField(name, v); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	name := "picture" // a browser sends the field also when nothing is chosen
	if file == nil {
		name = ""
	}
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="picture"; filename="` + name + `"`}, "Content-Type": {"application/octet-stream"}})
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.at(path).String(), &body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.dress(r, "same-origin", "navigate")
	r.Header.Set("Content-Type", w.FormDataContentType())
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if to := res.Header.Get("Location"); to != "" {
		return b.follow(http.MethodGet, to, nil, "same-origin")
	}
	return &Page{URL: r.URL, Status: res.StatusCode, Header: res.Header, Body: string(text)}
}

// follow makes a request and the ones that follow from it.
func (b *Browser) follow(method, target string, form url.Values, site string) *Page {
	b.t.Helper()
	u := b.at(target)
	for range 20 {
		res, err := b.Do(method, u.String(), form, site)
		if err != nil {
			b.t.Fatalf("%s %s: %v", method, u, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			b.t.Fatal(err)
		}
		page := &Page{URL: u, Status: res.StatusCode, Header: res.Header, Body: string(body)}
		location := res.Header.Get("Location")
		if location == "" {
			page.submitItself()
			return page
		}
		if res.StatusCode != http.StatusSeeOther {
			b.t.Errorf("%s %s: the redirect is a %d, not a 303", method, u, res.StatusCode)
		}
		next, err := u.Parse(location)
		if err != nil {
			b.t.Fatal(err)
		}
		if next.Scheme+"://"+next.Host != URL {
			page.Away = next
			return page
		}
		u, method, form = next, http.MethodGet, nil
	}
	b.t.Fatalf("%s redirects for ever", target)
	return nil
}

var (
	ownScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	ownForm   = regexp.MustCompile(`<form method="post" action="([^"]*)">`)
	ownInput  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submitItself does what a browser does with the page of form_post: it runs the
// script if the policy of the page lets it, and sends the form if the policy lets
// it go there.
func (p *Page) submitItself() {
	script, form := ownScript.FindStringSubmatch(p.Body), ownForm.FindStringSubmatch(p.Body)
	if script == nil || form == nil || script[1] != "document.forms[0].submit()" {
		return
	}
	sum := sha256.Sum256([]byte(script[1]))
	action, err := url.Parse(html.UnescapeString(form[1]))
	policy := p.Header.Get("Content-Security-Policy")
	if err != nil || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") ||
		!strings.Contains(policy, "form-action 'self' "+action.Scheme+"://"+action.Host) {
		return
	}
	p.Away, p.Posted = action, url.Values{}
	for _, m := range ownInput.FindAllStringSubmatch(p.Body, -1) {
		p.Posted.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
}

// Post sends a form from a page of another site. A browser leaves the cookies of
// the house out, which are SameSite=Lax, until a redirect makes a GET of it.
func (b *Browser) Post(path string, form url.Values) *Page {
	b.t.Helper()
	return b.follow(http.MethodPost, path, form, "cross-site")
}

// at is an address of the house.
func (b *Browser) at(target string) *url.URL {
	base, err := url.Parse(URL)
	if err != nil {
		panic(err)
	}
	u, err := base.Parse(target)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// Do makes one request and follows nothing. Site is what the browser says of
// where it comes from (Sec-Fetch-Site).
func (b *Browser) Do(method, target string, form url.Values, site string) (*http.Response, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.at(target).String(), body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	b.dress(r, site, "navigate")
	if site == "cross-site" && method != http.MethodGet {
		// Our cookies are SameSite=Lax, which the jar does not know: another site's POST
		// comes without them, and what the answer sets is kept.
		bare := *b.client
		bare.Jar = nil
		res, err := bare.Do(r)
		if err == nil {
			b.client.Jar.SetCookies(r.URL, res.Cookies())
		}
		return res, err
	}
	return b.client.Do(r)
}

// dress adds what browsers say of themselves.
func (b *Browser) dress(r *http.Request, site, mode string) {
	r.Header.Set("User-Agent", b.Agent)
	r.Header.Set("Accept-Language", b.Language)
	r.Header.Set("Accept", "text/html,*/*")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Sec-Fetch-Mode", mode)
	if r.Method == http.MethodPost {
		r.Header.Set("Origin", map[bool]string{true: URL, false: "https://elsewhere.example"}[site == "same-origin"])
	}
}

// Call does what a module of a page does: it sends JSON and reads the answer
// into out. It returns the status, and the code of a fault.
func (b *Browser) Call(path string, in, out any) (status int, code string) {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.at(path).String(), bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	b.dress(r, "same-origin", "cors")
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode > 299 {
		var fault struct{ Code string }
		if err := json.Unmarshal(answer, &fault); err != nil {
			b.t.Fatalf("POST %s: %d %s", path, res.StatusCode, answer)
		}
		return res.StatusCode, fault.Code
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			b.t.Fatalf("POST %s: %s: %v", path, answer, err)
		}
	}
	return res.StatusCode, ""
}

// Cookie is the value of a cookie of the house, or "".
func (b *Browser) Cookie(name string) string {
	for _, c := range b.client.Jar.Cookies(b.at("/")) {
		if c.Name == name || c.Name == "__Host-"+name {
			return c.Value
		}
	}
	return ""
}
