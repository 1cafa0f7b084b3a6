package oidc

import (
	"context"
	"slices"
	"strconv"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/jobs"
)

// maxGroupClients bounds the clients that are listed about one group.
const maxGroupClients = 500

// A GroupClient is a client that is restricted to groups, seen from one of them.
type GroupClient struct {
	ID, Name string
	// In says that members of the group may use it.
	In bool
	// Groups is how many groups may.
	Groups int
}

// GroupClients is what the members of a group may use.
type GroupClients struct {
	// Restricted are the clients that are for groups alone, by name; those of the group
	// are all there, of the others as many as fit.
	Restricted []GroupClient
	More       bool // there are other restricted ones
	// Open are the names of clients that everybody may use, as many as fit.
	Open     []string
	MoreOpen bool
}

// ClientsOfGroup lists what the members of a group may use, for administrators.
func (p *Provider) ClientsOfGroup(ctx context.Context, by audit.Actor, groupID string) (GroupClients, error) {
	if err := by.MustAdmin(); err != nil {
		return GroupClients{}, err
	}
	var all GroupClients
	err := p.db.Read(ctx, func(tx *db.Tx) (err error) {
		all = GroupClients{}
		if _, err := directory.GroupByID(tx, groupID); err != nil {
			return err
		}
		fields := func(c *GroupClient) []any { return []any{&c.ID, &c.Name, &c.In, &c.Groups} }
		all.Restricted, err = db.All(tx, fields, `
			SELECT id, name, EXISTS (SELECT 1 FROM client_groups g WHERE g.client_id = clients.id AND g.group_id = $1) AS allowed,
				(SELECT count(*) FROM client_groups g WHERE g.client_id = clients.id)
			FROM clients WHERE deleted_at IS NULL AND group_restricted
			ORDER BY allowed DESC NULLS LAST, name_key NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(maxGroupClients+1), groupID)
		if err != nil {
			return err
		}
		all.Open, err = db.All(tx, func(name *string) []any { return []any{name} }, `
			SELECT name FROM clients WHERE deleted_at IS NULL AND NOT group_restricted
			ORDER BY name_key NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(maxGroupClients+1))
		return err
	})
	if all.More = len(all.Restricted) > maxGroupClients; all.More {
		all.Restricted = all.Restricted[:maxGroupClients]
	}
	if all.MoreOpen = len(all.Open) > maxGroupClients; all.MoreOpen {
		all.Open = all.Open[:maxGroupClients]
	}
	return all, err
}

// CountGroupClients says of each group how many clients are for it and not for
// everybody.
func (p *Provider) CountGroupClients(ctx context.Context, by audit.Actor, groupIDs []string) (map[string]int, error) {
	if err := by.MustAdmin(); err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(groupIDs))
	if len(groupIDs) == 0 {
		return counts, nil
	}
	args := make([]any, len(groupIDs))
	for i, id := range groupIDs {
		args[i] = id
	}
	type count struct {
		group string
		n     int
	}
	err := p.db.Read(ctx, func(tx *db.Tx) error {
		all, err := db.All(tx, func(c *count) []any { return []any{&c.group, &c.n} }, `
			SELECT g.group_id, count(*) FROM client_groups g JOIN clients c ON c.id = g.client_id
			WHERE c.deleted_at IS NULL AND c.group_restricted AND g.group_id IN (`+db.Marks(len(args))+`)
			GROUP BY g.group_id ORDER BY g.group_id LIMIT `+strconv.Itoa(len(args)), args...)
		for _, c := range all {
			counts[c.group] = c.n
		}
		return err
	})
	return counts, err
}

// EditGroupClients lets the members of a group use the clients of add and no more those
// of remove. A client that is open to everybody stays so: it is for groups only when
// its own page says so.
func (p *Provider) EditGroupClients(ctx context.Context, by audit.Actor, groupID string, add, remove []string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	if len(add)+len(remove) > maxGroupClients {
		return ErrTooManyGroups.At("clients")
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := directory.GroupByID(tx, groupID); err != nil {
			return err
		}
		return editGroupClients(tx, by, groupID, add, remove)
	})
}

