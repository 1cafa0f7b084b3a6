package oidc

import (
	"slices"

	"pocketid/internal/db"
	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// Why somebody may not use a client. Clients are told less: each endpoint has its own
// code for it.
var (
	errClientDisabled = fault.New(fault.Forbidden, "client_disabled")
	errNotInGroup     = fault.New(fault.Forbidden, "client_not_for_you")
)

// A pass says that the gate let a user through to a client, in the transaction that is
// under way. Only mayUse makes one, and mayAct for a client that acts for itself. Whatever gives something about a user to a client,
// a code, a token, a claim, takes a pass and speaks of the two in it; a test holds the
// package to that (test/architecture).
type pass struct {
	user   directory.User
	client *Client
}

// mayAct says whether c may act for itself now. The pass that it makes names no user.
func mayAct(c *Client) (pass, error) {
	if !c.DeletedAt.IsZero() || !c.DisabledAt.IsZero() {
		return pass{}, errClientDisabled
	}
	return pass{client: c}, nil
}

// mayUse says whether user may use c now. It is the gate: every path that gives
// something about a user to a client asks here, and nowhere else is this decided
// (threats 3, 62). What it returns is a fault when it refuses, and anything else
// when it could not find out.
func mayUse(tx *db.Tx, user directory.User, c *Client) (pass, error) {
	return (&visitor{user: user}).mayUse(tx, c)
}

// A visitor is somebody who asks the gate about several clients in one transaction: their
// groups are read once.
type visitor struct {
	user   directory.User
	groups []directory.Group
	known  bool // groups are
}

// in are the groups of the visitor.
func (v *visitor) in(tx *db.Tx) (_ []directory.Group, err error) {
	if !v.known {
		if v.groups, err = directory.GroupsOf(tx, v.user.ID); err != nil {
			return nil, err
		}
		v.known = true
	}
	return v.groups, nil
}

// mayUse is the gate.
func (v *visitor) mayUse(tx *db.Tx, c *Client) (pass, error) {
	if !c.DeletedAt.IsZero() || !c.DisabledAt.IsZero() {
		return pass{}, errClientDisabled
	}
	if err := v.user.Active(tx.Now()); err != nil {
		return pass{}, err
	}
	if v.user.Service() { // it is nobody who could be told of
		return pass{}, directory.ErrNoUser
	}
	if c.GroupRestricted {
		groups, err := v.in(tx)
		if err != nil {
			return pass{}, err
		}
		if !slices.ContainsFunc(groups, func(g directory.Group) bool { return slices.Contains(c.AllowedGroups, g.ID) }) {
			return pass{}, errNotInGroup
		}
	}
	return pass{v.user, c}, nil
}
