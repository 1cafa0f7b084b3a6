//go:build !linux

package metrics

func cpuTime() (float64, bool)   { return 0, false }
func resident() (float64, bool)  { return 0, false }
func openFiles() (float64, bool) { return 0, false }
func maxFiles() (float64, bool)  { return 0, false }
