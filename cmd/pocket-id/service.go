package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

var serviceCommands = []command{
	{
		name: "service-account list", about: "list the accounts of programs",
		flags: []option{
			{name: "search", short: "s", value: "WORDS", about: "only those with this in a name"},
			{name: "owner", short: "o", value: "USER", about: "only those for which this person answers"},
			{name: "state", value: "STATE", about: "only those in this state", choices: []string{"working", "disabled", "expired", "orphaned"}},
			limitFlag, asJSON, quiet,
		},
		examples: []string{"service-account list --owner ada", "service-account list --state orphaned --quiet"},
		run:      deed(serviceList),
	},
	{
		name: "service-account show", args: "<account>", about: "show a service account",
		flags: []option{asJSON}, examples: []string{"service-account show deploy"},
		run: deed(serviceShow),
	},
	{
		name: "service-account create", about: "make an account for a program",
		more:     "It never signs in and has API keys alone, which pocket-id api-key create makes. While its owner may not come in, they open nothing.",
		flags:    append(serviceFlags(), asJSON, quiet),
		examples: []string{"service-account create --username deploy --owner ada --description 'Rolls out the cluster'", "service-account create -u backup -o ada --expires-at 365d --quiet"},
		run:      deed(serviceCreate),
	},
	{
		name: "service-account edit", args: "<account>", about: "change a service account, or hand it to another owner",
		more:     "What no flag names stays as it is.",
		flags:    append(serviceFlags(), asJSON),
		examples: []string{"service-account edit deploy --owner ben", "service-account edit deploy --admin=false --expires-at ''"},
		run:      deed(serviceEdit),
	},
	{
		name: "service-account disable", args: "<account>...", about: "stop the keys of service accounts",
		examples: []string{"service-account disable deploy"}, run: deed(serviceDisable),
	},
	{
		name: "service-account enable", args: "<account>...", about: "let the keys of service accounts work again",
		examples: []string{"service-account enable deploy"}, run: deed(serviceEnable),
	},
	{
		name: "service-account delete", args: "<account>...", about: "delete service accounts and their keys",
		flags: []option{yes}, examples: []string{"service-account delete deploy --yes"}, run: deed(serviceDelete),
	},
}

// serviceFlags are what can be said of a service account.
func serviceFlags() []option {
	return []option{
		{name: "username", short: "u", value: "NAME", about: "the name by which the log knows it"},
		{name: "display-name", value: "NAME", about: "what to call it"},
		{name: "description", value: "TEXT", about: "what it is for"},
		{name: "owner", short: "o", value: "USER", about: "the person who answers for it"},
		{name: "admin", about: "an administrator, for as long as its owner is one"},
		{name: "expires-at", value: "TIME", about: "from when on its keys open nothing: a day, an instant, or 90d; an empty one is never"},
	}
}

// serviceNamed is the service account that is meant by an id or a username.
func serviceNamed(ctx context.Context, a *app.App, by audit.Actor, meant string) (directory.ServiceRow, error) {
	r, err := a.Directory.FindService(ctx, by, meant)
	if errors.Is(err, directory.ErrNoService) {
		return r, fmt.Errorf("there is no service account with the username or id %q; pocket-id service-account list shows all", plain(meant))
	}
	return r, err
}

func serviceList(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	f := directory.ServiceFilter{Search: c.text("search"), State: directory.ServiceState(c.choice("state")), Sort: "username"}
	if name := c.text("owner"); name != "" {
		u, err := person(ctx, a, by, name)
		if err != nil {
			return err
		}
		f.Owner = u.ID
	}
	now := time.Now()
	return c.list([]string{"USERNAME", "NAME", "OWNER", "ROLE", "STATE", "EXPIRES", "ID"}, func(after string, limit int) ([]line, string, error) {
		f.After, f.Limit = after, limit
		page, err := a.Directory.Services(ctx, by, f)
		var lines []line
		for i := range page.Rows {
			r := &page.Rows[i]
			lines = append(lines, line{id: r.ID, object: api.ShowService(r, now),
				cells: []string{r.Username, r.Name(), r.Owner.Username, role(r.Admin), string(r.State(now)), when(r.ExpiresAt), r.ID}})
		}
		return lines, page.Next, err
	})
}

