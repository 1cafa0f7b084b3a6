package host

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// filled is a file of deploy with other words in it. Each word has to be there.
func filled(t *testing.T, file string, words ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := 0; i+1 < len(words); i += 2 {
		if !strings.Contains(text, words[i]) {
			t.Fatalf("%s has no %q any more", file, words[i])
		}
		text = strings.ReplaceAll(text, words[i], words[i+1])
	}
	return text
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A front is a proxy of deploy: how it is started, and what the server needs to know.
type front struct {
	name     string
	settings []string
	// begin starts the proxy before the server at address, and answers it.
	begin func(t *testing.T, dir string, c certificate, address, https, plain string) *process
	// own says that TLS ends in the server.
	own bool
	// finds is what the overview says of the way.
	finds string
}

func nginx(t *testing.T, dir string, c certificate, address, https, plain string) *process {
	server := filled(t, "nginx/pocket-id.conf", "server 127.0.0.1:1411;", "server "+address+";", "listen 80;", "listen 127.0.0.1:"+plain+";",
		"listen 443 ssl", "listen 127.0.0.1:"+https+" ssl", "/etc/letsencrypt/live/id.example.com/fullchain.pem", c.cert,
		"/etc/letsencrypt/live/id.example.com/privkey.pem", c.key, "id.example.com", name)
	conf := write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr warn; %[2]s
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	include %[3]s;
}
`, dir, asRoot("user root;"), write(t, filepath.Join(dir, "pocket-id.conf"), server)))
	p := launch(t, dir, nil, tool(t, "nginx", "nginx-light"), "-c", conf, "-p", dir, "-e", "stderr")
	p.bye = syscall.SIGTERM // which its workers hear, too
	return p
}

// asRoot is a line that nobody but root needs.
func asRoot(line string) string {
	if os.Getuid() != 0 {
		return ""
	}
	return line
}

func caddy(t *testing.T, dir string, c certificate, address, https, plain string) *process {
	conf := write(t, filepath.Join(dir, "Caddyfile"), fmt.Sprintf("{\n\tadmin off\n\thttp_port %s\n\thttps_port %s\n\tskip_install_trust\n}\n", plain, https)+
		filled(t, "caddy/Caddyfile", "id.example.com {", name+" {\n\tbind 127.0.0.1\n\ttls "+c.cert+" "+c.key, "127.0.0.1:1411", address))
	return launch(t, dir, []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, tool(t, "caddy", "caddy"), "run", "--config", conf, "--adapter", "caddyfile")
}

// haproxy starts HAProxy with one of its files.
func haproxy(file string, words ...string) func(*testing.T, string, certificate, string, string, string) *process {
	return func(t *testing.T, dir string, c certificate, address, https, plain string) *process {
		words := append([]string{"bind :80", "bind 127.0.0.1:" + plain, "bind :443", "bind 127.0.0.1:" + https, "127.0.0.1:1411", address}, words...)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "BOTH", c.both)
		}
		conf := write(t, filepath.Join(dir, "haproxy.cfg"), filled(t, "haproxy/"+file, words...))
		return launch(t, dir, nil, tool(t, "haproxy", "haproxy"), "-db", "-f", conf)
	}
}

// A small walk through the product behind each proxy, with the example as it is in deploy.
func TestBehindProxies(t *testing.T) { // threats 70, 71
	whole(t)
	trusted := "The proxy in front is trusted"
	for _, f := range []front{
		{"nginx", []string{"TRUST_PROXY=127.0.0.1"}, nginx, false, trusted},
		{"nginx by a Unix socket", []string{"TRUST_PROXY=127.0.0.1", "UNIX_SOCKET=s", "UNIX_SOCKET_MODE=0666"}, nginx, false, trusted},
		{"Caddy", []string{"TRUST_PROXY=127.0.0.1"}, caddy, false, trusted},
		{"HAProxy", []string{"TRUST_PROXY=127.0.0.1"}, haproxy("haproxy.cfg", "/etc/haproxy/id.example.com.pem", "BOTH"), false, trusted},
		{"HAProxy by the PROXY protocol", []string{"PROXY_PROTOCOL=127.0.0.1"}, haproxy("passthrough.cfg"), true, "Browsers connect directly"},
		{"nothing", nil, nil, true, "Browsers connect directly"},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "front") // a path that is short enough for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			os.Chmod(dir, 0o755)
			c := certify(t, dir, year())
			port, https, plain := freePort(t), freePort(t), freePort(t)
			address, settings := "127.0.0.1:"+port, append([]string{"PORT=" + port}, f.settings...)
			for i, s := range settings {
				if s == "UNIX_SOCKET=s" {
					settings[i] = "UNIX_SOCKET=" + dir + "/s.sock"
					address = "unix:" + dir + "/s.sock"
				}
			}
			if f.own {
				settings = append(settings, "TLS_CERT_FILE="+c.cert, "TLS_KEY_FILE="+c.key)
			}
			i := install(t, settings...)
			s := i.serve()
			if f.begin == nil {
				https = port
			} else {
				p := f.begin(t, dir, c, address, https, plain)
				p.until("the proxy listens", func() bool {
					conn, err := net.Dial("tcp", "127.0.0.1:"+https)
					if err == nil {
						conn.Close()
					}
					return err == nil
				})
			}
			w := newWalker(t, site(t, c, https, plain))
			w.walk(f.finds)
			if f.begin != nil {
				w.redirected()
			}
			if out, err := i.command("healthcheck", "-v"); err != nil {
				t.Errorf("healthcheck: %s", out)
			}
			if strings.Contains(s.log.String(), "level=ERROR") {
				t.Error("the server logs an error")
			}
		})
	}
}
