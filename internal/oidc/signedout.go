package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"pocketid/internal/db"
)

const (
	// departedFor is how long the page that says goodbye knows what it is about.
	departedFor = 10 * time.Minute
	// sealDeparture is the purpose under which that travels through the browser.
	sealDeparture = "signed out"
	// maxFrames is how many applications are signed out of by way of the browser, and
	// maxFarewells how many are named.
	maxFrames    = 20
	maxFarewells = 50
)

// A departure is what the page has to know that says goodbye. It travels sealed, so where
// the person goes on to and whose pages are framed is never what somebody wrote into an
// address (threats 27, 32).
type departure struct {
	Session string `json:"session"`
	Client  string `json:"client,omitempty"` // that asked for it
	Return  string `json:"return,omitempty"` // with the state
	Expires int64  `json:"exp"`
}

// departure is where somebody goes who was signed out: to the application that asked, or to
// our page, which tells what happened. By way of our page too when applications hear of it
// by the browser (OpenID Connect Front-Channel Logout §3).
func (p *Provider) departure(tx *db.Tx, sessionID string, l logout, ended []farewell) (string, error) {
	frames, err := framesOf(tx, ended)
	if err != nil || l.Return != "" && frames == 0 || len(ended) == 0 && l.ClientID == "" {
		return l.location(), err
	}
	d := departure{Session: sessionID, Client: l.ClientID, Expires: tx.Now().Add(departedFor).Unix()}
	if l.Return != "" {
		d.Return = l.location()
	}
	plain, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	sealed, err := p.master.Seal(sealDeparture, plain)
	if err != nil {
		return "", err
	}
	q := url.Values{"done": {base64.RawURLEncoding.EncodeToString(sealed)}}
	if l.Locales != "" {
		q.Set("ui_locales", l.Locales)
	}
	return signedOutPage + "?" + q.Encode(), nil
}

// framesOf counts the clients that hear of their end by the browser.
func framesOf(tx *db.Tx, ended []farewell) (n int, err error) {
	if len(ended) == 0 {
		return 0, nil
	}
	ids := make([]any, len(ended))
	for i, f := range ended {
		ids[i] = f.Client
	}
	err = tx.One([]any{&n}, `SELECT count(*) FROM clients WHERE frontchannel_logout <> '' AND deleted_at IS NULL AND id IN (`+db.Marks(len(ids))+`)`, ids...)
	return n, err
}

// A Departure is what the page shows after somebody signed out.
type Departure struct {
	// Return is where they go on to; "" is nowhere. Client is the application that asked.
	Return string
	Client string
	// Launch is where that application starts; "" when it is not known.
	Launch string
	// Apps are those that the session had been at, by name.
	Apps []AppLeft
	// More says that there were others.
	More bool
}

// An AppLeft is an application that somebody was signed out of, or was not.
type AppLeft struct {
	ID, Name string
	// Frame is the page of the application that ends its session, to be shown in a frame; ""
	// is none.
	Frame string
	// Told says that it has answered that its session is over, Trying that it is being told,
	// and Failed that it was given up. When nothing of all this is so, it may still be open.
	Told, Trying, Failed bool

	sid, told string
}

func (a *AppLeft) fields() []any {
	return []any{&a.ID, &a.Name, &a.Frame, &a.sid, &a.told}
}

// Departure is what to show on /signed-out, whose query has done. One that has run out, was
// changed or was never there leaves the plain page.
func (p *Provider) Departure(ctx context.Context, done string) (Departure, error) {
	d, ok := p.openDeparture(done)
	if !ok {
		return Departure{}, nil
	}
	var page Departure
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		page = Departure{}
		if tx.Now().Unix() >= d.Expires {
			return nil
		}
		page.Return = d.Return
		if d.Client != "" {
			c, err := clientByID(tx, d.Client)
			if err != nil && !errors.Is(err, ErrNoClient) {
				return err
			}
			if err == nil {
				page.Client, page.Launch = c.Name, c.LaunchURL
			}
		}
		page.Apps, err = db.All(tx, (*AppLeft).fields, `
			SELECT c.id, c.name, c.frontchannel_logout, s.sid, s.told FROM session_clients s JOIN clients c ON c.id = s.client_id
			WHERE s.session_id = $1 AND s.ended_at IS NOT NULL AND c.deleted_at IS NULL
			ORDER BY c.name_key NULLS LAST, c.id LIMIT $2`, d.Session, maxFarewells+1)
		return err
	})
	if err != nil {
		return Departure{}, err
	}
	if page.More = len(page.Apps) > maxFarewells; page.More {
		page.Apps = page.Apps[:maxFarewells]
	}
	frames := 0
	for i := range page.Apps {
		a := &page.Apps[i]
		a.Told, a.Trying, a.Failed = a.told == toldWell, a.told == toldSoon || a.told == toldAgain, a.told == toldFailed
		if a.Frame == "" {
			continue
		}
		if frames++; frames > maxFrames {
			a.Frame = ""
			continue
		}
		// Both always: a client that does not ask for them may use them (Front-Channel Logout §2).
		a.Frame = withQuery(a.Frame, url.Values{"iss": {p.issuer}, "sid": {a.sid}})
	}
	return page, nil
}

func (p *Provider) openDeparture(done string) (d departure, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(done)
	if err != nil {
		return departure{}, false
	}
	plain, err := p.master.Open(sealDeparture, sealed)
	return d, err == nil && json.Unmarshal(plain, &d) == nil
}
