package edge

import (
	"context"
	"errors"
	"html"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/fault"
	"pocketid/internal/i18n"
)

// Surface says how the faults of a route look.
type Surface int

const (
	// Page is HTML, rendered by Config.RenderError.
	Page Surface = iota + 1
	// Problem is the JSON of the API: the incumbent's members and RFC 9457 at once.
	Problem
	// OAuth is the JSON of the token endpoint and its kin (RFC 6749 §5.2).
	OAuth
	// Bearer is the answer of a resource that wants an access token (RFC 6750 §3).
	Bearer
	// Script is Problem for the modules of our own pages: in the person's language,
	// with the title and the cure that a page shows.
	Script
)

// String is the name of the surface, as the list of routes shows it.
func (s Surface) String() string {
	return [...]string{"undeclared", "page", "problem", "oauth", "bearer", "script"}[s]
}

// Faults that any route can answer.
var (
	ErrNotFound    = fault.New(fault.NotFound, "not_found")
	ErrNotSignedIn = fault.New(fault.Unauthenticated, "not_signed_in")
	ErrForbidden   = fault.New(fault.Forbidden, "forbidden")
	// ErrNoToken is what a resource answers when no access token came at all:
	// the Bearer surface then names no error (RFC 6750 §3.1).
	ErrNoToken = fault.New(fault.Unauthenticated, "missing_token")

	// ErrKeyRefused is what a key hears where only sessions are taken.
	ErrKeyRefused = fault.New(fault.Forbidden, "api_key_auth_not_allowed")
	// ErrKeyScope is what a key hears that is for other things.
	ErrKeyScope = fault.New(fault.Forbidden, "api_key_scope_missing")

	errCrossOrigin = fault.New(fault.Forbidden, "cross_origin")
	errGone        = fault.New(fault.Invalid, "request_canceled")
	errMalformed   = fault.New(fault.Invalid, "malformed_address")
	errMethod      = fault.New(fault.Invalid, "method_not_allowed")
	errTimeout     = fault.New(fault.Unavailable, "request_timeout")
	errTooLarge    = fault.New(fault.TooLarge, "request_too_large")
)

// kinds is the one table from what went wrong to what each surface says.
var kinds = map[fault.Kind]struct {
	status int
	oauth  string // when the code is not one that OAuth registers
	level  slog.Level
}{
	fault.Internal:        {500, "server_error", slog.LevelError},
	fault.Invalid:         {400, "invalid_request", slog.LevelInfo},
	fault.Unauthenticated: {401, "invalid_client", slog.LevelInfo},
	fault.Forbidden:       {403, "access_denied", slog.LevelWarn},
	fault.NotFound:        {404, "invalid_request", slog.LevelInfo},
	fault.Conflict:        {409, "invalid_request", slog.LevelInfo},
	fault.TooMany:         {429, "temporarily_unavailable", slog.LevelWarn},
	fault.TooLarge:        {413, "invalid_request", slog.LevelInfo},
	fault.Unsupported:     {415, "invalid_request", slog.LevelInfo},
	fault.Precondition:    {412, "invalid_request", slog.LevelInfo},
	fault.Unavailable:     {503, "temporarily_unavailable", slog.LevelError},
	fault.Unprocessable:   {422, "invalid_request", slog.LevelInfo},
}

// statuses are those of HTTP's own faults, whose kind does not say enough.
var statuses = map[string]int{
	errMethod.Code:    http.StatusMethodNotAllowed,
	ErrWrongHost.Code: http.StatusMisdirectedRequest,
	errTimeout.Code:   http.StatusGatewayTimeout,
	errGone.Code:      499, // nobody reads it; the log shows it
}

func statusOf(f *fault.Error) int {
	if status, ok := statuses[f.Code]; ok {
		return status
	}
	return kinds[f.Kind].status
}

