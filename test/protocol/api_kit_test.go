package protocol

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// A caller asks the API: by a session, by a key, or as nobody.
type caller struct {
	t       *testing.T
	program *apptest.Program
	headers []string
}

// ask sends JSON, or nothing.
func (c caller) ask(method, path string, body any, headers ...string) *apptest.Answer {
	c.t.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(b)
		headers = append(headers, "Content-Type", "application/json")
	}
	return c.program.Ask(method, path, text, slices.Concat(c.headers, headers)...)
}

// send sends a form with a file in it.
func (c caller) send(method, path string, file []byte, headers ...string) *apptest.Answer {
	c.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "file.png")
	if err != nil {
		c.t.Fatal(err)
	}
	part.Write(file)
	form.Close()
	headers = append(headers, "Content-Type", form.FormDataContentType())
	return c.program.Ask(method, path, b.String(), slices.Concat(c.headers, headers)...)
}

func nobody(t *testing.T, h *apptest.House) caller { return caller{t, h.Program(), nil} }

// bySession asks as the browser of p does.
func bySession(t *testing.T, h *apptest.House, p *apptest.Person) caller {
	return caller{t, h.Program(), []string{"Cookie", "__Host-session=" + p.Cookie("session") + "; __Host-browser=" + p.Cookie("browser")}}
}

func byKey(t *testing.T, h *apptest.House, key string) caller {
	return caller{t, h.Program(), []string{"X-API-Key", key}}
}

// keyOf makes a key of p, who is signed in, and answers its id and its text.
func keyOf(t *testing.T, h *apptest.House, p *apptest.Person, scopes ...string) (id, text string) {
	t.Helper()
	if _, code := p.Prove("/login/again", "/settings/account/api-keys/new"); code != "" {
		t.Fatal(code)
	}
	a := bySession(t, h, p).ask(http.MethodPost, "/api/api-keys", map[string]any{"name": "Terraform", "expiresAt": time.Now().Add(24 * time.Hour), "scopes": scopes})
	if a.Status != http.StatusCreated {
		t.Fatalf("no key: %d %s", a.Status, a.Body)
	}
	made := a.JSON()
	return made["apiKey"].(map[string]any)["id"].(string), made["token"].(string)
}

// toolOf is a program of the community with a whole key of an administrator, as it asks.
func toolOf(t *testing.T, h *apptest.House) (admin *apptest.Person, tool caller) {
	t.Helper()
	admin = h.SetUp()
	_, key := keyOf(t, h, admin)
	return admin, caller{t, h.Program(), []string{"X-API-KEY", key, "Accept", "application/json", "Content-Type", "application/json"}}
}

// must asks, and goes no further unless the answer has the status.
func (c caller) must(status int, method, path string, body any) *apptest.Answer {
	c.t.Helper()
	a := c.ask(method, path, body)
	if a.Status != status {
		c.t.Fatalf("%s %s: %d %.400s, want %d", method, path, a.Status, a.Body, status)
	}
	return a
}

// memberAt is a member of an object, by a path with dots.
func memberAt(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch of := v.(type) {
		case map[string]any:
			v = of[name]
		case []any:
			if len(of) == 0 {
				return nil
			}
			v = of[0].(map[string]any)[name]
		default:
			return nil
		}
	}
	return v
}

// faulty wants a fault with its members.
func faulty(t *testing.T, name string, a *apptest.Answer, status int, code string) {
	t.Helper()
	var body map[string]any // of either media type
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Errorf("%s: %d %.200s", name, a.Status, a.Body)
		return
	}
	if a.Status != status || body["code"] != code {
		t.Errorf("%s: %d %v, want %d %s", name, a.Status, body["code"], status, code)
	}
	for _, member := range []string{"error", "details", "request_id", "type", "title", "status", "detail"} {
		if _, ok := body[member]; !ok {
			t.Errorf("%s: the fault has no %s: %s", name, member, a.Body)
		}
	}
}

// membersOf are the names of an object, sorted; of a list, those of its first.
func membersOf(t *testing.T, name string, v any) (names []string) {
	t.Helper()
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			t.Fatalf("%s: an empty list", name)
		}
		v = list[0]
	}
	object, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s: %T is no object", name, v)
	}
	for n := range object {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// inOrder are names in order.
func inOrder(names string) string {
	list := strings.Fields(names)
	slices.Sort(list)
	return strings.Join(list, " ")
}
