package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jobs"
)

// ErrNoConsent answers somebody who takes back what they did not give.
var ErrNoConsent = fault.New(fault.NotFound, "consent_not_found")

// lastUsedEvery is how often a time of last use is written.
const lastUsedEvery = time.Hour

// A consent is what a user allowed a client, once and for all requests that ask for
// no more.
type consent struct {
	allowance
	lastUsedAt time.Time
}

// An allowance is what somebody allowed: scopes of the house and permissions at APIs.
type allowance struct {
	Scopes    []string `json:"scopes"`
	Resources []Target `json:"resources"`
}

// covers says whether all of want is in a.
func (a *allowance) covers(want allowance) bool {
	return covers(a.Scopes, want.Scopes) && reaches(a.Resources, want.Resources)
}

// with is a with what more has beside it.
func (a *allowance) with(more allowance) allowance {
	merged := allowance{slices.Clone(a.Scopes), mergeTargets(a.Resources, more.Resources)}
	for _, s := range more.Scopes {
		if !slices.Contains(merged.Scopes, s) {
			merged.Scopes = append(merged.Scopes, s)
		}
	}
	return merged
}

// remember notes what the user allowed the client and says whether that is more than was
// allowed before. What is remembered grows and never shrinks: a request for less takes
// nothing back (threats 13).
func remember(tx *db.Tx, userID, clientID string, old *consent, allowed allowance) bool {
	merged := allowed.with(allowance{})
	if old != nil {
		if old.covers(allowed) {
			return false
		}
		merged = old.with(allowed)
	}
	now := tx.Now()
	tx.Do(`
		INSERT INTO consents (user_id, client_id, scopes, resources, created_at, updated_at, last_used_at)
		VALUES ($1, $2, $3, $4, $5, $5, $5)
		ON CONFLICT (user_id, client_id) DO UPDATE SET
			scopes = excluded.scopes, resources = excluded.resources, updated_at = excluded.updated_at, last_used_at = excluded.last_used_at`,
		userID, clientID, db.JSON(&merged.Scopes), db.JSON(&merged.Resources), db.Time(&now))
	return true
}

// An Allowed is an application that may use somebody's account now.
type Allowed struct {
	ClientID    string
	Name        string
	Description string
	// LaunchURL is where the application starts; "" when it is not known.
	LaunchURL string
	// Kind is how it came here, ReauthRequired that each sign-in needs the passkey.
	Kind           string
	ReauthRequired bool
	// Logo says which logos it has here.
	Logo Logo
	// Scopes are what it may have: of the consent, or of its grants where the
	// administrator skips the question.
	Scopes []string
	// APIs are services elsewhere, with what it may do there.
	APIs []AskedAPI
	// Asked says that the person was asked. Otherwise the administrator spared them that.
	Asked bool
	// AllowedAt is when it was allowed first, LastUsedAt when it last came, to the hour.
	AllowedAt  time.Time
	LastUsedAt time.Time

	lists, targets string // of scopes and of targets, each as JSON, one after the other
}

func (a *Allowed) fields() []any {
	return []any{&a.ClientID, &a.Name, &a.Description, &a.LaunchURL, &a.Kind, &a.ReauthRequired, db.Text(&a.Logo.Light), db.Text(&a.Logo.Dark), &a.lists, &a.targets, &a.Asked, db.Time(&a.AllowedAt), db.Time(&a.LastUsedAt)}
}

// readScopes makes one list of scopes of all.
func (a *Allowed) readScopes() error {
	for lists := json.NewDecoder(strings.NewReader(a.lists)); ; {
		var scopes []string
		switch err := lists.Decode(&scopes); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for _, s := range scopes {
			if !slices.Contains(a.Scopes, s) {
				a.Scopes = append(a.Scopes, s)
			}
		}
	}
}

// readTargets makes one list of targets of all.
func (a *Allowed) readTargets() (all []Target, err error) {
	for lists := json.NewDecoder(strings.NewReader(a.targets)); ; {
		var targets []Target
		switch err := lists.Decode(&targets); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = mergeTargets(all, targets)
	}
}

// maxAllowed is how many applications a list shows.
const maxAllowed = 500

// allowedNow selects what the user $1 allows at $2: by a consent, or by a living grant
// to a client that asks for none. What the gate would say now is no matter here: what
// was allowed comes back with the group, so the person may take it away meanwhile.
const allowedNow = `
	SELECT c.id, c.name, c.description, c.launch_url, c.kind, c.reauth_required, c.logo_id, c.dark_logo_id, k.scopes, k.resources, TRUE AS asked, k.created_at AS since, k.last_used_at AS used, c.name_key
	FROM consents k JOIN clients c ON c.id = k.client_id
	WHERE k.user_id = $1 AND c.deleted_at IS NULL
	UNION ALL
	SELECT c.id, c.name, c.description, c.launch_url, c.kind, c.reauth_required, c.logo_id, c.dark_logo_id, string_agg(g.scopes, ' '), string_agg(g.resources, ' '), FALSE, min(g.created_at), max(g.last_used_at), c.name_key
	FROM grants g JOIN clients c ON c.id = g.client_id
	WHERE g.user_id = $1 AND g.revoked_at IS NULL AND g.expires_at > $2 AND c.deleted_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM consents k WHERE k.user_id = $1 AND k.client_id = g.client_id)
	GROUP BY c.id, c.name, c.description, c.launch_url, c.kind, c.reauth_required, c.logo_id, c.dark_logo_id, c.name_key`

