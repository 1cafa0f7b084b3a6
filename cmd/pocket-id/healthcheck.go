package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"pocketid/internal/app"
)

var healthcheckCommand = command{
	name: "healthcheck", about: "ask the server on this machine whether it answers",
	flags: []option{
		{name: "endpoint", short: "e", value: "URL", about: "where to ask instead, like http://localhost:1411"},
		{name: "unix-socket", value: "PATH", about: "ask by a Unix socket"},
		{name: "verbose", short: "v", about: "say where it answered"},
	},
	examples: []string{"healthcheck", "healthcheck -e http://localhost:1411 -v", "healthcheck --unix-socket /run/pocket-id/pocket-id.sock"},
	run:      healthcheck,
}

// healthcheck asks a server whether it answers, for containers that have no
// other program in them.
func healthcheck(ctx context.Context, p *call) error {
	at, err := p.server()
	if err != nil {
		return err
	}
	if err := app.ProbeThrough(ctx, at.socket, at.address+"/healthz"); err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	if p.on("verbose") {
		fmt.Fprintln(p.out, "the server answers at", at)
	}
	return nil
}

// A spot is where a server listens, seen from its machine.
type spot struct {
	address string // without a final slash
	socket  string // the path of the Unix socket that leads there, or ""
}

// String is what a person calls it.
func (s spot) String() string {
	if s.socket != "" {
		return s.socket
	}
	return s.address
}

// server is the spot that the flags --endpoint and --unix-socket name, else that of the settings.
func (c *call) server() (spot, error) {
	at := spot{address: c.text("endpoint"), socket: c.text("unix-socket")}
	if at.address == "" {
		conf, err := c.config()
		if err != nil {
			return at, err
		}
		own := localSpot(conf)
		if at.address = own.address; at.socket == "" {
			at.socket = own.socket
		}
	}
	if !strings.Contains(at.address, "://") {
		return at, usageError("the endpoint is an address, like http://localhost:1411")
	}
	at.address = strings.TrimRight(at.address, "/")
	return at, nil
}

// localSpot is where a server with these settings listens.
func localSpot(c app.Config) spot {
	host, scheme := c.Host, "http"
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	if c.TLS.Set() {
		scheme = "https"
	}
	return spot{scheme + "://" + net.JoinHostPort(host, strconv.Itoa(c.Port)), c.UnixSocket}
}
