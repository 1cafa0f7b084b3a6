//go:build !profile

package main

import "pocketid/internal/app"

// instrument does nothing: what profile.go can show is not for a server that people use.
func instrument(*app.App) {}
