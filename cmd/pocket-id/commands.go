package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
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

// parse reads the flags of a command and returns what stands behind them.
func parse(flags *flag.FlagSet, args []string) ([]string, error) {
	flags.SetOutput(io.Discard)
	var rest []string
	for { // flags may stand behind arguments
		if err := flags.Parse(args); err != nil {
			return nil, usageError(err.Error())
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

// loginLink makes a link by which somebody can sign in once. Whoever has lost
// their passkeys has them taken away with it, because a link alone adds a
// passkey only where there is none.
func loginLink(ctx context.Context, p *process, args []string) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	var lost bool
	flags.BoolVar(&lost, "lost-passkeys", false, "")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("it takes one username or e-mail address")
	}
	return p.beside(ctx, func(a *app.App) error {
		makeLink, note := a.SignIn.MakeLoginLink, ""
		if lost {
			makeLink, note = a.SignIn.MakeRecoveryLink, "All passkeys of this account were removed and its sessions ended; the link leads to adding a new one.\n"
		}
		code, user, err := makeLink(ctx, audit.System("cli"), rest[0], time.Hour)
		if errors.Is(err, directory.ErrNoUser) {
			return fmt.Errorf("nobody here has the username or e-mail address %q", rest[0])
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, note+"%s can sign in once within the next hour, at:\n%s\n", user.Username, a.SignIn.CodeURL(code))
		return err
	})
}

// setupLink opens the set-up page again.
func setupLink(ctx context.Context, p *process, args []string) error {
	if len(args) > 0 {
		return usageError("it takes no arguments")
	}
	return p.beside(ctx, func(a *app.App) error {
		state, err := a.SignIn.OpenSetup(ctx, audit.System("cli"))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.out, "The first account can be made until %s, at:\n%s\n", state.Until.Local().Format(time.DateTime+" MST"), a.SignIn.SetupURL())
		return err
	})
}

// keyRotate makes a new signing key of one algorithm. What the old one signed
// goes on to verify, so nothing needs to be confirmed.
func keyRotate(ctx context.Context, p *process, args []string) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	var alg, curve, leaked string
	var now, yes bool
	for _, name := range []string{"a", "alg"} {
		flags.StringVar(&alg, name, string(jose.RS256), "")
	}
	for _, name := range []string{"c", "crv"} {
		flags.StringVar(&curve, name, "", "")
	}
	for _, name := range []string{"y", "yes"} { // as scripts for Pocket ID 2.x have it
		flags.BoolVar(&yes, name, false, "")
	}
	flags.BoolVar(&now, "now", false, "")
	flags.StringVar(&leaked, "compromised", "", "")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(oidc.KeyAlgs, func(a jose.Alg) bool { return strings.EqualFold(string(a), alg) })
	switch {
	case len(rest) > 0:
		return usageError("it takes no arguments but flags")
	case i < 0:
		return usageError(fmt.Sprintf("there are keys of %v, and none of %s", oidc.KeyAlgs, alg))
	case curve != "" && (oidc.KeyAlgs[i] != jose.EdDSA || curve != "Ed25519"):
		return usageError("the curve of EdDSA is Ed25519, and the other algorithms have none to choose")
	}
	return p.beside(ctx, func(a *app.App) error {
		keys, by := a.OIDC.Keys(), audit.System("cli")
		if leaked != "" {
			if err := keys.Compromise(ctx, by, leaked); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.out, "Nothing that the key %s signed verifies any more. Running servers know it within seconds.\n", leaked)
			return err
		}
		rotate := keys.Rotate
		if now {
			rotate = keys.RotateNow
		}
		done, err := rotate(ctx, by, oidc.KeyAlgs[i])
		if err != nil {
			return err
		}
		when := "signs from now on"
		if !done.Signs {
			when = "is published, and signs from " + done.SignsAt.Local().Format(time.DateTime+" MST") + " on, when applications know it"
		}
		_, err = fmt.Fprintf(p.out, "The %s key %s %s. What the old key signed goes on to verify; nothing needs a restart.\n", done.Alg, done.KeyID, when)
		return err
	})
}

// healthcheck asks a server whether it answers, for containers that have no
// other program in them.
func healthcheck(ctx context.Context, p *process, args []string) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	var endpoint string
	var verbose bool
	for _, name := range []string{"e", "endpoint"} {
		flags.StringVar(&endpoint, name, "", "")
	}
	for _, name := range []string{"v", "verbose"} {
		flags.BoolVar(&verbose, name, false, "")
	}
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("it takes no arguments but flags")
	}
	if endpoint == "" {
		c, err := p.config()
		if err != nil {
			return err
		}
		host := c.Host
		if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
			host = "localhost"
		}
		endpoint = "http://" + net.JoinHostPort(host, strconv.Itoa(c.Port))
	}
	if !strings.Contains(endpoint, "://") {
		return usageError("the endpoint is an address, like http://localhost:1411")
	}
	if err := app.Probe(ctx, strings.TrimRight(endpoint, "/")+"/healthz"); err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	if verbose {
		fmt.Fprintln(p.out, "the server answers at", endpoint)
	}
	return nil
}
