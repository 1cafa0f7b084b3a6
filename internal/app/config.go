// Package app puts the house together: it reads the configuration, builds
// every part, lists the routes, and starts and stops the process.
package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/fault"
	"pocketid/internal/i18n"
	"pocketid/internal/jose"
	"pocketid/internal/moving"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
	"pocketid/internal/settings"
	"pocketid/internal/socket"
)

// Config is what the environment says. Its zero value is not usable; Load
// fills it, and a test starts from Defaults.
type Config struct {
	// Env is "production", "development" or "test".
	Env string
	// PublicURL is the address in the browser: issuer, origin of passkeys,
	// target of every link. It has no path, no query and no final slash.
	PublicURL *url.URL
	// InternalURL is where applications reach the endpoints that need no browser.
	InternalURL *url.URL
	// EncryptionKey is what the master key is made from, or empty when it is
	// in the file beside the database.
	EncryptionKey secret.Text
	// EncryptionKeyFile is the file that ENCRYPTION_KEY_FILE names; "" when it is not set.
	EncryptionKeyFile string
	// Database is a path or URI of SQLite, or a URL of PostgreSQL.
	Database secret.Text
	// TrustProxy are the peers whose X-Forwarded headers count.
	TrustProxy []netip.Prefix
	// TrustedPlatform names the header in which the platform in front tells the
	// client's address.
	TrustedPlatform string

	Host string
	Port int
	// UnixSocket is the path of a socket to listen on instead, UnixSocketMode its mode, and
	// SystemdSocket says that systemd passes sockets on.
	UnixSocket     string
	UnixSocketMode fs.FileMode
	SystemdSocket  bool
	// ProxyProtocol are the peers who begin connections with a header of that protocol.
	ProxyProtocol []netip.Prefix
	// TLS is the certificate of this server's own; it is empty where a proxy has one.
	TLS socket.Pair
	// Systemd is what whoever started the process says about sockets and signs of life.
	Systemd Systemd

	// Metrics is where measures can be read.
	Metrics Metrics

	LogLevel slog.Level
	LogJSON  bool

	NoRateLimits           bool
	NoHSTS                 bool
	AllowInsecureCallbacks bool
	// PrivateHosts are places on inner networks that the house may send requests to.
	PrivateHosts       outbound.Private
	AuditRetentionDays int
	// LockSettings says that the environment decides about the settings of the instance,
	// and Settings is what it says.
	LockSettings bool
	Settings     settings.Environment
	// SetupToken, when it is not empty, is asked for by the set-up page.
	SetupToken secret.Text
	// StaticKey, when it is not empty, is an API key of an administrator that is no person.
	StaticKey secret.Text

	// Predecessor is what is left of the variables of another Pocket ID.
	Predecessor Predecessor

	// Version is that of the program; the environment has no say in it.
	Version string
	// NewKey makes signing keys; nil is the way of production. Tests have RSA
	// keys that were made before, because making one takes a while.
	NewKey func(jose.Alg) (*jose.Key, error)
	// Outbound is how elsewhere is reached, but for PrivateHosts. Its zero value is the way
	// of production; tests have a network of their own.
	Outbound outbound.Config

	// Progress, unless it is nil, hears how far commands have come that take long.
	Progress moving.Progress

	// Given is what the variables say, in their order, for administrators to see. Of a
	// secret it says nothing but that there is one.
	Given []Given

	// Notes are remarks on the environment for the log, none of which stops the start.
	Notes []Note
}

// A Note is a remark on the environment.
type Note struct {
	Level slog.Level
	Text  string
}

// A Given is a variable that is not as it would be if nobody said anything.
type Given struct {
	Name, Value string
	Secret      bool
}

// A ConfigError says what is wrong with one variable.
type ConfigError struct {
	Variable string
	Fault    string // "is not a number between 1 and 65535"
	Example  string
}

// Error is one line: the variable, what is wrong with it, and a good example.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s %s; for example: %s=%s", e.Variable, e.Fault, e.Variable, e.Example)
}

// flaw is what a variable's value is refused with. It never quotes a secret.
type flaw string

func (f flaw) Error() string { return string(f) }

// flawf makes a flaw.
func flawf(format string, args ...any) error { return flaw(fmt.Sprintf(format, args...)) }

// Defaults is the configuration of an empty environment.
func Defaults() Config {
	c, err := Load(nil, "")
	if err != nil {
		panic(err) // the defaults are part of the program, and a test loads them
	}
	return c
}

