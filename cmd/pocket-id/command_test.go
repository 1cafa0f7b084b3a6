package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestDocumentOfTheCommandsIsTrue(t *testing.T) {
	const path = "../../docs/command-line.md"
	got := chapters.document()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	differs(t, got, string(want))
}

// The table says of each command what somebody wants to know, and its examples are ones
// that the command understands.
func TestTableOfCommands(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range chapters.commands() {
		if c.about == "" || c.run == nil || seen[c.name] {
			t.Errorf("%s says too little, does nothing or is there twice", c.name)
		}
		seen[c.name] = true
		short := map[string]bool{}
		for _, o := range c.flags {
			if o.about == "" || len(o.short) > 1 || o.short != "" && short[o.short] || seen[c.name+" --"+o.name] {
				t.Errorf("%s --%s says nothing, has a bad letter or is there twice", c.name, o.name)
			}
			short[o.short], seen[c.name+" --"+o.name] = true, true
			if o.fallback != "" && len(o.choices) > 0 && !strings.Contains(strings.Join(o.choices, " "), o.fallback) {
				t.Errorf("%s --%s falls back to what it may not be", c.name, o.name)
			}
		}
		for _, e := range c.examples {
			words := steps(t, e)[0]
			for i, word := range words { // what a shell does with the output is not ours
				if word == ">" || word == "<" || word == "|" {
					words = words[:i]
					break
				}
			}
			cmd, rest := chapters.find(words)
			if cmd == nil || cmd.name != c.name {
				t.Errorf("the example %q is of another command", e)
				continue
			}
			if len(rest) > 0 && rest[len(rest)-1] == "--help" {
				continue
			}
			if _, err := cmd.parse(&process{}, rest); err != nil {
				t.Errorf("the example %q is refused: %v", e, err)
			}
		}
		// A flag that a command asks for is one that it has: text panics otherwise.
		if help := (&bytes.Buffer{}); true {
			c.help(help)
			if !strings.Contains(help.String(), c.usage()) {
				t.Errorf("the help of %s lacks its usage", c.name)
			}
		}
	}
}

// parsed is what a made-up command understands.
func parsed(words ...string) (*call, error) {
	cmd := &command{name: "try", args: "<one> [<two>]", flags: []option{
		{name: "yes", short: "y"}, {name: "loud", short: "l"}, {name: "path", short: "p", value: "FILE", fallback: "x.zip"},
		{name: "tag", value: "TAG", many: true}, {name: "claim", value: "NAME=TEXT", many: true, whole: true}, {name: "kind", value: "KIND", choices: []string{"a", "b"}}}}
	return cmd.parse(&process{}, words)
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		name  string
		words []string
		want  string // what is wrong, or what was understood
	}{
		{"takes an argument", []string{"a"}, "a|x.zip||false"},
		{"takes flags behind arguments", []string{"a", "--path", "-", "-y"}, "a|-||true"},
		{"takes a value behind an equals sign", []string{"--path=b=c", "a"}, "a|b=c||false"},
		{"takes letters together", []string{"-ly", "a"}, "a|x.zip||true"},
		{"takes a value in the word of its letter", []string{"-pz", "a"}, "a|z||false"},
		{"takes a value behind letters", []string{"-yp", "z", "a"}, "a|z||true"},
		{"takes a switch that is off", []string{"--yes=false", "a"}, "a|x.zip||false"},
		{"takes several", []string{"--tag", "a, b", "--tag=c", "a"}, "a|x.zip|a+b+c|false"},
		{"takes commas of a value that has them", []string{"--claim", "a=b,c", "a"}, "a|x.zip|a=b,c|false"},
		{"takes everything behind two hyphens", []string{"--", "-y"}, "-y|x.zip||false"},
		{"takes an empty value", []string{"--path", "", "a"}, "a|||false"},
		{"wants its arguments", nil, "it needs <one>"},
		{"refuses too many arguments", []string{"a", "b", "c"}, `"c" is too much`},
		{"refuses a flag that is none", []string{"--pth", "x", "a"}, "perhaps --path is meant"},
		{"refuses a letter that is none", []string{"-yx", "a"}, "there is no flag -x"},
		{"wants a value", []string{"a", "--path"}, "--path needs a value"},
		{"wants a value of a letter", []string{"a", "-p"}, "-p needs a value"},
		{"refuses the same twice", []string{"--path", "a", "-p", "b", "c"}, "--path is there twice"},
		{"refuses what is no choice", []string{"--kind", "c", "a"}, "one of a, b"},
		{"refuses what is no truth", []string{"--yes=x", "a"}, "takes no value"},
	} {
		got := ""
		if c, err := parsed(tt.words...); err != nil {
			got = err.Error()
		} else {
			got = strings.Join(c.args, " ") + "|" + c.text("path") + "|" + strings.Join(append(c.several("tag"), c.several("claim")...), "+") + "|" + yesNoText(c.on("yes"))
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("it %s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func yesNoText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// Names of others cannot move the cursor or turn a line round, and wide letters are
// counted as they are shown.
func TestTables(t *testing.T) {
	tab := table{head: []string{"NAME", "ID"}}
	tab.add("王小明", "1")
	tab.add("a\x1b[31m\u202eb\n", "")
	var b bytes.Buffer
	if err := tab.print(&b); err != nil {
		t.Fatal(err)
	}
	want := "NAME      ID\n王小明    1\na [31m b  -\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Whoever is at a terminal is asked; only yes is yes.
func TestSure(t *testing.T) {
	for answer, want := range map[string]bool{"yes\n": true, "Y\n": true, "YES": true, "no\n": false, "\n": false, "": false, "yes please\n": false} {
		var asked bytes.Buffer
		c := &call{process: &process{in: strings.NewReader(answer), err: &asked, terminal: true}, command: &command{flags: []option{yes}}, given: map[string][]string{}}
		if got := c.sure("It goes.") == nil; got != want || !strings.HasPrefix(asked.String(), "It goes. ") {
			t.Errorf("%q: %v, asked %q", answer, got, asked.String())
		}
	}
}

// A real bash completes commands, flags and their values.
func TestCompletionInBash(t *testing.T) {
	var script bytes.Buffer
	chapters.bash(&script)
	script.WriteString(`
t() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _pocket_id; echo "${COMPREPLY[*]}"; }
t pocket-id us
t pocket-id user pass
t pocket-id user passkeys ""
t pocket-id user list --ro
t pocket-id user list --role ""
t pocket-id user list --search user --role a
t pocket-id completion ""
t pocket-id help cli
t pocket-id nothing ""
`)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "--norc")
	cmd.Stdin = &script
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := "user\npasskeys\nlist remove\n--role\nadmin user\nadmin\nbash zsh fish --help\nclient\n"
	if !strings.HasPrefix(string(out), want) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// What the other shells get names every command and every flag.
func TestCompletionOfOtherShells(t *testing.T) {
	var zsh, fish bytes.Buffer
	chapters.zsh(&zsh)
	chapters.fish(&fish)
	for _, c := range chapters.commands() {
		for _, o := range c.flags {
			if o.hidden {
				continue
			}
			if !strings.Contains(zsh.String(), "'--"+o.name+":") || !strings.Contains(fish.String(), " -l "+o.name+" ") {
				t.Errorf("%s --%s is not completed", c.name, o.name)
			}
		}
	}
}
