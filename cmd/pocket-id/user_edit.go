package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pocketid/internal/api"
	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/signin"
)

func userCreate(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if !c.has("username") {
		return usageError("it needs --username NAME")
	}
	edit := directory.UserEdit{}
	if err := c.userEdit(&edit); err != nil {
		return err
	}
	claims, err := c.claims(nil)
	if err != nil {
		return err
	}
	groups, err := groupIDs(ctx, a, by, c.several("group"))
	if err != nil {
		return err
	}
	u, err := a.Directory.AddUserAs(ctx, by, directory.NewUser{ID: c.text("id"), Username: edit.Username, Email: edit.Email, EmailVerified: edit.EmailVerified,
		FirstName: edit.FirstName, LastName: edit.LastName, DisplayName: edit.DisplayName, Admin: edit.Admin, ExpiresAt: edit.ExpiresAt, Locale: edit.Locale,
		Disabled: c.on("disabled"), Claims: claims, Groups: groups})
	if err != nil {
		return err
	}
	var link signin.LoginLink
	if c.on("link") {
		if link, err = a.SignIn.MakeLinkFor(ctx, by, u.ID, 0); err != nil {
			return fmt.Errorf("the account %s was made, but no link: %w", u.Username, err)
		}
	}
	switch {
	case c.on("json"):
		shown, err := a.Directory.UsersWithGroups(ctx, by, []string{u.ID})
		if err != nil || len(shown) == 0 {
			return err
		}
		if link.URL == "" {
			return c.printJSON(api.ShowUser(&shown[0].User, shown[0].Groups))
		}
		return c.printJSON(map[string]any{"user": api.ShowUser(&shown[0].User, shown[0].Groups), "url": link.URL, "expiresAt": link.ExpiresAt.UTC()})
	case c.on("quiet") || link.URL == "":
		if err := c.done(u.ID, "Made the account %s: %s", plain(u.Username), u.ID); err != nil || link.URL == "" {
			return err
		}
		return c.line(link.URL)
	}
	return c.say("Made the account %s: %s\nThey can sign in once until %s, at:\n%s", plain(u.Username), u.ID, when(link.ExpiresAt), link.URL)
}

// userEdit lays what the flags say over edit.
func (c *call) userEdit(edit *directory.UserEdit) error {
	for name, field := range map[string]*string{"username": &edit.Username, "email": &edit.Email, "first-name": &edit.FirstName, "last-name": &edit.LastName,
		"display-name": &edit.DisplayName, "locale": &edit.Locale} {
		if c.has(name) {
			*field = c.text(name)
		}
	}
	for name, field := range map[string]*bool{"email-verified": &edit.EmailVerified, "admin": &edit.Admin} {
		if c.has(name) {
			*field = c.on(name)
		}
	}
	if !c.has("expires-at") {
		return nil
	}
	if edit.ExpiresAt = (time.Time{}); c.text("expires-at") == "" {
		return nil
	}
	var err error
	edit.ExpiresAt, err = instant("expires-at", c.text("expires-at"), time.Now())
	return err
}

// claims are claims with what --claim and --no-claim say.
func (c *call) claims(was map[string]any) (map[string]any, error) {
	claims := map[string]any{}
	maps.Copy(claims, was)
	for _, name := range c.several("no-claim") {
		if _, ok := claims[name]; !ok {
			return nil, usageError(fmt.Sprintf("--no-claim %s: there is no such claim", plain(name)))
		}
		delete(claims, name)
	}
	for _, typed := range c.several("claim") {
		name, value, ok := strings.Cut(typed, "=")
		name, isJSON := strings.CutSuffix(name, ":")
		if !ok || name == "" {
			return nil, usageError(fmt.Sprintf("--claim is NAME=TEXT or NAME:=JSON, and not %q", plain(typed)))
		}
		kind := directory.ClaimText
		if isJSON {
			kind = directory.ClaimJSON
		}
		v, err := directory.ParseClaim(kind, value)
		if err != nil {
			return nil, err
		}
		claims[name] = v
	}
	return claims, nil
}

// claimFacts are claims as pairs for a list of facts.
func claimFacts(claims map[string]any) (pairs []string) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		b, err := json.Marshal(claims[name])
		if err == nil {
			pairs = append(pairs, "claim "+plain(name), string(b))
		}
	}
	return pairs
}

