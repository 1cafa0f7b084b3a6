//go:build !unix

package socket

// refused says whether nobody listens on the socket that could not be reached, which is
// not known here.
func refused(error) bool { return false }

// keep has nothing to do where descriptors are not inherited.
func keep(int) {}
