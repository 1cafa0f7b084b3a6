package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/outbound"
	"pocketid/internal/overview"
)

const (
	askFor     = 5 * time.Second
	maxAnswer  = 1 << 20
	certSoon   = 14 * 24 * time.Hour // a certificate that ends so soon is not renewed by itself
	dateWarn   = 5 * time.Second
	dateBad    = time.Minute
	forgedHost = "doctor.invalid" // RFC 2606 keeps that name free
)

// An examiner asks over the network. It believes certificates that do not fit, because
// what they are is a finding of its own; it reads nothing but public documents.
type examiner struct {
	*checkup
	roots *x509.CertPool // nil are those of the system, or those brought along
	kids  []string       // of the signing keys in the database
	by    string         // the path of the Unix socket to ask by, or ""
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	at     time.Time // in the middle of the request
	tls    *tls.ConnectionState
}

// ask gets an address, with headers in pairs. Redirects are answers.
func (x *examiner) ask(ctx context.Context, address string, header ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "pocket-id doctor")
	for i := 0; i+1 < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	client := http.Client{
		Transport:     app.Through(x.by),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	sent := time.Now()
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode, header: res.Header, tls: res.TLS, at: sent.Add(time.Since(sent) / 2)}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return a, err
}

// here asks the server on this machine.
func (x examiner) here(ctx context.Context, at spot) {
	x.by = at.socket
	endpoint := at.address
	a, err := x.ask(ctx, endpoint+"/healthz")
	switch {
	case err != nil:
		x.add(here, "server", overview.Bad, "The server does not run here", fmt.Sprintf("Nothing answers at %s: %s.", at, short(err)),
			"Start it. If it runs in another container or listens elsewhere, say where with --endpoint or --unix-socket, or run the doctor there.")
		return
	case a.status != http.StatusNoContent:
		x.add(here, "server", overview.Bad, "Something else answers", fmt.Sprintf("%s/healthz answers %d, and the server would answer 204.", endpoint, a.status), "Stop what uses the port, or choose another by PORT.")
		return
	}
	x.add(here, "server", overview.OK, "The server runs", "It answers at "+at.String()+".", "")
	if a, err = x.ask(ctx, endpoint+"/readyz"); err != nil || a.status != http.StatusNoContent {
		x.add(here, "ready", overview.Bad, "The server is not ready", "It runs, but wants no requests: it stops, has no database, or its clock differs from the database's.", "Its log says why.")
	} else {
		x.add(here, "ready", overview.OK, "The server is ready", "It has its database and the time.", "")
	}
	x.keys(ctx, here, endpoint, "The server runs on another database", "Run the doctor with the settings of the server: the same DB_CONNECTION_STRING, in the same directory.")
}

// outside asks APP_URL, as a browser and an application do.
func (x *examiner) outside(ctx context.Context, c app.Config) {
	base := c.PublicURL.String()
	a, err := x.ask(ctx, base+"/healthz")
	if err != nil {
		x.add(outside, "reach", overview.Bad, "APP_URL cannot be reached from here", fmt.Sprintf("%s: %s.", base, short(err)), reachCure(err, c.PublicURL))
		return
	}
	if a.status != http.StatusNoContent {
		text := fmt.Sprintf("%s/healthz answers %d, and the server would answer 204.", base, a.status)
		if to := a.header.Get("Location"); to != "" {
			text = fmt.Sprintf("%s/healthz leads on to %s.", base, plain(to))
		}
		x.add(outside, "reach", overview.Bad, "Something else answers at APP_URL", text, "Let the proxy pass all paths on to this server, or set APP_URL to the address that people open, and restart.")
		return
	}
	x.add(outside, "reach", overview.OK, "APP_URL answers", base, "")
	x.certificate(a, c.PublicURL)
	x.date(a)
	x.discovery(ctx, base)
	x.keys(ctx, outside, base, "APP_URL leads to another Pocket ID", "Let the name and the proxy lead to this server, or set APP_URL to its own address and restart.")
	x.plainHTTP(ctx, c.PublicURL)
	x.forwarded(ctx, base)
}

