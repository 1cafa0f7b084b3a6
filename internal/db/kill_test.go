package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"pocketid/internal/db"
)

// victim is the variable that turns the test binary into a server that adds
// one after the other, says so, and waits to be killed.
const victim = "DB_TEST_VICTIM"

func TestMain(m *testing.M) {
	path := os.Getenv(victim)
	if path == "" {
		os.Exit(m.Run())
	}
	d, err := db.Open(context.Background(), path, db.Serve)
	for err == nil {
		var n int
		err = d.Write(context.Background(), func(tx *db.Tx) error {
			return tx.One([]any{&n}, `UPDATE counter SET n = n + 1 RETURNING n`)
		})
		fmt.Println(n)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// What was acknowledged outlives the process, whatever moment it dies at, and
// its lock does not.
func TestKilledServerLosesNothingAndLeavesNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pocket-id.db")
	d, err := db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, func(tx *db.Tx) { tx.Do(things); tx.Do(`INSERT INTO counter (id, n) VALUES ('a', 0)`) })
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for round := range 3 {
		server := exec.Command(os.Args[0])
		server.Env = append(os.Environ(), victim+"="+path)
		server.Stderr = os.Stderr
		out, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			if acknowledged, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if i == 20+7*round {
				_, err := db.Open(t.Context(), path, db.Serve)
				refused(t, err, "another server", fmt.Sprintf("process %d", server.Process.Pid))
				server.Process.Kill() // what it still says until then counts too
			}
		}
		server.Wait()
	}
	if acknowledged < 80 {
		t.Fatalf("the server added only %d times", acknowledged)
	}
	d, err = db.Open(t.Context(), path, db.Serve)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n := mustAsk[int](t, d, `SELECT n FROM counter`); n < acknowledged || n > acknowledged+1 {
		t.Errorf("n = %d, but %d was acknowledged", n, acknowledged)
	}
}
