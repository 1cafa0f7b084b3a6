package directory

import (
	"archive/zip"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The list of zones is that of the Go release that builds us, and clocks go in each as they
// do in its files. When it fails, write zones.txt anew: a line for each different last line
// of the files in lib/time/zoneinfo.zip, and behind it the names of those files, without
// Factory.
func TestZonesAreThoseOfTheTimeZoneDatabase(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	must(t, err)
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	must(t, err)
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
			continue
		}
		r, err := f.Open()
		must(t, err)
		files[f.Name], err = io.ReadAll(r)
		must(t, err)
	}
	if want := slices.Sorted(maps.Keys(files)); !slices.Equal(Zones(), want) {
		t.Errorf("zones.txt has %d names, the database %d", len(Zones()), len(want))
	}
	for name, file := range files {
		whole, err := time.LoadLocationFromTZData(name, file)
		must(t, err)
		ours, ok := Zone(name)
		if !ok {
			t.Errorf("%s is no zone", name)
			continue
		}
		if strings.HasSuffix(name, "/Casablanca") || strings.HasSuffix(name, "/El_Aaiun") {
			continue // the clocks of Morocco go by a table of Ramadans, and by no rule
		}
		for at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2031; at = at.Add(23 * time.Hour) {
			if got, want := at.In(ours).Format("2006-01-02 15:04 MST"), at.In(whole).Format("2006-01-02 15:04 MST"); got != want {
				t.Errorf("%s: %s is %s, want %s", name, at, got, want)
				break
			}
		}
	}
}

func TestWhatIsNoZone(t *testing.T) {
	for _, name := range []string{"", "Local", "UTC0", "CET-1", "Europe/Nowhere", "europe/berlin", "Europe/Berlin ", "../../etc/passwd", "\x00", strings.Repeat("a", 10_000)} {
		if at, ok := Zone(name); ok {
			t.Errorf("%.20q is %v", name, at)
		}
	}
	if a, _ := Zone("Europe/Berlin"); a == nil {
		t.Error("Berlin has no zone")
	} else if b, _ := Zone("Europe/Madrid"); a != b {
		t.Error("a rule is kept twice")
	}
}
