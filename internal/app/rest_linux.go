package app

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// release gives back what the heap does not need, and then the pages of the
// program itself that nobody wrote to. The start runs through most of them, and
// little of that is needed again; what is comes back from the page cache.
func release() {
	debug.FreeOSMemory()
	for _, m := range ownPages() {
		// It may fail, and then the pages simply stay.
		syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED)
	}
}

// mapping is a piece of the address space.
type mapping struct{ start, end uintptr }

// ownPages are the mappings of this program's file that can be read again from
// it: not writable, and with no page that differs from the file (relocations).
func ownPages() []mapping {
	file, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer smaps.Close()
	var found []mapping
	var current mapping
	ours := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) > 1 && strings.Contains(f[0], "-") && !strings.HasSuffix(f[0], ":"):
			from, to, _ := strings.Cut(f[0], "-")
			start, err1 := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			current = mapping{uintptr(start), uintptr(end)}
			ours = err1 == nil && err2 == nil && len(f) == 6 && f[5] == file && !strings.Contains(f[1], "w") && strings.HasSuffix(f[1], "p")
		case len(f) == 3 && f[0] == "Anonymous:" && ours && f[1] == "0":
			found = append(found, current)
		}
	}
	return found
}
