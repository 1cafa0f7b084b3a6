// Package browser drives the product as people do: the built program, a real
// Chromium with a virtual authenticator, on SQLite and on PostgreSQL.
package browser

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// program is the built binary; TestMain makes it once for all tests.
var program string

// axeSource is the text of axe-core, fetched from the npm registry by TestMain.
var axeSource string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pocket-id-browser")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if !short() {
		program = filepath.Join(dir, "pocket-id")
		build := exec.Command("make", "-C", filepath.Join("..", ".."), "build", "OUT="+program)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
			return 1
		}
		if axeSource, err = fetchAxe(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// short reports whether -short was asked for; flags are not parsed in TestMain yet.
func short() bool {
	for _, a := range os.Args {
		if a == "-test.short" || a == "-test.short=true" || a == "-short" {
			return true
		}
	}
	return false
}

// axeVersion is the release of axe-core that every page is checked with.
const axeVersion = "4.14.1"

// fetchAxe takes axe-core from the npm registry: its licence is not ours, so
// it is not part of the project. A copy in the user's cache is used again.
func fetchAxe(dir string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = dir
	}
	kept := filepath.Join(cache, "pocket-id-tests", "axe-"+axeVersion+".js")
	if b, err := os.ReadFile(kept); err == nil && len(b) > 100_000 {
		return string(b), nil
	}
	pack := exec.Command("npm", "pack", "--silent", "axe-core@"+axeVersion)
	pack.Dir = dir
	if out, err := pack.Output(); err != nil {
		return "", fmt.Errorf("the accessibility tests need axe-core %s from the npm registry: install npm (apt-get install npm) and allow it to reach the registry: %v %s", axeVersion, err, out)
	}
	if out, err := exec.Command("tar", "-xzf", filepath.Join(dir, "axe-core-"+axeVersion+".tgz"), "-C", dir, "package/axe.min.js").CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack axe-core: %v %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "package", "axe.min.js"))
	if err != nil {
		return "", err
	}
	if os.MkdirAll(filepath.Dir(kept), 0o755) == nil {
		os.WriteFile(kept, b, 0o644)
	}
	return string(b), nil
}

// A server is one running program with a state of its own.
type server struct {
	URL string // the APP_URL: http://localhost:PORT, or what stands before that
	Dir string // its working directory
	// port is where the program listens, and extra what its environment says beside.
	port  string
	extra []string
	dsn   string
	cmd   *exec.Cmd
	log   *buffer
	// patience is how long people sit at its pages, when that is longer than usual.
	patience time.Duration
}

// buffer is a log that many goroutines may write and read.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// testKey is the ENCRYPTION_KEY of every test server.
const testKey = "a key for browser tests, 32 bytes"

// engines runs fn against a fresh server on SQLite and on PostgreSQL.
func engines(t *testing.T, fn func(t *testing.T, s *server)) {
	if testing.Short() {
		t.Skip("browser tests are left out by -short")
	}
	t.Parallel() // most of a journey is waiting for the browser
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); fn(t, start(t, "")) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); fn(t, start(t, postgresSchema(t))) })
}

// onSQLite runs fn against one fresh server, for what does not touch the engine.
func onSQLite(t *testing.T, fn func(t *testing.T, s *server)) {
	if testing.Short() {
		t.Skip("browser tests are left out by -short")
	}
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); fn(t, start(t, "")) })
}

// schemas counts those that were made.
var schemas atomic.Int64

// postgresSchema makes an empty schema for one test and returns its address.
func postgresSchema(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("TEST_POSTGRES")
	if dsn == "" {
		t.Fatal("TEST_POSTGRES is not set: run the tests with `make test`, which starts a PostgreSQL for them")
	}
	c, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("browser%d_%d", time.Now().UnixNano(), schemas.Add(1))
	if _, err := c.Exec("CREATE SCHEMA " + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Exec("DROP SCHEMA " + name + " CASCADE")
		c.Close()
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// taken are the ports that tests have been given.
var taken sync.Map

// freePort returns a port that was free a moment ago, and that no other test has.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close()
		if _, had := taken.LoadOrStore(port, true); !had {
			return port
		}
	}
}

// start runs the program with an empty state and waits until it is ready.
func start(t *testing.T, dsn string) *server {
	t.Helper()
	port := freePort(t)
	return (&server{URL: "http://localhost:" + port, port: port, Dir: t.TempDir(), dsn: dsn, log: &buffer{}}).start(t)
}

// start launches s and stops it when the test ends.
func (s *server) start(t *testing.T) *server {
	t.Helper()
	s.launch(t)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the server said:\n%s", s.log)
		}
	})
	return s
}

// env is what the program of s is told, beside extra.
func (s *server) env(extra ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "HOST=127.0.0.1", "PORT=" + s.port,
		"APP_URL=" + s.URL, "ENCRYPTION_KEY=" + testKey, "DISABLE_RATE_LIMITING=true"}
	if s.dsn != "" {
		env = append(env, "DB_CONNECTION_STRING="+s.dsn)
	}
	return slices.Concat(env, s.extra, extra)
}

