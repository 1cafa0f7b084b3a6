package app

import (
	"encoding/base64"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// What variables say together about sockets is understood, or told.
func TestVariablesOfSockets(t *testing.T) {
	const cert, key = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"
	packed := base64.StdEncoding.EncodeToString([]byte(cert))
	for _, tt := range []struct {
		name  string
		env   []string
		fault string // what the refusal begins with, "" for none
		note  string // part of the only note
	}{
		{"takes a pair of files", []string{"TLS_CERT_FILE=/c", "TLS_KEY_FILE=/k", "APP_URL=https://id.example.com"}, "", ""},
		{"takes a pair as text", []string{"TLS_CERT=" + cert, "TLS_KEY=" + key, "APP_URL=https://id.example.com"}, "", ""},
		{"takes text in base64", []string{"TLS_CERT=" + packed, "TLS_KEY=" + key, "APP_URL=https://id.example.com"}, "", ""},
		{"refuses a certificate without its key", []string{"TLS_CERT_FILE=/c"}, "TLS_KEY_FILE is missing", ""},
		{"refuses a key without its certificate", []string{"TLS_KEY_FILE=/k"}, "TLS_CERT_FILE is missing", ""},
		{"refuses half a pair of text", []string{"TLS_CERT=" + cert}, "TLS_CERT and TLS_KEY belong together", ""},
		{"refuses text beside a file", []string{"TLS_CERT=" + cert, "TLS_KEY_FILE=/k"}, "TLS_CERT_FILE is set beside", ""},
		{"refuses both of one", []string{"TLS_CERT=" + cert, "TLS_CERT_FILE=/c"}, "TLS_CERT and TLS_CERT_FILE are both set", ""},
		{"refuses what is no PEM", []string{"TLS_CERT=hunter2", "TLS_KEY=hunter2"}, "TLS_CERT is neither PEM", ""},
		{"warns of https behind an address of http", []string{"TLS_CERT_FILE=/c", "TLS_KEY_FILE=/k"}, "", "APP_URL is http; set APP_URL=https://localhost:1411"},
		{"refuses two kinds of sockets", []string{"UNIX_SOCKET=/s", "SYSTEMD_SOCKET=true"}, "SYSTEMD_SOCKET and UNIX_SOCKET are both set", ""},
		{"refuses the PROXY protocol on a Unix socket", []string{"UNIX_SOCKET=/s", "PROXY_PROTOCOL=true"}, "PROXY_PROTOCOL is not for a Unix socket", ""},
		{"refuses a path that no socket can have", []string{"UNIX_SOCKET=/" + strings.Repeat("x", 200)}, "UNIX_SOCKET is longer than", ""},
		{"refuses a mode that is none", []string{"UNIX_SOCKET_MODE=rw"}, "UNIX_SOCKET_MODE is \"rw\"", ""},
		{"refuses a mode with more than rights", []string{"UNIX_SOCKET_MODE=4777"}, "UNIX_SOCKET_MODE is \"4777\"", ""},
		{"refuses proxies that are no addresses", []string{"PROXY_PROTOCOL=haproxy"}, "PROXY_PROTOCOL is \"haproxy\"", ""},
		{"takes proxies", []string{"PROXY_PROTOCOL=10.0.0.0/8, 127.0.0.1"}, "", ""},
		{"takes Prometheus", []string{"OTEL_METRICS_EXPORTER=Prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST=[::]"}, "", ""},
		{"takes no exporters", []string{"OTEL_METRICS_EXPORTER=none", "OTEL_TRACES_EXPORTER=none"}, "", ""},
		{"warns of measures for nobody", []string{"OTEL_METRICS_EXPORTER=otlp"}, "", "only given to prometheus"},
		{"warns of traces for nobody", []string{"OTEL_TRACES_EXPORTER=otlp"}, "", "without effect in this version: OTEL_TRACES_EXPORTER"},
		{"refuses measures at an address that is none", []string{"OTEL_EXPORTER_PROMETHEUS_HOST=a/b"}, "OTEL_EXPORTER_PROMETHEUS_HOST is \"a/b\"", ""},
		{"refuses measures at no port", []string{"OTEL_EXPORTER_PROMETHEUS_PORT=0"}, "OTEL_EXPORTER_PROMETHEUS_PORT is \"0\"", ""},
		{"refuses measures at its own port", []string{"OTEL_METRICS_EXPORTER=prometheus", "PORT=9464"}, "OTEL_EXPORTER_PROMETHEUS_PORT is that of the server", ""},
		{"warns of headers of everybody behind the PROXY protocol", []string{"PROXY_PROTOCOL=10.0.0.5", "TRUST_PROXY=true"}, "", "anybody can pass for another"},
	} {
		c, err := Load(tt.env, "")
		switch {
		case tt.fault == "" && err != nil, tt.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.fault)):
			t.Errorf("it %s: %v", tt.name, err)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("it %s: %v quotes a secret", tt.name, err)
		case tt.note == "" && len(c.Notes) > 0, tt.note != "" && (len(c.Notes) != 1 || !strings.Contains(c.Notes[0].Text, tt.note)):
			t.Errorf("it %s: %v", tt.name, c.Notes)
		}
	}
	c, err := Load([]string{"UNIX_SOCKET=/run/s", "UNIX_SOCKET_MODE=600", "NOTIFY_SOCKET=@n", "WATCHDOG_USEC=3000000", "TLS_CERT_FILE=/c", "TLS_KEY_FILE=/k"}, "")
	if err != nil || c.UnixSocket != "/run/s" || c.UnixSocketMode != fs.FileMode(0o600) || c.Systemd.Supervisor.Address != "@n" || c.Systemd.Supervisor.Patience != 3*time.Second || !c.TLS.Set() {
		t.Errorf("got %+v, %v", c, err)
	}
	shown := map[string]string{}
	for _, g := range c.Given {
		shown[g.Name] = g.Value
	}
	if shown["TLS_CERT_FILE"] != "/c" || shown["TLS_KEY_FILE"] != "/k" {
		t.Errorf("administrators see %v", c.Given)
	}
}
