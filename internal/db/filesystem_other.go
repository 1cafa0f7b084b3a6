//go:build !linux

package db

func statfsMagic(string) (uint32, bool) { return 0, false }

func diskSpace(string) (free, total int64, known bool) { return 0, 0, false }
