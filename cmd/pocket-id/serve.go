package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"pocketid/internal/app"
)

var serveCommand = command{name: "serve", about: "run the server; this is also what happens without a command", run: serve}

// serve runs the server until ctx ends.
func serve(ctx context.Context, p *call) error {
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
	if a.Reloads() {
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGHUP)
		defer signal.Stop(again)
		a.Again = again
	}
	instrument(a)
	return a.Run(ctx)
}

var versionCommand = command{name: "version", about: "print the version", run: func(_ context.Context, c *call) error {
	_, err := fmt.Fprintln(c.out, "pocket-id", release())
	return err
}}
