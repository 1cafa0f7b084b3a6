// Command statements sorts what test/statements.sh wrote down: one line for each statement,
// that of both engines, or of the one that is named before it. Of statements that differ
// in how many of the same there are, one is kept, and what tests make for themselves is
// left out.
package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

var (
	marks = regexp.MustCompile(`\$\d+`)
	lists = regexp.MustCompile(`\$(, ?\$)+`)
	rows  = regexp.MustCompile(`\(\$\)(, ?\(\$\))+`)
	ours  = regexp.MustCompile(`^(SELECT|INSERT|UPDATE|DELETE|WITH)\b`)
	tests = regexp.MustCompile(`\b(person|voucher|counter|pair|later|pg_\w+|sqlite_\w+|pragma_\w+|information_schema)\b`)
)

func main() {
	type found struct {
		text    string
		engines map[string]bool
	}
	all := map[string]found{}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		engine, q, _ := strings.Cut(in.Text(), "\t")
		if !ours.MatchString(q) || tests.MatchString(q) {
			continue
		}
		kind := rows.ReplaceAllString(lists.ReplaceAllString(marks.ReplaceAllString(q, "$$"), "$$"), "($$)")
		f, ok := all[kind]
		if !ok {
			f = found{text: q, engines: map[string]bool{}}
		}
		if len(q) < len(f.text) {
			f.text = q
		}
		f.engines[engine] = true
		all[kind] = f
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		f := all[kind]
		engine := "both"
		if len(f.engines) == 1 {
			engine = slices.Collect(maps.Keys(f.engines))[0]
		}
		fmt.Println(engine + "\t" + f.text)
	}
}
