package app

import (
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"pocketid/internal/db"
	"pocketid/internal/edge"
	"pocketid/internal/outbound"
	"pocketid/internal/secret"
)

// A variable is one name in the environment: what it means, and how its value
// gets into the Config.
type variable struct {
	name     string
	fallback string // the value when it is not set
	example  string
	help     string
	file     bool // NAME_FILE names a file to read it from
	raw      bool // the file's bytes count as they are, a final newline too
	watched  bool // the file is read when it is needed, and again when it changes
	set      func(c *Config, value string) error
}

// variables are all names that mean something to this program, in the order of
// the table that "pocket-id config variables" prints.
var variables = []variable{
	{name: "APP_URL", fallback: "http://localhost:1411", example: "https://id.example.com",
		help: "The address in the browser: scheme, host and, if need be, port, nothing more. It is the issuer of all tokens, and passkeys are bound to its host: choose it once.",
		set: func(c *Config, s string) (err error) {
			if c.PublicURL, err = baseURL(s); err != nil {
				return err
			}
			if _, err := netip.ParseAddr(c.PublicURL.Hostname()); err == nil {
				return flawf("has the address %s as its host, and passkeys need a name (on this machine: localhost)", c.PublicURL.Hostname())
			}
			return nil
		}},
	{name: "INTERNAL_APP_URL", fallback: "", example: "http://pocket-id:1411",
		help: "Where applications reach the token, userinfo and key endpoints, when that differs from `APP_URL`. The same as `APP_URL` unless set.",
		set: func(c *Config, s string) (err error) {
			if s == "" {
				c.InternalURL = c.PublicURL
				return nil
			}
			c.InternalURL, err = baseURL(s)
			return err
		}},
	{name: "ENCRYPTION_KEY", example: `"$(openssl rand -base64 32)"`, file: true, raw: true,
		help: "What the secrets in the database are sealed with, at least 16 bytes. Without it the first start writes one to `encryption-key` beside the SQLite file; PostgreSQL needs it. Keep a copy: without it the signing keys are lost. The file counts with its final newline, if it has one.",
		set: func(c *Config, s string) error {
			if s != "" && len(s) < secret.MinKey {
				return flawf("is shorter than %d bytes", secret.MinKey)
			}
			c.EncryptionKey = secret.Text(s)
			return nil
		}},
	{name: "DB_CONNECTION_STRING", fallback: "data/pocket-id.db", example: "postgres://pocketid:secret@db.internal:5432/pocketid", file: true,
		help: "A file of SQLite, or a `postgres://` URL.",
		set: func(c *Config, s string) error {
			c.Database = secret.Text(s)
			if c.Postgres() {
				if _, err := url.Parse(s); err != nil {
					return flaw("is not a URL; percent-encode what is special in the password")
				}
				return nil
			}
			if _, err := db.Path(s); err != nil {
				return flawf("cannot be used: %v", err)
			}
			return nil
		}},
	{name: "SETUP_TOKEN", example: `"$(openssl rand -hex 16)"`, file: true,
		help: "When set, the set-up page asks for it before it makes the first account. At least 16 characters.",
		set: func(c *Config, s string) error {
			if s != "" && len(s) < 16 {
				return flaw("is shorter than 16 characters")
			}
			c.SetupToken = secret.Text(s)
			return nil
		}},
	{name: "STATIC_API_KEY", example: `"$(openssl rand -hex 32)"`, file: true,
		help: "When set, programs may show it as an API key that can do everything, as the service account “Static API User”. 16 to 128 characters. Without it that account goes.",
		set: func(c *Config, s string) error {
			if s != "" && len(s) < 16 {
				return flaw("is shorter than 16 characters")
			}
			if len(s) > 128 {
				return flaw("is longer than 128 characters")
			}
			c.StaticKey = secret.Text(s)
			return nil
		}},
	{name: "HOST", fallback: "0.0.0.0", example: "127.0.0.1",
		help: "The address to listen on; `0.0.0.0` and `::` are all of this machine.",
		set: func(c *Config, s string) (err error) {
			c.Host, err = listening(s)
			return err
		}},
	{name: "PORT", fallback: "1411", example: "1411",
		help: "The port to listen on.",
		set: func(c *Config, s string) (err error) {
			c.Port, err = port(s)
			return err
		}},
	{name: "UNIX_SOCKET", example: "/run/pocket-id/pocket-id.sock",
		help: "The path of a Unix socket to listen on instead of `HOST` and `PORT`, for a proxy on this machine. Who connects by it counts as 127.0.0.1: name that in `TRUST_PROXY`.",
		set: func(c *Config, s string) error {
			if strings.ContainsRune(s, 0) || len(s) > maxSocketPath {
				return flawf("is longer than the %d bytes that the path of a socket may have", maxSocketPath)
			}
			c.UnixSocket = s
			return nil
		}},
	{name: "UNIX_SOCKET_MODE", fallback: "0660", example: "0660",
		help: "Who may connect by that socket, as the mode of a file.",
		set: func(c *Config, s string) error {
			mode, err := strconv.ParseUint(s, 8, 32)
			if err != nil || mode > 0o777 {
				return flawf("is %q, which is not the mode of a file in octal digits", s)
			}
			c.UnixSocketMode = fs.FileMode(mode)
			return nil
		}},
	{name: "SYSTEMD_SOCKET", fallback: "false", example: "true",
		help: "`true` takes the sockets that systemd opened for this service instead of `HOST` and `PORT`.",
		set:  boolean(func(c *Config) *bool { return &c.SystemdSocket })},
	{name: "TLS_CERT", example: `"$(cat fullchain.pem)"`, file: true, watched: true,
		help: "The certificate for https on this very port, with its whole chain, as PEM. A file of `TLS_CERT_FILE` is looked at again every ten seconds and at SIGHUP; a new pair that cannot be used leaves the old one in use. Without it the server speaks http, for a proxy in front.",
		set: func(c *Config, s string) (err error) {
			c.TLS.Cert, err = pemText(s)
			return err
		}},
	{name: "TLS_KEY", example: `"$(cat privkey.pem)"`, file: true, watched: true,
		help: "The private key of that certificate. Both are given by files, or neither.",
		set: func(c *Config, s string) (err error) {
			c.TLS.Key, err = pemText(s)
			return err
		}},
	{name: "PROXY_PROTOCOL", fallback: "false", example: "10.0.0.5",
		help: "Which proxies begin each connection with a header of the PROXY protocol (version 1 or 2), by which they tell the client's address: `true` for whoever connects, or a list of addresses and networks. Theirs without a header are closed, but for those of this machine itself; others send none.",
		set: func(c *Config, s string) (err error) {
			if c.ProxyProtocol, err = edge.ParseProxies(s); err != nil {
				return flawf("is %q, which is neither true, false nor a list of addresses and networks", s)
			}
			return nil
		}},
	{name: "TRUST_PROXY", fallback: "false", example: "10.0.0.0/8,192.168.1.1",
		help: "Whose `X-Forwarded-For`, `-Proto` and `-Host` headers count: `true` for whoever connects, or a list of addresses and networks. Behind a proxy and `false`, all people share one rate limit.",
		set: func(c *Config, s string) (err error) {
			if c.TrustProxy, err = edge.ParseProxies(s); err != nil {
				return flawf("is %q, which is neither true, false nor a list of addresses and networks", s)
			}
			return nil
		}},
	{name: "TRUSTED_PLATFORM", example: "CF-Connecting-IP",
		help: "The header in which the platform in front tells the client's address, instead of `X-Forwarded-For`. Set it only where clients cannot get around the platform.",
		set: func(c *Config, s string) error {
			if strings.IndexFunc(s, func(r rune) bool { return !token(r) }) >= 0 {
				return flawf("is %q, which is not the name of a header", s)
			}
			c.TrustedPlatform = s
			return nil
		}},
	{name: "ALLOW_INSECURE_CALLBACK_URLS", fallback: "true", example: "false",
		help: "`false` refuses redirect URIs of http, but for those of the person's own machine.",
		set:  boolean(func(c *Config) *bool { return &c.AllowInsecureCallbacks })},
	{name: "ALLOWED_PRIVATE_HOSTS", example: "app.lan, grafana.monitoring:3000, 10.0.0.0/8",
		help: "Hosts, hosts with a port, and ranges of addresses on inner networks that may be sent requests all the same: for the keys of applications, their sign-out addresses, their logos. A host with a port may be reached at that port alone; http needs the host, or its address in a range. Public addresses need not be listed, and link-local ones only count as addresses.",
		set: func(c *Config, s string) (err error) {
			if c.PrivateHosts, err = outbound.ParsePrivate(s); err != nil {
				return flawf("has an entry that cannot be understood: %s", err)
			}
			return nil
		}},
	{name: "DISABLE_RATE_LIMITING", fallback: "false", example: "true",
		help: "`true` switches the limits for each network off. Guesses at an account are still counted.",
		set:  boolean(func(c *Config) *bool { return &c.NoRateLimits })},
	{name: "HSTS_DISABLED", fallback: "false", example: "true",
		help: "`true` leaves `Strict-Transport-Security` out, which is sent when `APP_URL` is https.",
		set:  boolean(func(c *Config) *bool { return &c.NoHSTS })},
	{name: "UI_CONFIG_DISABLED", fallback: "false", example: "true",
		help: "`true` lets the environment decide about the settings of the instance: each has a variable (`APP_NAME`, `SESSION_DURATION`, …), and pages show them but change nothing. What was set on pages is kept and counts again with `false`.",
		set:  boolean(func(c *Config) *bool { return &c.LockSettings })},
	{name: "AUDIT_LOG_RETENTION_DAYS", fallback: "90", example: "365",
		help: "How many days an entry of the audit log is kept.",
		set: func(c *Config, s string) (err error) {
			if c.AuditRetentionDays, err = strconv.Atoi(s); err != nil || c.AuditRetentionDays < 1 || c.AuditRetentionDays > 36500 {
				return flawf("is %q, which is not a number of days between 1 and 36500", s)
			}
			return nil
		}},
	{name: "LOG_LEVEL", fallback: "info", example: "debug",
		help: "`debug`, `info`, `warn` or `error`.",
		set: func(c *Config, s string) error {
			levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
			level, ok := levels[strings.ToLower(s)]
			if !ok {
				return flawf("is %q, which is none of debug, info, warn and error", s)
			}
			c.LogLevel = level
			return nil
		}},
	{name: "LOG_JSON", fallback: "false", example: "true",
		help: "`true` writes the log as lines of JSON.",
		set:  boolean(func(c *Config) *bool { return &c.LogJSON })},
	{name: "OTEL_METRICS_EXPORTER", fallback: "none", example: "prometheus",
		help: "`prometheus` lets Prometheus read measures at `/metrics`, on a port of their own.",
		set: func(c *Config, s string) error {
			switch s = strings.ToLower(s); s {
			case "none":
			case "prometheus":
				c.Metrics.On = true
			default: // the other exporters of that standard, which another Pocket ID took
				c.Notes = append(c.Notes, Note{slog.LevelWarn, fmt.Sprintf("OTEL_METRICS_EXPORTER is %q, and measures are only given to prometheus, so nobody gets any", s)})
			}
			return nil
		}},
	{name: "OTEL_EXPORTER_PROMETHEUS_HOST", fallback: "localhost", example: "0.0.0.0",
		help: "The address at which measures are read. They tell nothing about people, but how much goes on: let nobody else reach it.",
		set: func(c *Config, s string) (err error) {
			c.Metrics.Host, err = listening(s)
			return err
		}},
	{name: "OTEL_EXPORTER_PROMETHEUS_PORT", fallback: "9464", example: "9464",
		help: "The port at which measures are read.",
		set: func(c *Config, s string) (err error) {
			c.Metrics.Port, err = port(s)
			return err
		}},
	{name: "APP_ENV", fallback: "production", example: "production",
		help: "`production`, `development` or `test`. `test` switches the limits for each network off.",
		set: func(c *Config, s string) error {
			c.Env = strings.ToLower(s)
			if !slices.Contains([]string{"production", "development", "test"}, c.Env) {
				return flawf("is %q, which is none of production, development and test", s)
			}
			c.NoRateLimits = c.NoRateLimits || c.Env == "test"
			return nil
		}},
}

