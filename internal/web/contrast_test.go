package web

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Whatever accent an administrator picks, words can be read: the rules of app.css are
// worked out for a grid of colours as a browser does, on light and on dark ground, and
// what is drawn is compared (WCAG 2.2 §1.4.3, §1.4.11).
func TestEveryAccentCanBeRead(t *testing.T) {
	b, err := ui.ReadFile("ui/assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), ":root,[data-accent]{\n")
	block, _, closed := strings.Cut(rest, "\n}}")
	if !found || !closed {
		t.Fatal("app.css has no block of derived colours")
	}
	rules := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+):([^;]+);`).FindAllStringSubmatch(block, -1) {
		rules[m[1]] = m[2]
	}
	pairs := []struct {
		text, ground string
		least        float64
	}{
		{"on-fill", "fill", 4.5}, {"on-fill", "fill-hover", 4.5}, {"on-band", "band", 4.5},
		{"link", "bg", 4.5}, {"link", "surface", 4.5}, {"link", "sunken", 4.5}, {"link", "soft", 4.5},
		{"text", "bg", 4.5}, {"text", "surface", 4.5}, {"text", "sunken", 4.5}, {"text", "soft", 4.5},
		{"muted", "bg", 4.5}, {"muted", "surface", 4.5}, {"muted", "sunken", 4.5},
		{"ok", "ok-soft", 4.5}, {"warn", "warn-soft", 4.5}, {"bad", "bad-soft", 4.5}, {"bad", "surface", 4.5},
		{"edge", "surface", 3}, {"edge", "bg", 3},
		{"fill", "surface", 1.2}, // what is said on it is what counts
	}
	worst := map[string]float64{}
	for _, accent := range accentGrid() {
		for _, dark := range []bool{false, true} {
			s := sheet{rules: rules, accent: accent, dark: dark, known: map[string]oklch{}}
			for _, p := range pairs {
				got := contrast(s.colour("var(--"+p.text+")"), s.colour("var(--"+p.ground+")"))
				name := fmt.Sprintf("%s on %s, dark %v", p.text, p.ground, dark)
				if was, ok := worst[name]; !ok || got < was {
					worst[name] = got
					if got < p.least {
						t.Errorf("%s: %.2f with the accent oklch(%.3f %.3f %.1f)", name, got, accent.l, accent.c, accent.h)
					}
				}
			}
		}
	}
	if len(worst) != 2*len(pairs) {
		t.Errorf("%d pairs were compared", len(worst))
	}
	// The swatches are what can be picked without knowing colours, and the test has to be able to fail.
	if got := contrast(oklch{.5, 0, 0}, oklch{.6, 0, 0}); got > 2 {
		t.Errorf("two greys that are alike have a contrast of %.2f", got)
	}
	if got := contrast(oklch{1, 0, 0}, oklch{0, 0, 0}); math.Abs(got-21) > .01 {
		t.Errorf("white on black has a contrast of %.2f", got)
	}
}

// accentGrid is colours of every lightness, strength and hue, also such as no screen has.
func accentGrid() (list []oklch) {
	for l := 0.; l <= 1.0001; l += .04 {
		for _, c := range []float64{0, .03, .09, .15, .22, .4} {
			for h := 0.; h < 360; h += 20 {
				list = append(list, oklch{math.Min(l, 1), c, h})
			}
		}
	}
	return list
}

// oklch is a colour as CSS Color 4 §9.4 has it.
type oklch struct{ l, c, h float64 }

// A sheet works out the colours of app.css for an accent.
type sheet struct {
	rules  map[string]string
	accent oklch
	dark   bool
	known  map[string]oklch
}

// colour is what a value of the sheet is.
func (s *sheet) colour(value string) oklch {
	value = strings.TrimSpace(value)
	if name, ok := strings.CutPrefix(value, "var(--"); ok {
		name = strings.TrimSuffix(name, ")")
		if name == "accent" {
			return s.accent
		}
		if c, ok := s.known[name]; ok {
			return c
		}
		rule, ok := s.rules[name]
		if !ok {
			panic("app.css derives no --" + name)
		}
		c := s.colour(rule)
		s.known[name] = c
		return c
	}
	if value == "#fff" {
		return oklch{1, 0, 0}
	}
	name, args, _ := strings.Cut(value, "(")
	args = strings.TrimSuffix(args, ")")
	switch name {
	case "light-dark":
		parts := split(args, ',')
		if s.dark {
			return s.colour(parts[1])
		}
		return s.colour(parts[0])
	case "oklch":
		parts := split(args, ' ')
		var from oklch
		if parts[0] == "from" {
			from = s.colour(parts[1])
			parts = parts[2:]
		}
		of := func(i int) float64 { return (&sum{text: parts[i], from: from}).whole() }
		return oklch{math.Min(math.Max(of(0), 0), 1), math.Max(of(1), 0), of(2)}
	}
	panic("not understood: " + value)
}

// split cuts at what stands in no bracket.
func split(s string, at byte) (parts []string) {
	depth, from := 0, 0
	for i := range len(s) {
		switch {
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		case s[i] == at && depth == 0:
			parts = append(parts, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[from:]))
}

// A sum is a term of a relative colour (CSS Values 4 §10).
type sum struct {
	text string
	from oklch
}

var (
	functionStart = regexp.MustCompile(`^(min|max|clamp|calc)?\(`)
	numberStart   = regexp.MustCompile(`^-?[0-9.]+`)
)

func (e *sum) whole() float64 {
	n := e.terms()
	if strings.TrimSpace(e.text) != "" {
		panic("left over: " + e.text)
	}
	return n
}

func (e *sum) take(s string) bool {
	e.text = strings.TrimLeft(e.text, " ")
	rest, ok := strings.CutPrefix(e.text, s)
	if ok {
		e.text = rest
	}
	return ok
}

func (e *sum) terms() float64 {
	n := e.factors()
	for {
		switch {
		case e.take("+ "):
			n += e.factors()
		case e.take("- "):
			n -= e.factors()
		default:
			return n
		}
	}
}

func (e *sum) factors() float64 {
	n := e.atom()
	for e.take("*") {
		n *= e.atom()
	}
	return n
}

func (e *sum) atom() float64 {
	e.text = strings.TrimLeft(e.text, " ")
	if len(e.text) == 1 || e.text != "" && strings.ContainsRune(" ,)-+*", rune(e.text[1])) {
		if i := strings.IndexByte("lch", e.text[0]); i >= 0 {
			e.text = e.text[1:]
			return []float64{e.from.l, e.from.c, e.from.h}[i]
		}
	}
	name := functionStart.FindString(e.text)
	if name == "" {
		number := numberStart.FindString(e.text)
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			panic("no number: " + e.text)
		}
		e.text = e.text[len(number):]
		return n
	}
	e.text = e.text[len(name):]
	args := []float64{e.terms()}
	for e.take(",") {
		args = append(args, e.terms())
	}
	if !e.take(")") {
		panic("not closed: " + e.text)
	}
	switch strings.Trim(name, " (") {
	case "min":
		return math.Min(args[0], args[1])
	case "max":
		return math.Max(args[0], args[1])
	case "clamp":
		return math.Max(args[0], math.Min(args[1], args[2]))
	}
	return args[0]
}

// light is the relative luminance of what a screen shows of a colour: channels that it does
// not have are cut, as browsers do.
func (c oklch) light() float64 {
	a, b := c.c*math.Cos(c.h*math.Pi/180), c.c*math.Sin(c.h*math.Pi/180)
	l, m, s := c.l+.3963377774*a+.2158037573*b, c.l-.1055613458*a-.0638541728*b, c.l-.0894841775*a-1.291485548*b
	l, m, s = l*l*l, m*m*m, s*s*s
	cut := func(x float64) float64 { return math.Min(math.Max(x, 0), 1) }
	return .2126*cut(4.0767416621*l-3.3077115913*m+.2309699292*s) + .7152*cut(-1.2684380046*l+2.6097574011*m-.3413193965*s) +
		.0722*cut(-.0041960863*l-.7034186147*m+1.707614701*s)
}

func contrast(a, b oklch) float64 {
	x, y := a.light(), b.light()
	return (math.Max(x, y) + .05) / (math.Min(x, y) + .05)
}
