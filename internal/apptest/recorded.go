package apptest

import (
	"context"
	"testing"

	"pocketid/internal/audit"
	"pocketid/internal/i18n"
)

// recorded fails the test when the newest hundred entries of the log have one that pages
// could not tell in words: of a kind, on a way, or with a field or a reason, that the
// catalogues do not know. So whatever any test brings about is asked for its words.
func (h *House) recorded(t testing.TB) {
	p, err := h.App.Audit.List(context.Background(), audit.System("job"), audit.Filter{Limit: 100})
	if err != nil {
		return // a test that closed its database has nothing to tell
	}
	words, asked := i18n.For(i18n.Source), map[string]bool{}
	ask := func(event audit.Name, what string, keys ...string) {
		if asked[what] {
			return
		}
		asked[what] = true
		for _, key := range keys {
			if words.Has(key) {
				return
			}
		}
		t.Errorf("the log has %s in an entry of %s, and no words for it: add %s", what, event, keys[0])
	}
	for _, e := range p.Entries {
		if e.Object.Kind != "" {
			ask(e.Event, "the kind "+e.Object.Kind, "audit.kind."+e.Object.Kind)
		}
		if e.Via != "" {
			ask(e.Event, "the way "+e.Via, "audit.via."+e.Via)
		}
		for _, members := range []audit.Members{e.Before, e.After, e.Data} {
			for field := range members {
				if field != "" {
					ask(e.Event, "the field "+field, "audit.field."+field, "settings."+field, "details."+field)
				}
			}
		}
		if reason, ok := e.Data["reason"].(string); ok && e.Event != audit.PasskeyRefused { // which says it as it was found
			ask(e.Event, "the reason "+reason, "audit.reason."+reason)
		}
	}
}
