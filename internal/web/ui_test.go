package web

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/jba/templatecheck"

	"pocketid/internal/i18n"
)

// everyTemplate is the text of each template by its name.
func everyTemplate(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(ui, "ui", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".html" {
			return err
		}
		b, err := ui.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil || len(all) < 20 {
		t.Fatalf("read %d templates: %v", len(all), err)
	}
	return all
}

func TestEveryTemplateFitsItsPage(t *testing.T) {
	for _, locale := range i18n.Locales() {
		s := sets{asset: func(name string) string { return "/assets/x/" + name }}
		set, err := s.of(i18n.For(locale))
		if err != nil {
			t.Fatal(err)
		}
		for name, k := range pages {
			page := reflect.New(reflect.TypeOf(k.page)).Interface()
			if err := templatecheck.CheckHTML(set.Lookup("page/"+name), page); err != nil {
				t.Errorf("page %s: %v", name, err)
			}
			if err := templatecheck.CheckHTML(set.Lookup(k.layout), &Frame{}); err != nil {
				t.Errorf("layout %s: %v", k.layout, err)
			}
		}
	}
	for path := range everyTemplate(t) {
		if name, ok := strings.CutPrefix(path, "ui/pages/"); ok {
			if _, ok := pages[strings.TrimSuffix(name, ".html")]; !ok {
				t.Errorf("%s is no page of the registry", path)
			}
		}
	}
}

var (
	actions = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tags    = regexp.MustCompile(`(?s)<[^>]*>`)
	// Commands, schemes and attributes are the same in every language.
	literals = regexp.MustCompile(`(?s)<pre>[^<]*</pre>|https?://|\bdata-[a-z]+="[^"]*"`)
	spoken   = regexp.MustCompile(`\b(?:aria-label|title|placeholder|alt)="([^"]*)"`)
	letters  = regexp.MustCompile(`\p{L}{2,}`)
)

// Words belong to the catalogues: a sentence in a template is said in one language only.
func TestNoTemplateSpeaksByItself(t *testing.T) {
	sentences := func(text string) []string {
		text = literals.ReplaceAllString(actions.ReplaceAllString(text, ""), "")
		var found []string
		for _, m := range spoken.FindAllStringSubmatch(text, -1) {
			found = append(found, letters.FindAllString(m[1], -1)...)
		}
		return append(found, letters.FindAllString(tags.ReplaceAllString(text, "\n"), -1)...)
	}
	for path, text := range everyTemplate(t) {
		for _, word := range sentences(text) {
			t.Errorf("%s says %q by itself", path, word)
		}
	}
	if got := sentences(`<p class="sub">Hello {{.Name}}</p><a title="Go on">{{t "x"}}</a>`); len(got) != 3 {
		t.Errorf("the check is blind: it found %q", got)
	}
}

var (
	templateKeys = regexp.MustCompile(`\b(?:t|rich) "([a-zA-Z0-9_.]+)"`)
	goKeys       = regexp.MustCompile(`(?:\.T\(|flash\(w, r, )"([a-zA-Z0-9_.]+)"`)
)

func TestEveryKeyHasWords(t *testing.T) {
	used := map[string]string{}
	for path, text := range everyTemplate(t) {
		for _, m := range templateKeys.FindAllStringSubmatch(text, -1) {
			used[m[1]] = path
		}
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range goKeys.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = path
		}
	}
	if len(used) < 100 {
		t.Fatalf("only %d keys were found", len(used))
	}
	for key, path := range used {
		if strings.HasSuffix(key, ".") {
			continue // the beginning of a key that is put together
		}
		for _, id := range i18n.Locales() {
			if !i18n.For(id).Has(key) {
				t.Errorf("%s uses %s, for which %s has no words", path, key, id)
			}
		}
	}
}

var (
	templateWords = regexp.MustCompile(`[({ ](?:t|rich) "([a-zA-Z0-9_.]+)"((?:\s+"\w+"\s+(?:\((?:[^()]|\([^()]*\))*\)|"[^"]*"|[^\s})]+))*)`)
	templateArgs  = regexp.MustCompile(`"(\w+)"\s+[("$.\w]`)
	unfilled      = regexp.MustCompile(`\{\w+\}`)
)

// A template hands over each word that a text leaves a place for.
func TestEveryPlaceIsFilled(t *testing.T) {
	check := func(path, text string) (open []string) {
		for _, m := range templateWords.FindAllStringSubmatch(text, -1) {
			var args []any
			for _, arg := range templateArgs.FindAllStringSubmatch(m[2], -1) {
				args = append(args, arg[1], 2)
			}
			for _, id := range i18n.Locales() {
				if words := i18n.For(id); words.Has(m[1]) {
					for _, place := range unfilled.FindAllString(words.T(m[1], args...), -1) {
						open = append(open, path+": "+m[1]+" in "+id+" lacks "+place)
					}
				}
			}
		}
		return open
	}
	for path, text := range everyTemplate(t) {
		for _, missing := range check(path, text) {
			t.Error(missing)
		}
	}
	if got := check("", `{{t "client.exchange.since" "when" .X}}`); len(got) != len(i18n.Locales()) {
		t.Errorf("the check is blind: it found %q", got)
	}
}

// Nothing on a page runs or looks like something by itself: the policy would stop it.
func TestNoTemplateHasInlineScriptOrStyle(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script(?:>| [^>]*[^>]>[^<\s])|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for path, text := range everyTemplate(t) {
		if m := inline.FindString(text); m != "" {
			t.Errorf("%s has %q", path, m)
		}
	}
	for _, bad := range []string{`<script>x()</script>`, `<p style="color:red">`, `<a onclick="x">`, `<style>p{}</style>`} {
		if !inline.MatchString(bad) {
			t.Errorf("the check does not see %s", bad)
		}
	}
}

// Modules are small, and say so in their first line that they are checked.
func TestModulesAreSmall(t *testing.T) {
	files, err := fs.Glob(ui, "ui/assets/*.js")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		b, err := ui.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > 150 {
			t.Errorf("%s has %d lines, want at most 150", path, n)
		}
	}
}

// The sheet of the sign-in pages is cut out of app.css: what they use must be left.
func TestSheetOfSignInPagesHasWhatTheyUse(t *testing.T) {
	files, err := assetTree()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	whole, cut := read("app.css"), read(pocketSheet)
	all := everyTemplate(t)
	layout, _, _ := strings.Cut(all["ui/layout.html"], `{{define "house"}}`)
	texts := []string{layout, all["ui/parts.html"], read("passkey.js")}
	for name, k := range pages {
		if k.layout == "pocket" {
			texts = append(texts, all["ui/pages/"+name+".html"])
		}
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:class="|className = ')([^"']*)["']`).FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		for _, class := range strings.Fields(actions.ReplaceAllString(m[1], " ")) {
			used[class] = true
		}
	}
	if len(used) < 20 || len(cut) > len(whole)*2/3 {
		t.Errorf("%d classes and %d of %d bytes: the test or the cut is blind", len(used), len(cut), len(whole))
	}
	for class := range used {
		in := func(sheet string) bool {
			return regexp.MustCompile(`\.` + regexp.QuoteMeta(class) + `(?:[^\w-]|$)`).MatchString(sheet)
		}
		if in(whole) && !in(cut) {
			t.Errorf("a sign-in page uses .%s, which app.css has for the pages inside only", class)
		}
	}
	for _, bad := range []string{insideOnly + "a{}", insideOnly + insideOnly + everywhere} {
		if _, err := outside([]byte(bad)); err == nil {
			t.Errorf("%q has no end and was cut", bad)
		}
	}
}