// Allowed lists the applications that may use the account of by, by name.
func (p *Provider) Allowed(ctx context.Context, by audit.Actor) ([]Allowed, error) {
	if by.UserID == "" {
		return nil, directory.ErrNotYours
	}
	return p.allowed(ctx, by.UserID)
}

// AllowedOf lists the applications that may use the account of somebody, by name, for
// administrators.
func (p *Provider) AllowedOf(ctx context.Context, by audit.Actor, userID string) ([]Allowed, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	return p.allowed(ctx, userID)
}

func (p *Provider) allowed(ctx context.Context, userID string) ([]Allowed, error) {
	var list []Allowed
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = db.All(tx, (*Allowed).fields, `
			SELECT id, name, description, launch_url, kind, reauth_required, logo_id, dark_logo_id, scopes, resources, asked, since, used FROM (`+allowedNow+`) a
			ORDER BY name_key NULLS LAST, id LIMIT $3`, userID, tx.Now().UnixMicro(), maxAllowed)
		if err != nil {
			return err
		}
		return nameTargets(tx, list)
	})
	return list, err
}

// nameTargets says in the words of people what the applications may do at which APIs, in
// one statement for all of them. What is gone since gives nothing, and is left out.
func nameTargets(tx *db.Tx, list []Allowed) error {
	targets, ids := make([][]Target, len(list)), []any(nil)
	for i := range list {
		var err error
		if err = list[i].readScopes(); err == nil {
			targets[i], err = list[i].readTargets()
		}
		if err != nil {
			return fmt.Errorf("read what %s is allowed: %w", list[i].ClientID, err)
		}
		for _, t := range targets[i] {
			if !slices.Contains(ids, any(t.API)) && len(ids) < maxAllowed {
				ids = append(ids, t.API)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	type line struct {
		api, name, resource string
		Permission
	}
	lines, err := db.All(tx, func(l *line) []any {
		return []any{&l.api, &l.name, &l.resource, &l.Name, &l.Title, &l.Description}
	}, `
		SELECT a.id, a.name, a.resource, COALESCE(s.name, ''), COALESCE(s.title, ''), COALESCE(s.description, '')
		FROM apis a LEFT JOIN api_permissions s ON s.api_id = a.id WHERE a.id IN (`+db.Marks(len(ids))+`)
		ORDER BY a.name_key NULLS LAST, a.id NULLS LAST, s.position NULLS LAST, s.id NULLS LAST LIMIT `+strconv.Itoa(maxAllowed*maxPermissions), ids...)
	if err != nil {
		return err
	}
	for i := range list {
		last := ""
		for _, l := range lines {
			at := slices.IndexFunc(targets[i], func(t Target) bool { return t.API == l.api })
			if at < 0 {
				continue
			}
			if last != l.api {
				list[i].APIs, last = append(list[i].APIs, AskedAPI{Name: l.name, Resource: l.resource}), l.api
			}
			if l.Name != "" && slices.Contains(targets[i][at].Permissions, l.Name) {
				api := &list[i].APIs[len(list[i].APIs)-1]
				api.Permissions = append(api.Permissions, l.Permission)
			}
		}
	}
	return nil
}

// RevokeConsent takes back what by allowed a client: the consent, and every grant with
// its tokens, in one commit. What was granted does not come back with a new consent.
func (p *Provider) RevokeConsent(ctx context.Context, by audit.Actor, clientID string) error {
	if by.UserID == "" {
		return directory.ErrNotYours
	}
	return p.revokeConsent(ctx, by, by.UserID, clientID)
}

// RevokeConsentOf takes back what somebody allowed a client, as RevokeConsent does, for
// administrators.
func (p *Provider) RevokeConsentOf(ctx context.Context, by audit.Actor, userID, clientID string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.revokeConsent(ctx, by, userID, clientID)
}

func (p *Provider) revokeConsent(ctx context.Context, by audit.Actor, userID, clientID string) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		c, err := clientByID(tx, clientID)
		if errors.Is(err, ErrNoClient) {
			return ErrNoConsent
		}
		if err != nil {
			return err
		}
		var scopes []string
		err = tx.One([]any{db.JSON(&scopes)}, `DELETE FROM consents WHERE user_id = $1 AND client_id = $2 RETURNING scopes`, userID, clientID)
		asked := err == nil
		if err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		}
		ended, err := tx.Exec(`UPDATE grants SET revoked_at = $3, revoked_reason = $4, refresh_hash = NULL
			WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL`, userID, clientID, tx.Now().UnixMicro(), revokedConsent)
		if err != nil {
			return err
		}
		if !asked && ended == 0 {
			return ErrNoConsent
		}
		// A yes that waits for its answer is taken back with the rest.
		tx.Do(`UPDATE authorizations SET consent_by = NULL, consented_at = NULL WHERE client_id = $1 AND consent_by = $2 AND done_at IS NULL`,
			clientID, userID)
		if _, err := endSids(tx, `user_id = $3 AND client_id = $4`, userID, clientID); err != nil {
			return err
		}
		audit.Record(tx, by, audit.Event{Name: audit.ConsentRevoked, Object: c.object(), User: userID, Client: c.ID,
			Before: map[string]any{"scopes": scopes}, Data: map[string]any{"grants": ended}})
		jobs.Publish(tx, "consent.revoked", userID+" "+c.ID)
		return nil
	})
}