// reachCure is what helps against an error of the network.
func reachCure(err error, u *url.URL) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "Make a DNS record for " + u.Hostname() + " that leads to the proxy in front of this server."
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "Open the port in the firewall. If other machines reach it, this one only cannot reach its own public address, which harms nobody; --inside leaves the network out."
	}
	return "Start the proxy in front, and let it listen on the port of APP_URL. If other machines reach it, this one only cannot; --inside leaves the network out."
}

// certificate looks at the certificate of APP_URL as a browser does.
func (x *examiner) certificate(a *answer, u *url.URL) {
	if a.tls == nil || len(a.tls.PeerCertificates) == 0 {
		return
	}
	leaf, now := a.tls.PeerCertificates[0], time.Now()
	rest := x509.NewCertPool()
	for _, c := range a.tls.PeerCertificates[1:] {
		rest.AddCert(c)
	}
	outbound.BringRoots()
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: u.Hostname(), Roots: x.roots, Intermediates: rest})
	left := leaf.NotAfter.Sub(now)
	until := "It ends on " + leaf.NotAfter.Local().Format(time.DateOnly) + "."
	switch {
	case left <= 0:
		x.add(outside, "certificate", overview.Bad, "The certificate has ended", until, "Renew it at the proxy, and see why that did not happen by itself.")
	case now.Before(leaf.NotBefore):
		x.add(outside, "certificate", overview.Bad, "The certificate does not count yet", "It begins on "+leaf.NotBefore.Local().Format(time.DateOnly)+".", "Set the clock of this machine or of the one that made it.")
	case err != nil:
		cure := "Give the proxy a certificate that browsers trust."
		if host, ok := errors.AsType[x509.HostnameError](err); ok {
			cure = "Give the proxy a certificate for " + host.Host + "."
		} else if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && len(a.tls.PeerCertificates) == 1 {
			cure = "Let the proxy send the whole chain (often called fullchain.pem) and not the certificate alone; one that signs itself is trusted by no browser, and passkeys need one that is."
		}
		x.add(outside, "certificate", overview.Bad, "Browsers do not trust the certificate", plain(err.Error())+".", cure)
	case left < certSoon:
		x.add(outside, "certificate", overview.Warn, "The certificate ends soon", until, "Renew it at the proxy, and see why that has not happened by itself.")
	default:
		x.add(outside, "certificate", overview.OK, "Browsers trust the certificate", until, "")
	}
}

// date compares the clock of this machine with that of what answers.
func (x *examiner) date(a *answer) {
	their, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return
	}
	off := a.at.Sub(their.Add(500 * time.Millisecond)).Abs() // they leave the fraction of the second out
	text := "This machine and the server differ by " + max(off-500*time.Millisecond, 0).Round(time.Second).String() + "."
	cure := "Let both set their clocks by NTP: tokens of a wrong time are refused."
	switch {
	case off > dateBad:
		x.add(outside, "date", overview.Bad, "The clocks disagree", text, cure)
	case off > dateWarn:
		x.add(outside, "date", overview.Warn, "The clocks disagree", text, cure)
	default:
		x.add(outside, "date", overview.OK, "The clocks agree", text, "")
	}
}

// discovery reads what applications configure themselves from.
func (x *examiner) discovery(ctx context.Context, base string) {
	address := base + "/.well-known/openid-configuration"
	cure := "Let the proxy pass /.well-known/ on to this server unchanged."
	a, err := x.ask(ctx, address)
	if err != nil {
		x.add(outside, "discovery", overview.Bad, "Applications cannot read the discovery document", short(err)+".", cure)
		return
	}
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(a.body, &document); err != nil || a.status != http.StatusOK {
		x.add(outside, "discovery", overview.Bad, "Applications cannot read the discovery document", fmt.Sprintf("%s answers %d, and not the document.", address, a.status), cure)
		return
	}
	if document.Issuer != base {
		x.add(outside, "discovery", overview.Bad, "The issuer is not APP_URL", fmt.Sprintf("The server says %s, and APP_URL is %s here.", plain(document.Issuer), base), "Run the doctor with the settings of the server, or restart the server with these.")
		return
	}
	x.add(outside, "discovery", overview.OK, "Applications can read the discovery document", "The issuer is APP_URL.", "")
}