func editGroupClients(tx *db.Tx, by audit.Actor, groupID string, add, remove []string) error {
	for _, id := range add {
		if err := allow(tx, by, id, func(groups []string) []string {
			if slices.Contains(groups, groupID) {
				return groups
			}
			return append(slices.Clone(groups), groupID)
		}); err != nil {
			return err
		}
	}
	for _, id := range remove {
		if err := allow(tx, by, id, func(groups []string) []string {
			return slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return g == groupID })
		}); err != nil {
			return err
		}
	}
	return nil
}

// allow changes which groups a restricted client is for.
func allow(tx *db.Tx, by audit.Actor, clientID string, change func(groups []string) []string) error {
	c, err := clientByID(tx, clientID)
	if err != nil {
		return err
	}
	groups := change(c.AllowedGroups)
	slices.Sort(groups)
	if !c.GroupRestricted || slices.Equal(groups, c.AllowedGroups) {
		return nil
	}
	if len(groups) > maxClientGroup {
		return ErrTooManyGroups.At("clients")
	}
	before := c.record()
	c.AllowedGroups = groups
	tx.Do(`DELETE FROM client_groups WHERE client_id = $1`, c.ID)
	for _, g := range groups {
		tx.Do(`INSERT INTO client_groups (client_id, group_id) VALUES ($1, $2)`, c.ID, g)
	}
	tx.Do(`UPDATE clients SET updated_at = $2 WHERE id = $1`, c.ID, tx.Now().UnixMicro())
	was, is := differences(before, c.record())
	audit.Record(tx, by, audit.Event{Name: audit.ClientEdited, Object: c.object(), Client: c.ID, Before: was, After: is})
	jobs.Publish(tx, "client.changed", c.ID)
	return nil
}

// DeleteGroup takes a group away, in one transaction with what it opened: a client that
// was for this group alone is for nobody from then on, never for everybody.
func (p *Provider) DeleteGroup(ctx context.Context, by audit.Actor, id string) (directory.Group, error) {
	if err := by.MustAdmin(); err != nil {
		return directory.Group{}, err
	}
	var g directory.Group
	err := p.db.Write(ctx, func(tx *db.Tx) error {
		clients, err := db.All(tx, func(id *string) []any { return []any{id} }, `SELECT c.id FROM client_groups g JOIN clients c ON c.id = g.client_id
			WHERE g.group_id = $1 AND c.deleted_at IS NULL ORDER BY c.id NULLS LAST LIMIT $2`, id, directory.MaxCount)
		if err != nil {
			return err
		}
		for _, client := range clients {
			if err := allow(tx, by, client, func(groups []string) []string {
				return slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return g == id })
			}); err != nil {
				return err
			}
		}
		tx.Do(`DELETE FROM client_groups WHERE group_id = $1`, id)
		g, err = directory.RemoveGroup(tx, by, id)
		return err
	})
	return g, err
}

// An Audience is how many people may use a client, counted up to directory.MaxCount.
type Audience struct {
	Everybody int // people with an account who may come in
	Members   int // those of them who are in the groups of the client
}

// Audience counts who may use a client, for administrators. Members counts the groups
// even where they do not restrict.
func (p *Provider) Audience(ctx context.Context, by audit.Actor, groupIDs []string) (a Audience, err error) {
	if err := by.MustAdmin(); err != nil {
		return Audience{}, err
	}
	err = p.db.Read(ctx, func(tx *db.Tx) (err error) {
		if a.Everybody, err = directory.CountActive(tx); err != nil {
			return err
		}
		a.Members, err = directory.CountActiveMembers(tx, groupIDs)
		return err
	})
	return a, err
}

// SetClientGroups lets the members of some groups use a client, and nobody else. Naming a
// group restricts a client that was open; naming none leaves open what is, and a restricted
// client is for nobody then.
func (p *Provider) SetClientGroups(ctx context.Context, by audit.Actor, id string, groups []string) (Client, error) {
	if err := by.MustAdmin(); err != nil {
		return Client{}, err
	}
	c, err := p.Client(ctx, by, id)
	if err != nil {
		return Client{}, err
	}
	edit := c.Edit()
	edit.GroupRestricted, edit.AllowedGroups = edit.GroupRestricted || len(groups) > 0, groups
	return p.ReviseClient(ctx, by, id, c.Edit().Seen(), edit)
}
