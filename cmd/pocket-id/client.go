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
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
)

var clientCommands = []command{
	{
		name: "client list", about: "list applications (OIDC clients)",
		flags: []option{
			{name: "search", short: "s", value: "WORDS", about: "only those with names that begin so"},
			{name: "only", value: "KIND", about: "only these", choices: []string{"confidential", "public", "registered", "disabled"}},
			limitFlag, asJSON, quiet,
		},
		examples: []string{"client list", "client list --only public --json"},
		run:      deed(clientList),
	},
	{
		name: "client show", args: "<client>", about: "show an application",
		flags: []option{asJSON}, examples: []string{"client show grafana", "client show Grafana --json"},
		run: deed(clientShow),
	},
	{
		name: "client create", about: "make an application",
		more: "The secret is printed once and is stored nowhere; an application that cannot keep one is made with --public.\nWhat no flag names is as the form for a new application begins.",
		flags: append(clientFlags(), option{name: "id", value: "ID", about: "the client id; one is made unless given"},
			option{name: "secret-file", value: "FILE", about: "a file with a secret that was chosen elsewhere; - is the standard input"},
			asJSON, option{name: "quiet", short: "q", about: "print the id, and the secret on the next line, alone"}),
		examples: []string{"client create --name Grafana --redirect-uri https://grafana.example.com/login/generic_oauth", "client create --id cli --name 'My tool' --public --redirect-uri http://127.0.0.1/callback", "client create --name Wiki --redirect-uri https://wiki.example.com/cb --group staff --secret-file - < secret.txt"},
		run:      deed(clientCreate),
	},
	{
		name: "client edit", args: "<client>", about: "change an application",
		more:  "What no flag names stays as it is. A flag that may be given several times names all there are from then on.",
		flags: append(clientFlags(), asJSON), examples: []string{"client edit grafana --launch-url https://grafana.example.com", "client edit grafana --redirect-uri https://a.example.com/cb,https://b.example.com/cb"},
		run: deed(clientEdit),
	},
	{
		name: "client delete", args: "<client>...", about: "delete applications",
		more:  "Nobody can sign in to them any more, and what they were given ends. Their ids name nothing else later.",
		flags: []option{yes}, examples: []string{"client delete grafana"},
		run: deed(clientDelete),
	},
	{
		name: "client disable", args: "<client>...", about: "take applications out of use for now",
		more:     "What they were given ends at once, and stays ended when they are enabled again.",
		examples: []string{"client disable grafana"}, run: deed(clientDisable),
	},
	{
		name: "client enable", args: "<client>...", about: "let people use applications again",
		examples: []string{"client enable grafana"}, run: deed(clientEnable),
	},
	{
		name: "client secrets list", args: "<client>", about: "list the secrets of an application, without their texts",
		flags: []option{asJSON, quiet}, examples: []string{"client secrets list grafana"},
		run: deed(clientSecrets),
	},
	{
		name: "client secrets add", args: "<client>", about: "give an application another secret",
		more: "It is printed once and is stored nowhere. The others go on working, so that nothing stops while it is changed.",
		flags: []option{
			{name: "expires-at", value: "TIME", about: "from when on it opens nothing: a day, an instant, or 90d; never unless given"},
			{name: "secret-file", value: "FILE", about: "a file with a secret that was chosen elsewhere; - is the standard input"},
			asJSON, {name: "quiet", short: "q", about: "print the secret alone"},
		},
		examples: []string{"client secrets add grafana --expires-at 365d --quiet > secret.txt", "client secrets add grafana --secret-file - < secret.txt"},
		run:      deed(clientSecretAdd),
	},
	{
		name: "client secrets remove", args: "<client> <secret>", about: "take a secret from an application at once",
		more:  "The secret is named by its id or by its first characters, as client secrets list shows them.",
		flags: []option{yes}, examples: []string{"client secrets remove grafana q8Zd"},
		run: deed(clientSecretRemove),
	},
	{
		name: "client groups list", args: "<client>", about: "list the groups that an application is for",
		flags: []option{asJSON, quiet}, examples: []string{"client groups list grafana"},
		run: deed(clientGroups),
	},
	{
		name: "client groups add", args: "<client> <group>...", about: "let the members of groups use an application",
		more:     "An application that is open to everybody is for these groups alone from then on.",
		examples: []string{"client groups add grafana staff admins"}, run: deed(clientGroupsAdd),
	},
	{
		name: "client groups remove", args: "<client> <group>...", about: "let the members of groups use an application no more",
		more:     "An application without a group left is for nobody; client edit --restricted=false opens it to everybody.",
		examples: []string{"client groups remove grafana staff"}, run: deed(clientGroupsRemove),
	},
}

