package oidc

import (
	"context"
	"strconv"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// Programs ask for lists by the number of a page, with all that there are counted, and
// search for what stands anywhere in a name (directory.Query). That reads every row, so
// pages have lists of their own.

// A QueriedClient is a client of such a list.
type QueriedClient struct {
	Client
	Secrets []Secret
}

// A query is a statement that is being written.
type query struct {
	strings.Builder
	args []any
}

func (q *query) mark(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// yesNo adds a condition that is true or false, if values ask for one of them.
func (q *query) yesNo(condition string, values []string) {
	if len(values) == 0 {
		return
	}
	any := []string{`1 = 0`}
	for _, v := range values {
		switch strings.ToLower(v) {
		case "true", "1":
			any = append(any, condition)
		case "false", "0":
			any = append(any, `NOT `+condition)
		}
	}
	q.WriteString(` AND (` + strings.Join(any, ` OR `) + `)`)
}

// part ends a statement with an order and the part of the list that is asked for.
func (q *query) part(asked directory.Query, columns map[string]string) {
	column, ok := columns[asked.Sort]
	if !ok {
		column = `created_at`
	}
	way := ``
	if asked.Down {
		way = ` DESC`
	}
	q.WriteString(` ORDER BY ` + column + way + ` NULLS LAST, id` + way + ` NULLS LAST LIMIT ` + strconv.Itoa(min(max(asked.Limit, 1), maxLimit)) +
		` OFFSET ` + strconv.Itoa(max(asked.Offset, 0)))
}

// queryClientColumns are what the list of clients can be sorted by.
var queryClientColumns = map[string]string{"name": `name_key`, "pkceEnabled": `pkce_required`, "requiresReauthentication": `reauth_required`,
	"requiresPushedAuthorizationRequests": `par_required`, "skipConsent": `skip_consent`, "isGroupRestricted": `group_restricted`,
	"pkceSupported": `pkce_seen`, "clientType": `kind`, "createdAt": `created_at`,
	"allowedUserGroupsCount": `(SELECT count(*) FROM client_groups g WHERE g.client_id = clients.id)`}

// queryClientFilters are the conditions that are true or false.
var queryClientFilters = []struct{ name, condition string }{{"pkceEnabled", `pkce_required`}, {"requiresReauthentication", `reauth_required`},
	{"requiresPushedAuthorizationRequests", `par_required`}, {"skipConsent", `skip_consent`}, {"isGroupRestricted", `group_restricted`},
	{"pkceSupported", `pkce_seen`}, {"isDisabled", `(disabled_at IS NOT NULL)`}}

// QueryClients lists clients with their secrets, for administrators.
func (p *Provider) QueryClients(ctx context.Context, by audit.Actor, asked directory.Query) ([]QueriedClient, int, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	return p.queryClients(ctx, asked, &query{})
}

// QueryClientsFor lists the clients that may not use an API yet, for administrators.
func (p *Provider) QueryClientsFor(ctx context.Context, by audit.Actor, apiID string, asked directory.Query) ([]QueriedClient, int, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	if _, err := p.API(ctx, by, apiID); err != nil {
		return nil, 0, err
	}
	more := &query{}
	more.WriteString(` AND NOT EXISTS (SELECT 1 FROM api_clients k WHERE k.client_id = clients.id AND k.api_id = ` + more.mark(apiID) + `)`)
	return p.queryClients(ctx, asked, more)
}

func (p *Provider) queryClients(ctx context.Context, asked directory.Query, more *query) (list []QueriedClient, total int, err error) {
	q := query{args: more.args}
	q.WriteString(` FROM clients WHERE deleted_at IS NULL` + more.String())
	if asked.Search != "" {
		q.WriteString(` AND name_key LIKE ` + q.mark("%"+likeEscape.Replace(directory.Fold(asked.Search))+"%") + ` ESCAPE '!'`)
	}
	for _, f := range queryClientFilters {
		q.yesNo(f.condition, asked.Filters[f.name])
	}
	if kinds := asked.Filters["clientType"]; len(kinds) > 0 {
		marks := make([]string, len(kinds))
		for i, kind := range kinds {
			marks[i] = q.mark(kind)
		}
		q.WriteString(` AND kind IN (` + strings.Join(marks, ", ") + `)`)
	}
	type row struct {
		QueriedClient
		uris, groups string
	}
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		if err := tx.One([]any{&total}, `SELECT count(*)`+q.String(), q.args...); err != nil {
			return err
		}
		page := query{args: q.args}
		page.WriteString(`SELECT ` + clientColumns + `, ` + clientLists + q.String())
		page.part(asked, queryClientColumns)
		rows, err := db.All(tx, func(r *row) []any { return append(r.Client.fields(), db.Text(&r.uris), db.Text(&r.groups)) }, page.String(), page.args...)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]any, len(rows))
		for i := range rows {
			rows[i].setLists(rows[i].uris, rows[i].groups)
			ids[i] = rows[i].ID
			list = append(list, rows[i].QueriedClient)
		}
		secrets, err := db.All(tx, (*Secret).fields, `SELECT `+secretColumns+` FROM client_secrets WHERE client_id IN (`+db.Marks(len(ids))+`)
			ORDER BY created_at DESC NULLS LAST, id LIMIT `+strconv.Itoa(maxLimit*maxSecrets), ids...)
		for i := range list {
			for _, s := range secrets {
				if s.ClientID == list[i].ID {
					list[i].Secrets = append(list[i].Secrets, s)
				}
			}
		}
		return err
	})
	return list, total, err
}

