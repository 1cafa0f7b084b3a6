//go:build !linux

package app

import "runtime/debug"

// release gives back what the heap does not need.
func release() { debug.FreeOSMemory() }
