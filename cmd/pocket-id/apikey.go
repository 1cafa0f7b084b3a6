package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/signin"
)

var apiKeyCommands = []command{
	{
		name: "api-key list", about: "list API keys",
		flags: []option{
			{name: "search", short: "s", value: "WORDS", about: "only those with names, or owners, that begin so"},
			{name: "owner", short: "o", value: "USER", about: "only those of this account"},
			{name: "state", value: "STATE", about: "only those in this state", choices: []string{"working", "ending", "ended", "unused"}},
			{name: "sort", value: "ORDER", about: "the order, with a minus in front the other way round", choices: keySorts()},
			limitFlag, asJSON, quiet,
		},
		examples: []string{"api-key list --owner deploy", "api-key list --state ended --quiet"},
		run:      deed(apiKeyList),
	},
	{
		name: "api-key show", args: "<key>", about: "show an API key, but for its text, which nobody knows any more",
		flags: []option{asJSON}, examples: []string{"api-key show 'Nightly backup'"},
		run: deed(apiKeyShow),
	},
	{
		name: "api-key create", about: "make an API key for a person or a service account",
		more: "The text of the key is printed once and is stored nowhere. Without --scope the key can do all that its owner can;\nwith scopes, less: account, users, groups, clients, apis, keys, audit or settings, with :read or :write behind.",
		flags: []option{
			{name: "owner", short: "o", value: "USER", about: "whose key it is"},
			{name: "name", short: "n", value: "NAME", about: "what to call it"},
			{name: "description", value: "TEXT", about: "what it is for"},
			{name: "expires-at", value: "TIME", about: "from when on it opens nothing: a day, an instant, or 90d", fallback: "90d"},
			{name: "scope", value: "SCOPE", about: "what it is for", many: true},
			asJSON, {name: "quiet", short: "q", about: "print the text of the key alone"},
		},
		examples: []string{"api-key create --owner deploy --name 'Nightly backup' --scope users:read,groups:read", "api-key create -o ada -n terraform --expires-at 2027-12-31 --quiet > key.txt"},
		run:      deed(apiKeyCreate),
	},
	{
		name: "api-key edit", args: "<key>", about: "change what a key is called and what it is for",
		flags:    []option{{name: "name", short: "n", value: "NAME", about: "what to call it"}, {name: "description", value: "TEXT", about: "what it is for"}, asJSON},
		examples: []string{"api-key edit terraform --description 'The cluster in Berlin'"}, run: deed(apiKeyEdit),
	},
	{
		name: "api-key renew", args: "<key>", about: "give a key another text and another end",
		more: "The text before opens nothing from then on.",
		flags: []option{
			{name: "expires-at", value: "TIME", about: "from when on it opens nothing: a day, an instant, or 90d", fallback: "90d"},
			yes, asJSON, {name: "quiet", short: "q", about: "print the text of the key alone"},
		},
		examples: []string{"api-key renew terraform --yes --quiet > key.txt"},
		run:      deed(apiKeyRenew),
	},
	{
		name: "api-key revoke", args: "<key>...", about: "take keys out of use at once, and out of the list",
		flags: []option{yes}, examples: []string{"api-key revoke terraform"},
		run: deed(apiKeyRevoke),
	},
	{
		name: "api-key delete", args: "<key>...", about: "the same as api-key revoke",
		flags: []option{yes}, examples: []string{"api-key delete terraform --yes"},
		run: deed(apiKeyRevoke),
	},
}

// keySorts are the orders of keys, in both directions.
func keySorts() (list []string) {
	for _, s := range signin.KeySorts {
		list = append(list, s.Name(), "-"+s.Name())
	}
	return list
}

func apiKeyList(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	f := signin.KeyFilter{Search: c.text("search"), State: signin.KeyState(c.choice("state")), Sort: directory.Order(c.choice("sort"))}
	if name := c.text("owner"); name != "" {
		u, err := person(ctx, a, by, name)
		if err != nil {
			return err
		}
		f.Owner = u.ID
	}
	now := time.Now()
	return c.list([]string{"NAME", "OWNER", "SCOPES", "STATE", "EXPIRES", "LAST USED", "ID"}, func(after string, limit int) (lines []line, next string, err error) {
		f.After, f.Limit = after, limit
		page, err := a.SignIn.AllKeys(ctx, by, f)
		if err != nil {
			return nil, "", err
		}
		for i := range page.Rows {
			r := &page.Rows[i]
			lines = append(lines, line{r.ID, []string{r.Name, r.Owner.Username, scopes(&r.Key), keyState(&r.Key, now), when(r.ExpiresAt), when(r.LastUsedAt), r.ID}, api.ShowKey(r.Key)})
		}
		return lines, page.Next, nil
	})
}