// launch starts the program on the state of s.
func (s *server) launch(t *testing.T, extra ...string) {
	t.Helper()
	s.cmd = exec.Command(program)
	s.cmd.Dir, s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.Dir, s.env(extra...), s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		res, err := http.Get("http://localhost:" + s.port + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode < 300 {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the server was not ready within 10 s:\n%s", s.log)
}

// stop ends the program as an operator would, and by force when it does not go.
func (s *server) stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	s.cmd.Process.Signal(os.Interrupt)
	gone := make(chan struct{})
	go func() { s.cmd.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-time.After(15 * time.Second):
		s.cmd.Process.Kill()
		<-gone
	}
	s.cmd = nil
}

// cli runs a command of the program beside the running server.
func (s *server) cli(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(program, args...)
	c.Dir, c.Env = s.Dir, s.env()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("pocket-id %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A person sits at one browser profile with one authenticator.
type person struct {
	t    *testing.T
	s    *server
	ctx  context.Context
	auth webauthn.AuthenticatorID

	mu       sync.Mutex
	requests map[network.RequestID]string
	bytes    map[network.RequestID]float64
	console  []string
}

var (
	browserOnce sync.Once
	browserCtx  context.Context
	browserErr  error
)

// moreFlags are for the browser of the tests that need them.
var moreFlags []chromedp.ExecAllocatorOption

// browserPath is the browser that CHROMIUM names, or the first that is found.
func browserPath() string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// chromium starts the one browser of this test binary.
func chromium(t *testing.T) context.Context {
	browserOnce.Do(func() {
		path := browserPath()
		if path == "" {
			browserErr = errors.New("no Chromium found: sudo apt-get install chromium-headless-shell")
			return
		}
		opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
			chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
			chromedp.Flag("lang", "en-US"), chromedp.Flag("hide-scrollbars", true), chromedp.ExecPath(path))
		opts = append(opts, moreFlags...)
		ctx, _ := chromedp.NewExecAllocator(context.Background(), opts...)
		browserCtx, _ = chromedp.NewContext(ctx)
		browserErr = chromedp.Do(browserCtx)
	})
	if browserErr != nil {
		t.Fatal(browserErr)
	}
	return browserCtx
}

// patience is how long somebody sits at a browser at most, unless their server says otherwise.
const patience = 5 * time.Minute

// newPerson opens a fresh profile (cookies, authenticator) that speaks language.
func (s *server) newPerson(t *testing.T, language string) *person {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel2 := context.WithTimeout(ctx, max(patience, s.patience))
	t.Cleanup(cancel2)
	p := &person{t: t, s: s, ctx: ctx, requests: map[network.RequestID]string{}, bytes: map[network.RequestID]float64{}}
	if err := chromedp.Listen(ctx, p.heard); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		if _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent:      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
			AcceptLanguage: language})
		return err
	}))
	p.newAuthenticator()
	p.size(1280, 900)
	p.scheme("light") // a page that fades in takes no clicks
	return p
}

// newAuthenticator gives the profile another, empty authenticator and takes the old one away.
func (p *person) newAuthenticator() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if p.auth == "" {
			if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
				return err
			}
		} else if _, err := chromedp.Call(ctx, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{AuthenticatorID: p.auth}); err != nil {
			return err
		}
		r, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Ctap2version: "ctap2_1", Transport: "internal",
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		p.auth = r.AuthenticatorID
		return err
	}))
}

// heard notes what the page asks for and what it complains about.
func (p *person) heard(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev := ev.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(ev.Request.URL, "data:") {
			p.requests[ev.RequestID] = ev.Request.URL
		}
	case *network.EventLoadingFinished:
		p.bytes[ev.RequestID] = ev.EncodedDataLength
	case *runtime.EventExceptionThrown:
		d, what := ev.ExceptionDetails, ""
		if d.Exception != nil {
			what = d.Exception.Description + string(d.Exception.Value)
		}
		p.console = append(p.console, fmt.Sprintf("%s: %s (%s:%d:%d)", d.Text, what, d.URL, d.LineNumber+1, d.ColumnNumber+1))
	}
}

// forget starts counting requests and bytes anew.
func (p *person) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.requests)
	clear(p.bytes)
}

// traffic says how many requests the page made since forget, their bytes on the wire, and their addresses.
func (p *person) traffic() (int, int, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum, urls := 0.0, []string(nil)
	for id, u := range p.requests {
		urls = append(urls, fmt.Sprintf("%s (%.0f)", u, p.bytes[id]))
		sum += p.bytes[id]
	}
	return len(p.requests), int(sum), urls
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail("%v", err)
	}
}

// fail ends the test and says what the page showed.
func (p *person) fail(format string, args ...any) {
	p.t.Helper()
	where, _ := chromedp.Run(p.ctx, chromedp.Location())
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	p.shot("failed")
	p.t.Fatalf("%s\nat %s\nwhich shows:\n%s", fmt.Sprintf(format, args...), where, text)
}

