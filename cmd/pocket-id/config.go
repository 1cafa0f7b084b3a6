package main

import (
	"context"
	"io"

	"pocketid/internal/app"
)

var configCommands = []command{
	{name: "config variables", about: "print all variables of the environment, their defaults and meanings", run: func(_ context.Context, c *call) error {
		_, err := io.WriteString(c.out, app.Document())
		return err
	}},
}