// scopes are what a key is for, for a table.
func scopes(k *signin.Key) string {
	if k.Whole() {
		return "all"
	}
	list := make([]string, len(k.Scopes))
	for i, s := range k.Scopes {
		list[i] = string(s)
	}
	return strings.Join(list, ",")
}

// keyState is where a key stands, in a word.
func keyState(k *signin.Key, now time.Time) string {
	switch {
	case k.Ended(now):
		return "ended"
	case k.EndsSoon(now):
		return "ending"
	}
	return "working"
}

// keyNamed is the key that is meant by its id, or by a name that no other key has.
func keyNamed(ctx context.Context, a *app.App, by audit.Actor, meant string) (signin.KeyRow, error) {
	k, err := a.SignIn.FindKey(ctx, by, meant)
	if errors.Is(err, signin.ErrNoKey) {
		return k, fmt.Errorf("there is no API key with the name or id %q; pocket-id api-key list shows them", plain(meant))
	}
	return k, err
}

func apiKeyShow(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	k, err := keyNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	if c.on("json") {
		return c.printJSON(api.ShowKey(k.Key))
	}
	return facts(c.out, "id", k.ID, "name", k.Name, "description", k.Description, "owner", k.Owner.Username, "scopes", scopes(&k.Key), "state", keyState(&k.Key, time.Now()),
		"expires", when(k.ExpiresAt), "last used", cmp.Or(when(k.LastUsedAt), "never"), "made", when(k.CreatedAt))
}

func apiKeyCreate(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if !c.has("owner") || !c.has("name") {
		return usageError("it needs --owner USER and --name NAME")
	}
	owner, err := person(ctx, a, by, c.text("owner"))
	if err != nil {
		return err
	}
	edit := signin.KeyEdit{Name: c.text("name"), Description: c.text("description")}
	if edit.ExpiresAt, err = instant("expires-at", c.text("expires-at"), time.Now()); err != nil {
		return err
	}
	for _, s := range c.several("scope") {
		edit.Scopes = append(edit.Scopes, signin.Scope(s))
	}
	k, text, err := a.SignIn.IssueKey(ctx, by, owner.ID, edit)
	if err != nil {
		return err
	}
	return c.newKey(k, text, "Made the key %s of %s, which works until %s. It is shown here and nowhere else:", plain(k.Name), plain(owner.Username), when(k.ExpiresAt))
}

// newKey prints a key with its text, which is what the command was asked for.
func (c *call) newKey(k signin.Key, text, said string, args ...any) error {
	switch {
	case c.on("json"):
		return c.printJSON(api.ShowNewKey(k, text))
	case c.on("quiet"):
		return c.line(text)
	}
	return c.say(said+"\n%s", append(args, text)...)
}

func apiKeyEdit(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if !c.has("name") && !c.has("description") {
		return usageError("it needs --name or --description")
	}
	row, err := keyNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	name, description := row.Name, row.Description
	if c.has("name") {
		name = c.text("name")
	}
	if c.has("description") {
		description = c.text("description")
	}
	k, err := a.SignIn.EditKeyOf(ctx, by, row.ID, name, description)
	if err != nil {
		return err
	}
	if c.on("json") {
		return c.printJSON(api.ShowKey(k))
	}
	return c.say("Changed the key %s.", plain(k.Name))
}

func apiKeyRenew(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	expires, err := instant("expires-at", c.text("expires-at"), time.Now())
	if err != nil {
		return err
	}
	row, err := keyNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	if !row.Ended(time.Now()) {
		if err := c.sure(fmt.Sprintf("The key %s of %s still works; what uses it stops until it has the new text.", plain(row.Name), plain(row.Owner.Username))); err != nil {
			return err
		}
	}
	k, text, err := a.SignIn.ReissueKey(ctx, by, row.ID, expires)
	if err != nil {
		return err
	}
	return c.newKey(k, text, "The key %s works until %s, with another text. It is shown here and nowhere else:", plain(k.Name), when(k.ExpiresAt))
}

func apiKeyRevoke(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	var names, ids []string
	for _, meant := range c.args {
		k, err := keyNamed(ctx, a, by, meant)
		if err != nil {
			return err
		}
		names, ids = append(names, fmt.Sprintf("%s of %s", plain(k.Name), plain(k.Owner.Username))), append(ids, k.ID)
	}
	if err := c.sure(fmt.Sprintf("These keys open nothing any more, and what uses them stops: %s.", strings.Join(names, ", "))); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := a.SignIn.RevokeKeyOf(ctx, by, id); err != nil {
			return err
		}
	}
	return c.say("Revoked: %s.", strings.Join(names, ", "))
}
