package oidc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/jobs"
)

// maxAPIClients bounds the clients that are listed about one API, and the APIs about one
// client.
const maxAPIClients = 500

// An APIGrant is what one client may do at one API: for the people who sign in to it, and
// for itself.
type APIGrant struct {
	// ForUsers lets the client ask for tokens in the name of people, with UserPermissions.
	ForUsers        bool
	UserPermissions []string // names
	// ForMachine lets it ask for tokens in its own name (RFC 6749 §4.4), with
	// MachinePermissions. Public clients cannot.
	ForMachine         bool
	MachinePermissions []string // names
}

// Has says whether a permission is given, for people or for the client itself.
func (g *APIGrant) Has(permission string) bool {
	return slices.Contains(g.UserPermissions, permission) || slices.Contains(g.MachinePermissions, permission)
}

// An APIClient is a client that may use an API.
type APIClient struct {
	ClientID   string
	ClientName string
	Public     bool
	Kind       string
	Logo       Logo
	APIGrant

	user, machine string
}

func (c *APIClient) fields() []any {
	return []any{&c.ClientID, &c.ClientName, &c.Public, &c.Kind, db.Text(&c.Logo.Light), db.Text(&c.Logo.Dark), &c.ForUsers, &c.ForMachine, db.Text(&c.user), db.Text(&c.machine)}
}

// A ClientAPI is an API that a client may use.
type ClientAPI struct {
	ID, Name, Resource string
	APIGrant

	user, machine string
}

func (a *ClientAPI) fields() []any {
	return []any{&a.ID, &a.Name, &a.Resource, &a.ForUsers, &a.ForMachine, db.Text(&a.user), db.Text(&a.machine)}
}

// grantedNames selects the permissions that k, a row of api_clients, gives to one kind of
// subject.
func grantedNames(subject string) string {
	return `(SELECT string_agg(s.name, ' ' ORDER BY s.position, s.id) FROM api_permissions s JOIN api_client_permissions g ON g.permission_id = s.id
		WHERE s.api_id = k.api_id AND g.client_id = k.client_id AND g.subject = '` + subject + `')`
}

func apiClients(tx *db.Tx, apiID string) ([]APIClient, error) {
	all, err := db.All(tx, (*APIClient).fields, `
		SELECT c.id, c.name, c.public, c.kind, c.logo_id, c.dark_logo_id, k.for_users, k.for_machine, `+grantedNames(forUsers)+`, `+grantedNames(forMachine)+`
		FROM api_clients k JOIN clients c ON c.id = k.client_id WHERE k.api_id = $1 AND c.deleted_at IS NULL
		ORDER BY c.name_key NULLS LAST, c.id NULLS LAST LIMIT $2`, apiID, maxAPIClients)
	for i := range all {
		all[i].UserPermissions, all[i].MachinePermissions = strings.Fields(all[i].user), strings.Fields(all[i].machine)
	}
	return all, err
}

// APIClients lists the clients that may use an API, by name, for administrators.
func (p *Provider) APIClients(ctx context.Context, by audit.Actor, apiID string) ([]APIClient, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var all []APIClient
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		if _, err = apiByID(tx, apiID); err != nil {
			return err
		}
		all, err = apiClients(tx, apiID)
		return err
	})
	return all, err
}

// APIsOfClient lists the APIs that a client may use, by name, for administrators.
func (p *Provider) APIsOfClient(ctx context.Context, by audit.Actor, clientID string) ([]ClientAPI, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	var all []ClientAPI
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		if _, err = clientByID(tx, clientID); err != nil {
			return err
		}
		all, err = db.All(tx, (*ClientAPI).fields, `
			SELECT a.id, a.name, a.resource, k.for_users, k.for_machine, `+grantedNames(forUsers)+`, `+grantedNames(forMachine)+`
			FROM api_clients k JOIN apis a ON a.id = k.api_id WHERE k.client_id = $1
			ORDER BY a.name_key NULLS LAST, a.id NULLS LAST LIMIT $2`, clientID, maxAPIClients)
		return err
	})
	for i := range all {
		all[i].UserPermissions, all[i].MachinePermissions = strings.Fields(all[i].user), strings.Fields(all[i].machine)
	}
	return all, err
}

// SetAPIClient lets a client use an API as grant says, and no more. What it lost, it loses
// at once: tokens and grants that had it give nothing.
func (p *Provider) SetAPIClient(ctx context.Context, by audit.Actor, apiID, clientID string, grant APIGrant) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	grant, err := grant.checked()
	if err != nil {
		return err
	}
	return p.changeAPIClient(ctx, by, apiID, clientID, nil, &grant)
}

// ReviseAPIClient is SetAPIClient for somebody who saw what the client may do as seen says,
// by Seen of its grant, or ErrStale.
func (p *Provider) ReviseAPIClient(ctx context.Context, by audit.Actor, apiID, clientID, seen string, grant APIGrant) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	grant, err := grant.checked()
	if err != nil {
		return err
	}
	return p.changeAPIClient(ctx, by, apiID, clientID, &seen, &grant)
}

