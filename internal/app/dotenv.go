package app

import (
	"fmt"
	"regexp"
	"strings"
)

// parseDotenv reads lines of NAME=value. A value may stand in single quotes (as
// it is) or double quotes (\n, \r, \t, \", \\ and \$ are understood) and then
// go over several lines; without quotes it ends at a # after white space.
// $NAME and ${NAME} stand for what was set further up, except in single quotes.
func parseDotenv(text string) (map[string]string, error) {
	env := map[string]string{}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for n := 1; text != ""; {
		line, rest, _ := strings.Cut(text, "\n")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			text, n = rest, n+1
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(trimmed, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || !envName.MatchString(name) {
			return nil, fmt.Errorf(".env: line %d is not of the form NAME=value", n)
		}
		value = strings.TrimSpace(value)
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			at := strings.Index(text, "=")
			quoted := strings.TrimLeft(text[at+1:], " \t")
			end := closing(quoted)
			if end < 0 {
				return nil, fmt.Errorf(".env: the quote that opens on line %d does not close", n)
			}
			used := len(text) - len(quoted) + end + 1
			if after, _, _ := strings.Cut(text[used:], "\n"); strings.TrimSpace(after) != "" && strings.TrimSpace(after)[0] != '#' {
				return nil, fmt.Errorf(".env: there is something behind the quoted value of %s", name)
			}
			env[name] = unquote(quoted[:end+1], env)
			_, rest, _ = strings.Cut(text[used:], "\n")
			n += strings.Count(text[:used], "\n")
		} else {
			if i := comment.FindStringIndex(value); i != nil {
				value = value[:i[0]]
			}
			env[name] = expand(value, env)
		}
		text, n = rest, n+1
	}
	return env, nil
}

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	comment = regexp.MustCompile(`(^|\s+)#`)
	named   = regexp.MustCompile(`\\\$|\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)
)

// closing is the place of the quote that closes the one at the start, or -1.
func closing(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] == '"':
			i++
		case s[i] == s[0]:
			return i
		}
	}
	return -1
}

// unquote takes the quotes off a value and understands what is inside.
func unquote(s string, env map[string]string) string {
	inner := s[1 : len(s)-1]
	if s[0] == '\'' {
		return inner
	}
	inner = expand(inner, env)
	return strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\"`, `"`, `\\`, `\`).Replace(inner)
}

// expand puts the values of names that were set further up into s.
func expand(s string, env map[string]string) string {
	return named.ReplaceAllStringFunc(s, func(m string) string {
		if m[0] == '\\' {
			return "$"
		}
		return env[strings.Trim(m, "${}")]
	})
}