// clientNamed is the client that is meant by its id or its name.
func clientNamed(ctx context.Context, a *app.App, by audit.Actor, meant string) (oidc.Client, error) {
	cl, err := a.OIDC.FindClient(ctx, by, meant)
	if errors.Is(err, oidc.ErrNoClient) {
		return cl, fmt.Errorf("there is no application with the name or id %q; pocket-id client list shows them", plain(meant))
	}
	return cl, err
}

// clientsNamed are several, with their names for a sentence.
func clientsNamed(ctx context.Context, a *app.App, by audit.Actor, meant []string) (ids []string, names string, err error) {
	var all []string
	for _, m := range meant {
		cl, err := clientNamed(ctx, a, by, m)
		if err != nil {
			return nil, "", err
		}
		ids, all = append(ids, cl.ID), append(all, plain(cl.Name))
	}
	return ids, strings.Join(all, ", "), nil
}

func clientList(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	f := oidc.ClientFilter{Search: c.text("search"), Only: oidc.ClientChoice(c.choice("only"))}
	return c.list([]string{"NAME", "KIND", "FOR", "STATE", "LAST USED", "ID"}, func(after string, limit int) (lines []line, next string, err error) {
		f.After, f.Limit = after, limit
		page, err := a.OIDC.Clients(ctx, by, f)
		if err != nil {
			return nil, "", err
		}
		for i := range page.Rows {
			r := &page.Rows[i]
			l := line{id: r.ID, cells: []string{r.Name, clientKind(r.Kind, r.Public), audience(r.GroupRestricted, r.Groups), clientState(r.DisabledAt), when(r.LastUsedAt), r.ID}}
			if c.on("json") {
				if l.object, err = wholeClient(ctx, a, by, r.ID); err != nil {
					return nil, "", err
				}
			}
			lines = append(lines, l)
		}
		return lines, page.Next, nil
	})
}

// wholeClient is a client as the API shows it.
func wholeClient(ctx context.Context, a *app.App, by audit.Actor, id string) (any, error) {
	whole, err := a.OIDC.WholeClient(ctx, by, id)
	if err != nil {
		return nil, err
	}
	return api.ShowClient(&whole, time.Now()), nil
}

func clientKind(kind string, public bool) string {
	text := map[string]string{oidc.KindDynamic: "registered ", oidc.KindDocument: "document "}[kind]
	if public {
		return text + "public"
	}
	return text + "confidential"
}

func audience(restricted bool, groups int) string {
	switch {
	case !restricted:
		return "everybody"
	case groups == 0:
		return "nobody"
	case groups == 1:
		return "1 group"
	}
	return strconv.Itoa(groups) + " groups"
}

func clientState(disabled time.Time) string {
	if disabled.IsZero() {
		return "active"
	}
	return "disabled"
}

func clientShow(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	return c.showClient(ctx, a, by, cl.ID)
}

func (c *call) showClient(ctx context.Context, a *app.App, by audit.Actor, id string) error {
	whole, err := a.OIDC.WholeClient(ctx, by, id)
	if err != nil {
		return err
	}
	if c.on("json") {
		return c.printJSON(api.ShowClient(&whole, time.Now()))
	}
	var groups, secrets []string
	for i := range whole.Groups {
		groups = append(groups, whole.Groups[i].Name)
	}
	for i := range whole.Secrets {
		secrets = append(secrets, whole.Secrets[i].Prefix+"…")
	}
	pkce := "as the application likes"
	if whole.PKCERequired {
		pkce = "required"
	}
	pairs := []string{"id", whole.ID, "name", whole.Name, "description", whole.Description, "kind", clientKind(whole.Kind, whole.Public), "state", clientState(whole.DisabledAt),
		"for", audience(whole.GroupRestricted, len(whole.AllowedGroups)), "groups", strings.Join(groups, ", "), "launch address", whole.LaunchURL}
	for _, u := range whole.RedirectURIs {
		pairs = append(pairs, "redirect address", u.URI)
	}
	for _, u := range whole.PostLogoutURIs {
		pairs = append(pairs, "after sign-out", u.URI)
	}
	return facts(c.out, append(pairs, "PKCE", pkce, "ID token", fmt.Sprintf("%s, %s", whole.IDTokenAlg, howLong(whole.IDTokenFor)), "access token", fmt.Sprintf("%s, %s", whole.AccessTokenAlg, howLong(whole.AccessTokenFor)),
		"refresh token", howLong(whole.RefreshTokenFor), "secrets", strings.Join(secrets, ", "), "made", when(whole.CreatedAt), "last used", when(whole.LastUsedAt))...)
}

