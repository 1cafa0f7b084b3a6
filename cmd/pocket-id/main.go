// Command pocket-id is a self-hosted OpenID Connect provider on which people
// sign in with passkeys.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/fault"
)

// version is set by the linker in releases.
var version string

// process is what a command may use of the process it runs in.
type process struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	dotenv   string
	terminal bool // somebody sits at in
	book     book
	roots    *x509.CertPool // that certificates are checked against; nil are those of the system
}

func main() {
	dotenv, err := os.ReadFile(".env")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "pocket-id: .env:", err)
		os.Exit(2)
	}
	p := &process{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), dotenv: string(dotenv)}
	if about, err := os.Stdin.Stat(); err == nil {
		p.terminal = about.Mode()&os.ModeCharDevice != 0
	}
	os.Exit(p.main(untilSignal(), os.Args[1:]))
}

// main runs the command that args name and returns the exit status: 2 for what
// was asked wrongly, 1 for what went wrong.
func (p *process) main(ctx context.Context, args []string) int {
	p.book = chapters
	switch {
	case len(args) == 0:
		args = []string{"serve"}
	case slices.Contains([]string{"-h", "-help", "--help"}, args[0]):
		args = []string{"help"}
	case args[0] == "--version" || args[0] == "-v":
		args = []string{"version"}
	}
	err := p.run(ctx, args)
	if err == nil {
		return 0
	}
	if usage, ok := errors.AsType[usageError](err); ok {
		name, how := "pocket-id", "pocket-id help"
		if cmd, _ := p.book.find(args); cmd != nil {
			name, how = "pocket-id "+cmd.name, cmd.usage()
		}
		fmt.Fprintf(p.err, "%s: %s\nusage: %s\n", name, string(usage), how)
		return 2
	}
	if _, ok := errors.AsType[*app.ConfigError](err); ok {
		fmt.Fprintln(p.err, err)
		return 2
	}
	if errors.Is(err, errUnwell) {
		return 1
	}
	cmd, _ := p.book.find(args)
	fmt.Fprintln(p.err, "pocket-id:", cmd.explain(err))
	return 1
}

// run runs the command that args begin with.
func (p *process) run(ctx context.Context, args []string) error {
	cmd, rest := p.book.find(args)
	if i := slices.IndexFunc(rest, func(word string) bool { return word == "-h" || word == "--help" }); i >= 0 && cmd != nil && cmd.name != "help" && !slices.Contains(rest[:i], "--") {
		return p.help(strings.Fields(cmd.name))
	}
	if cmd == nil {
		if last := len(args) - 1; args[last] == "-h" || args[last] == "--help" {
			return p.help(args[:last])
		}
		return p.book.unknown(args)
	}
	c, err := cmd.parse(p, rest)
	if err != nil {
		return err
	}
	return cmd.run(ctx, c)
}

// explain says what went wrong in words for somebody at a terminal, with the flag of cmd
// that it is about.
func (cmd *command) explain(err error) string {
	text := app.Explain(err)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Field == "" {
		return text
	}
	own, _, _ := strings.Cut(f.Field, "[") // of a list, one of its entries
	field := strings.ReplaceAll(own, "_", "-")
	for _, name := range []string{field, strings.TrimSuffix(field, "s"), field + "-file"} {
		if cmd != nil && slices.ContainsFunc(cmd.flags, func(o option) bool { return o.name == name }) {
			return "--" + name + ": " + text
		}
	}
	return strings.ReplaceAll(own, "_", " ") + ": " + text
}

// usageError says what is wrong with the arguments of a command.
type usageError string

// Error is what is wrong.
func (e usageError) Error() string { return string(e) }

// config reads the settings.
func (p *process) config() (app.Config, error) {
	c, err := app.Load(p.environ, p.dotenv)
	c.Version, c.Progress = release(), (&teller{out: p.err, every: tellEvery, last: time.Now()}).tell
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