// userEdit makes each change by the verb that the pages use, over what it just read.
func userEdit(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if len(c.given) == 0 || len(c.given) == 1 && c.has("json") {
		return usageError("it needs a flag that says what to change")
	}
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	// All that can be known to be wrong is known before the first change.
	was := u.Edit()
	edit := was
	if err := c.userEdit(&edit); err != nil {
		return err
	}
	claims, err := c.claims(u.Claims)
	if err != nil {
		return err
	}
	if err := directory.CheckClaims(claims); err != nil {
		return err
	}
	groups, err := groupIDs(ctx, a, by, c.several("group"))
	if err != nil {
		return err
	}
	if edit != was {
		if _, err := a.Directory.ReviseUser(ctx, by, u.ID, was, edit); err != nil {
			return err
		}
	}
	if c.has("claim") || c.has("no-claim") {
		if _, err := a.Directory.ReplaceClaims(ctx, by, u.ID, u.Claims, claims); err != nil {
			return err
		}
	}
	if c.has("group") {
		if err := a.Directory.SetGroups(ctx, by, u.ID, groups); err != nil {
			return err
		}
	}
	if c.on("json") {
		return c.showUser(ctx, a, by, u.ID)
	}
	return c.say("Changed the account %s.", plain(edit.Username))
}

func userLoginLink(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	ttl, err := span(c.text("for"))
	if err != nil {
		return usageError(fmt.Sprintf("--for is how long, like 1h or 7d, and not %q", c.text("for")))
	}
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	note := ""
	var link signin.LoginLink
	if c.on("lost-passkeys") {
		if err := c.sure(fmt.Sprintf("All passkeys of %s go, and what they have open ends.", plain(u.Username))); err != nil {
			return err
		}
		code, _, err := a.SignIn.MakeRecoveryLink(ctx, by, u.Username, ttl)
		if err != nil {
			return err
		}
		link = signin.LoginLink{Code: code, URL: a.SignIn.CodeURL(code), ExpiresAt: time.Now().Add(ttl)}
		note = "All passkeys of this account were removed and its sessions ended; the link leads to adding a new one.\n"
	} else if link, err = a.SignIn.MakeLinkFor(ctx, by, u.ID, ttl); err != nil {
		return err
	}
	switch {
	case c.on("json"):
		return c.printJSON(map[string]any{"token": link.Code, "url": link.URL, "expiresAt": link.ExpiresAt.UTC()})
	case c.on("quiet"):
		return c.line(link.URL)
	}
	return c.say(note+"%s can sign in once until %s, at:\n%s", plain(u.Username), when(link.ExpiresAt), link.URL)
}

func userPasskeys(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	keys, err := a.SignIn.PasskeysOf(ctx, by, u.ID)
	if err != nil {
		return err
	}
	return c.list([]string{"NAME", "MODEL", "SYNCED", "MADE", "LAST USED", "ID"}, func(string, int) (lines []line, next string, err error) {
		for i := range keys {
			k := &keys[i]
			lines = append(lines, line{k.ID, []string{k.Name, k.Model(), yesNo(k.BackupState), when(k.CreatedAt), when(k.LastUsedAt), k.ID}, api.ShowPasskey(k)})
		}
		return lines, "", nil
	})
}

func userPasskeyRemove(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	u, err := person(ctx, a, by, c.args[0])
	if err != nil {
		return err
	}
	keys, err := a.SignIn.PasskeysOf(ctx, by, u.ID)
	if err != nil {
		return err
	}
	var found []signin.Passkey
	for _, k := range keys {
		if k.ID == c.args[1] || strings.EqualFold(k.Name, c.args[1]) {
			found = append(found, k)
		}
	}
	switch {
	case len(found) == 0:
		return fmt.Errorf("%s has no passkey with the name or id %q; pocket-id user passkeys list %s shows them", plain(u.Username), plain(c.args[1]), plain(u.Username))
	case len(found) > 1:
		return fmt.Errorf("%s has several passkeys with the name %q: say which one by its id", plain(u.Username), plain(c.args[1]))
	}
	loss := "What it opened ends."
	if len(keys) == 1 {
		loss = "It is the last one: without a link nobody gets in with this account."
	}
	if err := c.sure(fmt.Sprintf("The passkey %s of %s goes. %s", plain(found[0].Name), plain(u.Username), loss)); err != nil {
		return err
	}
	if _, err := a.SignIn.RemovePasskeyOf(ctx, by, u.ID, found[0].ID); err != nil {
		return err
	}
	return c.say("Removed the passkey %s of %s.", plain(found[0].Name), plain(u.Username))
}

// groupIDs are the ids of the groups that are meant.
func groupIDs(ctx context.Context, a *app.App, by audit.Actor, meant []string) (ids []string, err error) {
	for _, m := range meant {
		g, err := groupNamed(ctx, a, by, m)
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.ID)
	}
	return ids, nil
}

// groupNamed is the group that is meant by an id or a name.
func groupNamed(ctx context.Context, a *app.App, by audit.Actor, meant string) (directory.Group, error) {
	g, err := a.Directory.FindGroup(ctx, by, meant)
	if errors.Is(err, directory.ErrNoGroup) {
		return g, fmt.Errorf("there is no group with the name or id %q; pocket-id group list shows them", plain(meant))
	}
	return g, err
}
