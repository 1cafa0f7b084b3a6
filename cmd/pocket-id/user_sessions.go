package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/edge"
	"pocketid/internal/signin"
)

var userSessionsCommand = command{
	name: "user sessions list", args: "<user>", about: "list where somebody is signed in, the last seen first",
	flags: []option{asJSON, quiet}, examples: []string{"user sessions list ada", "user sessions list ada --quiet"},
	run: deed(userSessions),
}

var userSessionsEndCommand = command{
	name: "user sessions end", args: "<user> <session>...", about: "end sessions of somebody, and what applications got by them",
	more:     "A session is named by its id or by the beginning of it, as user sessions list shows them; user sign-out ends all of them, and all that applications may still do without one.",
	flags:    []option{yes},
	examples: []string{"user sessions end ada 4f1c2d7e", "user sessions end ada 4f1c2d7e 90b1c2aa --yes"},
	run:      deed(userSessionsEnd),
}

// leastOfID is how much of the id of a session names it.
const leastOfID = 8

// openedBy is what a session was opened with.
func openedBy(s *signin.Session) string {
	if s.ByCode() {
		return "login link"
	}
	return "passkey"
}

func userSessions(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	list, err := a.SignIn.SessionsOf(ctx, by, u.ID)
	if err != nil {
		return err
	}
	return c.list([]string{"DEVICE", "SIGNED IN BY", "ADDRESS", "SINCE", "LAST SEEN", "ENDS", "ID"}, func(string, int) (lines []line, next string, err error) {
		for i := range list {
			s := &list[i]
			cells := []string{edge.DeviceOf(s.UserAgent).String(), openedBy(s), s.Address, when(s.CreatedAt), when(s.LastSeenAt), when(s.ExpiresAt), s.ID}
			lines = append(lines, line{s.ID, cells, api.ShowSession(s)})
		}
		return lines, "", nil
	})
}

func userSessionsEnd(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	list, err := a.SignIn.SessionsOf(ctx, by, u.ID)
	if err != nil {
		return err
	}
	var ids []string
	for _, meant := range c.args[1:] {
		var found []string
		for i := range list {
			if id := list[i].ID; id == meant || len(meant) >= leastOfID && strings.HasPrefix(id, meant) {
				found = append(found, id)
			}
		}
		switch {
		case len(found) == 0:
			return fmt.Errorf("%s has no session with the id %q; pocket-id user sessions list %s shows them", plain(u.Username), plain(meant), plain(u.Username))
		case len(found) > 1:
			return fmt.Errorf("%s has several sessions whose ids begin with %q: say more of it", plain(u.Username), plain(meant))
		}
		if !slices.Contains(ids, found[0]) {
			ids = append(ids, found[0])
		}
	}
	if err := c.sure(fmt.Sprintf("%d of the %d sessions of %s end, and they sign in again there.", len(ids), len(list), plain(u.Username))); err != nil {
		return err
	}
	for _, id := range ids {
		// One that ended by itself meanwhile is what was wanted.
		if err := a.SignIn.EndSessionOf(ctx, by, u.ID, id); err != nil && !errors.Is(err, signin.ErrSessionGone) {
			return err
		}
	}
	return c.say("Ended %d of the sessions of %s.", len(ids), plain(u.Username))
}
