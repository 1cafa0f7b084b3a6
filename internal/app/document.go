package app

import (
	"fmt"
	"strings"
)

// Document is docs/configuration.md: every variable, its default and what it
// means. "pocket-id config variables" prints it.
func Document() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Settings come from the environment, or from a file ` + "`.env`" + ` in the working directory, which counts for less. An empty variable
counts as absent. A value that cannot be understood stops the start with a line that names the variable, what is wrong, and a good
example. This page is what ` + "`pocket-id config variables`" + ` prints.

| variable | default | meaning |
|---|---|---|
`)
	for _, v := range variables {
		name, fallback := "`"+v.name+"`", ""
		if v.file {
			name += "<br>`" + v.name + "_FILE`"
		}
		if v.fallback != "" {
			fallback = "`" + v.fallback + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, fallback, v.help)
	}
	fmt.Fprintf(&b, `
A variable with `+"`_FILE`"+` behind its name holds the path of a file to read the value from, as secrets are mounted in containers. White
space around the file's text is dropped, but for `+"`ENCRYPTION_KEY_FILE`"+`, whose bytes all count.

## Variables of Pocket ID 2.x

Not needed here, and so accepted and left aside: %s.

Not built yet, and so named by a warning at the start: %s.

A name that differs from one of the table by a letter or by case is named by a warning as well.
`, list(idle), list(missing))
	return b.String()
}

// list puts names into a sentence.
func list(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }

// A Variable is a name of the environment with the value that counts.
type Variable struct {
	Name, Value string
	// Given says that the environment says it, and it is not as it would be anyway.
	Given bool
	// Secret ones have no Value here.
	Secret bool
}

// Variables are all variables in the order of the document.
func (c *Config) Variables() []Variable {
	list := make([]Variable, 0, len(variables))
	for _, v := range variables {
		one := Variable{Name: v.name, Value: v.fallback, Secret: v.file}
		if v.file && v.name != "DB_CONNECTION_STRING" {
			one.Value = ""
		}
		for _, g := range c.Given {
			if g.Name == v.name {
				one.Given, one.Value = true, g.Value
			}
		}
		list = append(list, one)
	}
	return list
}
