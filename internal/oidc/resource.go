package oidc

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
)

// errInvalidTarget refuses a resource (RFC 8707 §2): whether it is unknown or not for this
// client is not told.
var errInvalidTarget = fault.New(fault.Invalid, "invalid_target")

// Bounds of what is asked for at APIs.
const (
	maxResource  = 350 // bytes
	maxResources = 5   // of one request
	maxWords     = 50
	maxWord      = 128 // bytes of the name of a permission
)

// A Target is an API with what was asked for or granted there. It is known by its id: one
// that is made anew with the same resource gets nothing of what the old one had.
type Target struct {
	API      string `json:"api"`
	Resource string `json:"resource"`
	// Permissions are names, in the order in which the API has them.
	Permissions []string `json:"permissions"`
}

// For whom a client acts at an API. What it may do for a person and what for itself is
// granted apart.
const (
	forUsers   = "user"
	forMachine = "client"
)

// parseResources reads the parameter resource, which may be repeated (RFC 8707 §2). An
// absent one is nil.
func parseResources(form url.Values) ([]string, error) {
	var resources []string
	for _, r := range form["resource"] {
		if r == "" {
			continue // as if it were not there (RFC 6749 §3.1)
		}
		if !isResource(r) {
			return nil, errInvalidTarget.Saying("resource has to be an absolute URI without a fragment, of at most 350 bytes")
		}
		if !slices.ContainsFunc(resources, func(other string) bool { return resourceKey(other) == resourceKey(r) }) {
			resources = append(resources, r)
		}
		if len(resources) > maxResources {
			return nil, errInvalidTarget.Saying("there are more than 5 resources")
		}
	}
	return resources, nil
}

// isResource holds the syntax of RFC 8707 §2.
func isResource(s string) bool {
	if s == "" || len(s) > maxResource || strings.ContainsFunc(s, notVisible) || strings.ContainsAny(s, "#\"\\<>^`{|}") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "") && u.User == nil
}

// permissionWords are those of words that could name permissions.
func permissionWords(words []string) []string {
	var names []string
	for _, w := range words {
		if isPermissionName(w) && !slices.Contains(scopes, w) && !slices.Contains(names, w) && len(names) < maxWords {
			names = append(names, w)
		}
	}
	return names
}

