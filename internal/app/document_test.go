package app

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a golden file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what the code says; run make golden and look at the difference", path)
	}
}

func TestDocumentOfTheConfigurationIsTrue(t *testing.T) {
	golden(t, "../../docs/configuration.md", Document())
}

func TestEveryExampleOfAVariableIsGood(t *testing.T) {
	for _, v := range variables {
		if v.name == "DB_CONNECTION_STRING" || v.watched {
			continue // they need something beside them
		}
		if _, err := Load([]string{v.name + "=" + v.example}, ""); err != nil {
			t.Errorf("the example of %s is refused: %v", v.name, err)
		}
		if v.help == "" {
			t.Errorf("%s does not say what it means", v.name)
		}
	}
}