// Load reads the configuration from the environment, in the form of os.Environ,
// and from the text of a .env file, which counts for less. The error holds a
// ConfigError for each variable that cannot be understood.
func Load(environ []string, dotenv string) (Config, error) {
	env, err := parseDotenv(dotenv)
	if err != nil {
		return Config{}, err
	}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && name != "" {
			env[name] = value
		}
	}
	var c Config
	var flaws []error
	for _, v := range variables {
		value, err := v.value(env)
		if err == nil {
			err = v.set(&c, value)
		}
		if value != "" && (value != v.fallback || v.name == "APP_URL") {
			g := Given{Name: v.name, Value: value, Secret: v.file}
			if v.file {
				g.Value = ""
			}
			c.Given = append(c.Given, g)
		}
		if err != nil {
			flaws = append(flaws, &ConfigError{v.name, err.Error(), v.example})
		}
	}
	c.EncryptionKeyFile = env["ENCRYPTION_KEY_FILE"]
	flaws = append(flaws, c.readSockets(env)...)
	c.Predecessor = predecessor(env)
	flaws = append(flaws, c.readSettings(env)...)
	if err := errors.Join(flaws...); err != nil {
		return Config{}, err
	}
	if c.Postgres() && c.EncryptionKey == "" {
		return Config{}, &ConfigError{"ENCRYPTION_KEY", "is needed with PostgreSQL, so that all replicas share it", `"$(openssl rand -base64 32)"`}
	}
	c.Notes = append(c.Notes, c.remarks()...)
	c.Notes = append(c.Notes, strangers(env)...)
	return c, nil
}

// readSettings takes what the environment says about the settings of the instance,
// where it decides about them.
func (c *Config) readSettings(env map[string]string) (flaws []error) {
	if !c.LockSettings {
		return nil
	}
	c.Settings = settings.Environment{}
	for _, v := range settings.Variables() {
		value, err := variable{name: v.Name, file: v.Secret}.value(env)
		if err == nil && value != "" {
			err = c.Settings.Read(v, value)
		}
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			err = flawf("cannot be used: %s", i18n.For("en").Fault(f.Code, f.Kind.String(), f.Params).Text)
		}
		if err != nil {
			flaws = append(flaws, &ConfigError{v.Name, err.Error(), settingExample(v)})
		}
	}
	return flaws
}

// settingExample is a good value of a setting: the default, where that is one.
func settingExample(v settings.Variable) string {
	if text := v.Default(); text != "" {
		return text
	}
	return `""`
}

// Postgres says whether the database is PostgreSQL.
func (c Config) Postgres() bool { return db.IsPostgres(string(c.Database)) }

// remarks are warnings about values that are understood but will disappoint.
func (c Config) remarks() []Note {
	var notes []Note
	warn := func(text string) { notes = append(notes, Note{slog.LevelWarn, text}) }
	if host := c.PublicURL.Hostname(); c.PublicURL.Scheme == "http" && !local(host) {
		warn("APP_URL is http and " + host + " is not localhost: browsers offer passkeys on https alone, so nobody can sign in; put TLS in front and set APP_URL=https://" + c.PublicURL.Host)
	}
	if len(c.ProxyProtocol) > 0 && slices.ContainsFunc(c.TrustProxy, func(n netip.Prefix) bool { return n.Bits() == 0 }) {
		warn("PROXY_PROTOCOL tells who connects, and TRUST_PROXY=true believes the headers of all of them: unless the proxy overwrites X-Forwarded-For, anybody can pass for another; leave TRUST_PROXY out, or name addresses in it")
	}
	if c.TLS.Set() && c.PublicURL.Scheme == "http" {
		warn("TLS_CERT is set, so the server speaks https, and APP_URL is http; set APP_URL=https://" + c.PublicURL.Host)
	}
	if c.NoRateLimits {
		warn("DISABLE_RATE_LIMITING is on: guesses are no longer slowed down by network")
	}
	return notes
}

// local says whether browsers treat a host as this machine.
func local(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// value is the variable's value: its own, that of the file which NAME_FILE
// names, or the default. An empty variable counts as absent.
func (v variable) value(env map[string]string) (string, error) {
	value, path := env[v.name], ""
	if v.file {
		path = env[v.name+"_FILE"]
	}
	switch {
	case value != "" && path != "":
		return "", flawf("and %s_FILE are both set; keep one of them", v.name)
	case path != "" && v.watched:
	case path != "":
		b, err := os.ReadFile(path)
		if err != nil {
			return "", flawf("cannot be read from the file that %s_FILE names: %v", v.name, err)
		}
		if v.raw {
			value = string(b)
		} else {
			value = strings.TrimSpace(string(b))
		}
		if value == "" {
			return "", flawf("is empty in the file that %s_FILE names", v.name)
		}
	case value == "":
		value = v.fallback
	}
	return value, nil
}
