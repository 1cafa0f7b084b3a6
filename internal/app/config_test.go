package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnEmptyEnvironmentIsTheQuickStart(t *testing.T) {
	c := Defaults()
	if got := c.PublicURL.String(); got != "http://localhost:1411" {
		t.Errorf("APP_URL is %s", got)
	}
	if c.InternalURL.String() != c.PublicURL.String() {
		t.Errorf("INTERNAL_APP_URL is %s", c.InternalURL)
	}
	if c.Port != 1411 || c.Host != "0.0.0.0" || string(c.Database) != "data/pocket-id.db" || c.EncryptionKey != "" {
		t.Errorf("got %+v", c)
	}
	if !c.AllowInsecureCallbacks || c.NoRateLimits || c.NoHSTS || c.LogJSON || c.LogLevel != slog.LevelInfo || c.AuditRetentionDays != 90 {
		t.Errorf("got %+v", c)
	}
	if len(c.Notes) > 0 {
		t.Errorf("notes on an empty environment: %v", c.Notes)
	}
}

func TestAppURL(t *testing.T) {
	tests := []struct{ name, value, want, fault string }{
		{"takes a host", "https://id.example.com", "https://id.example.com", ""},
		{"drops a final slash", "https://id.example.com/", "https://id.example.com", ""},
		{"folds case", "HTTPS://ID.Example.COM", "https://id.example.com", ""},
		{"keeps a port", "http://localhost:8080", "http://localhost:8080", ""},
		{"drops the port that https implies", "https://id.example.com:443", "https://id.example.com", ""},
		{"drops the port that http implies", "http://localhost:80", "http://localhost", ""},
		{"refuses a path", "https://example.com/id", "", "has a path"},
		{"refuses a query", "https://example.com?x=1", "", "has a query"},
		{"refuses an empty query", "https://example.com?", "", "has a query"},
		{"refuses a fragment", "https://example.com#x", "", "has a fragment"},
		{"refuses a missing scheme", "id.example.com", "", "has no scheme"},
		{"refuses a host and port without a scheme", "localhost:1411", "", "has no scheme"},
		{"refuses another scheme", "ftp://id.example.com", "", "not an address of http or https"},
		{"refuses a scheme alone", "https://", "", "is"},
		{"refuses a password", "https://a:hunter2@example.com", "", "user name or password"},
		{"refuses an address of numbers", "http://192.168.1.5:1411", "", "passkeys need a name"},
		{"refuses an address of IPv6", "http://[::1]:1411", "", "passkeys need a name"},
		{"refuses letters that browsers write otherwise", "https://bücher.example", "", "browsers write in another way"},
		{"refuses a port that is none", "https://id.example.com:99999", "", "port"},
		{"refuses a final dot", "https://id.example.com.", "", "browsers write in another way"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Load([]string{"APP_URL=" + test.value}, "")
			if test.fault == "" {
				if err != nil || c.PublicURL.String() != test.want {
					t.Errorf("got %v, %v; want %s", c.PublicURL, err, test.want)
				}
				return
			}
			f, ok := errors.AsType[*ConfigError](err)
			if !ok || f.Variable != "APP_URL" || !strings.Contains(err.Error(), test.fault) || !strings.HasSuffix(err.Error(), "for example: APP_URL=https://id.example.com") {
				t.Errorf("got %v, want a fault that says %q", err, test.fault)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want one line without the password", err)
			}
		})
	}
}

