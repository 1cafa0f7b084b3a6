package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

var helpCommand = command{
	name: "help", args: "[<command>]...", about: "print this, or what there is to know of a command",
	examples: []string{"help", "help user create"},
	run:      func(_ context.Context, c *call) error { return c.help(c.args) },
}

// help prints what there is to know of what some words name: everything, without any.
func (p *process) help(words []string) error {
	if len(words) == 0 {
		p.book.overview(p.out)
		return nil
	}
	if c, rest := p.book.find(words); c != nil && len(rest) == 0 {
		c.help(p.out)
		return nil
	}
	list := p.book.below(words)
	if len(list) == 0 {
		return p.book.unknown(words)
	}
	fmt.Fprintf(p.out, "usage: pocket-id %s <command>\n\n", strings.Join(words, " "))
	lines(p.out, list)
	fmt.Fprintf(p.out, "\npocket-id help %s <command> says more.\n", strings.Join(words, " "))
	return nil
}

// overview prints all commands.
func (b book) overview(w io.Writer) {
	fmt.Fprint(w, "Pocket ID: an OpenID Connect provider for sign-in with passkeys.\n\nusage: pocket-id [command]\n")
	for _, ch := range b {
		fmt.Fprintf(w, "\n%s\n", ch.about)
		lines(w, ch.table)
	}
	fmt.Fprint(w, "\nWithout a command the server runs. pocket-id help <command> says more. Settings come from the\nenvironment and from .env; pocket-id config variables lists them.\n")
}

// lines prints a line for each command.
func lines(w io.Writer, list []command) {
	wide := 0
	for _, c := range list {
		wide = max(wide, len(c.name)+1+len(c.args))
	}
	for _, c := range list {
		fmt.Fprintf(w, "  %-*s  %s\n", min(wide, 44), strings.TrimSpace(c.name+" "+c.args), c.about)
	}
}

// usage is how a command is called.
func (cmd *command) usage() string {
	s := "pocket-id " + strings.TrimSpace(cmd.name+" "+cmd.args)
	for _, o := range cmd.flags {
		if !o.hidden {
			return s + " [flags]"
		}
	}
	return s
}

// head is a flag as the help shows it.
func (o *option) head() string {
	s := "--" + o.name
	if o.short != "" {
		s = "-" + o.short + ", " + s
	}
	if o.value != "" {
		s += " " + o.value
	}
	return s
}

// tail is what a flag means.
func (o *option) tail() string {
	s := o.about
	if len(o.choices) > 0 {
		s += " (" + strings.Join(o.choices, ", ") + ")"
	}
	if o.fallback != "" {
		s += "; " + o.fallback + " unless given"
	}
	return s
}

// help prints all about a command.
func (cmd *command) help(w io.Writer) {
	fmt.Fprintf(w, "pocket-id %s: %s.\n\nusage: %s\n", cmd.name, cmd.about, cmd.usage())
	if cmd.more != "" {
		fmt.Fprintf(w, "\n%s\n", cmd.more)
	}
	shown := false
	for _, o := range cmd.flags {
		if o.hidden {
			continue
		}
		if !shown {
			fmt.Fprint(w, "\nflags:\n")
			shown = true
		}
		fmt.Fprintf(w, "  %-28s %s\n", o.head(), o.tail())
	}
	if len(cmd.examples) > 0 {
		fmt.Fprint(w, "\nexamples:\n")
		for _, e := range cmd.examples {
			fmt.Fprintf(w, "  pocket-id %s\n", e)
		}
	}
}
