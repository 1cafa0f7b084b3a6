package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/cryptotest"

	"pocketid/internal/secret"
)

func TestIDIsARandomUUID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := secret.ID()
		if !form.MatchString(id) || seen[id] {
			t.Fatalf("%q", id)
		}
		seen[id] = true
	}
}

func TestTokenHas256Bits(t *testing.T) {
	a, b := secret.Token(), secret.Token()
	raw, err := base64.RawURLEncoding.DecodeString(a)
	if err != nil || len(raw) != 32 || a == b {
		t.Errorf("%q, %q, %v", a, b, err)
	}
	if h := secret.Hash(a); len(h) != 32 || bytes.Equal(h, secret.Hash(b)) || !bytes.Equal(h, secret.Hash(a)) {
		t.Error("the hash is not a function of the token")
	}
}

func TestRandomnessIsTheSystems(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 7)
	a := secret.ID() + secret.Token() + secret.Code(12)
	cryptotest.SetGlobalRandom(t, 7)
	if b := secret.ID() + secret.Token() + secret.Code(12); a != b {
		t.Error("something is not drawn from crypto/rand")
	}
}

func TestCodeIsUniformAndUnambiguous(t *testing.T) {
	const n = 64000
	counts := map[rune]int{}
	for _, r := range secret.Code(n) {
		counts[r]++
	}
	if len(counts) != 32 {
		t.Errorf("%d different characters, want 32", len(counts))
	}
	for r, c := range counts {
		if strings.ContainsRune("ILOUilou", r) || c < n/32*8/10 || c > n/32*12/10 {
			t.Errorf("%c came %d times, want about %d", r, c, n/32)
		}
	}
}

func TestNormalCode(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"7K3M-PQ9X", "7K3MPQ9X"},
		{"7k3m pq9x", "7K3MPQ9X"},
		{" 7k3m–pq9x\n", "7K3MPQ9X"},
		{"７Ｋ３Ｍ　ｐｑ９ｘ", "7K3MPQ9X"},
		{"oO iIlL", "001111"},
		{"é", "é"},
		{"", ""},
	} {
		if got := secret.NormalCode(tt.typed); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.typed, got, tt.want)
		}
	}
	for range 100 {
		if c := secret.Code(8); secret.NormalCode(c) != c || secret.NormalCode(strings.ToLower(c)) != c {
			t.Errorf("%q is not its own normal form", c)
		}
	}
}

func TestEqual(t *testing.T) {
	if !secret.Equal([]byte("a"), []byte("a")) || secret.Equal([]byte("a"), []byte("b")) || secret.Equal([]byte("a"), []byte("aa")) || secret.Equal(nil, []byte("a")) {
		t.Error("wrong")
	}
}

// However a secret is printed, it is not there.
// threats 84
func TestTextHidesItself(t *testing.T) {
	const canary = "canary-5f1d"
	s := secret.Text(canary)
	type config struct {
		Key  secret.Text
		Keys []secret.Text
		Map  map[string]secret.Text
	}
	c := config{s, []secret.Text{s}, map[string]secret.Text{"k": s}}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10.3s", "%T"} {
		fmt.Fprintf(&b, verb+"\n", s)
		fmt.Fprintf(&b, verb+"\n", c)
		fmt.Fprintf(&b, verb+"\n", &c)
	}
	fmt.Fprintln(&b, s, c, fmt.Errorf("key %v: %w", s, fmt.Errorf("%s", s)))
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("x", "key", s, "config", c, "group", slog.GroupValue(slog.Any("k", s)))
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(j)
	if strings.Contains(b.String(), canary) || strings.Contains(b.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret shows:\n%s", b.String())
	}
	if string(s) != canary {
		t.Error("and the value cannot be reached")
	}
}
