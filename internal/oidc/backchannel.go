package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
)

const (
	// typLogout is the type of a logout token (OpenID Connect Back-Channel Logout §2.4).
	typLogout = "logout+jwt"
	// logoutEvent is what a logout token says that happened, and logoutTokenFor how long
	// it may be believed (§2.4, §2.6).
	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
	logoutTokenFor = 2 * time.Minute

	tellTimeout = 5 * time.Second
	tellMax     = 256 << 10 // bytes of an answer that nobody reads
	// tellAtOnce clients are told at the same time, of which one client may take up no more
	// than tellEach: one that hangs does not keep the others waiting.
	tellAtOnce = 16
	tellEach   = 4
	// tellBusy is how long an end waits whose client hears of tellEach others just now.
	tellBusy = 5 * time.Second
)

// tellWaits are how long a client is left alone that did not answer well. After the last
// of these tries, an hour after the first, it is given up.
var tellWaits = []time.Duration{30 * time.Second, 3 * time.Minute, 12 * time.Minute, 45 * time.Minute}

// logoutClaims are the claims of a logout token (OpenID Connect Back-Channel Logout §2.4).
// There is no nonce, so it never passes for an ID token.
type logoutClaims struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub,omitempty"`
	Audience string              `json:"aud"`
	IssuedAt int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	Events   map[string]struct{} `json:"events"`
	Sid      string              `json:"sid,omitempty"`
}

// logoutToken signs a token that tells c of an end. It names the session always, so that a
// client ends no more than that one, and who it is about wherever that is known.
func (p *Provider) logoutToken(ctx context.Context, c *Client, f farewell, at time.Time) (string, error) {
	claims := logoutClaims{Issuer: p.issuer, Audience: c.ID, IssuedAt: at.Unix(), Expires: at.Add(logoutTokenFor).Unix(),
		ID: secret.ID(), Events: map[string]struct{}{logoutEvent: {}}, Sid: f.Sid}
	if f.User != "" {
		claims.Subject = p.subject(c, f.User)
	}
	return p.keys.Sign(ctx, c.IDTokenAlg, typLogout, claims)
}

// tellClient is a job: it tells one client of one end (OpenID Connect Back-Channel Logout
// §2.5). What became of it is in the log, and on the page that the person sees meanwhile.
func (p *Provider) tellClient(ctx context.Context, body string) error {
	var f farewell
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		return fmt.Errorf("read a farewell: %w", err)
	}
	if !p.farewells.begin(f) {
		return jobs.Later(tellBusy)
	}
	defer p.farewells.end(f)
	var c *Client
	var now time.Time
	var told string
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.Now()
		if err := tx.One([]any{&told}, `SELECT told FROM session_clients WHERE sid = $1`, f.Sid); err != nil && !errors.Is(err, db.ErrNotFound) { // purged
			return err
		}
		c, err = clientEvenDeleted(tx, f.Client)
		return err
	})
	if err == nil && told == toldWell {
		return nil // by a process that died before it could strike the job out
	}
	if errors.Is(err, ErrNoClient) || err == nil && c.BackchannelLogout == "" {
		return nil // it is gone, or does not want to hear of it any more
	}
	if err != nil {
		return err
	}
	token, err := p.logoutToken(ctx, c, f, now)
	if err != nil {
		return err
	}
	answer, failed := p.outbound.Do(ctx, outbound.Request{
		URL: c.BackchannelLogout, Form: url.Values{"logout_token": {token}}, Timeout: tellTimeout, Max: tellMax,
	})
	if ctx.Err() != nil {
		return ctx.Err() // the process stops, so nobody knows what the client heard
	}
	data := map[string]any{"session": f.Session}
	switch {
	case failed != nil:
		data["reason"] = tellReason(failed)
	case answer.Status != http.StatusOK && answer.Status != http.StatusNoContent:
		data["status"], failed = answer.Status, fmt.Errorf("the client answered %d", answer.Status)
	default:
		data["status"] = answer.Status
	}
	try, last := jobs.Try(ctx)
	data["try"] = try
	if err := p.db.Write(ctx, func(tx *db.Tx) error {
		told, event := toldWell, audit.LogoutDelivered
		if failed != nil {
			told, event = toldAgain, audit.LogoutFailed
			if last {
				told = toldFailed
			}
		}
		tx.Do(`UPDATE session_clients SET told = $2 WHERE sid = $1`, f.Sid, told)
		if failed == nil || try == 1 || last { // what lies between says nothing new
			audit.Record(tx, audit.System("job"), audit.Event{Name: event, Object: c.object(), User: f.User, Client: c.ID, Data: data})
		}
		return nil
	}); err != nil {
		return err
	}
	if last {
		return nil
	}
	return failed
}

// tellReason is why nothing came back, in a word for the log.
func tellReason(err error) string {
	switch {
	case errors.Is(err, outbound.ErrForbidden):
		return "forbidden"
	case errors.Is(err, outbound.ErrRedirected):
		return "redirected"
	case errors.Is(err, outbound.ErrTooLarge):
		return "too_large"
	}
	return "unreachable"
}

// farewells are what clients are being told in this process now, and who waits for that.
type farewells struct {
	mu      sync.Mutex
	talking map[string]int // client -> how many
	watches map[*watch]bool
}

// A watch sees how many clients of one session were told since it began.
type watch struct {
	session string
	told    int
	news    chan struct{}
}

// begin says whether f may be told now.
func (w *farewells) begin(f farewell) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.talking[f.Client] >= tellEach {
		return false
	}
	if w.talking == nil {
		w.talking = map[string]int{}
	}
	w.talking[f.Client]++
	return true
}

// end says that f was told, or was not.
func (w *farewells) end(f farewell) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.talking[f.Client]--; w.talking[f.Client] == 0 {
		delete(w.talking, f.Client)
	}
	for x := range w.watches {
		if x.session == f.Session {
			x.told++
			select {
			case x.news <- struct{}{}:
			default:
			}
		}
	}
}

// watch begins to count for a session. Whoever calls it forgets it in the end.
func (w *farewells) watch(session string) *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watches == nil {
		w.watches = map[*watch]bool{}
	}
	x := &watch{session: session, news: make(chan struct{}, 1)}
	w.watches[x] = true
	return x
}

func (w *farewells) forget(x *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watches, x)
}

// wait returns when n clients were told, or tried for the first time, and after most at
// the latest.
func (w *farewells) wait(ctx context.Context, x *watch, n int, most time.Duration) {
	t := time.NewTimer(most)
	defer t.Stop()
	for {
		w.mu.Lock()
		told := x.told
		w.mu.Unlock()
		if told >= n {
			return
		}
		select {
		case <-x.news:
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
