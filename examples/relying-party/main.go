// Command relying-party is an application that people sign in to: as small as
// it can be while doing what every application should. It knows nothing of
// Pocket ID but its address, and would work with any OpenID provider.
//
//	go run ./examples/relying-party -client-id ID
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	var a app
	flag.StringVar(&a.issuer, "issuer", cmp.Or(os.Getenv("ISSUER"), "http://localhost:1411"), "the address of Pocket ID (ISSUER)")
	flag.StringVar(&a.clientID, "client-id", os.Getenv("CLIENT_ID"), "the client id that Pocket ID shows (CLIENT_ID)")
	flag.StringVar(&a.clientSecret, "client-secret", os.Getenv("CLIENT_SECRET"), "the secret, unless the client is public (CLIENT_SECRET)")
	listen := flag.String("listen", cmp.Or(os.Getenv("LISTEN"), "localhost:8080"), "where this application answers (LISTEN)")
	flag.Parse()
	a.issuer = strings.TrimRight(a.issuer, "/")
	a.self = "http://" + *listen
	a.sessions = map[string]*session{}

	socket, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("This application is at %s\n", a.self)
	if a.clientID == "" {
		fmt.Printf(`
Register it in Pocket ID, at %s/settings/admin/oidc-clients/new:

  Name                      Example
  Redirect URI              %s
  Post-logout redirect URI  %s
  Public client             yes (or no, and pass -client-secret)

and, so that it hears when somebody signs out elsewhere,

  Back-channel logout       %s  (with ALLOWED_PRIVATE_HOSTS=%s for Pocket ID)
  Front-channel logout      %s  (or this one)

then start it again with the client id that is shown:

  go run ./examples/relying-party -client-id ID

`, a.issuer, a.redirectURI(), a.self+"/", a.self+"/backchannel-logout", *listen, a.self+"/frontchannel-logout")
	}
	server := &http.Server{Handler: a.routes(), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10}
	log.Fatal(server.Serve(socket))
}

// app is the application: how it is registered, and who is signed in.
type app struct {
	issuer, clientID, clientSecret, self string

	mu       sync.Mutex
	provider *oidc.Provider // found by discovery at the first sign-in
	sessions map[string]*session
}

// session is one browser. Its id is in a cookie; all else stays here.
type session struct {
	id string

	// While a sign-in is under way: what the answer must carry.
	state, nonce, verifier string

	// Afterwards. sid is what the provider calls its session.
	sid      string
	token    *oauth2.Token
	idToken  string
	claims   map[string]any
	userinfo map[string]any
	refreshs int
	notice   string
	fault    string
}

func (a *app) redirectURI() string { return a.self + "/callback" }

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /sign-in", a.signIn)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /refresh", a.refresh)
	mux.HandleFunc("POST /sign-out", a.signOut)
	mux.HandleFunc("POST /backchannel-logout", a.backchannel)
	mux.HandleFunc("GET /frontchannel-logout", a.frontchannel)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		fmt.Fprint(w, style)
	})
	guard := http.NewCrossOriginProtection() // no other website signs people in or out here
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self' "+a.issuer+"; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		mux.ServeHTTP(w, r)
	}))
}

// discover reads the provider's addresses and keys from its issuer, once.
func (a *app) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.provider == nil {
		// The provider keeps this context to fetch keys by, so it is not the request's.
		p, err := oidc.NewProvider(context.WithoutCancel(ctx), a.issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask %s about itself: %w", a.issuer, err)
		}
		a.provider = p
	}
	return a.provider, &oauth2.Config{
		ClientID: a.clientID, ClientSecret: a.clientSecret, Endpoint: a.provider.Endpoint(), RedirectURL: a.redirectURI(),
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups", oidc.ScopeOfflineAccess},
	}, nil
}

// signIn sends the browser to the provider. State binds the answer to this
// browser, nonce binds the ID token to this request, and the verifier (PKCE)
// binds the code to this application.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	_, config, err := a.discover(r.Context())
	s := a.fresh(w, r)
	if err != nil {
		a.fail(w, r, s, err)
		return
	}
	s.state, s.nonce, s.verifier = rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	http.Redirect(w, r, config.AuthCodeURL(s.state, oidc.Nonce(s.nonce), oauth2.S256ChallengeOption(s.verifier)), http.StatusSeeOther)
}

// callback is where the provider sends the browser back to.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	if err := a.finish(r, s); err != nil {
		a.fail(w, r, s, err)
		return
	}
	next := a.fresh(w, r) // a new id for a new privilege
	next.token, next.idToken, next.claims, next.userinfo = s.token, s.idToken, s.claims, s.userinfo
	a.mu.Lock()
	next.sid = text(s.claims["sid"])
	a.mu.Unlock()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// finish checks the answer and exchanges the code for tokens.
