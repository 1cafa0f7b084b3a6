package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

// violations says what axe-core finds on the page as it is now.
func (p *person) violations(rules string) []string {
	p.t.Helper()
	if has, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`"axe" in window`)); err != nil || !has {
		p.inject()
	}
	out, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`axe.run(document, `+rules+`).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + "\n\t" + v.nodes.map(n => n.html.slice(0, 200) + " :: " + n.failureSummary).join("\n\t"))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("axe-core: %v", err)
	}
	var found []string
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		p.fail("axe-core answered %q", out)
	}
	return found
}

// inject loads axe-core into the page.
func (p *person) inject() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](axeSource+"; undefined"))
		return err
	}))
}

// axe fails the test when axe-core finds anything on the page as it is now.
func (p *person) axe(what string) {
	p.t.Helper()
	p.axeFor(what, allRules)
}

// What axe-core is asked: everything, or what depends on colours, as options of its run.
const (
	allRules    = `{resultTypes: ["violations"]}`
	colourRules = `{resultTypes: ["violations"], runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}}`
)

func (p *person) axeFor(what, rules string) {
	p.t.Helper()
	for _, f := range p.violations(rules) {
		p.t.Errorf("%s: axe-core finds %s", what, f)
	}
}

// look checks the page with axe-core, and pictures it, wide and narrow, light and dark. In
// the dark only colours are others, so only they are checked again. A page looks alike on
// both engines, so the journey on SQLite looks at it for both. In between it is as wide as
// a window of 1280 pixels whose reader makes all twice as large.
func (p *person) look(name string) {
	p.t.Helper()
	if p.s.dsn != "" {
		return
	}
	for _, width := range []int64{640, 390, 1280} { // it ends as it began
		p.size(width, 900)
		if over := p.value(`String(document.documentElement.scrollWidth - innerWidth)`); over != "0" && !strings.HasPrefix(over, "-") {
			p.t.Errorf("%s-%d scrolls sideways by %s px", name, width, over)
		}
		if width == 640 {
			continue // what axe-core finds there it finds at 390 as well
		}
		for _, in := range []struct{ scheme, rules string }{{"dark", colourRules}, {"light", allRules}} {
			p.scheme(in.scheme)
			what := fmt.Sprintf("%s-%d-%s", name, width, in.scheme)
			p.axeFor(what, in.rules)
			p.shot(what)
		}
	}
}
