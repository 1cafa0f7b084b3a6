package main

import (
	"context"
	"errors"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

func userSignOut(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	switch {
	case c.on("everybody") && len(c.args) > 0:
		return usageError("--everybody and names are both there; keep one of them")
	case c.on("everybody"):
		return signOutEverybody(ctx, c, a, by)
	case len(c.args) == 0:
		return usageError("say who is meant, or --everybody")
	}
	list, _, err := persons(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	for i := range list {
		if err := a.SignIn.SignOutEverywhereOf(ctx, by, list[i].ID); err != nil {
			return err
		}
	}
	return c.say("Signed out everywhere: %s.", usernames(list))
}

// signOutEverybody goes through all accounts, one transaction each, so that the server goes
// on meanwhile. Who signs in again while it runs may be signed out once more, and nobody is
// left out who was in when it began.
func signOutEverybody(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if err := c.sure("Everybody has to sign in again, here and at every application."); err != nil {
		return err
	}
	n := 0
	for after := ""; ; {
		page, err := a.Directory.Users(ctx, by, directory.UserFilter{After: after, Limit: directory.MaxUsers})
		if err != nil {
			return err
		}
		for i := range page.Rows {
			err := a.SignIn.SignOutEverywhereOf(ctx, by, page.Rows[i].ID)
			if errors.Is(err, directory.ErrNoUser) {
				continue // deleted just now
			}
			if err != nil {
				return err
			}
			n++
		}
		if after = page.Next; after == "" {
			return c.say("Signed out everywhere: %d people.", n)
		}
	}
}