func clientDelete(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	ids, names, err := clientsNamed(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	if err := c.sure(fmt.Sprintf("These applications go, with their secrets, and nobody can sign in to them: %s.", names)); err != nil {
		return err
	}
	for _, id := range ids {
		if err := a.OIDC.DeleteClient(ctx, by, id); err != nil {
			return err
		}
	}
	return c.say("Deleted: %s.", names)
}

func clientDisable(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	ids, names, err := clientsNamed(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := a.OIDC.DisableClient(ctx, by, id); err != nil {
			return err
		}
	}
	return c.say("Disabled: %s.", names)
}

func clientEnable(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	ids, names, err := clientsNamed(ctx, a, by, c.args)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := a.OIDC.EnableClient(ctx, by, id); err != nil {
			return err
		}
	}
	return c.say("Enabled: %s.", names)
}

func clientSecrets(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	all, err := a.OIDC.Secrets(ctx, by, cl.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	return c.list([]string{"BEGINS", "STATE", "EXPIRES", "MADE", "LAST USED", "ID"}, func(string, int) (lines []line, next string, err error) {
		for i := range all {
			s := &all[i]
			state := "active"
			if s.Expired(now) {
				state = "expired"
			}
			lines = append(lines, line{s.ID, []string{s.Prefix + "…", state, when(s.ExpiresAt), when(s.CreatedAt), when(s.LastUsedAt), s.ID}, api.ShowSecret(s, now)})
		}
		return lines, "", nil
	})
}

func clientSecretAdd(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	var edit oidc.SecretEdit
	if typed := c.text("expires-at"); typed != "" {
		var err error
		if edit.ExpiresAt, err = instant("expires-at", typed, time.Now()); err != nil {
			return err
		}
	}
	if c.has("secret-file") {
		text, err := c.secretFrom("secret-file")
		if err != nil {
			return err
		}
		edit.Text = secret.Text(text)
	}
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	s, text, err := a.OIDC.AddSecret(ctx, by, cl.ID, edit)
	if err != nil {
		return err
	}
	switch {
	case c.on("json"):
		return c.printJSON(api.ShowNewSecret(&s, text, time.Now()))
	case c.on("quiet"):
		return c.line(text)
	case edit.Text != "":
		return c.say("Added the secret %s to %s.", s.ID, plain(cl.Name))
	}
	return c.say("Added a secret to %s. It is shown here and nowhere else:\n%s", plain(cl.Name), text)
}

func clientSecretRemove(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	all, err := a.OIDC.Secrets(ctx, by, cl.ID)
	if err != nil {
		return err
	}
	var found []oidc.Secret
	for _, s := range all {
		if s.ID == c.args[1] || s.Prefix == strings.TrimSuffix(c.args[1], "…") {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf("%s has no secret with this id or beginning; pocket-id client secrets list %s shows them", plain(cl.Name), plain(cl.ID))
	case len(found) > 1:
		return fmt.Errorf("%s has several secrets that begin so: say which one by its id", plain(cl.Name))
	}
	if err := c.sure(fmt.Sprintf("The secret %s… of %s opens nothing any more, and what uses it stops.", found[0].Prefix, plain(cl.Name))); err != nil {
		return err
	}
	if err := a.OIDC.RemoveSecret(ctx, by, cl.ID, found[0].ID); err != nil {
		return err
	}
	return c.say("Removed the secret %s… of %s.", found[0].Prefix, plain(cl.Name))
}