// open goes to a path of the server, or to a whole address.
func (p *person) open(path string) {
	p.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.s.URL + path
	}
	p.do(chromedp.Navigate(path))
}

// see waits until selector is visible.
func (p *person) see(selector string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(selector)))
}

// gone waits until nothing matches selector.
func (p *person) gone(selector string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`!document.querySelector(%q)`, selector))
}

// still finds where the middle of something visible is, once two frames have not moved it: a
// page that comes to rest, or gives way to the next one, takes no clicks where it was.
const still = `(async s => {
	const e = document.querySelector(s), at = () => { const r = e.getClientRects()[0]; return r ? (r.left + r.width / 2) + " " + (r.top + r.height / 2) : ""; };
	if (!e || !at() || getComputedStyle(e).visibility !== "visible") return "";
	e.scrollIntoViewIfNeeded();
	const frame = () => new Promise(done => { requestAnimationFrame(done); setTimeout(done, 100); }), first = at();
	await frame(); await frame();
	return e.isConnected && at() === first ? first : "";
})`

// click presses the first thing that matches selector, when it is there and at rest.
func (p *person) click(selector string) {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		where, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](still+"("+quote(selector)+")", chromedp.EvalAwaitPromise))
		var x, y float64
		if _, none := fmt.Sscan(where, &x, &y); err != nil || none != nil {
			continue
		}
		p.input(func(ctx context.Context, _ *chromedp.Target) error {
			m := input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMousePressed, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1}
			if _, err := chromedp.Call(ctx, input.DispatchMouseEvent, m); err != nil {
				return err
			}
			m.Type = input.DispatchMouseEventTypeMouseReleased
			_, err := chromedp.Call(ctx, input.DispatchMouseEvent, m)
			return err
		})
		return
	}
	p.fail("nothing to click at %s", selector)
}

// input does what a hand does. The browser may have no answer left to give when that leads
// to another page; whoever waits for what comes of it finds out.
func (p *person) input(what func(context.Context, *chromedp.Target) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Func(what)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		p.fail("%v", err)
	}
}

// fill replaces the value of a field as typing does.
func (p *person) fill(selector, value string) {
	p.t.Helper()
	p.see(selector)
	p.value(fmt.Sprintf(`document.querySelector(%q).value = ""`, selector))
	keys, enter := strings.CutSuffix(value, kb.Enter)
	p.do(chromedp.SendKeys(chromedp.CSS(selector), keys))
	if enter {
		p.enter()
	}
}

// press sends keys to what has the focus.
func (p *person) press(keys string) {
	p.t.Helper()
	keys, enter := strings.CutSuffix(keys, kb.Enter)
	p.input(func(ctx context.Context, _ *chromedp.Target) error { return chromedp.Do(ctx, chromedp.KeyEvent(keys)) })
	if enter {
		p.enter()
	}
}

// enter presses Enter as a keyboard does: a page that takes the key away gets no more of it,
// while chromedp also sends the character.
func (p *person) enter() {
	p.t.Helper()
	p.input(func(ctx context.Context, _ *chromedp.Target) error {
		k := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", Text: "\r", WindowsVirtualKeyCode: 13}
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, k); err != nil {
			return err
		}
		k.Type, k.Text = input.DispatchKeyEventTypeKeyUp, ""
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, k)
		return err
	})
}

// until waits, across page loads, until a JavaScript expression is true.
func (p *person) until(expression string) {
	p.t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		if ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("!!("+expression+")")); err == nil && ok {
			return
		}
	}
	p.fail("waited in vain for %s", expression)
}

// at waits until the address (path and query) begins with prefix.
func (p *person) at(prefix string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`(location.pathname + location.search).startsWith(%q) && document.readyState === "complete"`, prefix))
}

// text waits until the page shows s.
func (p *person) text(s string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.body && document.body.innerText.includes(%q)`, s))
}

// value evaluates an expression that yields a string.
func (p *person) value(expression string) string {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		p.fail("%s: %v", expression, err)
	}
	return v
}

// size sets the window, in CSS pixels.
func (p *person) size(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
	// What is clicked next must have come to rest.
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise)); err != nil {
		p.fail("resize: %v", err)
	}
}

// scheme asks for light or dark colours, and for no motion: what is looked at stands still.
func (p *person) scheme(name string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// forced draws the page in the few colours that somebody has chosen for everything.
func (p *person) forced() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: "dark"}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// shot keeps a picture of the page when SHOTS names a directory.
func (p *person) shot(name string) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return
	}
	os.MkdirAll(dir, 0o755)
	os.WriteFile(filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "-")+"-"+name+".png"), b, 0o644)
}

// quiet fails the test when a script of a page threw.
func (p *person) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.console {
		p.t.Errorf("a page threw: %s", c)
	}
}
