package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A command is what some words on the command line do. The help, the completion of
// shells and docs/command-line.md are made from the table of them.
type command struct {
	// name are the words, "user list". Commands with the same first word stand together.
	name string
	// args is what it takes beside flags: <one>, [<perhaps one>], <one>... for several.
	args  string
	about string // what it does, in one line
	more  string // what else there is to know
	flags []option
	takes []string // what its argument may be; none is anything
	// examples stand without the name of the program.
	examples []string
	run      func(ctx context.Context, c *call) error
}

// An option is a flag of a command.
type option struct {
	name  string
	short string // one letter
	value string // what stands for the value in the help; "" for a flag that is there or not
	about string
	// fallback is the value of a flag that is not given, for the help and for text.
	fallback string
	choices  []string // what the value may be; none is anything
	many     bool     // it may be given several times, or with commas
	whole    bool     // of those, one whose commas are part of the value
	hidden   bool     // scripts may have it, and nobody else needs it
}

// A chapter is the commands with the same first word, or those of one word.
type chapter struct {
	word  string // "" for commands of one word
	about string
	table []command
}

// chapters are all commands; each command is in a file of its own, or of its first word.
var chapters = book{
	{"", "the server", []command{serveCommand, healthcheckCommand, doctorCommand, versionCommand, completionCommand, helpCommand}},
	{"", "ways in and keys", []command{setupLinkCommand, loginLinkCommand, keyRotateCommand, encryptionKeyCommand}},
	{"", "backups and moving", movingCommands},
	{"user", "people", userCommands},
	{"service-account", "accounts of programs", serviceCommands},
	{"group", "groups", groupCommands},
	{"client", "applications", clientCommands},
	{"api-key", "API keys", apiKeyCommands},
	{"config", "settings and variables", configCommands},
}

// A book is chapters. The process holds it, so that commands can speak about commands.
type book []chapter

// commands are those of all chapters.
func (b book) commands() (list []command) {
	for _, ch := range b {
		list = append(list, ch.table...)
	}
	return list
}

// find is the command that begins args, and what follows its name.
func (b book) find(args []string) (c *command, rest []string) {
	for _, one := range b.commands() {
		words := strings.Fields(one.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) && (c == nil || len(one.name) > len(c.name)) {
			c, rest = &one, args[len(words):]
		}
	}
	return c, rest
}

// below are the commands whose names begin with these words and go on.
func (b book) below(words []string) (list []command) {
	for _, c := range b.commands() {
		if names := strings.Fields(c.name); len(names) > len(words) && slices.Equal(names[:len(words)], words) {
			list = append(list, c)
		}
	}
	return list
}

// unknown says that there is no such command, and which was perhaps meant.
func (b book) unknown(args []string) usageError {
	n := 0 // how many words are those of a command
	for n < len(args) && len(b.below(args[:n+1])) > 0 {
		n++
	}
	var known []string
	for _, c := range b.below(args[:n]) {
		if word := strings.Fields(c.name)[n]; !slices.Contains(known, word) {
			known = append(known, word)
		}
	}
	before := strings.Join(args[:n], " ")
	if n == len(args) || strings.HasPrefix(args[n], "-") {
		return usageError(fmt.Sprintf("%s takes one of these words: %s", before, strings.Join(known, ", ")))
	}
	said := fmt.Sprintf("there is no command %q", strings.TrimSpace(before+" "+args[n]))
	if meant := nearest(args[n], known); meant != "" {
		return usageError(said + "; perhaps " + strings.TrimSpace(before+" "+meant) + " is meant")
	}
	if n > 0 {
		said += "; there are: " + strings.Join(known, ", ")
	}
	return usageError(said)
}

// nearest is the word of known that s was perhaps meant to be, or "".
func nearest(s string, known []string) string {
	best, at := "", 3 // more than two slips are another word
	if len(s) < 4 {
		at = 2
	}
	for _, k := range known {
		if d := slips(s, k); d < at {
			best, at = k, d
		}
	}
	if best == "" && len(s) > 1 {
		for _, k := range known {
			if strings.HasPrefix(k, s) {
				return k
			}
		}
	}
	return best
}

// slips is how many letters are to be put in, left out, changed or swapped with their
// neighbour to make b of a.
func slips(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
