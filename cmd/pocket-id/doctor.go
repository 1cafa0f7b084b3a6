package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/app"
	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/i18n"
	"pocketid/internal/overview"
)

var doctorCommand = command{
	name: "doctor", about: "look for what is wrong with this installation, from the inside and from the outside",
	more: `It reads the settings and the database, asks the server on this machine, and asks APP_URL as a browser
would. It changes nothing, and works while the server runs and while it does not. The status is 1 when
something is wrong; what deserves a look alone leaves it 0, unless --strict is there.`,
	flags: []option{
		{name: "inside", about: "ask nobody over the network: look at the settings and the database alone"},
		{name: "endpoint", short: "e", value: "URL", about: "where the server of this machine listens, if not where the settings say"},
		{name: "unix-socket", value: "PATH", about: "the Unix socket that it listens on, if not the one of the settings"},
		{name: "strict", about: "be content with nothing that deserves a look"},
		{name: "json", about: "print JSON: name, where, state, title, text and cure of each check"},
		{name: "quiet", short: "q", about: "print what is not well alone"},
	},
	examples: []string{"doctor", "doctor --quiet --strict", "doctor --inside --json"},
	run:      doctor,
}

// A finding is what the doctor says of one thing.
type finding struct {
	Name  string         `json:"name"`
	Where string         `json:"where"` // see the constants
	State overview.State `json:"state"`
	Title string         `json:"title"`
	Text  string         `json:"text"`
	Cure  string         `json:"cure"`
}

// Where something was found.
const (
	inside  = "inside"  // settings, files, database
	here    = "here"    // the server on this machine
	outside = "outside" // APP_URL
)

// errUnwell is the status of a doctor who found something; it has been said already.
var errUnwell = errors.New("something is wrong")

// checkup collects findings.
type checkup struct{ found []finding }

func (u *checkup) add(where, name string, state overview.State, title, text, cure string) {
	if state == overview.OK {
		cure = ""
	}
	u.found = append(u.found, finding{name, where, state, title, text, cure})
}

func doctor(ctx context.Context, c *call) error {
	u := &checkup{}
	conf, err := c.config()
	if err != nil {
		for _, flaw := range flaws(err) {
			u.add(inside, "settings", overview.Bad, "A setting cannot be understood", flaw, "Put it right and start the server again; pocket-id config variables tells what each means.")
		}
		return c.tell(u)
	}
	u.settings(conf)
	var kids []string
	if keys := u.inside(ctx, conf); keys != nil {
		kids = keys
	}
	if !c.on("inside") {
		at, err := c.server()
		if err != nil {
			return err
		}
		x := examiner{checkup: u, roots: c.roots, kids: kids}
		x.here(ctx, at)
		x.outside(ctx, conf)
	}
	return c.tell(u)
}

// flaws are the lines of an error of the settings, one for each variable.
func flaws(err error) []string {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var list []string
		for _, e := range many.Unwrap() {
			list = append(list, e.Error())
		}
		return list
	}
	return []string{err.Error()}
}

// settings says what the environment will disappoint with.
func (u *checkup) settings(c app.Config) {
	noted := false
	for _, n := range c.Notes {
		if n.Level < slog.LevelWarn || strings.HasPrefix(n.Text, "APP_URL is http ") || strings.HasPrefix(n.Text, "DISABLE_RATE_LIMITING") {
			continue // the checks of the house say these
		}
		noted = true
		u.add(inside, "settings", overview.Warn, "A setting is worth a look", n.Text+".", "Take it away, or write it as it is meant.")
	}
	if !noted {
		u.add(inside, "settings", overview.OK, "The settings are understood", "APP_URL is "+c.PublicURL.String()+".", "")
	}
	if path, err := db.Path(string(c.Database)); err == nil && path != "" {
		u.volume(filepath.Dir(path))
	}
	behind := c.PublicURL.Scheme == "https" && !c.TLS.Set() && len(c.ProxyProtocol) == 0
	if behind && len(c.TrustProxy) == 0 && c.TrustedPlatform == "" && !c.NoRateLimits {
		u.add(inside, "proxies", overview.Warn, "No proxy is trusted", "APP_URL is https and this server speaks http, so a proxy stands in front; TRUST_PROXY is false, so everybody behind it counts as one address and shares one limit.",
			proxyCure(c))
	}
}

// proxyCure is what helps when no proxy is trusted.
func proxyCure(c app.Config) string {
	if c.UnixSocket != "" {
		return "Set TRUST_PROXY=127.0.0.1, which is what the proxy at the Unix socket counts as, and restart."
	}
	return "Set TRUST_PROXY to the address or network of the proxy, and restart."
}

