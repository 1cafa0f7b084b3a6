package edge

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// contentPolicy lets a page use what we serve and nothing else. There is no
// unsafe-inline in it, so an injected script or style does not run.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

const permissions = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)"

// ownWindow is where pages cut themselves off from the window that opened
// them. The pages of the protocol must not: applications sign people in from
// pop-up windows and wait in the opener.
const ownWindow = "/settings"

// baseHeaders are the headers of every answer. Their values are shared by all
// requests: they are replaced, never written into.
var baseHeaders = []struct {
	name  string
	value []string
}{
	{"Cache-Control", []string{"no-store"}},
	{"Content-Security-Policy", []string{contentPolicy}},
	{"Permissions-Policy", []string{permissions}},
	{"Referrer-Policy", []string{"same-origin"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
}

// The headers of routes for scripts of any origin, shared in the same way.
var anyOrigin, exposed = []string{"*"}, []string{"WWW-Authenticate, DPoP-Nonce"}

// headers lays the headers under an answer that every one has. What a handler
// sets afterwards wins.
func (s *Server) headers(h http.Header, st *state, route *Route) {
	h["X-Request-Id"] = st.idHeader[:]
	for _, b := range baseHeaders {
		h[b.name] = b.value
	}
	if s.secure && !s.config.NoHSTS {
		// Without includeSubDomains: other services of the domain may speak http.
		if _, host := st.client.asked(st.request); sameHost(host, s.config.PublicURL.Host, "https") {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
	}
	if route == nil {
		return
	}
	if route.Surface == Page && strings.HasPrefix(route.path(), ownWindow) {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	if route.CORS {
		h["Access-Control-Allow-Origin"], h["Access-Control-Expose-Headers"] = anyOrigin, exposed
	}
}

// AllowFormTo lets a form of this page lead, by way of redirects, to the
// origin or the custom scheme of uri. Browsers check form-action against every
// redirect that follows.
func AllowFormTo(w http.ResponseWriter, uri string) {
	if source := formSource(uri); source != "" {
		extend(w, "form-action 'self'", source)
	}
}

// AllowFrame lets this page show one of another origin in a frame, and says whether it
// can: an origin that the policy cannot name is not let in. The page itself stays one that
// cannot be framed.
func AllowFrame(w http.ResponseWriter, uri string) bool {
	source := formSource(uri)
	if !strings.HasPrefix(source, "https://") && !strings.HasPrefix(source, "http://") {
		return false
	}
	h := w.Header()
	policy := h.Get("Content-Security-Policy")
	if policy == "" {
		policy = contentPolicy
	}
	if !strings.Contains(policy, "; frame-src ") {
		policy += "; frame-src"
	}
	if !strings.Contains(policy+" ", " "+source+" ") {
		policy += " " + source // the directive is the last one
	}
	h.Set("Content-Security-Policy", policy)
	return true
}

// formSource is the source expression of the Content Security Policy that
// covers uri, or nothing for what must not be let through.
func formSource(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return ""
	}
	switch u.Scheme {
	case "javascript", "data", "blob", "file", "vbscript", "about", "filesystem":
		return ""
	case "http", "https":
	default:
		return u.Scheme + ":" // url.Parse lets letters, digits, +, - and . through
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		// The grammar of sources has no IPv6 addresses.
		return u.Scheme + ":"
	}
	whole := true
	for _, c := range host {
		switch {
		case c >= 0x80 && unicode.IsLetter(c) || unicode.IsMark(c):
			whole = false // a name in its own script, which sources do not have either
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return ""
		}
	}
	if host == "" {
		return ""
	}
	if !whole {
		return u.Scheme + ":"
	}
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	return u.Scheme + "://" + host
}

// AllowScript lets the one inline script of this page run: the text between
// its tags, byte by byte.
func AllowScript(w http.ResponseWriter, script string) {
	sum := sha256.Sum256([]byte(script))
	extend(w, "script-src 'self'", "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
}

func extend(w http.ResponseWriter, directive, source string) {
	h := w.Header()
	policy := h.Get("Content-Security-Policy")
	if policy == "" {
		policy = contentPolicy
	}
	h.Set("Content-Security-Policy", strings.Replace(policy, directive, directive+" "+source, 1))
}

// plainURL tells whether path and query are text. A NUL or broken UTF-8 is
// nothing that a database takes as text, and nothing that anybody means.
func plainURL(u *url.URL) bool {
	if strings.ContainsRune(u.Path, 0) || !utf8.ValidString(u.Path) {
		return false
	}
	if !strings.Contains(u.RawQuery, "%") {
		return utf8.ValidString(u.RawQuery)
	}
	q, err := url.QueryUnescape(u.RawQuery)
	return err == nil && !strings.ContainsRune(q, 0) && utf8.ValidString(q)
}

// cleanPath tells whether a path is what it says: no empty segment, no dots.
// Others are not found rather than redirected, because a redirect by 307 would
// carry a body along (RFC 9700 §4.12).
func cleanPath(u *url.URL) bool {
	if !strings.HasPrefix(u.Path, "/") || strings.Contains(u.EscapedPath(), "//") {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
