package web

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pocketid/internal/audit"
	"pocketid/internal/directory"
	"pocketid/internal/i18n"
)

// Whatever can be recorded has words in every language, and an icon. What can concern a
// person has words for that person too.
func TestEveryEventHasWords(t *testing.T) {
	icons, err := ui.ReadFile("ui/assets/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range audit.Families {
		mine := false
		for _, own := range ownFamilies {
			mine = mine || own == f
		}
		for _, id := range i18n.Locales() {
			words := i18n.For(id)
			if !words.Has("audit.family." + string(f)) {
				t.Errorf("%s: the family %s has no words", id, f)
			}
			for _, n := range f.Names() {
				keys := []string{eventKey(n), eventKey(n) + ".title"}
				if mine {
					keys = append(keys, eventKey(n)+".you")
				}
				for _, key := range keys {
					if !words.Has(key) {
						t.Errorf("%s: %s has no words %q", id, n, key)
					}
				}
			}
		}
		for _, n := range f.Names() {
			if m, ok := marks[n]; !ok || !strings.Contains(string(icons), `id="`+m.icon+`"`) {
				t.Errorf("%s has no icon in logline.go", n)
			}
		}
	}
	if len(marks) != len(audit.Names()) {
		t.Errorf("%d icons for %d events", len(marks), len(audit.Names()))
	}
}

// Sentences take their names from the entry, whoever gave them, as text.
func TestSentencesOfTheLog(t *testing.T) {
	words := i18n.For("en")
	for _, n := range audit.Names() {
		e := audit.Entry{Event: n, Via: "page", Actor: "a", ActorName: "<i>{person}</i>", User: "u", UserName: "<u>", Client: "c", ClientName: "<c>",
			Object: audit.Object{Kind: "user", ID: "u", Name: "<o>{actor}"}}
		for _, l := range []logLine{lineOf(words, &e), ownLineOf(words, &e, "u")} {
			said := strings.NewReplacer("<b>", "", "</b>", "").Replace(string(l.Said))
			if strings.Contains(said, "<") || said == "" || strings.Contains(said, "event.") {
				t.Errorf("%s is told as %s", n, l.Said)
			}
			for _, name := range []string{"{object}", "{client}"} {
				if strings.Contains(said, name) {
					t.Errorf("%s: %s has nothing for %s", n, l.Said, name)
				}
			}
		}
		e.ActorName, e.Object.Name, e.UserName, e.ClientName = "", "", "", ""
		if l := lineOf(words, &e); strings.Contains(string(l.Said), "<b></b>") {
			t.Errorf("%s without names is told as %s", n, l.Said)
		}
	}
	unknown := audit.Entry{Via: "job"}
	if got := lineOf(words, &unknown); got.Said == "" || got.Icon == "" {
		t.Errorf("what this version does not know is told as %+v", got)
	}
}