func serviceShow(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	r, err := serviceNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	return c.showService(&r)
}

// showService prints a service account.
func (c *call) showService(r *directory.ServiceRow) error {
	now := time.Now()
	if c.on("json") {
		return c.printJSON(api.ShowService(r, now))
	}
	return facts(c.out, "id", r.ID, "username", r.Username, "name", r.Name(), "description", r.Description, "owner", r.Owner.Username, "role", role(r.Admin),
		"state", string(r.State(now)), "expires", when(r.ExpiresAt), "made", when(r.CreatedAt), "disabled", when(r.DisabledAt))
}

// serviceSaid is e with what the flags say.
func serviceSaid(ctx context.Context, c *call, a *app.App, by audit.Actor, e directory.ServiceEdit) (directory.ServiceEdit, error) {
	for name, into := range map[string]*string{"username": &e.Username, "display-name": &e.DisplayName, "description": &e.Description} {
		if c.has(name) {
			*into = c.text(name)
		}
	}
	if c.has("admin") {
		e.Admin = c.on("admin")
	}
	if c.has("owner") {
		u, err := person(ctx, a, by, c.text("owner"))
		if err != nil {
			return e, err
		}
		e.Owner = u.ID
	}
	if !c.has("expires-at") {
		return e, nil
	}
	e.ExpiresAt = time.Time{}
	var err error
	if typed := strings.TrimSpace(c.text("expires-at")); typed != "" {
		e.ExpiresAt, err = instant("expires-at", typed, time.Now())
	}
	return e, err
}

func serviceCreate(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	for _, needed := range []string{"username", "owner"} {
		if c.text(needed) == "" {
			return usageError("--" + needed + " is needed")
		}
	}
	e, err := serviceSaid(ctx, c, a, by, directory.ServiceEdit{})
	if err != nil {
		return err
	}
	u, err := a.Directory.AddService(ctx, by, "", e)
	if err != nil {
		return err
	}
	if !c.on("json") {
		return c.done(u.ID, "Made the service account %s (%s). pocket-id api-key create --owner %s makes a key for it.", plain(u.Username), u.ID, plain(u.Username))
	}
	r, err := a.Directory.Service(ctx, by, u.ID)
	if err != nil {
		return err
	}
	return c.showService(&r)
}

func serviceEdit(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	r, err := serviceNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	was := r.ServiceEdit()
	e, err := serviceSaid(ctx, c, a, by, was)
	if err != nil {
		return err
	}
	if _, err := a.Directory.ReviseService(ctx, by, r.ID, was, e); err != nil {
		return err
	}
	if r, err = a.Directory.Service(ctx, by, r.ID); err != nil {
		return err
	}
	return c.showService(&r)
}

// toServices does a deed to the service accounts that are meant, and answers their names.
func toServices(ctx context.Context, c *call, a *app.App, by audit.Actor, sure string, do func(context.Context, audit.Actor, ...string) error) (string, error) {
	var ids, names []string
	for _, meant := range c.args {
		r, err := serviceNamed(ctx, a, by, meant)
		if err != nil {
			return "", err
		}
		ids, names = append(ids, r.ID), append(names, plain(r.Username))
	}
	all := strings.Join(names, ", ")
	if sure != "" {
		if err := c.sure(fmt.Sprintf(sure, all)); err != nil {
			return "", err
		}
	}
	return all, do(ctx, by, ids...)
}

func serviceDisable(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	all, err := toServices(ctx, c, a, by, "", a.Directory.DisableServices)
	if err != nil {
		return err
	}
	return c.say("Disabled: %s.", all)
}

func serviceEnable(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	all, err := toServices(ctx, c, a, by, "", a.Directory.EnableServices)
	if err != nil {
		return err
	}
	return c.say("Enabled: %s.", all)
}

func serviceDelete(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	all, err := toServices(ctx, c, a, by, "The service accounts %s go, with their keys.", a.Directory.DeleteServices)
	if err != nil {
		return err
	}
	return c.say("Deleted: %s.", all)
}
