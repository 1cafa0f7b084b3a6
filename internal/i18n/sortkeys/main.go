// Command sortkeys puts the keys of the catalogues in order. Run it in the
// root of the repository after adding words:
//
//	go run ./internal/i18n/sortkeys
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"pocketid/internal/i18n"
)

func main() {
	names, err := filepath.Glob("internal/i18n/locales/*.json")
	if err != nil || len(names) == 0 {
		fmt.Fprintln(os.Stderr, "sortkeys: there are no catalogues here; run it in the root of the repository")
		os.Exit(1)
	}
	for _, name := range names {
		if err := sortFile(name); err != nil {
			fmt.Fprintf(os.Stderr, "sortkeys: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func sortFile(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	sorted, err := i18n.Sorted(b)
	if err != nil {
		return err
	}
	return os.WriteFile(name, sorted, 0o644)
}
