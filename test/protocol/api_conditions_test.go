package protocol

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pocketid/internal/apptest"
)

// A program changes what it saw and nothing else, and need not fetch again what it has.
func TestConditionsOfTheAPI(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		ada := h.User("ada")
		me := bySession(t, h, admin)
		address := "/api/users/" + ada.ID
		first := me.ask("GET", address, nil, "Accept-Encoding", "gzip")
		tag := first.Header.Get("Etag")
		if !strings.HasPrefix(tag, `"`) || first.Header.Get("Content-Encoding") != "" {
			t.Fatalf("the tag is %q, in an answer as %q", tag, first.Header.Get("Content-Encoding"))
		}
		if a := me.ask("GET", address, nil, "If-None-Match", tag); a.Status != http.StatusNotModified || a.Body != "" || a.Header.Get("Etag") != tag {
			t.Errorf("what is known already: %d %q %s", a.Status, a.Header.Get("Etag"), a.Body)
		}
		if a := me.ask("HEAD", address, nil); a.Status != 200 || a.Body != "" || a.Header.Get("Etag") != tag {
			t.Errorf("HEAD: %d %q %q", a.Status, a.Header.Get("Etag"), a.Body)
		}
		group := me.ask("POST", "/api/user-groups", map[string]any{"name": "crew", "friendlyName": "Crew"}).JSON()["id"].(string)
		into := func(match string, groups ...string) *apptest.Answer {
			return me.ask("PUT", address+"/user-groups", map[string]any{"userGroupIds": groups}, "If-Match", match)
		}
		before := h.Rows()
		for _, wrong := range []string{`"another"`, "W/" + tag, strings.Trim(tag, `"`), `"a", "b"`} {
			faulty(t, "on "+wrong, into(wrong, group), 412, "object_changed")
		}
		if got := changes(before, h.Rows()); len(got) > 0 {
			t.Errorf("a change that was refused changed %v", got)
		}
		if a := into(`"another", `+tag, group); a.Status != 200 || a.Header.Get("Etag") != "" {
			t.Errorf("on what is there: %d %q %s", a.Status, a.Header.Get("Etag"), a.Body)
		}
		faulty(t, "on what was there", into(tag), 412, "object_changed")
		if a := me.ask("GET", address, nil, "If-None-Match", tag); a.Status != 200 || a.Header.Get("Etag") == tag {
			t.Errorf("what has changed: %d %q", a.Status, a.Header.Get("Etag"))
		}
		if a := into("*"); a.Status != 200 {
			t.Errorf("whatever is there: %d", a.Status)
		}

		// Of many who saw the same, one changes it.
		tag = me.ask("GET", address, nil).Header.Get("Etag")
		done := make([]int, 8)
		var all sync.WaitGroup
		for i := range done {
			all.Go(func() { done[i] = into(tag, group).Status })
		}
		all.Wait()
		counts := map[int]int{}
		for _, status := range done {
			counts[status]++
		}
		if counts[200] != 1 || counts[412] != 7 {
			t.Errorf("of eight who saw the same, these came of it: %v", counts)
		}
	})
}

// A creation that is asked for again by the same key is done once, and answered again.
func TestRepeatedCreations(t *testing.T) {
	apptest.Both(t, func(t *testing.T, h *apptest.House) {
		admin := h.SetUp()
		_, key := keyOf(t, h, admin)
		me := byKey(t, h, key)
		made := func(key, name string) *apptest.Answer {
			return me.ask("POST", "/api/user-groups", map[string]any{"name": name, "friendlyName": "The " + name}, "Idempotency-Key", key)
		}
		first := made("one", "crew")
		if first.Status != 201 || first.Header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%d %s", first.Status, first.Body)
		}
		before := h.Rows()
		again := made("one", "crew")
		if again.Status != 201 || again.Body != first.Body || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Content-Type") != "application/json" {
			t.Errorf("again: %d %v %s", again.Status, again.Header, again.Body)
		}
		faulty(t, "for another request", made("one", "other"), 409, "idempotency_key_reused")
		faulty(t, "at another address", me.ask("POST", "/api/users", map[string]any{"username": "x", "email": "x@example.test"}, "Idempotency-Key", "one"), 409, "idempotency_key_reused")
		if got := changes(before, h.Rows()); len(got) > 0 {
			t.Errorf("a repetition changed %v", got)
		}
		for _, wrong := range []string{strings.Repeat("x", 256), "a b", "ü"} {
			faulty(t, wrong, made(wrong, "wrong"), 400, "idempotency_key_malformed")
		}
		// What was refused can be asked again, and is not said to be a repetition.
		faulty(t, "what is in use", made("two", "crew"), 409, "already_in_use")
		faulty(t, "what is still in use", made("two", "crew"), 409, "already_in_use")
		if a := made("two", "second"); a.Status != 201 {
			t.Errorf("what was refused before: %d %s", a.Status, a.Body)
		}
		// The key of somebody else is another one.
		boss := h.User("boss")
		h.SQL(`UPDATE users SET admin = TRUE WHERE id = $1`, boss.ID)
		boss.SignIn()
		if a := bySession(t, h, boss).ask("POST", "/api/user-groups", map[string]any{"name": "third", "friendlyName": "Third"}, "Idempotency-Key", "one"); a.Status != 201 {
			t.Errorf("by somebody else: %d %s", a.Status, a.Body)
		}

		// Of many at once one is made.
		done := make([]*apptest.Answer, 8)
		var all sync.WaitGroup
		for i := range done {
			all.Go(func() { done[i] = made("three", "fourth") })
		}
		all.Wait()
		fresh := 0
		for _, a := range done {
			switch {
			case a.Status == 201 && a.Header.Get("Idempotency-Replayed") == "":
				fresh++
			case a.Status != 201 && a.Status != 409:
				t.Errorf("at once: %d %s", a.Status, a.Body)
			}
		}
		if fresh != 1 {
			t.Errorf("%d of eight were made", fresh)
		}
		// After a day nobody remembers.
		time.Sleep(24*time.Hour - time.Minute)
		admin.SignIn()
		_, key = keyOf(t, h, admin)
		me = byKey(t, h, key)
		if a := made("one", "crew"); a.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("within a day: %d %s", a.Status, a.Body)
		}
		time.Sleep(2 * time.Minute)
		faulty(t, "after a day", made("one", "crew"), 409, "already_in_use")
		for _, row := range h.Rows()["replies"] {
			if strings.Contains(row, "crew") {
				t.Errorf("an answer lies open: %s", row)
			}
		}
	}, "DISABLE_RATE_LIMITING=true")
}
