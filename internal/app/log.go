package app

import (
	"context"
	"io"
	"log/slog"
)

// Logger is the log that the configuration asks for.
func (c Config) Logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// LogNotes writes the remarks on the environment to the log.
func (c Config) LogNotes(log *slog.Logger) {
	for _, n := range c.Notes {
		log.Log(context.Background(), n.Level, n.Text)
	}
}
