package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/jose"
	"pocketid/internal/oidc"
	"pocketid/internal/secret"
)

// A clientFlag is a flag that says something of a client, and how.
type clientFlag struct {
	option
	set func(e *oidc.ClientEdit, c *call, name string) error
}

// theClientFlags are all of them, but for --group, which needs the database.
var theClientFlags = []clientFlag{
	{option{name: "name", short: "n", value: "NAME", about: "what people see"}, setText(func(e *oidc.ClientEdit) *string { return &e.Name })},
	{option{name: "description", value: "TEXT", about: "a sentence for the page of apps"}, setText(func(e *oidc.ClientEdit) *string { return &e.Description })},
	{option{name: "launch-url", value: "URL", about: "where people begin"}, setText(func(e *oidc.ClientEdit) *string { return &e.LaunchURL })},
	{option{name: "redirect-uri", short: "r", value: "URL", about: "where people come back to; a * makes it a pattern", many: true}, setURIs(func(e *oidc.ClientEdit) *[]oidc.URI { return &e.RedirectURIs })},
	{option{name: "post-logout-uri", value: "URL", about: "where people go after signing out; a * makes it a pattern", many: true}, setURIs(func(e *oidc.ClientEdit) *[]oidc.URI { return &e.PostLogoutURIs })},
	{option{name: "public", about: "it cannot keep a secret: an app on a telephone, in a browser, at a terminal"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.Public })},
	{option{name: "pkce-required", about: "it has to use PKCE, as it does unless this is false"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.PKCERequired })},
	{option{name: "par-required", about: "it has to push its requests first"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.PARRequired })},
	{option{name: "reauth-required", about: "every sign-in needs the passkey"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.ReauthRequired })},
	{option{name: "skip-consent", about: "nobody is asked for consent"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.SkipConsent })},
	{option{name: "restricted", about: "it is for members of its groups alone"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.GroupRestricted })},
	{option{name: "auth-method", value: "METHOD", about: "how it proves itself, by the names of OpenID Connect"}, setText(func(e *oidc.ClientEdit) *string { return &e.AuthMethod })},
	{option{name: "grant-type", value: "GRANT", about: "a grant that it may use; an empty one is the usual ones", many: true}, setList(func(e *oidc.ClientEdit) *[]string { return &e.GrantTypes })},
	{option{name: "id-token-alg", value: "ALG", about: "what signs its ID tokens"}, setAlg(func(e *oidc.ClientEdit) *jose.Alg { return &e.IDTokenAlg })},
	{option{name: "access-token-alg", value: "ALG", about: "what signs its access tokens"}, setAlg(func(e *oidc.ClientEdit) *jose.Alg { return &e.AccessTokenAlg })},
	{option{name: "claims-at-userinfo", about: "claims are in userinfo alone, and not in the ID token"}, setSwitch(func(e *oidc.ClientEdit) *bool { return &e.ClaimsAtUserinfo })},
	{option{name: "subject-type", value: "TYPE", about: "what it knows people by", choices: []string{oidc.SubjectPublic, oidc.SubjectPairwise}}, setText(func(e *oidc.ClientEdit) *string { return &e.SubjectType })},
	{option{name: "jwks-uri", value: "URL", about: "where its keys are"}, setText(func(e *oidc.ClientEdit) *string { return &e.JWKSURI })},
	{option{name: "access-token-lifetime", value: "TIME", about: "how long its access tokens work, like 1h"}, setSpan(func(e *oidc.ClientEdit) *time.Duration { return &e.AccessTokenFor })},
	{option{name: "id-token-lifetime", value: "TIME", about: "how long its ID tokens work"}, setSpan(func(e *oidc.ClientEdit) *time.Duration { return &e.IDTokenFor })},
	{option{name: "refresh-token-lifetime", value: "TIME", about: "how long a refresh token works without use, like 30d"}, setSpan(func(e *oidc.ClientEdit) *time.Duration { return &e.RefreshTokenFor })},
	{option{name: "refresh-issue", value: "WHEN", about: "when it gets refresh tokens", choices: []string{oidc.RefreshAlways, oidc.RefreshOfflineAccess}}, setText(func(e *oidc.ClientEdit) *string { return &e.RefreshIssue })},
	{option{name: "backchannel-logout", value: "URL", about: "where it is told that somebody signed out"}, setText(func(e *oidc.ClientEdit) *string { return &e.BackchannelLogout })},
	{option{name: "frontchannel-logout", value: "URL", about: "where the browser tells it so"}, setText(func(e *oidc.ClientEdit) *string { return &e.FrontchannelLogout })},
	{option{name: "initiate-login", value: "URL", about: "where a sign-in can be begun from elsewhere"}, setText(func(e *oidc.ClientEdit) *string { return &e.InitiateLogin })},
}

