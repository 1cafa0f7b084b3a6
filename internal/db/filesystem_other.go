//go:build !linux

package db

func statfsMagic(string) (uint32, bool) { return 0, false }
