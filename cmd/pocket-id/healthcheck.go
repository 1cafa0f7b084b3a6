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
		{name: "verbose", short: "v", about: "say where it answered"},
	},
	examples: []string{"healthcheck", "healthcheck -e http://localhost:1411 -v"},
	run:      healthcheck,
}

// healthcheck asks a server whether it answers, for containers that have no
// other program in them.
func healthcheck(ctx context.Context, p *call) error {
	endpoint := p.text("endpoint")
	if endpoint == "" {
		c, err := p.config()
		if err != nil {
			return err
		}
		endpoint = localEndpoint(c)
	}
	if !strings.Contains(endpoint, "://") {
		return usageError("the endpoint is an address, like http://localhost:1411")
	}
	if err := app.Probe(ctx, strings.TrimRight(endpoint, "/")+"/healthz"); err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	if p.on("verbose") {
		fmt.Fprintln(p.out, "the server answers at", endpoint)
	}
	return nil
}

// localEndpoint is where a server with these settings listens, seen from its machine.
func localEndpoint(c app.Config) string {
	host := c.Host
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(c.Port))
}
