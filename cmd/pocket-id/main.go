// Command pocket-id is a self-hosted OpenID Connect provider on which people
// sign in with passkeys.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"pocketid/internal/app"
)

// version is set by the linker in releases.
var version string

// A command is what one word on the command line does.
type command struct {
	name string
	args string // what it takes, for the help
	help string
	run  func(ctx context.Context, p *process, args []string) error
}

// commands are all there are. Without a word, the server runs.
var commands = []command{
	{"serve", "", "run the server; this is also what happens without a command", serve},
	{"setup-link", "", "open the set-up page for another 60 minutes", setupLink},
	{"one-time-access-token", "<username or e-mail> [--lost-passkeys]", "make a link by which somebody can sign in once; with the flag, to replace passkeys that are lost", loginLink},
	{"key-rotate", "[-a RS256|ES256|EdDSA] [--now] [--compromised KEY]", "make a new signing key; the old one goes on verifying", keyRotate},
	{"config", "", "print all settings, their defaults and meanings", func(_ context.Context, p *process, _ []string) error {
		_, err := io.WriteString(p.out, app.Document())
		return err
	}},
	{"healthcheck", "[-e http://localhost:1411] [-v]", "ask the server on this machine whether it answers", healthcheck},
	{"version", "", "print the version", func(_ context.Context, p *process, _ []string) error {
		_, err := fmt.Fprintln(p.out, "pocket-id", release())
		return err
	}},
}

// process is what a command may use of the process it runs in.
type process struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	dotenv   string
}

func main() {
	dotenv, err := os.ReadFile(".env")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "pocket-id: .env:", err)
		os.Exit(2)
	}
	p := &process{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), dotenv: string(dotenv)}
	os.Exit(p.main(untilSignal(), os.Args[1:]))
}

// main runs the command that args name and returns the exit status: 2 for what
// was asked wrongly, 1 for what went wrong.
func (p *process) main(ctx context.Context, args []string) int {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, name) {
		p.help(p.out)
		return 0
	}
	if name == "--version" || name == "-v" {
		name = "version"
	}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	if i < 0 {
		fmt.Fprintf(p.err, "pocket-id: there is no command %q.\n\n", name)
		p.help(p.err)
		return 2
	}
	err := commands[i].run(ctx, p, args)
	if err == nil {
		return 0
	}
	if usage, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(p.err, "pocket-id %s: %s\nusage: pocket-id %s\n", name, string(usage), strings.TrimSpace(name+" "+commands[i].args))
		return 2
	}
	if _, ok := errors.AsType[*app.ConfigError](err); ok {
		fmt.Fprintln(p.err, err)
		return 2
	}
	fmt.Fprintln(p.err, app.Explain(err))
	return 1
}

// usageError says what is wrong with the arguments of a command.
type usageError string

// Error is what is wrong.
func (e usageError) Error() string { return string(e) }

// help prints what there is.
func (p *process) help(w io.Writer) {
	fmt.Fprint(w, "Pocket ID: an OpenID Connect provider for sign-in with passkeys.\n\nusage: pocket-id [command]\n\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-66s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
	}
	fmt.Fprint(w, "\nSettings come from the environment and from .env; pocket-id config lists them.\n")
}

// config reads the settings.
func (p *process) config() (app.Config, error) {
	c, err := app.Load(p.environ, p.dotenv)
	c.Version = release()
	return c, err
}

// release is the version: what the linker says, else the revision that was built.
func release() string {
	if version != "" {
		return version
	}
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				revision = s.Value[:12]
			}
		}
	}
	return "development-" + revision
}

// untilSignal is a context that the first signal to stop ends; a second signal
// ends the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		s := <-signals
		signal.Reset(syscall.SIGINT, syscall.SIGTERM)
		if s == syscall.SIGINT {
			cancel(app.ErrInterrupted)
			return
		}
		cancel(fmt.Errorf("signal %v", s))
	}()
	return ctx
}