// QueryAPIs lists APIs with their permissions, for administrators.
func (p *Provider) QueryAPIs(ctx context.Context, by audit.Actor, asked directory.Query) ([]API, int, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	return p.queryAPIs(ctx, asked, &query{})
}

// QueryAPIsFor lists the APIs that a client may not use yet, for administrators.
func (p *Provider) QueryAPIsFor(ctx context.Context, by audit.Actor, clientID string, asked directory.Query) ([]API, int, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, 0, err
	}
	if _, err := p.Client(ctx, by, clientID); err != nil {
		return nil, 0, err
	}
	more := &query{}
	more.WriteString(` AND NOT EXISTS (SELECT 1 FROM api_clients k WHERE k.api_id = apis.id AND k.client_id = ` + more.mark(clientID) + `)`)
	return p.queryAPIs(ctx, asked, more)
}

func (p *Provider) queryAPIs(ctx context.Context, asked directory.Query, more *query) (list []API, total int, err error) {
	q := query{args: more.args}
	q.WriteString(` FROM apis WHERE 1 = 1` + more.String())
	if asked.Search != "" {
		m := q.mark("%" + likeEscape.Replace(directory.Fold(asked.Search)) + "%")
		q.WriteString(` AND (name_key LIKE ` + m + ` ESCAPE '!' OR lower(resource) LIKE ` + m + ` ESCAPE '!')`)
	}
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		if err := tx.One([]any{&total}, `SELECT count(*)`+q.String(), q.args...); err != nil {
			return err
		}
		page := query{args: q.args}
		page.WriteString(`SELECT ` + apiColumns + q.String())
		page.part(asked, map[string]string{"name": `name_key`, "resource": `resource_key`, "createdAt": `created_at`})
		list, err = db.All(tx, (*API).fields, page.String(), page.args...)
		if err != nil {
			return err
		}
		return permissionsOf(tx, list)
	})
	return list, total, err
}

// permissionsOf reads the permissions of some APIs in one statement.
func permissionsOf(tx *db.Tx, list []API) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]any, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	type of struct {
		Permission
		api string
	}
	all, err := db.All(tx, func(o *of) []any { return append(o.fields(), &o.api) }, `
		SELECT id, name, title, description, for_documents, api_id FROM api_permissions WHERE api_id IN (`+db.Marks(len(ids))+`)
		ORDER BY position NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(len(ids)*maxPermissions), ids...)
	for i := range list {
		for _, o := range all {
			if o.api == list[i].ID {
				list[i].Permissions = append(list[i].Permissions, o.Permission)
			}
		}
	}
	return err
}

// A ClientGrant is an API that a client reaches, with what it was given there.
type ClientGrant struct {
	API API
	APIGrant
}

// GrantsOfClient lists the APIs that a client reaches, with their permissions, for
// administrators: those that it was given, and those that are open to all clients of its kind.
func (p *Provider) GrantsOfClient(ctx context.Context, by audit.Actor, clientID string) ([]ClientGrant, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	given, err := p.APIsOfClient(ctx, by, clientID)
	if err != nil {
		return nil, err
	}
	var list []ClientGrant
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		apis, err := db.All(tx, (*API).fields, `SELECT `+apiColumns+` FROM apis
			WHERE id IN (SELECT api_id FROM api_clients WHERE client_id = $1) OR for_documents AND EXISTS (SELECT 1 FROM clients WHERE id = $1 AND kind = '`+KindDocument+`')
			ORDER BY name_key NULLS LAST, id NULLS LAST LIMIT $2`, clientID, maxAPIClients)
		if err != nil {
			return err
		}
		if err := permissionsOf(tx, apis); err != nil {
			return err
		}
		for _, a := range apis {
			grant := ClientGrant{API: a}
			for _, g := range given {
				if g.ID == a.ID {
					grant.APIGrant = g.APIGrant
				}
			}
			list = append(list, grant)
		}
		return nil
	})
	return list, err
}

// QueryApps lists the applications that by may use, as the gate decides of each.
func (p *Provider) QueryApps(ctx context.Context, by audit.Actor, asked directory.Query) (list []App, total int, err error) {
	if by.UserID == "" {
		return nil, 0, directory.ErrNotYours
	}
	err = p.db.Read(ctx, func(tx *db.Tx) error {
		list = nil
		user, err := directory.UserByID(tx, by.UserID)
		if err != nil || user.Service() { // the gate would refuse each of them
			return err
		}
		v := &visitor{user: user}
		groups, err := v.in(tx)
		if err != nil {
			return err
		}
		apps := appQuery{user: user.ID, groups: groups, now: tx.Now(), search: asked.Search}
		if total, err = apps.count(tx); err != nil {
			return err
		}
		rows, err := apps.numbered(tx, asked)
		if err != nil {
			return err
		}
		for i := range rows {
			app, open, err := v.app(tx, &rows[i])
			if err != nil {
				return err
			}
			if open {
				list = append(list, app)
			}
		}
		return nil
	})
	return list, total, err
}
