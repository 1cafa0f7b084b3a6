package edge

import (
	"encoding/base64"
	"net/http"
	"time"

	"pocketid/internal/secret"
)

// browserCookie names the cookie that Browser keeps, browserAge how long.
const (
	browserCookie = "browser"
	browserAge    = 30 * 24 * time.Hour
)

// cookieName is name with the prefix that keeps other hosts, paths and plain
// http from setting it. On http, which only localhost should be, there is none.
func cookieName(r *http.Request, name string) (full string, secure bool) {
	if s := stateOf(r.Context()).server; s != nil && s.secure {
		return "__Host-" + name, true
	}
	return name, false
}

// SetCookie sets a cookie for this browser session or, when maxAge is not 0,
// for so long: __Host- and Secure on https, HttpOnly, SameSite=Lax. A negative
// maxAge deletes it.
func SetCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge time.Duration) {
	full, secure := cookieName(r, name)
	c := &http.Cookie{Name: full, Value: value, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch {
	case maxAge < 0:
		c.Value, c.MaxAge = "", -1
	case maxAge > 0:
		c.MaxAge = max(1, int(maxAge/time.Second))
	}
	http.SetCookie(w, c)
}

// ReadCookie is the value of the cookie that SetCookie set, or "".
func ReadCookie(r *http.Request, name string) string {
	full, _ := cookieName(r, name)
	c, err := r.Cookie(full)
	if err != nil {
		return ""
	}
	return c.Value
}

// Browser is the value of the cookie that binds ceremonies, authorizations and
// codes to this browser. A GET sets it when there is none. Another method does
// not, and gets "": a POST from another site comes without our cookies, and a
// new one would push out the one that is there.
func Browser(w http.ResponseWriter, r *http.Request) string {
	if v := readBrowser(r); v != "" {
		return v
	}
	if r.Method != http.MethodGet {
		return ""
	}
	v := secret.Token()
	stateOf(r.Context()).browser = v
	SetCookie(w, r, browserCookie, v, browserAge)
	return v
}

func readBrowser(r *http.Request) string {
	if v := stateOf(r.Context()).browser; v != "" {
		return v
	}
	v := ReadCookie(r, browserCookie)
	if b, err := base64.RawURLEncoding.DecodeString(v); err != nil || len(b) != 32 {
		return ""
	}
	return v
}

// BrowserHash is SHA-256 of the browser cookie, or nil when there is none.
func BrowserHash(r *http.Request) []byte {
	v := readBrowser(r)
	if v == "" {
		return nil
	}
	return secret.Hash(v)
}
