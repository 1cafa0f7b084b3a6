package secret_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"sync"
	"testing"

	"pocketid/internal/secret"
)

func master(t *testing.T, key string) *secret.Master {
	t.Helper()
	m, err := secret.NewMaster([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShortKeyIsRefused(t *testing.T) {
	for n := range 16 {
		if _, err := secret.NewMaster(make([]byte, n)); !errors.Is(err, secret.ErrShortKey) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := secret.NewMaster(make([]byte, 16)); err != nil {
		t.Error(err)
	}
}

func TestSealedOpensWithTheSameKeyAndPurposeOnly(t *testing.T) {
	m := master(t, "sixteen bytes ok")
	plain := []byte("the private key")
	sealed, err := m.Seal("signing key", plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("it is not sealed")
	}
	got, err := master(t, "sixteen bytes ok").Open("signing key", sealed)
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, tt := range []struct{ name, key, purpose string }{
		{"another key", "sixteen bytes ko", "signing key"},
		{"a longer key", "sixteen bytes ok\n", "signing key"},
		{"another purpose", "sixteen bytes ok", "signing keys"},
		{"no purpose", "sixteen bytes ok", ""},
	} {
		if _, err := master(t, tt.key).Open(tt.purpose, sealed); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	again, _ := m.Seal("signing key", plain)
	if bytes.Equal(again, sealed) {
		t.Error("two seals of one value are equal: the nonce repeats")
	}
}

func TestTamperedSealDoesNotOpen(t *testing.T) {
	m := master(t, "sixteen bytes ok")
	sealed, err := m.Seal("p", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := m.Open("p", bad); !errors.Is(err, secret.ErrSealed) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
	for n := range sealed {
		if _, err := m.Open("p", sealed[:n]); !errors.Is(err, secret.ErrSealed) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := m.Open("p", append(bytes.Clone(sealed), 0)); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("one byte more: %v", err)
	}
	if got, err := m.Open("p", sealed); err != nil || string(got) != "value" {
		t.Errorf("untouched: %q, %v", got, err)
	}
}

func TestEmptyValueCanBeSealed(t *testing.T) {
	m := master(t, "sixteen bytes ok")
	sealed, err := m.Seal("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Open("p", sealed); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMACDependsOnKeyPurposeAndMessage(t *testing.T) {
	m := master(t, "sixteen bytes ok")
	a := m.MAC("login code", "7K3MPQ9X")
	if len(a) != 32 || !bytes.Equal(a, master(t, "sixteen bytes ok").MAC("login code", "7K3MPQ9X")) {
		t.Error("it is not a function of key, purpose and message")
	}
	for name, b := range map[string][]byte{
		"message": m.MAC("login code", "7K3MPQ9Y"),
		"purpose": m.MAC("user code", "7K3MPQ9X"),
		"key":     master(t, "sixteen bytes ko").MAC("login code", "7K3MPQ9X"),
	} {
		if bytes.Equal(a, b) {
			t.Errorf("another %s gives the same MAC", name)
		}
	}
}

// What is stored today must open tomorrow: these values were made by the first
// version of this package.
func TestOldValuesStayReadable(t *testing.T) {
	m := master(t, "0123456789abcdef0123456789abcdef")
	if got, err := m.Open("signing key", unhex(t, oldSealed)); err != nil || string(got) != "as it was" {
		t.Errorf("got %q, %v", got, err)
	}
	if got := m.MAC("login code", "7K3MPQ9X"); !bytes.Equal(got, unhex(t, oldMAC)) {
		t.Errorf("got %x", got)
	}
	if err := m.VerifyCheck(oldCheck); err != nil {
		t.Error(err)
	}
}

func TestCheckValueTellsAWrongKey(t *testing.T) {
	m := master(t, "sixteen bytes ok")
	check, err := m.CheckValue()
	if err != nil {
		t.Fatal(err)
	}
	if err := master(t, "sixteen bytes ok").VerifyCheck(check); err != nil {
		t.Error(err)
	}
	sealed, err := m.Seal("signing key", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ key, check string }{
		"another key":               {"sixteen bytes ko", check},
		"nothing":                   {"sixteen bytes ok", ""},
		"not base64":                {"sixteen bytes ok", "!"},
		"a seal of another purpose": {"sixteen bytes ok", string(sealed)},
		"a part":                    {"sixteen bytes ok", check[:len(check)-4]},
	} {
		if err := master(t, tt.key).VerifyCheck(tt.check); !errors.Is(err, secret.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMasterServesManyAtOnce(t *testing.T) {
	m := master(t, "sixteen bytes ok")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			sealed, _ := m.Seal("p", []byte("x"))
			if got, err := m.Open("p", sealed); err != nil || string(got) != "x" {
				t.Errorf("%q, %v", got, err)
			}
			m.MAC("p", "x")
		})
	}
	wg.Wait()
}

func BenchmarkMAC(b *testing.B) {
	m, _ := secret.NewMaster([]byte("sixteen bytes ok"))
	for b.Loop() {
		m.MAC("p", "7K3MPQ9X")
	}
}

// Values of the first version.
const (
	oldSealed = "0165a6e157eb3a7f2199dc65bd62abe767d006ecfdf6d40f80e6914a59646f627631e5430b03"
	oldMAC    = "7c722bc616e6dd57ef2be1ad0de8547fed8696ca36550a7b8e2b398aa178e92a"
	oldCheck  = "AWgNh3MtSNjL3gGKmi+lZMeuJtuPL6ahKb/X61G8jCFXB0qI/TnyqRl1/ZCIiK+/wRzPLkm1b8bwsUvEPI8"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
