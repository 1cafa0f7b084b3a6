//go:build record

package db

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// recorded are the statements that this process has written down.
var recorded = struct {
	sync.Mutex
	m map[string]bool
}{m: map[string]bool{}}

// seen writes a statement down that is prepared for the first time, with its engine, at the
// end of pocket-id-statements.tsv in the directory for temporary files: what a release asks
// its tables is known by that, see test/statements.sh.
func seen(engine, q string) {
	path := filepath.Join(os.TempDir(), "pocket-id-statements.tsv")
	line := engine + "\t" + strings.Join(strings.Fields(q), " ") + "\n"
	recorded.Lock()
	defer recorded.Unlock()
	if recorded.m[line] {
		return
	}
	recorded.m[line] = true
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(line)
		f.Close()
	}
	if err != nil {
		panic("db: write down a statement: " + err.Error())
	}
}