// registered are the codes that OAuth endpoints may answer: RFC 6749 §5.2 and
// §4.1.2.1, RFC 6750 §3.1, RFC 7009 §2.2.1, RFC 8628 §3.5, RFC 8707 §2,
// RFC 9126, RFC 9449 §5 and §7.1, RFC 9470 §3, OpenID Connect Core §3.1.2.6,
// OpenID Connect Registration §3.3.
var registered = set(
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable",
	"invalid_token", "insufficient_scope", "unsupported_token_type",
	"authorization_pending", "slow_down", "expired_token", "invalid_target",
	"invalid_dpop_proof", "use_dpop_nonce", "insufficient_user_authentication",
	"interaction_required", "login_required", "account_selection_required", "consent_required", "unmet_authentication_requirements",
	"invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
	"invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement", "unapproved_software_statement",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// OAuthCode is the error that OAuth knows for a fault, and its description in
// the characters that one may have. For an answer that redirects.
func OAuthCode(f *fault.Error) (code, description string) {
	code = f.Code
	if !registered[code] {
		code = kinds[f.Kind].oauth
	}
	description = f.Description
	if description == "" {
		if l := i18n.For(i18n.Source); l.Has("error." + f.Code) {
			description = l.Fault(f.Code, f.Kind.String(), f.Params).Text
		}
	}
	return code, plain(description)
}

// asciiMarks are the marks of good typography in the characters of a description.
var asciiMarks = strings.NewReplacer("“", "'", "”", "'", "‘", "'", "’", "'", `"`, "'", `\`, "/", "–", "-", "—", "-", "…", "...", "\u00a0", " ", "\n", " ")

// plain is s in the characters of error_description: %x20-21 / %x23-5B /
// %x5D-7E (RFC 6749 §5.2).
func plain(s string) string {
	s = asciiMarks.Replace(s)
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return -1
		}
		return r
	}, s)
}

// judge finds the fault in what a handler answered.
func judge(r *http.Request, err error) *fault.Error {
	f := fault.Of(err)
	outage := f.Kind == fault.Internal || f.Kind == fault.Unavailable
	switch end := context.Cause(r.Context()); {
	case !outage:
		return f
	case errors.Is(end, context.Canceled):
		return errGone
	case errors.Is(end, context.DeadlineExceeded) && f.Kind == fault.Internal:
		return errTimeout
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return f
}

// fail answers an error instead of what the handler may have begun. When part
// of that has left already, the connection is cut, because a whole answer with
// half a page in it would be a lie.
func (s *Server) fail(p *response, r *http.Request, surface Surface, err error) {
	st := stateOf(r.Context())
	f := judge(r, err)
	st.err, st.fault = err, f
	if p.through {
		panic(http.ErrAbortHandler)
	}
	p.reset()
	s.headers(p.Header(), st, st.route)
	s.answer(surface, p, r, f, statusOf(f))
}

// answer writes a fault as the surface has it.
func (s *Server) answer(surface Surface, w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
	w.Header().Set("Cache-Control", "no-store")
	retry := f.RetryAfter
	if retry <= 0 && (f.Kind == fault.TooMany || f.Kind == fault.Unavailable) {
		retry = time.Second
	}
	if retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(retry.Seconds())), 10))
	}
	switch surface {
	case OAuth:
		oauth(w, r, f, status)
	case Bearer:
		bearer(w, f, status)
	case Problem:
		problem(w, r, f, status)
	case Script:
		told(w, r, f, status)
	default:
		s.page(w, r, f, status)
	}
}

// problem writes the members that clients of the incumbent read and those of
// RFC 9457 together. The words are English: programs read the code.
func problem(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
	exactly := f.Exactly()
	body := problemBody(r, f, status, i18n.For(i18n.Source).Fault(exactly.Code, exactly.Kind.String(), exactly.Params))
	mediaType := "application/json"
	if strings.Contains(r.Header.Get("Accept"), "application/problem+json") {
		mediaType = "application/problem+json"
	}
	writeJSON(w, mediaType, status, body)
}

// told writes a problem in the words that a page shows.
func told(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
	words := i18n.For(Locale(r, "")).Fault(f.Code, f.Kind.String(), f.Params)
	body := problemBody(r, f, status, words)
	body["title"], body["cure"] = words.Title, words.Cure
	writeJSON(w, "application/json", status, body)
}

func problemBody(r *http.Request, f *fault.Error, status int, words i18n.Words) map[string]any {
	details := map[string]any{}
	for name, value := range f.Params {
		details[name] = value
	}
	if f.Field != "" {
		details["fields"] = []map[string]string{{"field": f.Field, "code": f.Exactly().Code, "message": words.Text}}
	}
	id := RequestID(r.Context())
	body := map[string]any{
		"error": words.Text, "code": f.Code, "details": details, "request_id": id,
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": words.Text,
	}
	if id != "" {
		body["instance"] = "urn:uuid:" + id
	}
	return body
}

// oauth writes RFC 6749 §5.2. All is 400 there but what HTTP itself has a word for.
func oauth(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
	code, description := OAuthCode(f)
	w.Header().Set("Pragma", "no-cache")
	switch status {
	case 404, 405, 413, 429, 500, 503, 504:
	case 401:
		// An answer to credentials in the header names the scheme they came in.
		if code == "invalid_token" { // of registration, which takes no others
			w.Header().Set("WWW-Authenticate", `Bearer realm="pocket-id", error="invalid_token"`)
		} else if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Basic") {
			w.Header().Set("WWW-Authenticate", `Basic realm="pocket-id"`)
		}
	default:
		status = http.StatusBadRequest
	}
	writeJSON(w, "application/json", status, oauthError{code, description})
}

type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// bearer writes RFC 6750 §3: the challenge carries the error, the body repeats
// it for people. A request without any token gets the bare challenge (§3.1).
func bearer(w http.ResponseWriter, f *fault.Error, status int) {
	code, description := OAuthCode(f)
	switch {
	case f.Code == ErrNoToken.Code:
		w.Header().Set("WWW-Authenticate", `Bearer realm="pocket-id"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	case status == 401 && code == "invalid_client":
		code = "invalid_token"
	case status == 403:
		code = "insufficient_scope"
	case status == 409 || status == 412 || status == 415:
		status = http.StatusBadRequest
	}
	if status == 400 || status == 401 || status == 403 {
		challenge := `Bearer realm="pocket-id", error="` + code + `"`
		if description != "" {
			challenge += `, error_description="` + description + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	writeJSON(w, "application/json", status, oauthError{code, description})
}

// page writes the page of a fault. A server whose templates fail still says what happened.
func (s *Server) page(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) {
	if s != nil && s.config.RenderError != nil && s.rendered(w, r, f, status) {
		return
	}
	l := i18n.For(Locale(r, ""))
	words := l.Fault(f.Code, f.Kind.String(), f.Params)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="` + l.ID + `" dir="` + l.Dir() + `"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">`)
	for _, part := range [][2]string{
		{"title", words.Title}, {"h1", words.Title}, {"p", words.Text}, {"p", words.Cure},
		{"p", l.T("error.reference", "id", RequestID(r.Context()))},
	} {
		b.WriteString("<" + part[0] + ">" + html.EscapeString(part[1]) + "</" + part[0] + ">")
	}
	io.WriteString(w, b.String())
}

// rendered tells whether the page of the app came out.
func (s *Server) rendered(w http.ResponseWriter, r *http.Request, f *fault.Error, status int) (ok bool) {
	p, held := w.(*response)
	defer func() {
		if v := recover(); v != nil {
			s.log.LogAttrs(r.Context(), slog.LevelError, "the error page panicked", slog.String("id", RequestID(r.Context())), slog.Any("panic", v))
			if held && !p.through {
				p.reset()
				ok = false
				return
			}
			panic(http.ErrAbortHandler)
		}
	}()
	s.config.RenderError(w, r, f, status)
	return !held || p.status != 0
}
