//go:build !record

package db

// seen does nothing: statements are written down for a release only, see record.go.
func seen(string, string) {}
