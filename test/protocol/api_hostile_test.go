package protocol

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

var (
	hostileRequests = flag.Int("hostile", 12, "how many hostile requests each operation of the API gets")
	hostileSeed     = flag.Uint64("hostile.seed", 1, "what the hostile requests are drawn from")
)

// A vandal makes requests of what the document says, and spoils them.
type vandal struct {
	*rand.Rand
	doc *document
	ids []string // of things that there are
}

func pick[T any](v *vandal, list ...T) T { return list[v.IntN(len(list))] }

// text is a text that somebody may not have thought of.
func (v *vandal) text() string {
	return pick(v, "", "x", " ", "Ada", "ada@example.test", "0", "-1", "true", "null", "😀", strings.Repeat("😀", 60), strings.Repeat("x", 300), strings.Repeat("é", 5000),
		"a\x00b", "a\u202eb", "\u0301", "\r\nX: y", "'; DROP TABLE users; --", "%", "../../etc/passwd", "https://example.test/", "javascript:alert(1)", "{{.}}", "<script>",
		"2030-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "00000000-0000-0000-0000-000000000000", pick(v, v.ids...))
}

// value is any value at all.
func (v *vandal) value() any {
	switch v.IntN(9) {
	case 0:
		return nil
	case 1:
		return v.IntN(2) == 0
	case 2:
		return pick[any](v, 0, -1, 1.5, 1e300, 9007199254740993, json.Number("99999999999999999999999"), json.Number("1e9999"))
	case 3:
		return []any{}
	case 4:
		return []any{v.text(), nil, 1, []any{v.text()}}
	case 5:
		return map[string]any{v.text(): v.text()}
	case 6:
		return slices.Repeat([]any{v.text()}, 300)
	}
	return v.text()
}

// of is a value that a schema takes, mostly.
func (v *vandal) of(schema map[string]any) any {
	if ref, ok := schema["$ref"].(string); ok {
		return v.of(v.doc.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(map[string]any))
	}
	if list, ok := schema["anyOf"].([]any); ok {
		return v.of(list[0].(map[string]any))
	}
	if values, ok := schema["enum"].([]any); ok {
		return pick(v, values...)
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok {
		kind = kinds[0]
	}
	switch kind {
	case "object":
		o := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		for name, s := range properties {
			if v.IntN(5) > 0 {
				o[name] = v.of(s.(map[string]any))
			}
			if v.IntN(6) == 0 {
				o[name] = v.value()
			}
		}
		return o
	case "array":
		return []any{v.of(schema["items"].(map[string]any))}
	case "string":
		if schema["format"] == "date-time" {
			return pick(v, "2030-01-01T00:00:00Z", "2030-01-01", "")
		}
		return v.text()
	case "integer", "number":
		return v.IntN(100)
	case "boolean":
		return v.IntN(2) == 0
	}
	return v.value()
}

// body is a body for an operation and its type.
func (v *vandal) body(o map[string]any) (body, mediaType string) {
	mediaType = pick(v, "application/json", "application/json", "application/json", "application/merge-patch+json", "text/plain", "application/x-www-form-urlencoded", "", "a/b; c=\"", "multipart/form-data; boundary=x")
	content, _ := o["requestBody"].(map[string]any)["content"].(map[string]any)
	if content["multipart/form-data"] != nil && v.IntN(4) > 0 {
		var b bytes.Buffer
		form := multipart.NewWriter(&b)
		part, _ := form.CreateFormFile(pick(v, "file", "file", "other"), pick(v, "a.png", "../a", "\x00", "a.svg"))
		fmt.Fprint(part, pick(v, "", "\x89PNG\r\n\x1a\n", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff\x08\x06", "<svg/>", "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "GIF89a", strings.Repeat("x", 3<<20)))
		if v.IntN(4) > 0 {
			form.Close()
		}
		return b.String(), form.FormDataContentType()
	}
	var made any = map[string]any{}
	if schema, ok := content["application/json"].(map[string]any); ok {
		made = v.of(schema["schema"].(map[string]any))
	}
	good, err := json.Marshal(made)
	if err != nil {
		good = []byte("{}")
	}
	switch v.IntN(16) {
	case 0:
		return "", mediaType
	case 1:
		return string(good[:len(good)/2]), mediaType
	case 2:
		return strings.Repeat(`[`, 200) + strings.Repeat(`]`, 200), mediaType
	case 3:
		return strings.Repeat(`{"a":`, 20_000), mediaType
	case 4:
		return strings.Replace(string(good), "{", `{"name":"a","name":"b","Name":"c",`, 1), mediaType
	case 5:
		return string(good) + "{}", mediaType
	case 6:
		return "\xff\xfe" + string(good), mediaType
	case 7:
		return strings.Replace(string(good), `"`, `"\ud800`, 2), mediaType
	case 8:
		return `{"a":"` + strings.Repeat("x", 200<<10) + `"}`, mediaType
	case 9:
		b, _ := json.Marshal(v.value())
		return string(b), mediaType
	}
	return string(good), mediaType
}

// address is an address of an operation.
func (v *vandal) address(route string, o map[string]any) string {
	_, path, _ := strings.Cut(route, " ")
	q := url.Values{}
	params, _ := o["parameters"].([]any)
	for _, p := range params {
		p := p.(map[string]any)
		name, schema := p["name"].(string), p["schema"].(map[string]any)
		switch p["in"] {
		case "path":
			in := pick(v, pick(v, v.ids...), pick(v, v.ids...), v.text())
			if in == "" || strings.Trim(in, ".") == "" {
				in = "x"
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(in))
		case "query":
			if v.IntN(3) == 0 {
				q.Add(name, fmt.Sprint(v.of(schema)))
			}
			if v.IntN(4) == 0 {
				q.Add(pick(v, name, name+"[0]", "sort[column]", "pagination[page]", "filters[hash]", "search"), pick(v, v.text(), "99999999999999999999", "-9223372036854775808"))
			}
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

// Whatever is sent to an operation of the document, the answer is one that the document
// tells of: nothing breaks, and no fault says what is inside.
func TestHostileRequestsToTheAPI(t *testing.T) { // threats 65, 75
	run := func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada, bob := h.User("ada"), h.User("bob")
		client := h.Client("shop")
		doc := documentOf(t, h)
		_, key := keyOf(t, h, admin)
		v := &vandal{rand.New(rand.NewPCG(*hostileSeed, 0)), doc, []string{ada.ID, bob.ID, client.ID, "me", "nobody"}}
		operations := slices.DeleteFunc(doc.operations(), func(route string) bool {
			return strings.HasSuffix(route, "/logout") // which would end the walk
		})
		statuses := map[int]int{}
		for n := range *hostileRequests {
			time.Sleep(time.Minute)
			if byKey(t, h, key).ask("GET", "/api/version/current", nil).Status != 200 || bySession(t, h, admin).ask("GET", "/api/version/current", nil).Status != 200 {
				if n == 0 {
					t.Fatal("the administrator is out")
				}
				admin.SignIn()
				_, key = keyOf(t, h, admin)
			}
			for _, route := range operations {
				o := doc.operation(route)
				method, _, _ := strings.Cut(route, " ")
				address, body, headers := v.address(route, o), "", []string{"X-API-Key", key}
				if v.IntN(3) == 0 {
					headers = bySession(t, h, admin).headers
				}
				if strings.HasPrefix(route, "DELETE") && strings.Contains(address, admin.ID) {
					continue
				}
				if o["requestBody"] != nil || v.IntN(10) == 0 && method != "GET" {
					mediaType := ""
					if o["requestBody"] == nil {
						body, mediaType = v.text(), "text/plain"
					} else {
						body, mediaType = v.body(o)
					}
					if mediaType != "" {
						headers = append(slices.Clone(headers), "Content-Type", mediaType)
					}
				}
				for _, name := range []string{"If-Match", "If-None-Match", "Idempotency-Key", "Accept"} {
					if v.IntN(12) == 0 {
						headers = append(slices.Clone(headers), name, pick(v, "", "*", `""`, `"x"`, `"`+strings.Repeat("x", 1000), "application/problem+json", ",,,", "W/"))
					}
				}
				a := h.Program().Ask(method, address, body, headers...)
				statuses[a.Status]++
				name := fmt.Sprintf("%s %.200s with %.300q", method, address, body)
				v.check(t, route, name, a)
			}
		}
		t.Logf("%d operations, %d requests each: %v", len(operations), *hostileRequests, statuses)
		if statuses[200]+statuses[201]+statuses[204] == 0 || statuses[400] == 0 {
			t.Errorf("the walk goes nowhere: %v", statuses)
		}
	}
	apptest.Both(t, run, "DISABLE_RATE_LIMITING=true")
}

// check looks at one answer.
func (v *vandal) check(t *testing.T, route, name string, a *apptest.Answer) {
	t.Helper()
	if a.Status >= 500 {
		t.Errorf("%s: %d %.300s", name, a.Status, a.Body)
		return
	}
	if a.Status < 400 {
		v.doc.tells(route, name, a)
		return
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Errorf("%s: %d, and no JSON: %.200s", name, a.Status, a.Body)
		return
	}
	faulty(t, name, a, a.Status, fmt.Sprint(body["code"]))
	v.doc.tells(route, name, a)
	said := strings.ReplaceAll(a.Body, fmt.Sprint(body["request_id"]), "")
	if word := innards.FindString(said); word != "" {
		t.Errorf("%s tells %q: %s", name, word, a.Body)
	}
	if a.Status == http.StatusMethodNotAllowed && a.Header.Get("Allow") == "" {
		t.Errorf("%s: 405 without Allow", name)
	}
}
