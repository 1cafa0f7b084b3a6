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

// mayUse says whether user may use c now. It is the gate: every path that gives
// something about a user to a client asks here, and nowhere else is this decided
// (threats 3, 62). What it returns is a fault when it refuses, and anything else
// when it could not find out.
func mayUse(tx *db.Tx, user directory.User, c *Client) error {
	if !c.DeletedAt.IsZero() || !c.DisabledAt.IsZero() {
		return errClientDisabled
	}
	if err := user.Active(tx.Now()); err != nil {
		return err
	}
	if !c.GroupRestricted {
		return nil
	}
	groups, err := directory.GroupsOf(tx, user.ID)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if slices.Contains(c.AllowedGroups, group.ID) {
			return nil
		}
	}
	return errNotInGroup
}
