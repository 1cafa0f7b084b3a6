package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

var userCommands = []command{
	{
		name: "user list", about: "list people",
		flags: []option{
			{name: "search", short: "s", value: "WORDS", about: "only those with names or addresses that begin so"},
			{name: "role", value: "ROLE", about: "only those of this role", choices: []string{"admin", "user"}},
			{name: "state", value: "STATE", about: "only those in this state", choices: []string{"active", "keyless", "new", "disabled", "expired", "deleted"}},
			{name: "passkeys", value: "NUMBER", about: "only those with so many passkeys", choices: []string{"none", "one", "several"}},
			{name: "group", short: "g", value: "GROUP", about: "only members of this group"},
			{name: "sort", value: "ORDER", about: "the order, with a minus in front the other way round", choices: userSorts()},
			limitFlag, asJSON, quiet,
		},
		examples: []string{"user list --search ada", "user list --state disabled --quiet", "user list --role admin --json"},
		run:      deed(userList),
	},
	{
		name: "user show", args: "<user>", about: "show an account",
		flags: []option{asJSON}, examples: []string{"user show ada", "user show ada@example.com --json"},
		run: deed(userShow),
	},
	{
		name: "user create", about: "make an account",
		more: "The person signs in for the first time with a link, which --link prints, and then adds a passkey.",
		flags: append(userFlags(), option{name: "id", value: "ID", about: "the id, a UUID, which applications know the person by"},
			option{name: "disabled", about: "keep them out for now"},
			option{name: "link", about: "print a link by which they sign in once, within an hour"}, asJSON, quiet),
		examples: []string{"user create --username ada --email ada@example.com --first-name Ada --link", "user create --username ben --email ben@example.com --group admins --admin --quiet"},
		run:      deed(userCreate),
	},
	{
		name: "user edit", args: "<user>", about: "change an account",
		more:     "What no flag names stays as it is. --group names all groups that the person is in from then on; an empty one is none.",
		flags:    append(userFlags(), asJSON),
		examples: []string{"user edit ada --email ada@example.org", "user edit ada --admin=false", "user edit ada --claim team=red --claim 'floor:=3' --no-claim desk"},
		run:      deed(userEdit),
	},
	{
		name: "user delete", args: "<user>...", about: "delete accounts",
		more:     "Names and addresses of the deleted stay reserved, so that nobody inherits an account at an application.",
		flags:    []option{yes},
		examples: []string{"user delete ada", "user delete ada ben --yes"},
		run:      deed(userDelete),
	},
	{
		name: "user disable", args: "<user>...", about: "keep people out from now on",
		more:     "What they have open ends at once, here and at applications, and stays ended when they are enabled again.",
		examples: []string{"user disable ada"}, run: deed(userDisable),
	},
	{
		name: "user enable", args: "<user>...", about: "let people in again",
		examples: []string{"user enable ada"}, run: deed(userEnable),
	},
	{
		name: "user login-link", args: "<user>", about: "make a link by which somebody can sign in once",
		flags: []option{
			{name: "for", value: "TIME", about: "how long it works, up to 31d", fallback: "1h"},
			{name: "lost-passkeys", about: "remove all passkeys of the account and end its sessions, so that the link leads to adding a new one"},
			yes, asJSON, {name: "quiet", short: "q", about: "print the link alone"},
		},
		examples: []string{"user login-link ada", "user login-link ada --for 7d --quiet"},
		run:      deed(userLoginLink),
	},
	{
		name: "user sign-out", args: "[<user>]...", about: "end everything that people have open, here and at applications",
		flags:    []option{{name: "everybody", about: "everybody who has an account, whoever runs this too"}, yes},
		examples: []string{"user sign-out ada", "user sign-out --everybody"}, run: deed(userSignOut),
	},
	userSessionsCommand, userSessionsEndCommand,
	{
		name: "user passkeys list", args: "<user>", about: "list somebody's passkeys",
		flags: []option{asJSON, quiet}, examples: []string{"user passkeys list ada"},
		run: deed(userPasskeys),
	},
	{
		name: "user passkeys remove", args: "<user> <passkey>", about: "take a passkey away from somebody",
		more:  "The passkey is named by its id or by its name, where they have one of that name. What it opened ends.",
		flags: []option{yes}, examples: []string{"user passkeys remove ada 'Old phone'"},
		run: deed(userPasskeyRemove),
	},
}

// userFlags are what can be said of an account.
func userFlags() []option {
	return []option{
		{name: "username", short: "u", value: "NAME", about: "the name to sign in with"},
		{name: "email", short: "e", value: "ADDRESS", about: "the e-mail address"},
		{name: "email-verified", about: "the address is known to be theirs"},
		{name: "first-name", value: "NAME", about: "the first name"},
		{name: "last-name", value: "NAME", about: "the last name"},
		{name: "display-name", value: "NAME", about: "what to call them"},
		{name: "admin", about: "an administrator"},
		{name: "locale", value: "TAG", about: "the language, like en or zh-CN"},
		{name: "expires-at", value: "TIME", about: "from when on they are kept out: a day, an instant, or 90d; an empty one is never"},
		{name: "group", short: "g", value: "GROUP", about: "a group that they are in", many: true},
		{name: "claim", value: "NAME=TEXT", about: "a claim with a text, or NAME:=JSON with any value; several times for several", many: true, whole: true},
		{name: "no-claim", value: "NAME", about: "a claim to take away", many: true},
	}
}

