package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

var completionCommand = command{
	name: "completion", args: "<shell>", about: "print what lets a shell complete commands and flags",
	takes:    []string{"bash", "zsh", "fish"},
	more:     "bash: source <(pocket-id completion bash), in ~/.bashrc.\nzsh:  pocket-id completion zsh > a file _pocket-id in a directory of $fpath.\nfish: pocket-id completion fish > ~/.config/fish/completions/pocket-id.fish",
	examples: []string{"completion bash > /etc/bash_completion.d/pocket-id"},
	run: func(_ context.Context, c *call) error {
		write := map[string]func(book, io.Writer){"bash": book.bash, "zsh": book.zsh, "fish": book.fish}[c.args[0]]
		if write == nil {
			return usageError(fmt.Sprintf("there is completion for bash, zsh and fish, and none for %q", c.args[0]))
		}
		write(c.book, c.out)
		return nil
	},
}

// A place is where somebody is on the command line: the words so far, and what may follow.
type place struct {
	at     string // each word with a blank before it
	words  []choice
	values []choice // of flags: the flag with what it may be
	flags  []option
}

// A choice is a word with what it means.
type choice struct{ word, about string }

// places are all of them, the first words first.
func (b book) places() (list []place) {
	index := map[string]int{}
	at := func(path string) *place {
		if _, ok := index[path]; !ok {
			index[path] = len(list)
			list = append(list, place{at: path})
		}
		return &list[index[path]]
	}
	at("")
	for _, ch := range b {
		for _, c := range ch.table {
			path, names := "", strings.Fields(c.name)
			for i, name := range names {
				about := ch.about
				if i == len(names)-1 {
					about = c.about
				}
				if p := at(path); !slices.ContainsFunc(p.words, func(w choice) bool { return w.word == name }) {
					p.words = append(p.words, choice{name, about})
				}
				path += " " + name
			}
			p := at(path)
			for _, word := range c.takes {
				p.words = append(p.words, choice{word, ""})
			}
			for _, o := range c.flags {
				if o.hidden {
					continue
				}
				p.flags = append(p.flags, o)
				p.words = append(p.words, choice{"--" + o.name, o.about})
				if len(o.choices) > 0 {
					p.values = append(p.values, choice{path + " --" + o.name, strings.Join(o.choices, " ")})
				}
			}
			p.words = append(p.words, choice{"--help", "say what there is to know of it"})
		}
	}
	help := at(" help")
	help.words = append(help.words, list[0].words...)
	return list
}

// paths are the places that words lead to, as patterns of a case.
func paths(list []place) string {
	var all []string
	for _, p := range list[1:] {
		all = append(all, `"`+p.at+`"`)
	}
	return strings.Join(all, "|")
}

func (b book) bash(w io.Writer) {
	list := b.places()
	fmt.Fprintf(w, `# Completion of pocket-id for bash. It was made by: pocket-id completion bash
_pocket_id() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at="" words="" word i
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case "$at $word" in
		%s) at="$at $word" ;;
		esac
	done
	case "$at $prev" in
`, paths(list))
	for _, p := range list {
		for _, v := range p.values {
			fmt.Fprintf(w, "\t%q) words=%q ;;\n", v.word, v.about)
		}
	}
	fmt.Fprint(w, "\t*)\n\t\tcase \"$at\" in\n")
	for _, p := range list {
		var words []string
		for _, c := range p.words {
			words = append(words, c.word)
		}
		fmt.Fprintf(w, "\t\t%q) words=%q ;;\n", p.at, strings.Join(words, " "))
	}
	fmt.Fprint(w, `		esac
		;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _pocket_id pocket-id
`)
}

// shellText is text between single quotes.
func shellText(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (b book) zsh(w io.Writer) {
	list := b.places()
	fmt.Fprintf(w, `#compdef pocket-id
# Completion of pocket-id for zsh. It was made by: pocket-id completion zsh
_pocket_id() {
	local at="" word i prev="$words[CURRENT-1]"
	local -a list
	for ((i = 2; i < CURRENT; i++)); do
		word="$words[i]"
		case "$at $word" in
		%s) at="$at $word" ;;
		esac
	done
	case "$at $prev" in
`, paths(list))
	for _, p := range list {
		for _, v := range p.values {
			fmt.Fprintf(w, "\t%q) list=(%s) ;;\n", v.word, v.about)
		}
	}
	fmt.Fprint(w, "\t*)\n\t\tcase \"$at\" in\n")
	for _, p := range list {
		var words []string
		for _, c := range p.words {
			words = append(words, shellText(c.word+":"+strings.ReplaceAll(c.about, ":", `\:`)))
		}
		fmt.Fprintf(w, "\t\t%q) list=(%s) ;;\n", p.at, strings.Join(words, " "))
	}
	fmt.Fprint(w, `		esac
		;;
	esac
	_describe pocket-id list || _files
}
if [ "$funcstack[1]" = "_pocket_id" ]; then
	_pocket_id "$@"
else
	compdef _pocket_id pocket-id
fi
`)
}

// fishText is text between single quotes of fish.
func fishText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func (b book) fish(w io.Writer) {
	list := b.places()
	fmt.Fprintf(w, `# Completion of pocket-id for fish. It was made by: pocket-id completion fish
function __pocket_id_at
	set -l at ""
	for word in (commandline -opc)[2..-1]
		switch "$at $word"
			case %s
				set at "$at $word"
		end
	end
	test "$at" = "$argv[1]"
end
`, strings.ReplaceAll(paths(list), "|", " "))
	for _, p := range list {
		when := fishText(`__pocket_id_at "` + p.at + `"`)
		for _, c := range p.words {
			if name, ok := strings.CutPrefix(c.word, "--"); !ok || name == "help" {
				about := ""
				if c.about != "" {
					about = " -d " + fishText(c.about)
				}
				if ok {
					fmt.Fprintf(w, "complete -c pocket-id -f -n %s -l help%s\n", when, about)
					continue
				}
				fmt.Fprintf(w, "complete -c pocket-id -f -n %s -a %s%s\n", when, c.word, about)
			}
		}
		for _, o := range p.flags {
			line := fmt.Sprintf("complete -c pocket-id -n %s -l %s", when, o.name)
			if o.short != "" {
				line += " -s " + o.short
			}
			switch {
			case len(o.choices) > 0:
				line += " -x -a " + fishText(strings.Join(o.choices, " "))
			case o.value == "FILE":
				line += " -r -F"
			case o.value != "":
				line += " -x"
			}
			fmt.Fprintln(w, line+" -d "+fishText(o.about))
		}
	}
}
