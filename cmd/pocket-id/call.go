package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A call is one use of a command: what stood behind its name, understood.
type call struct {
	*process
	command *command
	args    []string
	given   map[string][]string
}

// parse reads what stands behind the name of a command. Flags may stand behind
// arguments; behind -- all are arguments.
func (cmd *command) parse(p *process, words []string) (*call, error) {
	c := &call{process: p, command: cmd, given: map[string][]string{}}
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "--":
			c.args = append(c.args, words[i+1:]...)
			i = len(words)
		case word == "-" || !strings.HasPrefix(word, "-"):
			c.args = append(c.args, word)
		case strings.HasPrefix(word, "--"):
			name, value, has := strings.Cut(word[2:], "=")
			o, err := cmd.option(name)
			if err != nil {
				return nil, err
			}
			if o.value != "" && !has {
				if i++; i == len(words) {
					return nil, usageError(fmt.Sprintf("--%s needs a value: --%s %s", name, name, o.value))
				}
				value = words[i]
			}
			if err := c.take(o, value, has || o.value != ""); err != nil {
				return nil, err
			}
		default:
			if err := c.shorts(word[1:], words, &i); err != nil {
				return nil, err
			}
		}
	}
	return c, c.count()
}

// shorts reads letters behind one hyphen: switches one after the other, and a flag with
// its value in the same word or the next.
func (c *call) shorts(letters string, words []string, i *int) error {
	for letters != "" {
		at := slices.IndexFunc(c.command.flags, func(o option) bool { return o.short != "" && o.short == letters[:1] })
		if at < 0 {
			return usageError(fmt.Sprintf("there is no flag -%s", letters))
		}
		o := &c.command.flags[at]
		if letters = letters[1:]; o.value == "" {
			if err := c.take(o, "", false); err != nil {
				return err
			}
			continue
		}
		value := strings.TrimPrefix(letters, "=")
		if letters == "" {
			if *i++; *i == len(words) {
				return usageError(fmt.Sprintf("-%s needs a value: -%s %s", o.short, o.short, o.value))
			}
			value = words[*i]
		}
		return c.take(o, value, true)
	}
	return nil
}

// option is the flag of that name.
func (cmd *command) option(name string) (*option, error) {
	var names []string
	for i := range cmd.flags {
		if cmd.flags[i].name == name {
			return &cmd.flags[i], nil
		}
		names = append(names, cmd.flags[i].name)
	}
	if meant := nearest(name, names); meant != "" {
		return nil, usageError(fmt.Sprintf("there is no flag --%s; perhaps --%s is meant", name, meant))
	}
	return nil, usageError("there is no flag --" + name)
}

// take keeps the value of a flag.
func (c *call) take(o *option, value string, has bool) error {
	values := []string{value}
	switch {
	case o.value == "" && !has:
		values[0] = "true"
	case o.value == "":
		if _, err := strconv.ParseBool(value); err != nil {
			return usageError(fmt.Sprintf("--%s is there or not, or --%s=false; it takes no value %q", o.name, o.name, value))
		}
	case o.many && !o.whole && value != "":
		values = strings.Split(value, ",")
	case len(c.given[o.name]) > 0 && !o.many:
		return usageError(fmt.Sprintf("--%s is there twice", o.name))
	}
	for i, v := range values {
		if o.many && !o.whole {
			values[i] = strings.TrimSpace(v)
		}
		if len(o.choices) > 0 && !slices.ContainsFunc(o.choices, func(k string) bool { return strings.EqualFold(k, values[i]) }) {
			return usageError(fmt.Sprintf("--%s is one of %s, and not %q", o.name, strings.Join(o.choices, ", "), v))
		}
	}
	c.given[o.name] = append(c.given[o.name], values...)
	return nil
}

// count refuses too few and too many arguments.
func (c *call) count() error {
	least, most := 0, 0
	for _, a := range wanted(c.command.args) {
		if !strings.HasPrefix(a, "[") {
			least++
		}
		if most++; strings.HasSuffix(strings.TrimSuffix(a, "]"), "...") {
			most = len(c.args) + most
		}
	}
	switch {
	case len(c.args) > most && most == 0:
		return usageError("it takes no arguments but flags")
	case len(c.args) > most:
		return usageError(fmt.Sprintf("it takes %s, and %q is too much", c.command.args, c.args[most]))
	case len(c.args) < least:
		return usageError("it needs " + wanted(c.command.args)[len(c.args)])
	}
	return nil
}

// wanted are the arguments of a usage: <user or e-mail>, [<file>], <id>... .
func wanted(usage string) (list []string) {
	depth, start := 0, 0
	for i, r := range usage {
		switch r {
		case '<', '[':
			if depth == 0 {
				start = i
			}
			depth++
		case '>', ']':
			if depth--; depth == 0 {
				list = append(list, usage[start:i+1])
			}
		case '.':
			if depth == 0 && len(list) > 0 && !strings.HasSuffix(list[len(list)-1], "...") && strings.HasPrefix(usage[i:], "...") {
				list[len(list)-1] += "..."
			}
		}
	}
	return list
}

// has says whether a flag was given.
func (c *call) has(name string) bool { return len(c.given[name]) > 0 }

// on says whether a switch is on.
func (c *call) on(name string) bool {
	v := c.given[name]
	if len(v) == 0 {
		return false
	}
	on, _ := strconv.ParseBool(v[len(v)-1])
	return on
}

// text is the value of a flag, or its fallback.
func (c *call) text(name string) string {
	if v := c.given[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	o, err := c.command.option(name)
	if err != nil {
		panic("command " + c.command.name + ": " + err.Error())
	}
	return o.fallback
}

// choice is the value of a flag with choices, written as they are.
func (c *call) choice(name string) string { return strings.ToLower(c.text(name)) }

// several are the values of a flag that may be given several times; an empty one is none.
func (c *call) several(name string) []string {
	list := []string{}
	for _, v := range c.given[name] {
		if v != "" {
			list = append(list, v)
		}
	}
	return list
}

// yes is the flag with which nothing is asked.
var yes = option{name: "yes", short: "y", about: "do it without asking"}

// sure asks at a terminal before something is lost, and elsewhere wants --yes.
func (c *call) sure(question string) error {
	if c.on("yes") {
		return nil
	}
	if !c.terminal {
		return fmt.Errorf("%s Nothing was done: nobody can be asked here, so say --yes", question)
	}
	fmt.Fprintf(c.err, "%s Type yes to go on: ", question)
	answer, err := bufio.NewReader(io.LimitReader(c.in, 100)).ReadString('\n')
	if word := strings.ToLower(strings.TrimSpace(answer)); word == "yes" || word == "y" {
		return nil
	}
	if err != nil {
		fmt.Fprintln(c.err)
		return errors.New("nothing was done, because nobody answered; --yes does it without asking")
	}
	return errors.New("nothing was done")
}

// maxSecretFile bounds what is read of a file with a secret.
const maxSecretFile = 64 << 10

// secretFrom reads a secret from the file that a flag names; - is the standard input. One
// line break at its end does not count.
func (c *call) secretFrom(flag string) (string, error) {
	path := c.text(flag)
	in := c.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("--%s: %w", flag, err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flag, err)
	}
	if len(b) > maxSecretFile {
		return "", fmt.Errorf("--%s: there is more than a secret in it", flag)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("--%s: there is nothing in it", flag)
	}
	return text, nil
}