func TestValuesThatCannotBeUnderstoodNameTheirVariable(t *testing.T) {
	tests := []struct{ line, fault string }{
		{"PORT=http", "PORT is \"http\", which is not a number between 1 and 65535; for example: PORT=1411"},
		{"PORT=0", "PORT is"},
		{"PORT=tcp://10.0.0.1:1411", "PORT is"},
		{"HOST=http://x", "HOST is"},
		{"TRUST_PROXY=10.0.0.0/99", "TRUST_PROXY is"},
		{"TRUST_PROXY=maybe", "TRUST_PROXY is"},
		{"TRUSTED_PLATFORM=CF Connecting", "TRUSTED_PLATFORM is"},
		{"LOG_LEVEL=loud", "LOG_LEVEL is"},
		{"LOG_JSON=si", "LOG_JSON is"},
		{"DISABLE_RATE_LIMITING=off", "DISABLE_RATE_LIMITING is"},
		{"ALLOW_INSECURE_CALLBACK_URLS=2", "ALLOW_INSECURE_CALLBACK_URLS is"},
		{"AUDIT_LOG_RETENTION_DAYS=0", "AUDIT_LOG_RETENTION_DAYS is"},
		{"APP_ENV=live", "APP_ENV is"},
		{"INTERNAL_APP_URL=pocket-id", "INTERNAL_APP_URL is"},
		{"INTERNAL_APP_URL=http://pocket-id/x", "INTERNAL_APP_URL is"},
		{"DB_CONNECTION_STRING=mysql://root:hunter2@db/x", "DB_CONNECTION_STRING cannot be used"},
		{"DB_CONNECTION_STRING=postgres://u:hun%ter2@db/x", "DB_CONNECTION_STRING is not a URL"},
		{"ENCRYPTION_KEY=hunter2", "ENCRYPTION_KEY is shorter than 16 bytes"},
		{"ENCRYPTION_KEY_FILE=/does/not/exist", "ENCRYPTION_KEY cannot be read from the file that ENCRYPTION_KEY_FILE names"},
		{"SETUP_TOKEN=hunter2", "SETUP_TOKEN is shorter than 16 characters"},
		{"DB_CONNECTION_STRING=postgres://u:hunter2@db/x", "ENCRYPTION_KEY is needed with PostgreSQL"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			_, err := Load([]string{test.line}, "")
			if err == nil || !strings.HasPrefix(err.Error(), test.fault) || !strings.Contains(err.Error(), "; for example: ") {
				t.Fatalf("got %v, want %q and an example", err, test.fault)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") { // threats 84
				t.Errorf("%q quotes a secret, or is more than a line", err)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, err := Load([]string{"PORT=x", "LOG_JSON=x"}, "")
	if err == nil || !strings.Contains(err.Error(), "PORT is") || !strings.Contains(err.Error(), "LOG_JSON is") {
		t.Errorf("got %v", err)
	}
}

func TestAnEmptyVariableIsAnAbsentOne(t *testing.T) {
	c, err := Load([]string{"PORT=", "ENCRYPTION_KEY=", "ENCRYPTION_KEY_FILE=", "TRUST_PROXY="}, "")
	if err != nil || c.Port != 1411 {
		t.Errorf("got %d, %v", c.Port, err)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c, err := Load([]string{
		"ENCRYPTION_KEY_FILE=" + write("key", " 0123456789abcdef\n"),
		"DB_CONNECTION_STRING_FILE=" + write("db", " postgres://u:p@db/x\n"),
		"SETUP_TOKEN_FILE=" + write("token", "0123456789abcdef\r\n"),
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.EncryptionKey); got != " 0123456789abcdef\n" {
		t.Errorf("the key is %q, want every byte of the file", got)
	}
	if got := string(c.Database); got != "postgres://u:p@db/x" {
		t.Errorf("the database is %q, want it trimmed", got)
	}
	if got := string(c.SetupToken); got != "0123456789abcdef" {
		t.Errorf("the token is %q, want it trimmed", got)
	}
	for _, line := range [][]string{
		{"ENCRYPTION_KEY=0123456789abcdef", "ENCRYPTION_KEY_FILE=" + write("key2", "fedcba9876543210")},
		{"SETUP_TOKEN_FILE=" + write("empty", "\n")},
	} {
		if _, err := Load(line, ""); err == nil {
			t.Errorf("%v was accepted", line)
		}
	}
}

func TestNotes(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		want string // part of the only note, "" for none
	}{
		{"warns of http on a name that is not this machine", []string{"APP_URL=http://id.lan"}, "nobody can sign in"},
		{"says nothing of http on localhost", []string{"APP_URL=http://id.localhost:1411"}, ""},
		{"warns of a letter too few", []string{"TRUST_PROX=true"}, "TRUST_PROXY was perhaps meant"},
		{"warns of swapped letters", []string{"TRSUT_PROXY=true"}, "TRUST_PROXY was perhaps meant"},
		{"warns of another case", []string{"app_url=https://x"}, "APP_URL was perhaps meant"},
		{"warns of a hyphen", []string{"APP-URL=https://x"}, "APP_URL was perhaps meant"},
		{"warns of a letter too many in a file's name", []string{"ENCRYPTION_KEYS_FILE=/x"}, "ENCRYPTION_KEY_FILE was perhaps meant"},
		{"names what is not built", []string{"GEOLITE_DB_PATH=x", "LOCAL_IPV6_RANGES=x"}, "set, but without effect in this version: GEOLITE_DB_PATH, LOCAL_IPV6_RANGES"},
		{"names what is not needed", []string{"ANALYTICS_DISABLED=true"}, "set, but not needed here: ANALYTICS_DISABLED"},
		{"says nothing of what a cluster injects", []string{
			"POCKET_ID_PORT=tcp://10.0.0.1:1411", "POCKET_ID_SERVICE_HOST=10.0.0.1", "POCKET_ID_PORT_1411_TCP_ADDR=10.0.0.1",
			"APP_PORT=tcp://10.0.0.1:1411", "APP_SERVICE_PORT=1411", "KUBERNETES_PORT=tcp://10.0.0.1:443"}, ""},
		{"says nothing of what shells set", []string{"HOME=/root", "HOSTNAME=x", "PATH=/bin", "PORTS=1", "HOSTS=x", "POST=1", "LOGNAME=x", "LANG=C"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Load(test.env, "")
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(c.Notes) > 0:
				t.Errorf("got %v", c.Notes)
			case test.want != "" && (len(c.Notes) != 1 || !strings.Contains(c.Notes[0].Text, test.want)):
				t.Errorf("got %v, want %q", c.Notes, test.want)
			}
		})
	}
}

func TestDotenv(t *testing.T) {
	tests := []struct{ name, text, want, fault string }{
		{"reads a value", "A=b", "b", ""},
		{"minds neither space nor export", "  export A = b c  ", "b c", ""},
		{"leaves out comments", "# A=x\nA=b # c", "b", ""},
		{"keeps a # inside a word", "A=b#c", "b#c", ""},
		{"takes double quotes off", `A="b # c" # d`, "b # c", ""},
		{"understands escapes in double quotes", `A="b\n\"c\\"`, "b\n\"c\\", ""},
		{"takes single quotes as they are", `A='b\n$X'`, `b\n$X`, ""},
		{"reads a quoted value of several lines", "A=\"b\nc\"\nB=d", "b\nc", ""},
		{"puts in what was set further up", "X=1\nA=${X}-$X", "1-1", ""},
		{"does not take names from elsewhere", "A=$NOWHERE", "", ""},
		{"leaves an escaped dollar", `A="\$X"`, "$X", ""},
		{"reads lines that end as on Windows", "\ufeffA=b\r\nB=c\r\n", "b", ""},
		{"takes the last of two", "A=1\nA=b", "b", ""},
		{"refuses a line without =", "B=1\nA", "", ".env: line 2"},
		{"refuses a quote that does not close", "\nA=\"b", "", "line 2 does not close"},
		{"refuses something behind a quote", `A="b"c`, "", "behind the quoted value of A"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env, err := parseDotenv(test.text)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil || env["A"] != test.want {
				t.Errorf("got %q, %v; want %q", env["A"], err, test.want)
			}
		})
	}
}

func TestEnvironmentCountsMoreThanDotenv(t *testing.T) {
	c, err := Load([]string{"PORT=2000"}, "PORT=1000\nLOG_JSON=true")
	if err != nil || c.Port != 2000 || !c.LogJSON {
		t.Errorf("got %d, %t, %v", c.Port, c.LogJSON, err)
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("A=\"b\\\"\n# c")
	f.Add("A='b\nc'\n export B=$A")
	f.Fuzz(func(t *testing.T, text string) {
		parseDotenv(text) // must end, and must not panic
	})
}

func TestEnvironmentMayDecideAboutSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"UI_CONFIG_DISABLED=true", "APP_NAME=Acme", "SESSION_DURATION=5", "SMTP_PASSWORD_FILE=" + file}, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Settings["appName"] != "Acme" || c.Settings["sessionDuration"] != 5 || len(c.Settings) != 3 || len(c.Notes) > 0 {
		t.Errorf("got %v, %v", c.Settings, c.Notes)
	}
	c, err = Load([]string{"APP_NAME=Acme"}, "")
	if err != nil || c.Settings != nil || len(c.Notes) != 1 || !strings.Contains(c.Notes[0].Text, "APP_NAME") {
		t.Errorf("without the switch: %v, %v, %v", c.Settings, c.Notes, err)
	}
	_, err = Load([]string{"UI_CONFIG_DISABLED=true", "SESSION_DURATION=0", "ACCENT_COLOR=red}", "REQUIRE_USER_EMAIL=maybe"}, "")
	for _, want := range []string{"SESSION_DURATION cannot be used", "SESSION_DURATION=60", "ACCENT_COLOR cannot be used", "REQUIRE_USER_EMAIL is \"maybe\""} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}
