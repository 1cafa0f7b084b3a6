package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
)

var groupCommands = []command{
	{
		name: "group list", about: "list groups",
		flags: []option{
			{name: "search", short: "s", value: "WORDS", about: "only those with names that begin so"},
			{name: "sort", value: "ORDER", about: "the order, with a minus in front the other way round", choices: groupSorts()},
			limitFlag, asJSON, quiet,
		},
		examples: []string{"group list", "group list --sort -members --limit 10"},
		run:      deed(groupList),
	},
	{
		name: "group show", args: "<group>", about: "show a group",
		flags: []option{asJSON}, examples: []string{"group show admins"},
		run: deed(groupShow),
	},
	{
		name: "group create", about: "make a group",
		flags:    append(groupFlags(), asJSON, quiet),
		examples: []string{"group create --friendly-name 'Administrators' --name admins"},
		run:      deed(groupCreate),
	},
	{
		name: "group edit", args: "<group>", about: "change a group",
		more:  "What no flag names stays as it is.",
		flags: append(groupFlags(), asJSON), examples: []string{"group edit admins --friendly-name 'The administrators'"},
		run: deed(groupEdit),
	},
	{
		name: "group delete", args: "<group>...", about: "delete groups",
		more:  "Applications that were for such a group alone are for nobody from then on, never for everybody.",
		flags: []option{yes}, examples: []string{"group delete admins"},
		run: deed(groupDelete),
	},
	{
		name: "group members list", args: "<group>", about: "list the members of a group",
		flags:    []option{{name: "search", short: "s", value: "WORDS", about: "only those with names or addresses that begin so"}, limitFlag, asJSON, quiet},
		examples: []string{"group members list admins --quiet"},
		run:      deed(groupMembers),
	},
	{
		name: "group members add", args: "<group> <user>...", about: "put people into a group",
		examples: []string{"group members add admins ada ben"}, run: deed(groupMembersAdd),
	},
	{
		name: "group members remove", args: "<group> <user>...", about: "take people out of a group",
		examples: []string{"group members remove admins ben"}, run: deed(groupMembersRemove),
	},
}

// groupFlags are what can be said of a group.
func groupFlags() []option {
	return []option{
		{name: "name", short: "n", value: "NAME", about: "the name that applications get; made from the other one unless given"},
		{name: "friendly-name", short: "f", value: "NAME", about: "the name that people see"},
		{name: "claim", value: "NAME=TEXT", about: "a claim with a text, or NAME:=JSON with any value; several times for several", many: true, whole: true},
		{name: "no-claim", value: "NAME", about: "a claim to take away", many: true},
	}
}

// groupOrders are the orders of groups.
var groupOrders = []directory.Order{directory.GroupsByFriendlyName, directory.GroupsByName, directory.GroupsByMembers, directory.GroupsByCreation}

// groupSorts are the orders of groups, in both directions.
func groupSorts() (list []string) {
	for _, s := range groupOrders {
		list = append(list, string(s), "-"+string(s))
	}
	return list
}

func groupList(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	f := directory.GroupFilter{Search: c.text("search"), Sort: directory.Order(c.choice("sort"))}
	return c.list([]string{"NAME", "FRIENDLY NAME", "MEMBERS", "MADE", "ID"}, func(after string, limit int) (lines []line, next string, err error) {
		f.After, f.Limit = after, limit
		page, err := a.Directory.ListGroups(ctx, by, f)
		if err != nil {
			return nil, "", err
		}
		for i := range page.Rows {
			r := &page.Rows[i]
			l := line{id: r.ID, cells: []string{r.Name, r.FriendlyName, strconv.Itoa(r.Members), when(r.CreatedAt), r.ID}}
			if c.on("json") {
				g, err := a.Directory.Group(ctx, by, r.ID)
				if err != nil {
					return nil, "", err
				}
				l.object = api.ShowGroup(&g)
			}
			lines = append(lines, l)
		}
		return lines, page.Next, nil
	})
}

func groupShow(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	g, err := groupNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	if c.on("json") {
		return c.printJSON(api.ShowGroup(&g))
	}
	clients, err := a.OIDC.ClientsOfGroup(ctx, by, g.ID)
	if err != nil {
		return err
	}
	var opens []string
	for _, cl := range clients.Restricted {
		if cl.In {
			opens = append(opens, cl.Name)
		}
	}
	return facts(c.out, append([]string{"id", g.ID, "name", g.Name, "friendly name", g.FriendlyName, "members", strconv.Itoa(g.Members),
		"opens", strings.Join(opens, ", "), "made", when(g.CreatedAt)}, claimFacts(g.Claims)...)...)
}

