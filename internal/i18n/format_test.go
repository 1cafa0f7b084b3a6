package i18n

import (
	"math"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, time.March, 12, 12, 0, 0, 0, time.UTC)

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -999: "-999",
		math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := For("en").Number(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDates(t *testing.T) {
	tests := []struct{ locale, date, dateTime string }{
		{"en", "12 March 2026", "12 March 2026, 12:00 UTC"},
		{"zh-CN", "2026年3月12日", "2026年3月12日 12:00 UTC"},
	}
	for _, tt := range tests {
		l := For(tt.locale)
		if got := l.Date(noon); got != tt.date {
			t.Errorf("got %s, want %s", got, tt.date)
		}
		if got := l.DateTime(noon); got != tt.dateTime {
			t.Errorf("got %s, want %s", got, tt.dateTime)
		}
		if got := l.show(noon); got != tt.date {
			t.Errorf("got %s in a text, want %s", got, tt.date)
		}
	}
}

func TestRelative(t *testing.T) {
	tests := []struct {
		name   string
		ago    time.Duration
		en, zh string
	}{
		{"is now within a minute", 59 * time.Second, "just now", "刚刚"},
		{"counts one minute", time.Minute, "1 minute ago", "1 分钟前"},
		{"counts whole minutes", 119*time.Minute - time.Hour, "59 minutes ago", "59 分钟前"},
		{"counts hours", 3*time.Hour + 59*time.Minute, "3 hours ago", "3 小时前"},
		{"counts days", 6*24*time.Hour + 23*time.Hour, "6 days ago", "6 天前"},
		{"is a date after a week", 7 * 24 * time.Hour, "5 March 2026", "2026年3月5日"},
		{"counts seconds to come, upwards", -1500 * time.Millisecond, "in 2 seconds", "2 秒后"},
		{"counts minutes to come", -15 * time.Minute, "in 15 minutes", "15 分钟后"},
		{"counts hours to come", -time.Hour, "in 1 hour", "1 小时后"},
		{"counts days to come", -24 * time.Hour, "in 1 day", "1 天后"},
		{"is a date in a week", -7 * 24 * time.Hour, "19 March 2026", "2026年3月19日"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := For("en").Relative(noon, noon.Add(-tt.ago)); got != tt.en {
				t.Errorf("got %q, want %q", got, tt.en)
			}
			if got := For("zh-CN").Relative(noon, noon.Add(-tt.ago)); got != tt.zh {
				t.Errorf("got %q, want %q", got, tt.zh)
			}
		})
	}
}

func TestDirection(t *testing.T) {
	for id, want := range map[string]string{"en": "ltr", "zh-CN": "ltr", "ar": "rtl", "he-IL": "rtl", "ckb": "rtl"} {
		if got := (&Locale{ID: id}).Dir(); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}

// Somebody who wants ISO dates gets them in every text, and the language stays.
func TestDatesAsISOHasThem(t *testing.T) {
	at := time.Date(2026, 3, 4, 15, 6, 0, 0, time.UTC)
	for _, id := range Locales() {
		usual := For(id)
		iso := usual.Dated(ISO)
		if got, want := iso.Date(at), "2026-03-04"; got != want {
			t.Errorf("%s: the date is %q, want %q", id, got, want)
		}
		if got, want := iso.DateTime(at), "2026-03-04 15:06 UTC"; got != want {
			t.Errorf("%s: the time is %q, want %q", id, got, want)
		}
		if got, want := iso.Relative(at.Add(30*24*time.Hour), at), "2026-03-04"; got != want {
			t.Errorf("%s: a month ago is %q, want %q", id, got, want)
		}
		if got := iso.T("passkeys.added", "when", at); !strings.Contains(got, "2026-03-04") {
			t.Errorf("%s: in a text it is %q", id, got)
		}
		if iso.Key() == usual.Key() || usual.Dated("") != usual || iso.Dated("").Key() != usual.Key() || iso.T("frame.save") != usual.T("frame.save") {
			t.Errorf("%s: the style changes more than dates, or does not go back", id)
		}
	}
}
