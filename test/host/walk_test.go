package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
)

// forged is where clients say that they are and are not.
const forged = "203.0.113.66"

// A walker is a browser with a passkey and a program with a key, both by the same way.
type walker struct {
	t       *testing.T
	http    *http.Client
	cookies map[string]string
}

func newWalker(t *testing.T, by *http.Transport) *walker {
	return &walker{t: t, cookies: map[string]string{}, http: &http.Client{Transport: by, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// A got is an answer.
type got struct {
	status int
	header http.Header
	body   string
}

// ask makes a request. Headers are pairs.
func (w *walker) ask(method, path string, body io.Reader, headers ...string) got {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, origin+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	for n, v := range w.cookies {
		r.AddCookie(&http.Cookie{Name: n, Value: v})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := w.http.Do(r)
	if err != nil {
		w.t.Fatalf("%s %.100s: %v", method, path, err)
	}
	if res.ProtoMajor != 2 {
		w.t.Errorf("%s %.100s came by %s", method, path, res.Proto)
	}
	for _, c := range res.Cookies() {
		w.cookies[c.Name] = c.Value
	}
	return got{res.StatusCode, res.Header, read(w.t, res)}
}

func (w *walker) get(path string, headers ...string) got {
	w.t.Helper()
	return w.ask("GET", path, nil, headers...)
}

// send sends JSON as a page does, and reads the answer into out.
func (w *walker) send(path string, in, out any, headers ...string) {
	w.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	g := w.ask("POST", path, bytes.NewReader(b), append([]string{"Content-Type", "application/json", "Origin", origin, "Sec-Fetch-Site", "same-origin"}, headers...)...)
	if g.status/100 != 2 {
		w.t.Fatalf("%s: %d %.300s", path, g.status, g.body)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(g.body), out); err != nil {
			w.t.Fatalf("%s: %v in %.300s", path, err, g.body)
		}
	}
}

// walk goes the way of the first hour: the first account with a passkey, the overview, a
// picture, an application, a token, the log. finds is what the overview says of the way.
func (w *walker) walk(finds string) {
	w.t.Helper()
	if g := w.get("/setup"); g.status != 200 || g.header.Get("Strict-Transport-Security") == "" {
		w.t.Errorf("the first page: %d %v", g.status, g.header)
	}
	w.passkey()
	page := w.get("/settings/admin").body
	for _, want := range []string{finds, "APP_URL is the address in use", "The connection is secure", origin} {
		if !strings.Contains(page, want) {
			w.t.Errorf("the overview does not say %q", want)
		}
	}
	w.picture()
	w.application()
	w.log()
	// Nothing that a client says about the way counts.
	delete(w.cookies, "__Host-session")
	honest := w.get("/login", "Accept", "text/html")
	for _, header := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip"} {
		if g := w.get("/login", "Accept", "text/html", header, "evil.example"); g.status != honest.status || strings.Contains(g.body, "evil.example") {
			w.t.Errorf("a forged %s: %d instead of %d", header, g.status, honest.status)
		}
	}
}

// passkey makes the first account. The server wants the origin of the browser in it.
func (w *walker) passkey() {
	w.t.Helper()
	var begun struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	}
	// A client that says where it comes from is not believed; see log.
	w.send("/setup/begin", map[string]any{"profile": map[string]string{"username": "ada", "email": "ada@example.test", "firstName": "Ada", "lastName": "Example"}}, &begun, "X-Forwarded-For", forged)
	options, err := virtualwebauthn.ParseAttestationOptions(string(begun.Options))
	if err != nil {
		w.t.Fatal(err)
	}
	if options.RelyingPartyID != name {
		w.t.Errorf("passkeys are for %q", options.RelyingPartyID)
	}
	const whole = 77 // bytes of a COSE key with all leading zeros, which the library leaves out
	key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	for len(key.Key.AttestationData()) != whole {
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	keys := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true, BackupState: true})
	made := virtualwebauthn.CreateAttestationResponse(virtualwebauthn.RelyingParty{ID: name, Name: "Pocket ID", Origin: origin}, keys, key, *options)
	w.send("/setup/finish", map[string]any{"id": begun.ID, "answer": json.RawMessage(made)}, nil, "X-Forwarded-For", forged)
	if w.cookies["__Host-session"] == "" {
		w.t.Fatal("nobody is signed in")
	}
}

