package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/settings"
)

// idle are variables of Pocket ID 2.x that need nothing here: what they
// switch off does not exist, or what they choose is always so.
var idle = strings.Fields(`ACTORS_HOST ACTORS_PORT ALLOW_DOWNGRADE ANALYTICS_DISABLED FILE_BACKEND LOG_QUERY_ARGS
	S3_ACCESS_KEY_ID S3_BUCKET S3_DISABLE_DEFAULT_INTEGRITY_CHECKS S3_ENDPOINT S3_FORCE_PATH_STYLE S3_REGION
	S3_SECRET_ACCESS_KEY S3_SECRET_ACCESS_KEY_FILE UPLOAD_PATH VERSION_CHECK_DISABLED`)

// missing are variables of Pocket ID 2.x for what this version cannot do yet.
var missing = strings.Fields(`GEOLITE_DB_PATH GEOLITE_DB_URL LOCAL_IPV6_RANGES MAXMIND_LICENSE_KEY MAXMIND_LICENSE_KEY_FILE OTEL_LOGS_EXPORTER OTEL_TRACES_EXPORTER`)

// strangers are remarks on variables that are set and mean nothing: those that
// Pocket ID 2.x knows, and names that look like a slip of the pen. All else is
// somebody else's, like the names that a cluster puts into every container.
func strangers(env map[string]string) []Note {
	known := map[string]bool{}
	for _, v := range variables {
		known[v.name] = true
		if v.file {
			known[v.name+"_FILE"] = true
		}
	}
	of := map[string]bool{}
	for _, v := range settings.Variables() {
		of[v.Name], of[v.Name+"_FILE"] = true, v.Secret
	}
	var notes []Note
	var unneeded, unbuilt, unused []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case known[name] || env[name] == "" || strings.HasPrefix(name, "OTEL_") && env[name] == "none":
		case of[name]:
			unused = append(unused, name)
		case slices.Contains(idle, name):
			unneeded = append(unneeded, name)
		case slices.Contains(missing, name):
			unbuilt = append(unbuilt, name)
		default:
			if meant := alike(name, known); meant != "" {
				notes = append(notes, Note{slog.LevelWarn, fmt.Sprintf("%s is set and means nothing here; %s was perhaps meant", name, meant)})
			}
		}
	}
	if len(unbuilt) > 0 {
		notes = append(notes, Note{slog.LevelWarn, "set, but without effect in this version: " + strings.Join(unbuilt, ", ")})
	}
	if lock, _ := strconv.ParseBool(env["UI_CONFIG_DISABLED"]); len(unused) > 0 && !lock {
		notes = append(notes, Note{slog.LevelWarn, "set, but the settings are changed on the page of the administrator unless UI_CONFIG_DISABLED=true: " + strings.Join(unused, ", ")})
	}
	if note, ok := runsAs(env, os.Getuid(), os.Getgid()); ok {
		notes = append(notes, note)
	}
	if len(unneeded) > 0 {
		notes = append(notes, Note{slog.LevelInfo, "set, but not needed here: " + strings.Join(unneeded, ", ")})
	}
	return notes
}

// runsAs is a remark on PUID and PGID, by which containers of Pocket ID 2.x are told as whom
// to run. This program runs as whoever starts it.
func runsAs(env map[string]string, uid, gid int) (Note, bool) {
	wanted := cmp.Or(env["PUID"], "1000") + ":" + cmp.Or(env["PGID"], "1000")
	runs := fmt.Sprintf("%d:%d", uid, gid)
	if env["PUID"] == "" && env["PGID"] == "" || wanted == runs {
		return Note{}, false
	}
	return Note{slog.LevelWarn, fmt.Sprintf("PUID and PGID ask for %s, but this program runs as %s, as whom it was started: let the container run as user %s (user: \"%s\" in a Compose file)", wanted, runs, wanted, wanted)}, true
}

// alike is the known name that differs from name in case, in hyphens, or in
// one letter; short names differ by one letter from too much.
func alike(name string, known map[string]bool) string {
	plain := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
	if known[plain] {
		return plain
	}
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if len(k) >= 6 && oneApart(plain, k) {
			return k
		}
	}
	return ""
}

// oneApart says whether one letter more, less, other or swapped with its
// neighbour makes a out of b.
func oneApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return len(a)+1 == len(b) && a[i:] == b[i+1:]
	}
	return i < len(a) && (a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:])
}