func (a *app) finish(r *http.Request, s *session) error {
	provider, config, err := a.discover(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	switch {
	case s.state == "" || q.Get("state") != s.state:
		return errors.New("this answer belongs to another sign-in; start again")
	case q.Has("iss") && q.Get("iss") != a.issuer: // RFC 9207
		return fmt.Errorf("this answer comes from %s", q.Get("iss"))
	case q.Get("error") != "":
		return fmt.Errorf("%s: %s", q.Get("error"), q.Get("error_description"))
	}
	s.state = "" // it works once
	token, err := config.Exchange(r.Context(), q.Get("code"), oauth2.VerifierOption(s.verifier))
	if err != nil {
		return fmt.Errorf("exchange the code: %w", err)
	}
	if err := a.keep(r.Context(), provider, s, token); err != nil {
		return err
	}
	if s.claims["nonce"] != s.nonce {
		return errors.New("the ID token was made for another sign-in")
	}
	info, err := provider.UserInfo(r.Context(), oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("ask who this is: %w", err)
	}
	if info.Subject != s.claims["sub"] { // OpenID Connect Core §5.3.2
		return errors.New("userinfo speaks of somebody else")
	}
	return info.Claims(&s.userinfo)
}

// keep verifies the ID token, when there is one, and keeps what came.
func (a *app) keep(ctx context.Context, provider *oidc.Provider, s *session, token *oauth2.Token) error {
	s.token = token
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil // a refresh may come without
	}
	verified, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: a.clientID}).Verify(ctx, raw)
	if err != nil {
		return fmt.Errorf("verify the ID token: %w", err)
	}
	s.idToken, s.claims = raw, nil
	return verified.Claims(&s.claims)
}

// refresh asks for new tokens without the person.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	provider, config, err := a.discover(r.Context())
	if err == nil && (s == nil || s.token == nil || s.token.RefreshToken == "") {
		err = errors.New("there is no refresh token")
	}
	if s == nil {
		s = a.fresh(w, r)
	}
	if err != nil {
		a.fail(w, r, s, err)
		return
	}
	token, err := config.TokenSource(r.Context(), &oauth2.Token{RefreshToken: s.token.RefreshToken}).Token()
	if err == nil {
		err = a.keep(r.Context(), provider, s, token)
	}
	if err != nil {
		a.fail(w, r, s, fmt.Errorf("refresh: %w", err))
		return
	}
	s.refreshs++
	s.notice = fmt.Sprintf("New tokens at %s, for the %s time.", time.Now().Format(time.TimeOnly), ordinal(s.refreshs))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut forgets the person here, and asks the provider to end the session
// there as well (RP-Initiated Logout).
func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	a.forget(w, s)
	target := "/"
	if provider, _, err := a.discover(r.Context()); err == nil && s != nil {
		var known struct {
			EndSession string `json:"end_session_endpoint"`
		}
		if provider.Claims(&known) == nil && known.EndSession != "" {
			target = known.EndSession + "?" + url.Values{
				"id_token_hint": {s.idToken}, "client_id": {a.clientID}, "post_logout_redirect_uri": {a.self + "/"}, "state": {"signed-out"},
			}.Encode()
		}
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

const cookie = "example-session"

// session is the session of this browser, or nil.
func (a *app) session(r *http.Request) *session {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sessions[c.Value]
}

// fresh gives this browser a new session in place of the one that it has.
func (a *app) fresh(w http.ResponseWriter, r *http.Request) *session {
	a.forget(w, a.session(r))
	s := &session{id: rand.Text()}
	a.mu.Lock()
	a.sessions[s.id] = s
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return s
}

// forget ends a session.
func (a *app) forget(w http.ResponseWriter, s *session) {
	if s == nil {
		return
	}
	a.mu.Lock()
	delete(a.sessions, s.id)
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// fail shows on the page what went wrong.
func (a *app) fail(w http.ResponseWriter, r *http.Request, s *session, err error) {
	log.Print(err)
	s.fault, s.state = err.Error(), ""
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// home shows who is signed in, or how to begin.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	view := struct {
		Issuer, ClientID, Redirect, Self, Fault, Notice, Name, Header, Expires string
		SignedIn, SignedOut, CanRefresh                                        bool
		Claims, Userinfo                                                       []claim
	}{Issuer: a.issuer, ClientID: a.clientID, Redirect: a.redirectURI(), Self: a.self + "/", SignedOut: r.URL.Query().Get("state") == "signed-out"}
	if s := a.session(r); s != nil {
		view.Fault, view.Notice, s.fault, s.notice = s.fault, s.notice, "", ""
		if s.token != nil {
			view.SignedIn, view.CanRefresh, view.SignedOut = true, s.token.RefreshToken != "", false
			view.Claims, view.Userinfo, view.Header = sorted(s.claims), sorted(s.userinfo), header(s.idToken)
			view.Expires = s.token.Expiry.Format(time.TimeOnly)
			view.Name = cmp.Or(text(s.userinfo["name"]), text(s.claims["name"]), text(s.claims["sub"]))
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, view); err != nil {
		log.Print(err)
	}
}

type claim struct{ Name, Value string }

// sorted is a set of claims as the page shows it.
func sorted(claims map[string]any) (list []claim) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		value := text(claims[name])
		if n, ok := claims[name].(float64); ok && slices.Contains([]string{"exp", "iat", "auth_time", "updated_at"}, name) {
			value = time.Unix(int64(n), 0).Format(time.DateTime)
		}
		list = append(list, claim{name, value})
	}
	return list
}

