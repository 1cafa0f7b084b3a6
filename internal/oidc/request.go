package oidc

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of an authorization request, in bytes. What is longer is refused, or
// left aside where a parameter never fails a request.
const (
	maxClientID    = 128
	maxState       = 2048
	maxNonce       = 1024
	maxScope       = 2048
	maxPrompt      = 100
	maxIDTokenHint = 8192
	maxLoginHint   = 320
	maxLocales     = 200
	maxACR         = 500
	maxMaxAge      = 10 * 365 * 24 * 3600 // seconds; more is as good as none
	challengeLen   = 43                   // of SHA-256 in base64url (RFC 7636 §4.2)
)

// The values of prompt (OpenID Connect Core §3.1.2.1).
const (
	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptSelect  = "select_account"
)

// How an answer reaches a client (OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form
// Post Response Mode §2).
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

// scopes are the scopes of the house, in the order that pages show them. Others are
// left out of a grant, as RFC 6749 §3.3 permits.
var scopes = []string{scopeOpenID, scopeProfile, scopeEmail, scopeAddress, scopePhone, scopeGroups, scopeOffline}

// An authRequest is what a client asks of /authorize, read once. It is stored
// as it is while a person has to act.
type authRequest struct {
	ClientID string `json:"client_id"`
	// RedirectURI is as the client sent it; "" leaves it to the one that is registered.
	RedirectURI string `json:"redirect_uri,omitempty"`
	State       string `json:"state,omitempty"`
	// Mode is how the answer travels: modeFragment or modeFormPost; "" is in the query.
	Mode   string   `json:"response_mode,omitempty"`
	Scopes []string `json:"scopes"`
	// Words are what stood in scope beside those: permissions of APIs, or nothing that we know.
	Words []string `json:"words,omitempty"`
	// Resources are the APIs that tokens are asked for (RFC 8707), and Targets what the
	// client may have there of Words: see aim.
	Resources []string `json:"resources,omitempty"`
	Targets   []Target `json:"-"`
	// Claims are single claims beside those of the scopes.
	Claims    claimsRequest `json:"claims,omitzero"`
	Nonce     string        `json:"nonce,omitempty"`
	Challenge string        `json:"challenge,omitempty"`
	Prompt    []string      `json:"prompt,omitempty"`
	// MaxAge is in seconds; nil is not asked for.
	MaxAge *int64 `json:"max_age,omitempty"`
	// ACR are the values of acr that would do, the best first; none is any. With ACREssential
	// no other will do.
	ACR          []string `json:"acr,omitempty"`
	ACREssential bool     `json:"acr_essential,omitempty"`
	// Subjects are whom the answer has to be about, as the client knows them; none is anybody.
	Subjects    []string `json:"subjects,omitempty"`
	LoginHint   string   `json:"login_hint,omitempty"`
	UILocales   string   `json:"ui_locales,omitempty"`
	IDTokenHint string   `json:"-"`
	// Hinted is the subject that IDTokenHint names; "" when it cannot be trusted.
	Hinted string `json:"hinted,omitempty"`
	// Signed says that it came in a request object.
	Signed bool `json:"signed,omitempty"`
	// pushed is the hash of the request_uri under which it was pushed; nil is that it was not.
	pushed []byte
}

// asks says whether the request has prompt among its prompts.
func (q *authRequest) asks(prompt string) bool { return slices.Contains(q.Prompt, prompt) }

// maxAge is how old the authentication may be, and whether the client minds.
func (q *authRequest) maxAge() (time.Duration, bool) {
	if q.MaxAge == nil {
		return 0, false
	}
	return time.Duration(*q.MaxAge) * time.Second, true
}

// needs are the scopes that the person has to allow: those asked for, and those that the
// claims belong to that are asked for by their names.
func (q *authRequest) needs() []string { return union(q.Scopes, q.Claims.scopes()) }

// union is a with what of b it does not have, in the order of pages.
func union(a, b []string) []string {
	if covers(a, b) {
		return a
	}
	list := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// parseTarget reads the part of a request that says whom to answer, and where and
// how. A fault in client_id or redirect_uri is for a page: nobody is sent
// anywhere. State and response mode are taken if they are good, and judged by
// parseRequest.
func parseTarget(form url.Values) (authRequest, error) {
	q := authRequest{}
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(form[name]) > 1 {
			return q, ErrRepeated.With("name", name)
		}
	}
	if q.ClientID = form.Get("client_id"); q.ClientID == "" {
		return q, ErrClientMissing
	}
	if !isClientID(q.ClientID) {
		return q, ErrClientUnknown
	}
	q.RedirectURI = form.Get("redirect_uri")
	if len(form["state"]) == 1 && isState(form.Get("state")) {
		q.State = form.Get("state")
	}
	if mode := form.Get("response_mode"); len(form["response_mode"]) == 1 && (mode == modeFragment || mode == modeFormPost) {
		q.Mode = mode
	}
	return q, nil
}

