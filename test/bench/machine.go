package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"pocketid/internal/db"
)

// A machine is what the figures of a run depend on.
type machine struct {
	cpu, kernel, memory string
	rsa, ecdsa          time.Duration // processor time of one signature
}

// look describes this machine.
func look() (machine, error) {
	m := machine{cpu: "unknown", kernel: "unknown", memory: "unknown"}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib float64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %f kB", &kib); err == nil {
			m.memory = fmt.Sprintf("%.1f GiB", kib/1024/1024)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return m, err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return m, err
	}
	if m.rsa, err = signing(key); err != nil {
		return m, err
	}
	m.ecdsa, err = signing(curve)
	return m, err
}

// yardstick is the time of an RSA-2048 signature on the machine of the promises.
const yardstick = 760 * time.Microsecond

// signing is the processor time of one signature, on one thread: the yardstick of a
// run, because all that is measured grows with it when the machine is slow or busy.
func signing(key crypto.Signer) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	digest := sha256.Sum256([]byte("what is signed"))
	const most = 400 * time.Millisecond
	begun := threadTime()
	n := 0
	for ; threadTime()-begun < most; n++ {
		if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			return 0, err
		}
	}
	return (threadTime() - begun) / time.Duration(n), nil
}

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic("bench: the kernel does not tell the time of a thread: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// engine is the name and version of the database of a server.
func engine(ctx context.Context, s *server) (string, error) {
	a, err := s.house(ctx)
	if err != nil {
		return "", err
	}
	defer a.Close()
	name, ask := "SQLite ", `SELECT sqlite_version()`
	if a.DB.Postgres {
		name, ask = "", `SELECT version()`
	}
	var version string
	err = a.DB.Read(ctx, func(tx *db.Tx) error { return tx.One([]any{&version}, ask) })
	version, _, _ = strings.Cut(version, " on ")
	return name + version, err
}

// describe is the machine as lines of Markdown.
func (m *machine) describe(engines []string) string {
	return fmt.Sprintf("- %s, %d processors, %s of memory, Linux %s\n- %s; %s\n- one signature on one thread, in processor time: RSA-2048 %.3f ms, P-256 %.3f ms\n",
		m.cpu, runtime.NumCPU(), m.memory, m.kernel, runtime.Version(), strings.Join(engines, "; "),
		float64(m.rsa.Nanoseconds())/1e6, float64(m.ecdsa.Nanoseconds())/1e6)
}