// text is a claim's value in one line.
func text(v any) string {
	if s, ok := v.(string); ok || v == nil {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// header is the first part of a token: the algorithm and the key.
func header(token string) string {
	first, _, _ := strings.Cut(token, ".")
	b, _ := base64.RawURLEncoding.DecodeString(first)
	return string(b)
}

func ordinal(n int) string {
	if n < 4 {
		return []string{"", "first", "second", "third"}[n]
	}
	return fmt.Sprint(n, "th")
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{if .SignedIn}}{{.Name}} · {{end}}Example application</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><strong>Example application</strong>{{if .SignedIn}}<form method="post" action="/sign-out"><button id="sign-out">Sign out</button></form>{{end}}</header>
<main>
{{with .Fault}}<p class="note bad" role="alert" id="fault">{{.}}</p>{{end}}
{{with .Notice}}<p class="note" role="status" id="notice">{{.}}</p>{{end}}
{{if .SignedIn}}
<h1 id="hello">Hello, {{.Name}}</h1>
<p>You signed in at <a href="{{.Issuer}}">{{.Issuer}}</a>. The access token is good until {{.Expires}}.</p>
{{if .CanRefresh}}<form method="post" action="/refresh"><button id="refresh" class="main">Refresh the tokens</button></form>{{end}}
<section aria-labelledby="c"><h2 id="c">ID token</h2><p class="mono">{{.Header}}</p><dl id="claims">{{range .Claims}}<div><dt>{{.Name}}</dt><dd>{{.Value}}</dd></div>{{end}}</dl></section>
<section aria-labelledby="u"><h2 id="u">Userinfo</h2><dl id="userinfo">{{range .Userinfo}}<div><dt>{{.Name}}</dt><dd>{{.Value}}</dd></div>{{end}}</dl></section>
{{else if .ClientID}}
{{if .SignedOut}}<p class="note" role="status" id="signed-out">You are signed out, here and at {{.Issuer}}.</p>{{end}}
<h1>You are not signed in</h1>
<p>This application leaves that to <a href="{{.Issuer}}">{{.Issuer}}</a>.</p>
<form method="post" action="/sign-in"><button id="sign-in" class="main">Sign in</button></form>
{{else}}
<h1>Not registered yet</h1>
<p>Register this application at <a href="{{.Issuer}}/settings/admin/oidc-clients/new">{{.Issuer}}</a> with these values, then start it again with <code>-client-id</code>.</p>
<dl><div><dt>Redirect URI</dt><dd>{{.Redirect}}</dd></div><div><dt>Post-logout redirect URI</dt><dd>{{.Self}}</dd></div><div><dt>Public client</dt><dd>yes, or no and pass -client-secret</dd></div></dl>
{{end}}
</main>
</body>
</html>
`))

const style = `
:root{color-scheme:light dark;--bg:light-dark(#f8f7f5,#16181d);--card:light-dark(#fff,#1e2128);--line:light-dark(#e3e1de,#343842);--text:light-dark(#1f2430,#eceef3);--muted:light-dark(#5b606d,#a9aebb);--fill:light-dark(#1d6b45,#7fd6a6);--on:light-dark(#fff,#10241a);--soft:light-dark(#e4f5ea,#1c3427);--bad:light-dark(#fdeceb,#43201f)}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
header{display:flex;align-items:center;justify-content:space-between;gap:1rem;padding:.75rem clamp(1rem,5vw,3rem);border-bottom:1px solid var(--line);background:var(--card)}
main{max-width:48rem;margin:0 auto;padding:2.5rem clamp(1rem,5vw,3rem) 4rem;display:grid;gap:1.25rem}
h1,h2,p,dl,dd{margin:0}h1{font-size:1.75rem;line-height:1.2}h2{font-size:1.05rem}
a{color:inherit}p{color:var(--muted)}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.25rem;display:grid;gap:.75rem}
dl{display:grid;gap:.5rem}dl div{display:grid;grid-template-columns:minmax(8rem,12rem) 1fr;gap:1rem;border-top:1px solid var(--line);padding-top:.5rem}
dt{color:var(--muted)}dd,.mono,code{font:.875rem/1.6 ui-monospace,monospace;overflow-wrap:anywhere}
button{font:inherit;padding:.5rem 1.1rem;border-radius:.5rem;border:1px solid var(--line);background:var(--card);color:var(--text);cursor:pointer}
button.main{background:var(--fill);border-color:transparent;color:var(--on);font-weight:600;padding:.7rem 1.5rem}
button:focus-visible,a:focus-visible{outline:2px solid var(--fill);outline-offset:2px}
.note{background:var(--soft);color:var(--text);padding:.75rem 1rem;border-radius:.5rem;overflow-wrap:anywhere}.note.bad{background:var(--bad)}
@media(max-width:36rem){dl div{grid-template-columns:1fr;gap:0}}
`