// parseRequest reads the rest. Its faults are answered to the client. Parameters that
// nobody here knows are ignored, and so are display and claims_locales: they ask
// for what need not be (OpenID Connect Core §3.1.2.1).
func (q *authRequest) parseRequest(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 && name != "resource" { // RFC 8707 §2
			return errInvalidRequest.Saying("the parameter " + printable(name) + " is repeated")
		}
	}
	if s := form.Get("state"); !isState(s) {
		return errInvalidRequest.Saying("state is longer than 2048 characters or not ASCII")
	}
	switch form.Get("response_mode") {
	case "", modeQuery, modeFragment, modeFormPost:
	default:
		return errInvalidRequest.Saying("response_mode can be query, fragment or form_post")
	}
	if form.Has("registration") {
		return errRegistrationNotSupported
	}
	switch form.Get("response_type") {
	case "code":
	case "":
		return errInvalidRequest.Saying("response_type is missing")
	default:
		return errUnsupportedResponseType.Saying("response_type can be code")
	}
	q.Nonce = form.Get("nonce")
	if len(q.Nonce) > maxNonce || !isText(q.Nonce) {
		return errInvalidRequest.Saying("nonce is longer than 1024 characters or no text")
	}
	q.LoginHint = hint(form.Get("login_hint"), maxLoginHint)
	q.UILocales = hint(form.Get("ui_locales"), maxLocales)
	if q.IDTokenHint = form.Get("id_token_hint"); len(q.IDTokenHint) > maxIDTokenHint {
		return errInvalidRequest.Saying("id_token_hint is longer than 8192 characters")
	}
	for _, parse := range []func(url.Values) error{q.parseScope, q.parseResources, q.parsePrompt, q.parseMaxAge, q.parseChallenge, q.parseWanted} {
		if err := parse(form); err != nil {
			return err
		}
	}
	return nil
}

func (q *authRequest) parseScope(form url.Values) error {
	s := form.Get("scope")
	if len(s) > maxScope {
		return errInvalidScope.Saying("scope is longer than 2048 characters")
	}
	q.Scopes = []string{}
	asked := strings.Split(s, " ")
	for _, scope := range scopes {
		if slices.Contains(asked, scope) {
			q.Scopes = append(q.Scopes, scope)
		}
	}
	q.Words = permissionWords(asked)
	return nil
}

func (q *authRequest) parseResources(form url.Values) (err error) {
	q.Resources, err = parseResources(form)
	return err
}

func (q *authRequest) parsePrompt(form url.Values) error {
	s := form.Get("prompt")
	if len(s) > maxPrompt {
		return errInvalidRequest.Saying("prompt is not understood")
	}
	for _, prompt := range strings.Fields(s) {
		switch prompt {
		case promptNone, promptLogin, promptConsent, promptSelect:
		default:
			return errInvalidRequest.Saying("prompt can be none, login, consent or select_account")
		}
		if !q.asks(prompt) {
			q.Prompt = append(q.Prompt, prompt)
		}
	}
	if q.asks(promptNone) && len(q.Prompt) > 1 {
		return errInvalidRequest.Saying("prompt none stands alone")
	}
	return nil
}

func (q *authRequest) parseMaxAge(form url.Values) error {
	s := form.Get("max_age")
	if s == "" {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return errInvalidRequest.Saying("max_age is not a number of seconds")
	}
	seconds := int64(min(n, maxMaxAge))
	q.MaxAge = &seconds
	return nil
}

// parseWanted reads claims and acr_values. An acr that is asked for in claims counts
// before acr_values (OpenID Connect Core §5.5.1.1), and a sub there says who has to sign in.
func (q *authRequest) parseWanted(form url.Values) (err error) {
	if q.Claims, err = parseClaims(form.Get("claims")); err != nil {
		return err
	}
	if s := form.Get("acr_values"); s != "" && len(s) <= maxACR && isText(s) {
		q.ACR = strings.Fields(s)
	}
	if values := q.Claims.values("acr"); len(values) > 0 {
		q.ACR, q.ACREssential = values, q.Claims.essential("acr")
	}
	q.Subjects = q.Claims.values("sub")
	return nil
}

// parseChallenge holds RFC 7636 §4.3: S256 and nothing else. A missing method means
// plain there, so it is refused too.
func (q *authRequest) parseChallenge(form url.Values) error {
	challenge, method := form.Get("code_challenge"), form.Get("code_challenge_method")
	if challenge == "" && method == "" {
		return nil
	}
	if method != "S256" {
		return errInvalidRequest.Saying("transform algorithm not supported: code_challenge_method has to be S256")
	}
	if len(challenge) != challengeLen || strings.ContainsFunc(challenge, notBase64URL) {
		return errInvalidRequest.Saying("code_challenge has to be 43 characters of base64url")
	}
	q.Challenge = challenge
	return nil
}

func notBase64URL(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// isState holds the syntax of RFC 6749 appendix A.5, with a bound.
func isState(s string) bool {
	return len(s) <= maxState && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// isText says whether s survives JSON and a database as it is.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// hint is s, or nothing when s is longer than n or no text: a hint never fails a request.
func hint(s string, n int) string {
	if len(s) > n || !isText(s) {
		return ""
	}
	return s
}

// printable keeps of s what an error_description may hold (RFC 6749 §4.1.2.1).
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 60)]
}