// keys reads the signing keys at an address and compares them with those of the database.
func (x *examiner) keys(ctx context.Context, where, base, other, cure string) {
	a, err := x.ask(ctx, base+"/.well-known/jwks.json")
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err == nil {
		err = json.Unmarshal(a.body, &set)
	}
	switch {
	case err != nil || a.status != http.StatusOK:
		x.add(where, "keys", overview.Bad, "The signing keys cannot be read", base+"/.well-known/jwks.json does not answer with them.", "The log of the server says why.")
		return
	case len(set.Keys) == 0:
		x.add(where, "keys", overview.Bad, "There are no signing keys", "No application can check a token.", "They are made seconds after the first start. If they stay away, the log of the server says why.")
		return
	}
	known := x.kids == nil
	for _, k := range set.Keys {
		known = known || slices.Contains(x.kids, k.ID)
	}
	if !known {
		x.add(where, "keys", overview.Bad, other, "None of the signing keys at "+base+" is in this database.", cure)
		return
	}
	x.add(where, "keys", overview.OK, "The signing keys can be read", fmt.Sprintf("There are %d at %s.", len(set.Keys), base), "")
}

// plainHTTP says whether the address without TLS leads to the one with it.
func (x *examiner) plainHTTP(ctx context.Context, u *url.URL) {
	if u.Scheme != "https" || u.Port() != "" {
		return
	}
	a, err := x.ask(ctx, "http://"+u.Host+"/login")
	switch {
	case err != nil:
		x.add(outside, "redirect", overview.OK, "Without TLS nothing answers", "http://"+u.Host+" is closed.", "")
	case a.status >= 300 && a.status < 400 && strings.HasPrefix(strings.ToLower(a.header.Get("Location")), "https://"):
		x.add(outside, "redirect", overview.OK, "http leads to https", "http://"+u.Host+" leads on.", "")
	default:
		x.add(outside, "redirect", overview.Warn, "http does not lead to https", fmt.Sprintf("http://%s/login answers %d. Who types the address without https sees a page that cannot sign them in.", u.Host, a.status),
			"Let the proxy redirect all of http to https.")
	}
}

// forwarded says whether pages arrive under the right name, and whether the headers that
// tell of it can be forged by whoever asks.
func (x *examiner) forwarded(ctx context.Context, base string) {
	a, err := x.ask(ctx, base+"/login", "Accept", "text/html")
	if err != nil || a.status != http.StatusOK && (a.status < 300 || a.status > 399) {
		text := "The sign-in page does not answer."
		if err == nil {
			text = fmt.Sprintf("The sign-in page answers %d.", a.status)
		}
		x.add(outside, "proxy", overview.Bad, "Pages do not arrive under APP_URL", text, "Let the proxy pass Host and X-Forwarded-Proto on as they came, and name it in TRUST_PROXY.")
		return
	}
	x.add(outside, "proxy", overview.OK, "Pages arrive under APP_URL", base+"/login", "")
	forged, err := x.ask(ctx, base+"/login", "Accept", "text/html", "X-Forwarded-Host", forgedHost)
	if err != nil {
		return
	}
	if forged.status != a.status {
		x.add(outside, "forged", overview.Warn, "Whoever asks can forge what the proxy should say", "X-Forwarded-Host of a stranger is believed, and so perhaps is X-Forwarded-For, by which limits and the log tell people apart.",
			"Let the proxy overwrite X-Forwarded-Host and X-Forwarded-Proto, and name the proxy in TRUST_PROXY instead of true.")
		return
	}
	x.add(outside, "forged", overview.OK, "Strangers are not believed about proxies", "A forged X-Forwarded-Host changes nothing.", "")
}

// short is what an error of the network says, without the address again.
func short(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + askFor.String()
	}
	return plain(err.Error())
}