// userSorts are the orders of people, in both directions.
func userSorts() (list []string) {
	for _, s := range directory.UserSorts {
		list = append(list, s.Name(), "-"+s.Name())
	}
	return list
}

// person is who is meant by an id, a username or an address.
func person(ctx context.Context, a *app.App, by audit.Actor, meant string) (directory.User, error) {
	u, err := a.Directory.Find(ctx, by, meant)
	if errors.Is(err, directory.ErrNoUser) {
		return u, fmt.Errorf("nobody here has the username, e-mail address or id %q; pocket-id user list --search finds people by their names", plain(meant))
	}
	return u, err
}

// persons are several, each once.
func persons(ctx context.Context, a *app.App, by audit.Actor, meant []string) (list []directory.User, ids []string, err error) {
	seen := map[string]bool{}
	for _, m := range meant {
		u, err := person(ctx, a, by, m)
		if err != nil {
			return nil, nil, err
		}
		if !seen[u.ID] {
			list, ids = append(list, u), append(ids, u.ID)
		}
		seen[u.ID] = true
	}
	return list, ids, nil
}

// usernames are names for a sentence.
func usernames(list []directory.User) string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = plain(list[i].Username)
	}
	return strings.Join(names, ", ")
}

func userList(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	f := directory.UserFilter{Search: c.text("search"), Role: directory.Role(c.choice("role")), State: directory.State(c.choice("state")), Passkeys: directory.PasskeyCount(c.choice("passkeys")), Sort: directory.Order(c.choice("sort"))}
	if name := c.text("group"); name != "" {
		g, err := groupNamed(ctx, a, by, name)
		if err != nil {
			return err
		}
		f.Group = g.ID
	}
	now := time.Now()
	return c.list([]string{"USERNAME", "NAME", "E-MAIL", "ROLE", "STATE", "PASSKEYS", "LAST SIGN-IN", "ID"}, func(after string, limit int) ([]line, string, error) {
		f.After, f.Limit = after, limit
		page, err := a.Directory.Users(ctx, by, f)
		if err != nil {
			return nil, "", err
		}
		lines := make([]line, len(page.Rows))
		ids := make([]string, len(page.Rows))
		for i := range page.Rows {
			r := &page.Rows[i]
			ids[i] = r.ID
			lines[i] = line{id: r.ID, cells: []string{r.Username, r.Name(), r.Email, role(r.Admin), string(r.State(now)), strconv.Itoa(r.Passkeys), when(r.LastSignInAt), r.ID}}
		}
		if c.on("json") {
			users, err := a.Directory.UsersWithGroups(ctx, by, ids)
			if err != nil {
				return nil, "", err
			}
			lines = lines[:0]
			for i := range users {
				lines = append(lines, line{object: api.ShowUser(&users[i].User, users[i].Groups)})
			}
		}
		return lines, page.Next, nil
	})
}

func role(admin bool) string {
	if admin {
		return "admin"
	}
	return "user"
}

func userShow(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	return c.showUser(ctx, a, by, u.ID)
}

// showUser prints an account as it is now.
func (c *call) showUser(ctx context.Context, a *app.App, by audit.Actor, id string) error {
	list, err := a.Directory.UsersWithGroups(ctx, by, []string{id})
	if err != nil {
		return err
	}
	if len(list) == 0 { // deleted a moment ago
		return directory.ErrNoUser
	}
	u, groups := &list[0].User, list[0].Groups
	if c.on("json") {
		return c.printJSON(api.ShowUser(u, groups))
	}
	keys, err := a.SignIn.PasskeysOf(ctx, by, u.ID)
	if err != nil {
		return err
	}
	var in []string
	for i := range groups {
		in = append(in, groups[i].Name)
	}
	state := directory.UserRow{ID: u.ID, DisabledAt: u.DisabledAt, ExpiresAt: u.ExpiresAt, LastSignInAt: u.LastSignInAt, Passkeys: len(keys)}
	email := u.Email
	if email != "" && !u.EmailVerified {
		email += " (not verified)"
	}
	return facts(c.out, append([]string{"id", u.ID, "username", u.Username, "name", u.Name(), "first name", u.FirstName, "last name", u.LastName, "e-mail", email,
		"role", role(u.Admin), "state", string(state.State(time.Now())), "language", u.Locale, "groups", strings.Join(in, ", "), "passkeys", strconv.Itoa(len(keys)),
		"expires", when(u.ExpiresAt), "made", when(u.CreatedAt), "last sign-in", when(u.LastSignInAt), "disabled", when(u.DisabledAt)}, claimFacts(u.Claims)...)...)
}

func userDelete(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	list, ids, err := persons(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	if err := c.sure(fmt.Sprintf("The accounts of %s go, with their passkeys, sessions and keys.", usernames(list))); err != nil {
		return err
	}
	if err := a.Directory.Delete(ctx, by, ids...); err != nil {
		return err
	}
	return c.say("Deleted: %s.", usernames(list))
}

func userDisable(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	list, ids, err := persons(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	if err := a.Directory.Disable(ctx, by, ids...); err != nil {
		return err
	}
	return c.say("Disabled: %s.", usernames(list))
}

func userEnable(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	list, ids, err := persons(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	if err := a.Directory.Enable(ctx, by, ids...); err != nil {
		return err
	}
	return c.say("Enabled: %s. They sign in anew.", usernames(list))
}