// checked is a grant with nothing in it that says nothing.
func (g APIGrant) checked() (APIGrant, error) {
	if !g.ForUsers && !g.ForMachine {
		return g, ErrNothingPermitted
	}
	if !g.ForUsers {
		g.UserPermissions = nil
	}
	if !g.ForMachine {
		g.MachinePermissions = nil
	}
	return g, nil
}

// RemoveAPIClient takes an API from a client.
func (p *Provider) RemoveAPIClient(ctx context.Context, by audit.Actor, apiID, clientID string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	return p.changeAPIClient(ctx, by, apiID, clientID, nil, nil)
}

// changeAPIClient replaces what a client may do at an API; nil is nothing. Whoever says what
// they saw, by Seen, changes nothing else.
func (p *Provider) changeAPIClient(ctx context.Context, by audit.Actor, apiID, clientID string, seen *string, grant *APIGrant) error {
	return p.db.Write(ctx, func(tx *db.Tx) error {
		a, err := apiByID(tx, apiID)
		if err != nil {
			return err
		}
		c, err := clientByID(tx, clientID)
		if err != nil {
			return err
		}
		if grant != nil && grant.ForMachine && c.Public {
			return ErrPublicMachine
		}
		all, err := apiClients(tx, apiID)
		if err != nil {
			return err
		}
		var before *APIGrant
		if at := slices.IndexFunc(all, func(k APIClient) bool { return k.ClientID == clientID }); at >= 0 {
			before = &all[at].APIGrant
		}
		if seen != nil && *seen != before.Seen() {
			return ErrStale
		}
		if before == nil && grant == nil {
			return nil
		}
		tx.Do(`DELETE FROM api_client_permissions WHERE client_id = $1 AND permission_id IN (SELECT id FROM api_permissions WHERE api_id = $2)`, clientID, apiID)
		tx.Do(`DELETE FROM api_clients WHERE api_id = $1 AND client_id = $2`, apiID, clientID)
		if grant != nil {
			tx.Do(`INSERT INTO api_clients (api_id, client_id, for_users, for_machine) VALUES ($1, $2, $3, $4)`, apiID, clientID, grant.ForUsers, grant.ForMachine)
			if err := a.permit(tx, clientID, forUsers, "user_permissions", grant.UserPermissions); err != nil {
				return err
			}
			if err := a.permit(tx, clientID, forMachine, "machine_permissions", grant.MachinePermissions); err != nil {
				return err
			}
		}
		was, is := differences(before.record(), grant.record())
		if len(is) == 0 {
			return nil
		}
		audit.Record(tx, by, audit.Event{Name: audit.APIClientEdited, Object: a.object(), Client: clientID, Before: was, After: is,
			Data: map[string]any{"client": c.Name}})
		jobs.Publish(tx, "api.changed", a.ID)
		return nil
	})
}

// permit gives a client permissions by name.
func (a *API) permit(tx *db.Tx, clientID, subject, field string, names []string) error {
	given := map[string]bool{}
	for i, name := range names {
		at := slices.IndexFunc(a.Permissions, func(s Permission) bool { return s.Name == name })
		if at < 0 {
			return ErrNoPermission.At(fmt.Sprintf("%s[%d]", field, i))
		}
		if !given[name] {
			tx.Do(`INSERT INTO api_client_permissions (permission_id, client_id, subject) VALUES ($1, $2, $3)`, a.Permissions[at].ID, clientID, subject)
		}
		given[name] = true
	}
	return nil
}

// record is g as audit records hold it.
func (g *APIGrant) record() map[string]any {
	if g == nil {
		g = &APIGrant{}
	}
	return map[string]any{"for_users": g.ForUsers, "user_permissions": slices.Sorted(slices.Values(g.UserPermissions)),
		"for_machine": g.ForMachine, "machine_permissions": slices.Sorted(slices.Values(g.MachinePermissions))}
}

// An APIChoice is an API that a client could be let use.
type APIChoice struct{ ID, Name, Resource string }

// APIsFor lists APIs that a client may not use yet, for administrators: the first by name
// whose name begins with search in one of its words.
func (p *Provider) APIsFor(ctx context.Context, by audit.Actor, clientID, search string) ([]APIChoice, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	page, err := p.APIs(ctx, by, APIFilter{Search: search, Limit: maxLimit})
	if err != nil {
		return nil, err
	}
	has, err := p.APIsOfClient(ctx, by, clientID)
	if err != nil {
		return nil, err
	}
	var free []APIChoice
	for _, row := range page.Rows {
		if !slices.ContainsFunc(has, func(a ClientAPI) bool { return a.ID == row.ID }) {
			free = append(free, APIChoice{row.ID, row.Name, row.Resource})
		}
	}
	return free, nil
}

// ClientsForAPI lists clients that may not use an API yet, for administrators: the first by
// name whose name begins with search in one of its words.
func (p *Provider) ClientsForAPI(ctx context.Context, by audit.Actor, apiID, search string) ([]ClientRow, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	page, err := p.Clients(ctx, by, ClientFilter{Search: search, Limit: maxLimit})
	if err != nil {
		return nil, err
	}
	has, err := p.APIClients(ctx, by, apiID)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(page.Rows, func(row ClientRow) bool {
		return slices.ContainsFunc(has, func(c APIClient) bool { return c.ClientID == row.ID })
	}), nil
}
