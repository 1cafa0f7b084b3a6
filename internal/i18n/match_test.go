package i18n

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		name                     string
		ui, user, cookie, accept string
		want                     string
	}{
		{"speaks English when nobody says anything", "", "", "", "", "en"},
		{"listens to the request first", "zh-CN", "en", "en", "en", "zh-CN"},
		{"listens to the user before the cookie", "", "zh-CN", "en", "en", "zh-CN"},
		{"listens to the cookie before the browser", "", "", "zh-CN", "en", "zh-CN"},
		{"listens to the browser at last", "", "", "", "zh-CN", "zh-CN"},
		{"takes the next wish when the first is not spoken here", "fr-CA fr zh-CN", "en", "", "", "zh-CN"},
		{"passes over a user's locale that it does not know", "", "fi", "zh-CN", "", "zh-CN"},
		{"minds no case and takes underscores", "", "ZH_cn", "", "", "zh-CN"},
		{"takes a language for one of its countries", "", "", "", "en-GB", "en"},
		{"takes Chinese of Singapore for ours", "", "", "", "zh-SG", "zh-CN"},
		{"takes the script for the country", "", "", "", "zh-Hans", "zh-CN"},
		{"takes script and country", "", "", "", "zh-Hans-CN", "zh-CN"},
		{"does not take traditional characters for simplified ones", "", "", "", "zh-TW,en;q=0.5", "en"},
		{"takes simplified ones as second choice of who says so", "", "", "", "zh-TW,zh;q=0.8,en;q=0.5", "zh-CN"},
		{"weighs the browser's wishes", "", "", "", "en;q=0.3, zh-CN;q=0.9", "zh-CN"},
		{"takes the first of equal wishes", "", "", "", "zh-CN, en", "zh-CN"},
		{"leaves out what has no weight", "", "", "", "zh-CN;q=0", "en"},
		{"leaves out a weight that is none", "", "", "", "zh-CN;q=x, en", "en"},
		{"leaves out a weight above one", "", "", "", "zh-CN;q=7, en;q=0.1", "en"},
		{"makes nothing of anything", "", "", "", "*", "en"},
		{"makes nothing of noise", ";;,-", "../..", "\x00", ";q=,,;;--", "en"},
		{"stops after a bound", "", "", "", strings.Repeat("fr,", 5000) + "zh-CN", "en"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Match(tt.ui, tt.user, tt.cookie, tt.accept); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("zh-CN en", "en", "zh", "zh-TW,zh;q=0.8,en;q=0.5")
	f.Fuzz(func(t *testing.T, ui, user, cookie, accept string) {
		if got := Match(ui, user, cookie, accept); For(got).ID != got {
			t.Errorf("got %q, which is no locale", got)
		}
	})
}
