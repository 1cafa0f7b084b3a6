package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/directory"
)

var loginLinkCommand = command{
	name: "one-time-access-token", args: "<username or e-mail>", about: "make a link by which somebody can sign in once",
	flags:    []option{{name: "lost-passkeys", about: "remove all passkeys of the account and end its sessions, so that the link leads to adding a new one"}},
	examples: []string{"one-time-access-token ada", "one-time-access-token ada@example.com --lost-passkeys"},
	run:      loginLink,
}

var setupLinkCommand = command{name: "setup-link", about: "open the set-up page for another 60 minutes", run: setupLink}

// loginLink makes a link by which somebody can sign in once. Whoever has lost
// their passkeys has them taken away with it, because a link alone adds a
// passkey only where there is none.
func loginLink(ctx context.Context, p *call) error {
	return p.beside(ctx, func(a *app.App) error {
		makeLink, note := a.SignIn.MakeLoginLink, ""
		if p.on("lost-passkeys") {
			makeLink, note = a.SignIn.MakeRecoveryLink, "All passkeys of this account were removed and its sessions ended; the link leads to adding a new one.\n"
		}
		code, user, err := makeLink(ctx, terminalActor(), p.args[0], time.Hour)
		if errors.Is(err, directory.ErrNoUser) {
			return fmt.Errorf("nobody here has the username or e-mail address %q", p.args[0])
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, note+"%s can sign in once within the next hour, at:\n%s\n", user.Username, a.SignIn.CodeURL(code))
		return err
	})
}

// setupLink opens the set-up page again.
func setupLink(ctx context.Context, p *call) error {
	return p.beside(ctx, func(a *app.App) error {
		state, err := a.SignIn.OpenSetup(ctx, terminalActor())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "The first account can be made until %s, at:\n%s\n", state.Until.Local().Format(time.DateTime+" MST"), a.SignIn.SetupURL())
		return err
	})
}
