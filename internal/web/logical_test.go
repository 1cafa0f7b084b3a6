package web

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	cssComment = regexp.MustCompile(`/\*.*?\*/`)
	cssRule    = regexp.MustCompile(`([^{}]+)\{([^{}]*)\}`)
	aSide      = regexp.MustCompile(`\b(left|right)\b`)
)

// sided says what of a declaration is about left or right, "" when nothing is.
func sided(property, value string) string {
	if aSide.MatchString(property) || aSide.MatchString(value) {
		return property + ":" + value
	}
	v := strings.Fields(value)
	switch property {
	case "margin", "padding", "inset", "border-width", "border-color", "border-style", "scroll-margin", "scroll-padding":
		if len(v) == 4 && v[1] != v[3] {
			return property + ":" + value
		}
	case "border-radius":
		if len(v) == 2 && v[0] != v[1] || len(v) == 3 || len(v) == 4 && (v[0] != v[1] || v[2] != v[3]) {
			return property + ":" + value
		}
	}
	return ""
}

// The sheet serves languages that are written from right to left: what it says of left and
// right it says of start and end, or says it again for them.
func TestSheetKnowsNoSides(t *testing.T) {
	b, err := os.ReadFile("ui/assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	rules := cssRule.FindAllStringSubmatch(cssComment.ReplaceAllString(string(b), ""), -1)
	turned := map[string]bool{} // selectors that are said again for right to left, with the property
	for _, r := range rules {
		if of, ok := strings.CutPrefix(strings.TrimSpace(r[1]), "[dir=rtl] "); ok {
			for _, d := range strings.Split(r[2], ";") {
				property, _, _ := strings.Cut(d, ":")
				turned[of+" "+property] = true
			}
		}
	}
	if len(rules) < 300 || len(turned) == 0 {
		t.Fatalf("the sheet has %d rules, of which %d turn something round: it is not read as it is written", len(rules), len(turned))
	}
	for _, r := range rules {
		selector := strings.TrimSpace(r[1])
		if strings.HasPrefix(selector, "[dir=rtl] ") {
			continue
		}
		for _, d := range strings.Split(r[2], ";") {
			property, value, _ := strings.Cut(strings.TrimSpace(d), ":")
			if what := sided(property, strings.TrimSuffix(value, "!important")); what != "" && !turned[selector+" "+property] {
				t.Errorf("%s{%s} is about a side: say start and end, or say it again under [dir=rtl]", selector, what)
			}
		}
	}
}