// volume says whether the directory of the database can be written to.
func (u *checkup) volume(dir string) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err == nil {
		_, err = f.WriteString("x")
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		u.add(inside, "volume", overview.Bad, "The directory of the database is not there", dir+" does not exist.", "Start the server once, or run this in its working directory with its settings.")
	case err != nil:
		u.add(inside, "volume", overview.Bad, "The directory of the database cannot be written to", err.Error()+".", fmt.Sprintf("Let the user %s (%d) write there, or enlarge the volume if it is full.", loginName(), os.Getuid()))
	default:
		u.add(inside, "volume", overview.OK, "The directory of the database can be written to", dir, "")
	}
}

// inside runs the checks of the overview and returns the ids of the signing keys.
func (u *checkup) inside(ctx context.Context, c app.Config) []string {
	a, err := app.Beside(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		why, cure := app.Explain(err), "Put that right, and run the doctor again."
		if stop, ok := errors.AsType[*app.Stop](err); ok {
			why, cure = stop.Why, stop.Cure
		}
		if refusal, ok := errors.AsType[*db.Refusal](err); ok {
			why, cure = refusal.Why+".", refusal.Cure+"."
		}
		u.add(inside, "database", overview.Bad, "The database cannot be used", why, cure)
		return nil
	}
	defer a.Close()
	u.add(inside, "schema", overview.OK, "The schema is that of this program", "The database and pocket-id "+release()+" belong together.", "")
	checks, err := a.Overview.Checks(ctx, terminalActor(), edge.Way{})
	if err != nil {
		u.add(inside, "database", overview.Bad, "The database cannot be used", app.Explain(err), "Put that right, and run the doctor again.")
		return nil
	}
	for i := range checks {
		u.found = append(u.found, findingOf(&checks[i]))
	}
	kids, err := a.OIDC.Keys().IDs(ctx)
	if err != nil {
		return nil
	}
	return kids
}

// findingOf is a check of the overview in words.
func findingOf(c *overview.Check) finding {
	words := i18n.For(i18n.Source)
	params := make([]any, len(c.Params))
	for i, v := range c.Params {
		switch v := v.(type) {
		case overview.Bytes:
			params[i] = sizeOf(int64(v))
		case time.Time:
			params[i] = when(v)
		case []string:
			params[i] = strings.Join(v, ", ")
		default:
			params[i] = v
		}
	}
	key := "check." + c.Name + "." + c.Finding
	if c.Finding == "unknown" {
		key, params = "check.unknown", []any{"what", words.T("check." + c.Name)}
	}
	f := finding{Name: c.Name, Where: inside, State: c.State, Title: words.T(key+".title", params...), Text: words.T(key, params...)}
	if c.State != overview.OK {
		f.Cure = words.T(key+".cure", params...)
	}
	return f
}

// sizeOf is a number of bytes as people say it.
func sizeOf(n int64) string {
	v, units := float64(n)/1000, []string{"kB", "MB", "GB", "TB"}
	for len(units) > 1 && v >= 999.5 {
		v, units = v/1000, units[1:]
	}
	if v < 9.95 && units[0] != "kB" {
		return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[0]
	}
	return strconv.FormatInt(int64(v+0.5), 10) + " " + units[0]
}

// tell prints what was found, what is wrong first, and says by its error whether the
// installation is well.
func (c *call) tell(u *checkup) error {
	urgent := []overview.State{overview.Bad, overview.Warn, overview.OK}
	slices.SortStableFunc(u.found, func(a, b finding) int { return slices.Index(urgent, a.State) - slices.Index(urgent, b.State) })
	count := map[overview.State]int{}
	for _, f := range u.found {
		count[f.State]++
	}
	if c.on("quiet") {
		u.found = slices.DeleteFunc(u.found, func(f finding) bool { return f.State == overview.OK })
	}
	if c.on("json") {
		if u.found == nil {
			u.found = []finding{}
		}
		if err := c.printJSON(u.found); err != nil {
			return err
		}
	} else {
		for _, f := range u.found {
			fmt.Fprintf(c.out, "%-5s %-8s %s. %s\n", f.State, f.Where, plain(f.Title), plain(f.Text))
			if f.Cure != "" {
				fmt.Fprintf(c.out, "%15sCure: %s\n", "", plain(f.Cure))
			}
		}
	}
	if !c.on("json") && (!c.on("quiet") || len(u.found) > 0) {
		fmt.Fprintf(c.out, "\n%d wrong, %d worth a look, %d well.\n", count[overview.Bad], count[overview.Warn], count[overview.OK])
	}
	if count[overview.Bad] > 0 || c.on("strict") && count[overview.Warn] > 0 {
		return errUnwell
	}
	return nil
}
