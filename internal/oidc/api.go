package oidc

import (
	"context"
	"errors"
	"strings"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
	"pocketid/internal/jose"
)

// ErrNoAPI answers an administrator who asks for an API that does not exist.
var ErrNoAPI = fault.New(fault.NotFound, "api_not_found")

// An API is a service elsewhere that accepts our access tokens (a resource server,
// RFC 8707), with what can be permitted at it.
type API struct {
	ID string
	APIEdit
	// Resource names it to clients, as it was typed: an absolute URI that never changes.
	Resource    string
	Permissions []Permission
	CreatedBy   string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// An APIEdit is what an administrator may set about an API.
type APIEdit struct {
	Name        string
	Description string
	// AccessTokenFor bounds how long tokens for it live; 0 leaves it to the client. The
	// shorter of the two counts.
	AccessTokenFor time.Duration
	// AccessTokenAlg signs tokens for it; "" leaves it to the client.
	AccessTokenAlg jose.Alg
	// Introspector is the client as which the API asks about tokens that are for it
	// (RFC 7662); "" is none.
	Introspector string
	// ForDocuments lets clients that are read from a document ask for tokens for it.
	ForDocuments bool
}

// A Permission is something that a client may be allowed to do at an API. Its name is a
// scope there.
type Permission struct {
	ID string
	// Name is what stands in scope.
	Name string
	// Title and Description tell a person what they allow.
	Title       string
	Description string
	// ForDocuments gives it to clients that are read from a document.
	ForDocuments bool
}

const apiColumns = `id, name, name_key, description, resource, resource_key, access_token_seconds, access_token_alg, introspector,
	for_documents, created_by, created_at, updated_at`

func (a *API) fields() []any {
	name, resource := directory.Fold(a.Name), resourceKey(a.Resource)
	return []any{&a.ID, &a.Name, &name, &a.Description, &a.Resource, &resource, db.Seconds(&a.AccessTokenFor), &a.AccessTokenAlg,
		db.Text(&a.Introspector), &a.ForDocuments, &a.CreatedBy, db.Time(&a.CreatedAt), db.Time(&a.UpdatedAt)}
}

func (s *Permission) fields() []any {
	return []any{&s.ID, &s.Name, &s.Title, &s.Description, &s.ForDocuments}
}

// resourceKey is a resource as it is compared: a slash at the end makes no other API.
func resourceKey(resource string) string { return strings.TrimSuffix(resource, "/") }

// maxPermissions is how many permissions an API has at most.
const maxPermissions = 200

// apiByID loads an API with its permissions.
func apiByID(tx *db.Tx, id string) (*API, error) {
	a := &API{}
	err := tx.One(a.fields(), `SELECT `+apiColumns+` FROM apis WHERE id = $1`, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil, ErrNoAPI
	}
	if err != nil {
		return nil, err
	}
	a.Permissions, err = db.All(tx, (*Permission).fields, `
		SELECT id, name, title, description, for_documents FROM api_permissions WHERE api_id = $1
		ORDER BY position NULLS LAST, id NULLS LAST LIMIT $2`, id, maxPermissions)
	return a, err
}

// API is the API of that id, for administrators.
func (p *Provider) API(ctx context.Context, by audit.Actor, id string) (API, error) {
	if err := by.MustAdmin(); err != nil {
		return API{}, err
	}
	var a *API
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		a, err = apiByID(tx, id)
		return err
	})
	if err != nil {
		return API{}, err
	}
	return *a, nil
}

// An APIFilter asks for a page of APIs in the order of their names.
type APIFilter struct {
	// Search is the beginning of a word of the name, or the resource.
	Search string
	// After is Next of the page before.
	After string
	// Limit is how many to return: 1 to 100; 0 is 50.
	Limit int
}

// An APIRow is an API as a list shows it.
type APIRow struct {
	ID, Name, Resource string
	Permissions        int
	Clients            int
}

// An APIPage is a part of the list of APIs.
type APIPage struct {
	Rows []APIRow
	// Next asks for the page after this one; "" when this is the last.
	Next string
	// Total is how many there are in all, counted up to MaxCount.
	Total int
}

func (r *APIRow) fields() []any {
	return []any{&r.ID, &r.Name, &r.Resource, &r.Permissions, &r.Clients}
}

// APIs lists the APIs, for administrators.
func (p *Provider) APIs(ctx context.Context, by audit.Actor, filter APIFilter) (APIPage, error) {
	if err := by.MustAdmin(); err != nil {
		return APIPage{}, err
	}
	limit := filter.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	limit = min(max(limit, 1), maxLimit)
	search := strings.TrimSpace(filter.Search)
	if len(search) > maxSearch || !isText(search) {
		return APIPage{Rows: []APIRow{}}, nil
	}
	afterID, afterKey, _ := strings.Cut(filter.After, " ")
	if !isText(filter.After) {
		afterID, afterKey = "", ""
	}
	word := likeEscape.Replace(directory.Fold(search)) + "%"
	const where = ` WHERE (name_key LIKE $1 ESCAPE '!' OR name_key LIKE $2 ESCAPE '!' OR resource_key = $3)`
	var page APIPage
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		page = APIPage{}
		page.Rows, err = db.All(tx, (*APIRow).fields, `
			SELECT id, name, resource, (SELECT count(*) FROM api_permissions s WHERE s.api_id = apis.id),
				(SELECT count(*) FROM api_clients k JOIN clients c ON c.id = k.client_id WHERE k.api_id = apis.id AND c.deleted_at IS NULL)
			FROM apis`+where+` AND (name_key, id) > ($4, $5)
			ORDER BY name_key NULLS LAST, id NULLS LAST LIMIT $6`, word, "% "+word, resourceKey(search), afterKey, afterID, limit+1)
		if err != nil {
			return err
		}
		if len(page.Rows) > limit {
			last := page.Rows[limit-1]
			page.Rows, page.Next = page.Rows[:limit], last.ID+" "+directory.Fold(last.Name)
		}
		return tx.One([]any{&page.Total},
			`SELECT count(*) FROM (SELECT 1 FROM apis`+where+` LIMIT $4) AS counted`, word, "% "+word, resourceKey(search), MaxCount)
	})
	return page, err
}
