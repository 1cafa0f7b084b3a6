package main

import (
	"context"
	"os"
	"os/user"

	"pocketid/internal/app"
	"pocketid/internal/audit"
)

// beside builds the house next to a running server, and calls fn with it.
func (p *process) beside(ctx context.Context, fn func(a *app.App) error) error {
	c, err := p.config()
	if err != nil {
		return err
	}
	a, err := app.Beside(ctx, c, c.Logger(p.err))
	if err != nil {
		return err
	}
	defer a.Close()
	return fn(a)
}

// terminalActor is who sits at the terminal: the house itself, with the name that the
// operating system has for them, as far as it is known.
func terminalActor() audit.Actor {
	by := audit.System("cli")
	by.Name = loginName()
	return by
}

// loginName is the name of who runs the process; behind sudo, of who called it.
func loginName() string {
	if name := os.Getenv("SUDO_USER"); name != "" && os.Getuid() == 0 {
		return clip(name)
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return clip(u.Username)
	}
	return ""
}

// clip bounds a name that somebody else chose.
func clip(name string) string {
	if r := []rune(plain(name)); len(r) > 64 {
		return string(r[:64])
	}
	return plain(name)
}
