package oidc

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/dbtest"
	"pocketid/internal/jobs"
	"pocketid/internal/outbound"
)

// A process that dies between the sign-out and the telling loses nothing: what is to be told
// was committed with the end of the session, and whoever comes next tells it, also when the
// session is long gone. A real socket hears it.
func TestADeadProcessLosesNoFarewell(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		heard := make(chan string, 10)
		var fails sync.Once
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("it followed a redirect")
			}
			body, _ := io.ReadAll(r.Body)
			heard <- string(body)
			fails.Do(func() { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(http.StatusFound) })
		}))
		defer server.Close()
		private, err := outbound.ParsePrivate(strings.TrimPrefix(server.URL, "http://"))
		must(t, err)
		h := newHouse(t, d)
		h.p.outbound = outbound.New(outbound.Config{Private: private})
		c := h.relyingParty(ClientEdit{BackchannelLogout: server.URL + "/out", IDTokenAlg: "ES256"})
		l := c.login("ada", "openid")
		began := time.Now()
		if _, err := h.p.ConfirmLogout(t.Context(), l.browser.visitor(), ""); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < patience {
			t.Errorf("nobody told the client, and the person waited for %s only", waited)
		}
		// The process died when it had begun to tell; another one finds its claim run out, and
		// nothing is left of the session.
		h.write(func(tx *db.Tx) {
			tx.Do(`UPDATE jobs SET locked_to = $1, tries = 1 WHERE kind = $2`, tx.Now().Add(300*time.Millisecond).UnixMicro(), tellClient)
			tx.Do(`DELETE FROM sessions`)
		})
		other := newHouse(t, d)
		other.p.outbound = h.p.outbound
		r := jobs.New(d)
		r.Poll = 50 * time.Millisecond
		other.p.Work(r)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx) })
		defer running.Wait()
		defer stop()
		told := func() map[string]any {
			t.Helper()
			select {
			case body := <-heard:
				form, err := url.ParseQuery(body)
				must(t, err)
				_, claims := claimsOf(t, form.Get("logout_token"))
				if len(form) != 1 || claims["sid"] != l.sid || claims["sub"] != l.user.ID {
					t.Errorf("it heard %s", body)
				}
				return claims
			case <-time.After(20 * time.Second):
				t.Fatal("the client was not told")
				return nil
			}
		}
		first := told()
		for range 200 { // the redirect is a failure that is tried again
			if h.count(`SELECT count(*) FROM audit WHERE event = 'logout.failed'`)+h.count(`SELECT count(*) FROM jobs WHERE kind = $1 AND error IS NOT NULL`, tellClient) > 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		h.write(func(tx *db.Tx) { tx.Do(`UPDATE jobs SET run_at = 0 WHERE kind = $1`, tellClient) })
		if told()["jti"] == first["jti"] {
			t.Error("the token came twice")
		}
		for range 200 {
			if h.count(`SELECT count(*) FROM jobs WHERE kind = $1`, tellClient) == 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if n := h.count(`SELECT count(*) FROM audit WHERE event = 'logout.delivered'`); n != 1 {
			t.Errorf("the log says so %d times", n)
		}
	})
}

// A process that dies after it has told a client, and before it has struck the job out,
// leaves the job to another one, which does not tell it again.
func TestWhatWasToldIsNotToldAgain(t *testing.T) {
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		heard := 0
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard++ }))
		defer server.Close()
		private, err := outbound.ParsePrivate(strings.TrimPrefix(server.URL, "http://"))
		must(t, err)
		h := newHouse(t, d)
		h.p.outbound = outbound.New(outbound.Config{Private: private})
		c := h.relyingParty(ClientEdit{BackchannelLogout: server.URL + "/out", IDTokenAlg: "ES256"})
		l := c.login("ada", "openid")
		if _, err := h.p.ConfirmLogout(t.Context(), l.browser.visitor(), ""); err != nil {
			t.Fatal(err)
		}
		var body string
		h.write(func(tx *db.Tx) { must(t, tx.One([]any{&body}, `SELECT body FROM jobs WHERE kind = $1`, tellClient)) })
		for range 2 {
			must(t, h.p.tellClient(t.Context(), body))
		}
		if n := h.count(`SELECT count(*) FROM audit WHERE event = 'logout.delivered'`); heard != 1 || n != 1 {
			t.Errorf("the client heard it %d times, and the log says so %d times", heard, n)
		}
	})
}

// A client that is allowed again after the end knows the session by another name.
func TestASidIsNeverUsedAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c := h.relyingParty(ClientEdit{})
		l := c.login("ada", "openid")
		h.write(func(tx *db.Tx) {
			if got := newSid(tx, l.session, c.ID); got != l.sid {
				t.Errorf("the sid changed to %s", got)
			}
			if _, err := endSids(tx, `user_id = $3 AND client_id = $4`, l.user.ID, c.ID); err != nil {
				t.Error(err)
			}
			if got := newSid(tx, l.session, c.ID); got == l.sid || got == "" {
				t.Errorf("after its end the sid is %q", got)
			}
		})
	})
}
