// Command tally runs the tests and counts them: how many ran on SQLite, on
// PostgreSQL and in the browser. It shows the output of what failed and one
// line a package, and ends with "N passed, N failed".
//
// A skipped test fails the run, because a test that did not run proves
// nothing. With -need, so does a kind of test of which none ran.
//
//	tally [-need sqlite,postgres,browser] -- go test arguments
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	need := flag.String("need", "", "kinds of test of which at least one must run, separated by commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ok, err := run(ctx, os.Stdout, *need, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1)
	}
}

// run starts "go test -json" with args and tallies its report. The tests and
// what they start form one process group, which ends with ctx.
func run(ctx context.Context, out io.Writer, need string, args []string) (bool, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	t := newTally(out)
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			t.line(line)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read report: %w", err)
		}
	}
	failed := cmd.Wait()
	if ctx.Err() != nil {
		return false, errors.New("interrupted")
	}
	ok := t.end(strings.FieldsFunc(need, func(r rune) bool { return r == ',' }))
	if _, exit := errors.AsType[*exec.ExitError](failed); failed != nil && !exit {
		return false, failed
	}
	return ok && failed == nil, nil
}
