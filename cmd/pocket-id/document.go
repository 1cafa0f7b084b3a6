package main

import (
	"fmt"
	"strings"
)

// document is docs/command-line.md: what holds for all commands, and then each of them, made
// from the table.
func (b book) document() string {
	var w strings.Builder
	w.WriteString(`# Command line

` + "`pocket-id`" + ` without a command runs the server. Every other command works on the database directly, beside a running server or without one,
with the settings of the server: run it in the server's working directory, or with the same environment. In the container:
` + "`docker exec pocket-id /app/pocket-id user list`" + `. The first page of an administrator shows the same checks as ` + "`pocket-id doctor`" + `.

This page is made from the table of commands; ` + "`pocket-id help <command>`" + ` prints the same.

## What holds for all

- **Names.** A person is named by username, e-mail address or id; a group by either of its names or its id; an application or an API key by its
  id, or its name when no other has it.
- **Output.** A table for people. ` + "`--json`" + ` prints the objects in the shape of the [REST API](api.md), a list as a JSON array; ` + "`--quiet`" + ` prints ids
  alone, one a line, or the one secret that was made. What goes wrong is told on the standard error, with the flag that it is about and what to do.
- **Status.** 0 when it went well, 1 when something went wrong, 2 when a command, a flag or a setting cannot be understood; then nothing was done.
- **Asking.** What loses something asks at a terminal. Where nobody can be asked, it wants ` + "`--yes`" + `.
- **Secrets** are read from a file or the standard input, never from a flag, where other people of the machine would see them. One that is made is printed
  once, by the command that made it, and by nothing else.
- **Audit.** Each change is in the audit log as done at the command line, by the name that the operating system has for whoever ran it (behind
  ` + "`sudo`" + `, whoever called it).
- **Versions.** A command works on a database of its own version alone; only the server brings one up to date. So replace the program, start the server, and
  then use commands.
- **Times** are days (` + "`2027-01-31`" + `), instants (` + "`2027-01-31T12:00:00Z`" + `) or how long from now (` + "`90d`" + `, ` + "`12h`" + `). Lists in a flag are written with commas,
  or the flag several times.

Completion in a shell: ` + "`source <(pocket-id completion bash)`" + `, and likewise for zsh and fish.

`)
	w.WriteString("| command | what it does |\n|---|---|\n")
	for _, c := range b.commands() {
		fmt.Fprintf(&w, "| [`%s`](#pocket-id-%s) | %s |\n", c.name, strings.ReplaceAll(c.name, " ", "-"), cell(c.about))
	}
	for _, c := range b.commands() {
		fmt.Fprintf(&w, "\n## pocket-id %s\n\n%s.\n\n", c.name, strings.ToUpper(c.about[:1])+c.about[1:])
		if c.more != "" {
			fmt.Fprintf(&w, "%s\n\n", strings.ReplaceAll(c.more, "\n", "  \n"))
		}
		fmt.Fprintf(&w, "    %s\n", c.usage())
		shown := false
		for _, o := range c.flags {
			if o.hidden {
				continue
			}
			if !shown {
				w.WriteString("\n| flag | |\n|---|---|\n")
				shown = true
			}
			fmt.Fprintf(&w, "| `%s` | %s |\n", o.head(), cell(o.tail()))
		}
		if len(c.examples) > 0 {
			w.WriteString("\nFor example:\n\n")
			for _, e := range c.examples {
				fmt.Fprintf(&w, "    pocket-id %s\n", e)
			}
		}
	}
	return w.String()
}

// cell is text in a table of Markdown.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(s)
}
