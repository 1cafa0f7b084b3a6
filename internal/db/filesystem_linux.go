package db

import "syscall"

func statfsMagic(dir string) (uint32, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint32(s.Type), true
}