func TestChangesInWords(t *testing.T) {
	words := i18n.For("en")
	long := strings.Repeat("x", 1000)
	many := make([]any, 100)
	for i := range many {
		many[i] = "y"
	}
	for _, tt := range []struct {
		it            string
		before, after audit.Members
		want          []logChange
	}{
		{"tells a field that is known in words", audit.Members{"email": "a@x"}, audit.Members{"email": "b@x"}, []logChange{{"Email", "a@x", "b@x", true}}},
		{"tells a field that is not known by its name", audit.Members{"odd": "1"}, audit.Members{"odd": 2.0}, []logChange{{"odd", "1", "2", false}}},
		{"tells yes, no and nothing", audit.Members{"admin": false, "email": nil}, audit.Members{"admin": true, "email": ""},
			[]logChange{{"Administrator", "no", "yes", true}, {"Email", "nothing", "nothing", true}}},
		{"leaves out what says nothing of what is new", nil, audit.Members{"admin": false, "email": "", "name": "Shop", "groups": []any{}}, []logChange{{"Name", "nothing", "Shop", true}}},
		{"gives names to ids", audit.Members{"allowed_groups": []any{"g1", "g2"}}, audit.Members{"allowed_groups": []any{}},
			[]logChange{{"Groups that may use it", "crew, g2", "nothing", true}}},
		{"tells times", audit.Members{"name": "x"}, audit.Members{"name": "2026-11-22T05:43:10.5Z"}, []logChange{{"Name", "x", "22 November 2026, 05:43 UTC", true}}},
		{"cuts what is long", audit.Members{"name": "a"}, audit.Members{"name": long}, []logChange{{"Name", "a", long[:500] + "…", true}}},
		{"cuts what are many", audit.Members{"groups": "a"}, audit.Members{"groups": many}, []logChange{{"Groups", "a", strings.Repeat("y, ", 20) + "and 80 more", true}}},
		{"shows addresses as they are written", nil, audit.Members{"redirect_uris": []any{map[string]any{"URI": "https://a", "Pattern": false}, map[string]any{"URI": "https://*.b", "Pattern": true}}},
			[]logChange{{"Redirect URIs", "nothing", "https://a, https://*.b (pattern)", true}}},
		{"shows addresses as they are written by this version", nil, audit.Members{"redirect_uris": []any{map[string]any{"uri": "https://a"}, map[string]any{"uri": "https://*.b", "pattern": true}}, "default_max_age": 0.0},
			[]logChange{{"Redirect URIs", "nothing", "https://a, https://*.b (pattern)", true}}},
		{"tells how long", audit.Members{"access_token_lifetime": 3600.0}, audit.Members{"access_token_lifetime": 10_000_000.0},
			[]logChange{{"Lifetime of access tokens", "3,600 seconds", "10,000,000 seconds", true}}},
		{"shows what has parts as it is", audit.Members{"claims": map[string]any{}}, audit.Members{"claims": map[string]any{"a": 1.0}}, []logChange{{"Claims", "nothing", `{"a":1}`, true}}},
	} {
		e := audit.Entry{Before: tt.before, After: tt.after, Names: map[string]string{"g1": "crew"}}
		got := changesOf(words, &e)
		if len(got) != len(tt.want) {
			t.Errorf("it %s: %+v", tt.it, got)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("it %s: got %+v, want %+v", tt.it, got[i], tt.want[i])
			}
		}
	}
}

func TestWhereAnAddressIs(t *testing.T) {
	const local, shared = "Local network", "Shared network of a provider, or Tailscale"
	for address, want := range map[string]string{"127.0.0.1": local, "::1": local, "10.1.2.3": local, "192.168.1.1": local, "172.31.255.255": local, "172.32.0.1": "",
		"::ffff:172.16.0.1": local, "100.64.1.1": shared, "100.127.255.255": shared, "100.128.0.1": "", "fd00::1": local, "fe80::1": local,
		"203.0.113.9": "", "2001:db8::1": "", "nonsense": ""} {
		if got := placeOf(i18n.For("en"), address); got != want {
			t.Errorf("%s is of %q, want %q", address, got, want)
		}
	}
}

// Days begin where the reader is, also on the day on which clocks are set.
func TestDaysOfAZone(t *testing.T) {
	berlin, _ := directory.Zone("Europe/Berlin")
	now := time.Date(2026, 3, 29, 22, 30, 0, 0, time.UTC).In(berlin) // half past midnight, on the 30th
	var lines []logLine
	for _, ago := range []time.Duration{0, time.Hour, 23 * time.Hour, 24 * time.Hour} {
		lines = append(lines, logLine{At: now.Add(-ago).UTC()})
	}
	var got []string
	for _, d := range daysOf(i18n.For("en"), now, lines) {
		got = append(got, d.Title+strings.Repeat("+", len(d.Lines)))
	}
	if strings.Join(got, "|") != "Today+|Yesterday++|28 March 2026+" {
		t.Errorf("got %v", got)
	}
	if day, ok := dayOf("2026-03-30", berlin); !ok || !day.Equal(now.Add(-30*time.Minute)) {
		t.Errorf("the 30th begins at %s", day)
	}
	f, _ := auditFilterOf(url.Values{"from": {"2026-03-29"}, "until": {"2026-03-29"}}, now)
	if got := f.Until.Sub(f.From); got != 23*time.Hour {
		t.Errorf("the day on which clocks are set has %s", got)
	}
}

func TestDays(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 30, 0, 0, time.UTC)
	var lines []logLine
	for _, ago := range []time.Duration{0, 20 * time.Minute, time.Hour, 23 * time.Hour, 25 * time.Hour, 26 * time.Hour} {
		lines = append(lines, logLine{At: now.Add(-ago)})
	}
	days := daysOf(i18n.For("en"), now, lines)
	var got []string
	for _, d := range days {
		got = append(got, d.Title)
	}
	if strings.Join(got, "|") != "Today|Yesterday|27 February 2026" || len(days[0].Lines) != 2 || len(days[2].Lines) != 2 {
		t.Errorf("got %v", got)
	}
}