// clientFlags are the options of them.
func clientFlags() []option {
	list := []option{}
	for _, f := range theClientFlags {
		list = append(list, f.option)
	}
	return append(list, option{name: "group", short: "g", value: "GROUP", about: "a group whose members may use it, and nobody else", many: true})
}

func setText(field func(*oidc.ClientEdit) *string) func(*oidc.ClientEdit, *call, string) error {
	return func(e *oidc.ClientEdit, c *call, name string) error { *field(e) = c.text(name); return nil }
}

func setSwitch(field func(*oidc.ClientEdit) *bool) func(*oidc.ClientEdit, *call, string) error {
	return func(e *oidc.ClientEdit, c *call, name string) error { *field(e) = c.on(name); return nil }
}

func setList(field func(*oidc.ClientEdit) *[]string) func(*oidc.ClientEdit, *call, string) error {
	return func(e *oidc.ClientEdit, c *call, name string) error { *field(e) = c.several(name); return nil }
}

func setAlg(field func(*oidc.ClientEdit) *jose.Alg) func(*oidc.ClientEdit, *call, string) error {
	return func(e *oidc.ClientEdit, c *call, name string) error {
		*field(e) = jose.Alg(c.text(name))
		if alg, known := oidc.KnownAlg(c.text(name)); known {
			*field(e) = alg
		}
		return nil
	}
}

func setSpan(field func(*oidc.ClientEdit) *time.Duration) func(*oidc.ClientEdit, *call, string) error {
	return func(e *oidc.ClientEdit, c *call, name string) error {
		d, err := span(c.text(name))
		if err != nil {
			return usageError(fmt.Sprintf("--%s is how long, like 30m, 1h or 30d, and not %q", name, c.text(name)))
		}
		*field(e) = d
		return nil
	}
}

// setURIs reads addresses. One that was there stays of the kind that it was.
func setURIs(field func(*oidc.ClientEdit) *[]oidc.URI) func(*oidc.ClientEdit, *call, string) error {
	return func(e *oidc.ClientEdit, c *call, name string) error {
		was := *field(e)
		var list []oidc.URI
		for _, s := range c.several(name) {
			u := oidc.URI{URI: s, Pattern: strings.Contains(s, "*")}
			if at := slices.IndexFunc(was, func(w oidc.URI) bool { return w.URI == s }); at >= 0 {
				u.Pattern = was[at].Pattern
			}
			list = append(list, u)
		}
		*field(e) = list
		return nil
	}
}

// clientEdit lays what the flags say over e.
func (c *call) clientEdit(ctx context.Context, a *app.App, by audit.Actor, e *oidc.ClientEdit) error {
	for _, f := range theClientFlags {
		if c.has(f.name) {
			if err := f.set(e, c, f.name); err != nil {
				return err
			}
		}
	}
	if !c.has("group") {
		return nil
	}
	ids, err := groupIDs(ctx, a, by, c.several("group"))
	if err != nil {
		return err
	}
	e.AllowedGroups = ids
	if !c.has("restricted") {
		e.GroupRestricted = true
	}
	return nil
}

