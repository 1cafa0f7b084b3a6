package browser

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// The program is at most 25 MB, and at rest, with one administrator, at most 25 MiB resident: it
// is what the deployment asks for.
func TestTheProgramIsSmall(t *testing.T) {
	onSQLite(t, func(t *testing.T, s *server) {
		file, err := os.Stat(program)
		if err != nil {
			t.Fatal(err)
		}
		if file.Size() > 25_000_000 {
			t.Errorf("the program has %d bytes", file.Size())
		}
		p := s.admin(t, "en")
		p.open("/settings/admin/oidc-clients")
		p.open("about:blank")

		// It lets go of what it does not need after some quiet seconds.
		resident := 0
		for range 20 {
			time.Sleep(time.Second)
			if resident = residentKiB(t, s.cmd.Process.Pid); resident <= 22<<10 {
				break
			}
		}
		t.Logf("%d bytes of program, %d KiB resident", file.Size(), resident)
		if resident > 25<<10 {
			t.Errorf("%d KiB are resident at rest, want at most %d", resident, 25<<10)
		}
	})
}

// residentKiB is the resident memory of a process, as Linux counts it.
func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("resident memory is read from /proc, which needs Linux: %v", err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no VmRSS in %s", b)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