func groupCreate(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if !c.has("friendly-name") {
		return usageError("it needs --friendly-name NAME")
	}
	edit := directory.GroupEdit{Name: c.text("name"), FriendlyName: c.text("friendly-name")}
	if edit.Name == "" {
		edit.Name = directory.GroupNameOf(edit.FriendlyName)
	}
	var err error
	if edit.Claims, err = c.claims(nil); err != nil {
		return err
	}
	g, err := a.Directory.AddGroup(ctx, by, edit)
	if err != nil {
		return err
	}
	if c.on("json") {
		return c.printJSON(api.ShowGroup(&g))
	}
	return c.done(g.ID, "Made the group %s: %s", plain(g.Name), g.ID)
}

func groupEdit(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if len(c.given) == 0 || len(c.given) == 1 && c.has("json") {
		return usageError("it needs a flag that says what to change")
	}
	g, err := groupNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	was := directory.GroupEdit{Name: g.Name, FriendlyName: g.FriendlyName}
	edit := was
	if c.has("name") {
		edit.Name = c.text("name")
	}
	if c.has("friendly-name") {
		edit.FriendlyName = c.text("friendly-name")
	}
	claims, err := c.claims(g.Claims)
	if err != nil {
		return err
	}
	if err := directory.CheckClaims(claims); err != nil {
		return err
	}
	if edit.Name != was.Name || edit.FriendlyName != was.FriendlyName {
		if g, err = a.Directory.ReviseGroup(ctx, by, g.ID, was, edit); err != nil {
			return err
		}
	}
	if c.has("claim") || c.has("no-claim") {
		if g, err = a.Directory.ReplaceGroupClaims(ctx, by, g.ID, g.Claims, claims); err != nil {
			return err
		}
	}
	if c.on("json") {
		return c.printJSON(api.ShowGroup(&g))
	}
	return c.say("Changed the group %s.", plain(g.Name))
}

func groupDelete(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	var names, ids []string
	for _, meant := range c.args {
		g, err := groupNamed(ctx, a, by, meant)
		if err != nil {
			return err
		}
		names, ids = append(names, fmt.Sprintf("%s (members: %d)", plain(g.Name), g.Members)), append(ids, g.ID)
	}
	if err := c.sure(fmt.Sprintf("These groups go, and what they open with them: %s.", strings.Join(names, ", "))); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := a.OIDC.DeleteGroup(ctx, by, id); err != nil {
			return err
		}
	}
	return c.say("Deleted: %s.", strings.Join(names, ", "))
}

func groupMembers(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	g, err := groupNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	f := directory.MemberFilter{Search: c.text("search")}
	return c.list([]string{"USERNAME", "NAME", "E-MAIL", "ID"}, func(after string, limit int) (lines []line, next string, err error) {
		f.After, f.Limit = after, limit
		page, err := a.Directory.Members(ctx, by, g.ID, f)
		if err != nil {
			return nil, "", err
		}
		var ids []string
		for i := range page.Rows {
			m := &page.Rows[i]
			ids = append(ids, m.ID)
			lines = append(lines, line{id: m.ID, cells: []string{m.Username, m.Name, m.Email, m.ID}})
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

func groupMembersAdd(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	g, list, ids, err := c.members(ctx, a, by)
	if err != nil {
		return err
	}
	if err := a.Directory.AddMembers(ctx, by, g.ID, ids); err != nil {
		return err
	}
	return c.say("In %s now: %s.", plain(g.Name), usernames(list))
}

func groupMembersRemove(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	g, list, ids, err := c.members(ctx, a, by)
	if err != nil {
		return err
	}
	if err := a.Directory.RemoveMembers(ctx, by, g.ID, ids); err != nil {
		return err
	}
	return c.say("Out of %s now: %s.", plain(g.Name), usernames(list))
}

// members are the group and the people that the arguments name.
func (c *call) members(ctx context.Context, a *app.App, by audit.Actor) (g directory.Group, list []directory.User, ids []string, err error) {
	if g, err = groupNamed(ctx, a, by, c.args[0]); err != nil {
		return g, nil, nil, err
	}
	list, ids, err = persons(ctx, a, by, c.args[1:])
	return g, list, ids, err
}
