package main

import (
	"context"

	"pocketid/internal/app"
)

// serve runs the server until ctx ends.
func serve(ctx context.Context, p *process, args []string) error {
	if len(args) > 0 {
		return usageError("it takes no arguments")
	}
	c, err := p.config()
	if err != nil {
		return err
	}
	app.Collect(p.environ)
	log := c.Logger(p.err)
	c.LogNotes(log)
	a, err := app.New(ctx, c, log)
	if err != nil {
		return err
	}
	defer a.Close()
	instrument(a)
	return a.Run(ctx)
}