// isPermissionName holds the syntax of a scope (RFC 6749 §3.3), with a bound.
func isPermissionName(s string) bool {
	return s != "" && len(s) <= maxWord && !strings.ContainsFunc(s, notVisible) && !strings.ContainsAny(s, `"\`)
}

// A reach is what a client may have at an API now.
type reach struct {
	Target
	key       string
	createdAt time.Time
	// tokenFor and alg are what the API says about tokens for it; the zero value leaves it
	// to the client.
	tokenFor time.Duration
	alg      jose.Alg
	// introspector is the client as which the API asks about tokens; "" is none.
	introspector string

	names string
}

func (r *reach) fields() []any {
	return []any{&r.API, &r.Resource, &r.key, db.Time(&r.createdAt), db.Seconds(&r.tokenFor), &r.alg, db.Text(&r.introspector), db.Text(&r.names)}
}

// reachOf is what c may have for this kind of subject at these resources, in one statement.
// What it may not have at all is not in it.
func reachOf(tx *db.Tx, c *Client, subject string, resources []string) ([]reach, error) {
	if len(resources) == 0 {
		return nil, nil
	}
	document := c.Kind == KindDocument && subject == forUsers
	args := []any{c.ID, subject, document}
	for _, r := range resources {
		args = append(args, resourceKey(r))
	}
	all, err := db.All(tx, (*reach).fields, `
		SELECT id, resource, resource_key, created_at, access_token_seconds, access_token_alg, introspector,
			(SELECT string_agg(s.name, ' ' ORDER BY s.position, s.id) FROM api_permissions s WHERE s.api_id = apis.id AND ($3 AND s.for_documents
				OR EXISTS (SELECT 1 FROM api_client_permissions g WHERE g.permission_id = s.id AND g.client_id = $1 AND g.subject = $2)))
		FROM apis WHERE resource_key IN (`+db.MarksFrom(4, len(resources))+`) AND ($3 AND for_documents
			OR EXISTS (SELECT 1 FROM api_clients k WHERE k.api_id = apis.id AND k.client_id = $1
				AND ($2 = 'user' AND k.for_users OR $2 = 'client' AND k.for_machine)))
		ORDER BY id NULLS LAST LIMIT 5`, args...)
	for i := range all {
		all[i].Permissions = strings.Fields(all[i].names)
	}
	return all, err
}

// targetsOf is what c gets of words at these resources, as a grant keeps it.
func targetsOf(tx *db.Tx, c *Client, subject string, resources, words []string) ([]Target, error) {
	reached, err := reachFor(tx, c, subject, resources, words)
	if err != nil || reached == nil {
		return nil, err
	}
	targets := make([]Target, len(reached))
	for i, r := range reached {
		targets[i] = r.Target
	}
	return targets, nil
}

// reachFor is what c gets of words at these resources: requested and granted. A permission
// without the API that it belongs to is refused rather than dropped, because who asks for
// it forgot the resource.
func reachFor(tx *db.Tx, c *Client, subject string, resources, words []string) ([]reach, error) {
	if len(resources) == 0 {
		return nil, noStrayPermission(tx, c, words)
	}
	all, err := reachOf(tx, c, subject, resources)
	if err != nil {
		return nil, err
	}
	reached := make([]reach, 0, len(resources))
	for _, resource := range resources {
		i := slices.IndexFunc(all, func(r reach) bool { return r.key == resourceKey(resource) })
		if i < 0 {
			return nil, errInvalidTarget.Saying("there is no such API for this client")
		}
		r := all[i]
		r.Permissions = slices.DeleteFunc(slices.Clone(r.Permissions), func(s string) bool { return !slices.Contains(words, s) })
		reached = append(reached, r)
	}
	return reached, nil
}

// noStrayPermission refuses words that are permissions of an API that c may use.
func noStrayPermission(tx *db.Tx, c *Client, words []string) error {
	if len(words) == 0 {
		return nil
	}
	args := []any{c.ID}
	for _, w := range words {
		args = append(args, w)
	}
	var n int
	err := tx.One([]any{&n}, `SELECT count(*) FROM (SELECT 1 FROM api_clients k JOIN api_permissions s ON s.api_id = k.api_id
		WHERE k.client_id = $1 AND s.name IN (`+db.MarksFrom(2, len(words))+`) LIMIT 1) AS found`, args...)
	if err != nil {
		return err
	}
	if n > 0 {
		return errInvalidScope.Saying("scope has a permission of an API; name the API as resource")
	}
	return nil
}

// aim finds out what q gets at the APIs that it names.
func (q *authRequest) aim(tx *db.Tx, c *Client) (err error) {
	q.Targets, err = targetsOf(tx, c, forUsers, q.Resources, q.Words)
	return err
}

// allowance is what a person allows who says yes to q.
func (q *authRequest) allowance() allowance { return allowance{q.needs(), q.Targets} }

// told is what is recorded of a request that was answered with a code.
func (q *authRequest) told() map[string]any {
	data := map[string]any{"scopes": q.Scopes}
	if len(q.Targets) > 0 {
		resources := make([]string, len(q.Targets))
		for i, t := range q.Targets {
			resources[i] = strings.Join(append([]string{t.Resource}, t.Permissions...), " ")
		}
		data["resources"] = resources
	}
	return data
}

// An AskedAPI is what is asked for at an API, in the words that people read.
type AskedAPI struct {
	Name, Resource string
	Permissions    []Permission
}

// askedOf says of targets what people read about them.
func askedOf(tx *db.Tx, targets []Target) ([]AskedAPI, error) {
	asked := make([]AskedAPI, 0, len(targets))
	for _, t := range targets {
		a, err := apiByID(tx, t.API)
		if errors.Is(err, ErrNoAPI) {
			continue
		}
		if err != nil {
			return nil, err
		}
		asked = append(asked, AskedAPI{a.Name, a.Resource, slices.DeleteFunc(a.Permissions, func(s Permission) bool {
			return !slices.Contains(t.Permissions, s.Name)
		})})
	}
	return asked, nil
}

// reaches says whether every permission of want is among have.
func reaches(have, want []Target) bool {
	return !slices.ContainsFunc(want, func(w Target) bool {
		i := slices.IndexFunc(have, func(h Target) bool { return h.API == w.API })
		return i < 0 || !covers(have[i].Permissions, w.Permissions)
	})
}

// mergeTargets is old with what more has beside it.
func mergeTargets(old, more []Target) []Target {
	merged := make([]Target, 0, len(old)+len(more))
	for _, t := range old {
		t.Permissions = slices.Clone(t.Permissions)
		merged = append(merged, t)
	}
	for _, t := range more {
		i := slices.IndexFunc(merged, func(m Target) bool { return m.API == t.API })
		if i < 0 {
			t.Permissions = slices.Clone(t.Permissions)
			merged = append(merged, t)
			continue
		}
		for _, s := range t.Permissions {
			if !slices.Contains(merged[i].Permissions, s) {
				merged[i].Permissions = append(merged[i].Permissions, s)
			}
		}
	}
	return merged
}
