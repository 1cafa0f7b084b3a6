package signin

import (
	"net/url"
	"testing"

	"pocketid/internal/dbtest"
	"pocketid/internal/directory"
	"pocketid/internal/secret"
)

// A passkey sign-in without HTTP: both halves, two transactions, one signature
// verified. The virtual authenticator's own signature is not timed.
func BenchmarkSignIn(b *testing.B) {
	h, k := benchHouse(b)
	cookie, seen := secret.Hash("browser"), Seen{"192.0.2.1", "Firefox on Linux"}
	for b.Loop() {
		c, err := h.BeginSignIn(b.Context(), cookie, "")
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		answer := k.get(b, c.Options)
		b.StartTimer()
		if _, err := h.FinishSignIn(b.Context(), cookie, seen, c.ID, answer, ""); err != nil {
			b.Fatal(err)
		}
	}
}

// A visit, as every request of somebody who is signed in makes.
func BenchmarkVisit(b *testing.B) {
	h, k := benchHouse(b)
	cookie, seen := secret.Hash("browser"), Seen{"192.0.2.1", "Firefox on Linux"}
	c, err := h.BeginSignIn(b.Context(), cookie, "")
	if err != nil {
		b.Fatal(err)
	}
	l, err := h.FinishSignIn(b.Context(), cookie, seen, c.ID, k.get(b, c.Options), "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := h.Visit(b.Context(), l.Handle, seen); err != nil {
			b.Fatal(err)
		}
	}
}

// benchHouse is a house that was set up with the passkey it returns.
func benchHouse(b *testing.B) (*SignIn, *key) {
	b.Helper()
	d := dbtest.Open(b)
	master, err := secret.NewMaster([]byte("a master key for tests, 32 bytes"))
	if err != nil {
		b.Fatal(err)
	}
	u, _ := url.Parse(publicURL)
	h, err := New(Config{DB: d, Directory: directory.New(d), Master: master, PublicURL: u})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := h.OpenSetup(b.Context(), root); err != nil {
		b.Fatal(err)
	}
	cookie := secret.Hash("browser")
	c, err := h.BeginSetup(b.Context(), cookie, "", Profile{Username: "ada", Email: "ada@example.org"})
	if err != nil {
		b.Fatal(err)
	}
	k := newKey()
	if _, err := h.FinishSetup(b.Context(), cookie, Seen{}, c.ID, k.create(b, c.Options)); err != nil {
		b.Fatal(err)
	}
	return h, k
}