// listening reads an address to listen on.
func listening(s string) (string, error) {
	if strings.ContainsAny(s, "/ ") || strings.Contains(s, ":") && net.ParseIP(strings.Trim(s, "[]")) == nil {
		return "", flawf("is %q, which is not an address", s)
	}
	return strings.Trim(s, "[]"), nil
}

// port reads a port to listen on.
func port(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, flawf("is %q, which is not a number between 1 and 65535", s)
	}
	return n, nil
}

// boolean reads true, false, 1, 0 and their like into a field.
func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		b, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return flawf("is %q, which is neither true nor false", s)
		}
		*field(c) = b
		return nil
	}
}

// baseURL reads an address that has a scheme and a host and nothing else.
// A final slash and the port that the scheme implies are dropped.
func baseURL(s string) (*url.URL, error) {
	s = strings.TrimRight(strings.ToLower(strings.TrimSpace(s)), "/")
	u, err := url.Parse(s)
	switch {
	case err == nil && u.Scheme == "http" || err == nil && u.Scheme == "https":
	case !strings.Contains(s, "://"):
		return nil, flawf("is %q, which has no scheme (http:// or https://)", s)
	default:
		return nil, flawf("is %q, which is not an address of http or https", s)
	}
	switch {
	case u.User != nil:
		return nil, flaw("has a user name or password in it")
	case u.Hostname() == "":
		return nil, flawf("is %q, which has no host", s)
	case u.RawQuery != "" || u.ForceQuery:
		return nil, flawf("is %q, which has a query", s)
	case strings.Contains(s, "#"):
		return nil, flawf("is %q, which has a fragment", s)
	case u.Path != "" || u.Opaque != "":
		return nil, flawf("is %q, which has a path; this program needs a host of its own", s)
	case strings.IndexFunc(u.Host, func(r rune) bool { return r > 127 || r <= ' ' || r == '_' || r == '%' }) >= 0 || strings.HasSuffix(u.Hostname(), "."):
		return nil, flawf("is %q, whose host browsers write in another way; write it as they do (xn--… for letters beyond a to z)", s)
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return nil, flawf("is %q, whose port is not a number between 1 and 65535", s)
		}
		if u.Scheme == "https" && n == 443 || u.Scheme == "http" && n == 80 {
			u.Host = strings.TrimSuffix(u.Host, ":"+port)
		}
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.TrimSuffix(u.Host, ":")}, nil
}

// token says whether a rune may stand in the name of a header (RFC 9110 §5.6.2).
func token(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
