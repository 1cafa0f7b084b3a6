package db

import "syscall"

func statfsMagic(dir string) (uint32, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint32(s.Type), true
}

// diskSpace is what is free for this user and what there is in all on the disk of a
// directory, in bytes.
func diskSpace(dir string) (free, total int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), true
}
