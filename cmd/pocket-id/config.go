package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"pocketid/internal/app"
	"pocketid/internal/audit"
	"pocketid/internal/settings"
)

var configCommands = []command{
	{
		name: "config list", about: "list settings and variables, and where each value comes from",
		more:     "Settings are changed on pages, by the API and here; variables stand in the environment or in .env, and count from the next start.\nOf a secret it is said whether there is one.",
		flags:    []option{{name: "changed", about: "only what is not as it is by default"}, {name: "all", about: "settings too that nothing asks for yet"}, {name: "json", about: "print JSON: key, type, value and source"}},
		examples: []string{"config list --changed", "config list --json"},
		run:      deed(configList),
	},
	{
		name: "config get", args: "<setting>", about: "print the value of a setting",
		examples: []string{"config get sessionDuration"}, run: deed(configGet),
	},
	{
		name: "config set", args: "<setting> [<value>]", about: "change a setting",
		more:     "Lists are written as JSON. A secret is not written on the command line, where others may see it: --file names a file, - the standard input.",
		flags:    []option{{name: "file", short: "f", value: "FILE", about: "a file with the value; - is the standard input"}},
		examples: []string{"config set appName 'Example Ltd'", "config set sessionDuration 120", `config set relatedOrigins '["https://id.example.org"]'`},
		run:      deed(configSet),
	},
	{
		name: "config unset", args: "<setting>...", about: "set settings back to what they are by default",
		examples: []string{"config unset appName"}, run: deed(configUnset),
	},
	{name: "config variables", about: "print all variables of the environment, their defaults and meanings", run: func(_ context.Context, c *call) error {
		_, err := io.WriteString(c.out, app.Document())
		return err
	}},
}

// A configured is a setting or a variable with its value and where that comes from.
type configured struct {
	Key    string `json:"key"`
	Type   string `json:"type"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// masked stands for a secret that there is.
const masked = settings.Masked

func configList(ctx context.Context, c *call, a *app.App, _ audit.Actor) error {
	s, err := settings.Reader(a.DB)(ctx)
	if err != nil {
		return err
	}
	list := []configured{}
	for _, t := range s.Texts() {
		if c.on("all") || settings.InUse(t.Key) {
			list = append(list, configured{t.Key, t.Type, t.Value, s.Source(t.Key)})
		}
	}
	conf, err := c.config()
	if err != nil {
		return err
	}
	for _, v := range conf.Variables() {
		one := configured{v.Name, "string", v.Value, settings.FromDefault}
		if v.Given {
			one.Source = settings.FromEnvironment
		}
		if v.Secret && v.Given {
			one.Value = masked
		}
		list = append(list, one)
	}
	if c.on("changed") {
		kept := []configured{}
		for _, one := range list {
			if one.Source != settings.FromDefault {
				kept = append(kept, one)
			}
		}
		list = kept
	}
	if c.on("json") {
		return c.printJSON(list)
	}
	t := table{head: []string{"NAME", "VALUE", "FROM"}}
	for _, one := range list {
		t.add(one.Key, one.Value, one.Source)
	}
	return t.print(c.out)
}

func configGet(ctx context.Context, c *call, a *app.App, _ audit.Actor) error {
	s, err := settings.Reader(a.DB)(ctx)
	if err != nil {
		return err
	}
	for _, t := range s.Texts() {
		if t.Key == c.args[0] {
			return c.line(plain(t.Value))
		}
	}
	conf, err := c.config()
	if err != nil {
		return err
	}
	for _, v := range conf.Variables() {
		if v.Name == c.args[0] {
			if v.Secret && v.Given {
				return c.line(masked)
			}
			return c.line(plain(v.Value))
		}
	}
	return noSetting(c.args[0])
}

// noSetting says that there is no setting of that name, and which was perhaps meant.
func noSetting(name string) error {
	var names []string
	for _, v := range settings.Variables() {
		names = append(names, v.Key)
		if v.Name == name || strings.EqualFold(v.Key, name) {
			return fmt.Errorf("there is no setting %q; it is called %s here", plain(name), v.Key)
		}
	}
	if meant := nearest(name, names); meant != "" {
		return fmt.Errorf("there is no setting %q; perhaps %s is meant", plain(name), meant)
	}
	return fmt.Errorf("there is no setting %q; pocket-id config list shows them", plain(name))
}

// mayChange refuses to change what is none of the settings, or what the environment
// decides about, here or where the server runs.
func (c *call) mayChange(names ...string) error {
	conf, err := c.config()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, v := range conf.Variables() {
			if v.Name == name {
				return fmt.Errorf("%s is a variable of the environment: set it there, or in .env, and start the server again", name)
			}
		}
	}
	if conf.LockSettings {
		return settings.ErrFixed
	}
	return nil
}

func configSet(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	name := c.args[0]
	if key, value, ok := strings.Cut(name, "="); ok && len(c.args) == 1 { // as variables are written
		name, c.args = key, []string{key, value}
	}
	if (len(c.args) == 2) == c.has("file") {
		return usageError("it needs a value, or --file with one")
	}
	if err := c.mayChange(name); err != nil {
		return err
	}
	var value string
	if c.has("file") {
		var err error
		if value, err = c.secretFrom("file"); err != nil {
			return err
		}
	} else {
		value = c.args[1]
		for _, v := range settings.Variables() {
			if v.Key == name && v.Secret {
				return usageError(name + " is a secret, and the command line is no place for one: write it to a file and name that with --file")
			}
		}
	}
	s, err := a.Settings.Set(ctx, by, map[string]string{name: value})
	if err != nil {
		return c.aboutSetting(name, err)
	}
	for _, t := range s.Texts() {
		if t.Key == name {
			return c.say("%s is %s now.", name, quoted(t.Value))
		}
	}
	return nil
}

// aboutSetting says which setting is not there.
func (c *call) aboutSetting(name string, err error) error {
	if errors.Is(err, settings.ErrNoSetting) {
		return noSetting(name)
	}
	return err
}

func quoted(value string) string {
	if value == "" {
		return "empty"
	}
	return plain(value)
}

func configUnset(ctx context.Context, c *call, a *app.App, by audit.Actor) error {
	if err := c.mayChange(c.args...); err != nil {
		return err
	}
	for _, name := range c.args {
		known := false
		for _, v := range settings.Variables() {
			known = known || v.Key == name
		}
		if !known {
			return noSetting(name)
		}
	}
	s, err := a.Settings.Unset(ctx, by, c.args...)
	if err != nil {
		return err
	}
	for _, t := range s.Texts() {
		for _, name := range c.args {
			if t.Key == name {
				if err := c.say("%s is %s now.", name, quoted(t.Value)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
