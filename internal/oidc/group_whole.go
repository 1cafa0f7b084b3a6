package oidc

import (
	"context"
	"slices"
	"strconv"

	"pocketid/internal/audit"
	"pocketid/internal/db"
	"pocketid/internal/directory"
)

// A WholeGroup is a group with its members and the clients that are for them, as programs
// are told of one.
type WholeGroup struct {
	directory.Group
	// Members are at most directory.MaxListedMembers; Group.Members says how many there are.
	People  []directory.User
	Clients []Client
}

// WholeGroup reads one, for administrators.
func (p *Provider) WholeGroup(ctx context.Context, by audit.Actor, id string) (w WholeGroup, err error) {
	if err := by.MustAdmin(); err != nil {
		return WholeGroup{}, err
	}
	err = p.db.Read(ctx, func(tx *db.Tx) (err error) {
		w, err = wholeGroup(tx, id)
		return err
	})
	return w, err
}

// WhenGroup makes the next change of ctx depend on what check says of a group as it is in
// the transaction of that change.
func (p *Provider) WhenGroup(ctx context.Context, id string, check func(*WholeGroup) error) context.Context {
	return db.Before(ctx, func(tx *db.Tx) error {
		w, err := wholeGroup(tx, id)
		if err != nil {
			return err
		}
		return check(&w)
	})
}

func wholeGroup(tx *db.Tx, id string) (w WholeGroup, err error) {
	if w.Group, err = directory.GroupByID(tx, id); err != nil {
		return w, err
	}
	if w.People, err = directory.MembersOf(tx, id); err != nil {
		return w, err
	}
	w.Clients, err = db.All(tx, (*Client).fields, `SELECT `+clientColumns+` FROM clients
		WHERE deleted_at IS NULL AND group_restricted AND id IN (SELECT client_id FROM client_groups WHERE group_id = $1)
		ORDER BY name_key NULLS LAST, id NULLS LAST LIMIT `+strconv.Itoa(maxGroupClients), id)
	return w, err
}

// SetGroupClients makes exactly these the clients that are for a group. One that is open
// to everybody stays so.
func (p *Provider) SetGroupClients(ctx context.Context, by audit.Actor, groupID string, clientIDs []string) error {
	if err := by.MustAdmin(); err != nil {
		return err
	}
	if len(clientIDs) > maxGroupClients {
		return ErrTooManyGroups.At("clients")
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		w, err := wholeGroup(tx, groupID)
		if err != nil {
			return err
		}
		var remove []string
		for i := range w.Clients {
			if id := w.Clients[i].ID; !slices.Contains(clientIDs, id) {
				remove = append(remove, id)
			}
		}
		return editGroupClients(tx, by, groupID, clientIDs, remove)
	})
}