func clientCreate(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if !c.has("name") {
		return usageError("it needs --name NAME")
	}
	edit := oidc.NewClientEdit()
	edit.ID = c.text("id")
	if err := c.clientEdit(ctx, a, by, &edit); err != nil {
		return err
	}
	chosen := ""
	if c.has("secret-file") {
		if edit.Public {
			return usageError("an application with --public has no secret, and --secret-file names one")
		}
		var err error
		if chosen, err = c.secretFrom("secret-file"); err != nil {
			return err
		}
	}
	cl, text, err := a.OIDC.AddClientWith(ctx, by, edit, oidc.SecretEdit{Text: secret.Text(chosen)})
	if err != nil {
		return err
	}
	switch {
	case c.on("json"):
		shown, err := wholeClient(ctx, a, by, cl.ID)
		if err != nil {
			return err
		}
		if text == "" || chosen != "" {
			return c.printJSON(shown)
		}
		return c.printJSON(map[string]any{"client": shown, "secret": text})
	case c.on("quiet") && text != "" && chosen == "":
		return c.line(cl.ID + "\n" + text)
	case c.on("quiet"):
		return c.line(cl.ID)
	case text == "" || chosen != "":
		return c.say("Made the application %s: %s", plain(cl.Name), cl.ID)
	}
	return c.say("Made the application %s: %s\nIts secret is shown here and nowhere else:\n%s", plain(cl.Name), cl.ID, text)
}

func clientEdit(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if len(c.given) == 0 || len(c.given) == 1 && c.has("json") {
		return usageError("it needs a flag that says what to change")
	}
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	edit, seen := cl.Edit(), cl.Edit().Seen()
	if err := c.clientEdit(ctx, a, by, &edit); err != nil {
		return err
	}
	if cl, err = a.OIDC.ReviseClient(ctx, by, cl.ID, seen, edit); err != nil {
		return err
	}
	if c.on("json") {
		return c.showClient(ctx, a, by, cl.ID)
	}
	return c.say("Changed the application %s.", plain(cl.Name))
}

func clientGroups(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	whole, err := a.OIDC.WholeClient(ctx, by, cl.ID)
	if err != nil {
		return err
	}
	if !whole.GroupRestricted && !c.on("json") && !c.on("quiet") {
		return c.say("%s is for everybody.", plain(whole.Name))
	}
	return c.list([]string{"NAME", "FRIENDLY NAME", "ID"}, func(string, int) (lines []line, next string, err error) {
		for i := range whole.Groups {
			g := &whole.Groups[i]
			lines = append(lines, line{g.ID, []string{g.Name, g.FriendlyName, g.ID}, api.ShowGroup(g)})
		}
		return lines, "", nil
	})
}

func clientGroupsAdd(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	return c.changeGroups(ctx, a, by, func(has, named []string) []string {
		for _, id := range named {
			if !slices.Contains(has, id) {
				has = append(has, id)
			}
		}
		return has
	})
}

func clientGroupsRemove(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	return c.changeGroups(ctx, a, by, func(has, named []string) []string {
		return slices.DeleteFunc(has, func(id string) bool { return slices.Contains(named, id) })
	})
}

// changeGroups gives a client other groups, and says who may use it then.
func (c *call) changeGroups(ctx context.Context, a *app.App, by audit.Actor, change func(has, named []string) []string) error {
	cl, err := clientNamed(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	named, err := groupIDs(ctx, a, by, c.args[1:])
	if err != nil {
		return err
	}
	edit, seen := cl.Edit(), cl.Edit().Seen()
	edit.GroupRestricted, edit.AllowedGroups = true, change(slices.Clone(edit.AllowedGroups), named)
	if !cl.GroupRestricted && len(edit.AllowedGroups) == 0 {
		return fmt.Errorf("%s is for everybody, and so has no group to remove", plain(cl.Name))
	}
	if cl, err = a.OIDC.ReviseClient(ctx, by, cl.ID, seen, edit); err != nil {
		return err
	}
	var names []string
	for _, id := range cl.AllowedGroups {
		g, err := a.Directory.Group(ctx, by, id)
		if err != nil {
			return err
		}
		names = append(names, plain(g.Name))
	}
	if len(names) == 0 {
		return c.say("%s is for nobody now.", plain(cl.Name))
	}
	return c.say("%s is for members of: %s.", plain(cl.Name), strings.Join(names, ", "))
}