// picture sends one of nearly eight megabytes.
func (w *walker) picture() {
	w.t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 1440, 1440))
	for i := range m.Pix {
		m.Pix[i] = 200
	}
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	part, err := parts.CreateFormFile("file", "me.png")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(part, m); err != nil {
		w.t.Fatal(err)
	}
	parts.Close()
	if form.Len() < 8_290_000 {
		w.t.Fatalf("the picture has %d bytes alone", form.Len())
	}
	var me struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(w.get("/api/users/me").body), &me); err != nil || me.ID == "" {
		w.t.Fatalf("who am I: %v", err)
	}
	if g := w.ask("PUT", "/api/users/"+me.ID+"/profile-picture", &form, "Content-Type", parts.FormDataContentType(), "X-API-Key", static); g.status/100 != 2 {
		w.t.Errorf("the picture: %d %.300s", g.status, g.body)
	}
}

// application signs in to one by a code, with a state as long as some have it and cookies of
// others in the way.
func (w *walker) application() {
	w.t.Helper()
	var client struct {
		ID string `json:"id"`
	}
	const callback = "https://app.example.test/callback"
	w.send("/api/oidc/clients", map[string]any{"name": "App", "callbackURLs": []string{callback}, "isPublic": true, "pkceEnabled": true, "skipConsent": true}, &client, "X-API-Key", static)
	verifier := strings.Repeat("v", 64)
	sum := sha256.Sum256([]byte(verifier))
	state := strings.Repeat("s", 2048)
	q := url.Values{"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": {callback}, "scope": {"openid profile"}, "state": {state}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}, "of_nobody": {strings.Repeat("x", 12_000)}}
	w.cookies["other"] = strings.Repeat("c", 14_000)
	g := w.get("/authorize?" + q.Encode())
	delete(w.cookies, "other")
	back, err := url.Parse(g.header.Get("Location"))
	if err != nil || g.status != http.StatusSeeOther || back.Query().Get("code") == "" || back.Query().Get("state") != state || back.Query().Get("iss") != origin {
		w.t.Fatalf("authorize: %d to %.200s %.300s", g.status, g.header.Get("Location"), g.body)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {client.ID}, "code": {back.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	g = w.ask("POST", "/api/oidc/token", strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
	if err := json.Unmarshal([]byte(g.body), &tokens); err != nil || g.status != 200 || strings.Count(tokens.ID, ".") != 2 {
		w.t.Fatalf("token: %d %.300s", g.status, g.body)
	}
	if g := w.get("/api/oidc/userinfo", "Authorization", "Bearer "+tokens.Access); g.status != 200 || !strings.Contains(g.body, `"Ada"`) {
		w.t.Errorf("userinfo: %d %.300s", g.status, g.body)
	}
	if g := w.get("/.well-known/openid-configuration"); !strings.Contains(g.body, `"issuer": "`+origin+`"`) {
		w.t.Errorf("discovery: %.300s", g.body)
	}
}

// log finds the address of the browser in the record of what it did, and no forged one.
func (w *walker) log() {
	w.t.Helper()
	g := w.get("/api/audit-logs/all", "X-API-Key", static)
	if !strings.Contains(g.body, `"`+visitor+`"`) || strings.Contains(g.body, forged) {
		w.t.Errorf("the log has other addresses: %.1500s", g.body)
	}
}

// redirected asks by http.
func (w *walker) redirected() {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", "http://"+name+"/login?redirect=%2Fdevice", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	read(w.t, res)
	if to, err := url.Parse(res.Header.Get("Location")); err != nil || res.StatusCode != http.StatusPermanentRedirect || to.Scheme != "https" || to.Hostname() != name || to.RequestURI() != "/login?redirect=%2Fdevice" {
		w.t.Errorf("http leads to %d %s", res.StatusCode, res.Header.Get("Location"))
	}
}
