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
// the dark only colours are others, so only they are checked again.
func (p *person) look(name string) {
	p.t.Helper()
	for scheme, rules := range map[string]string{"light": allRules, "dark": colourRules} {
		for _, width := range []int64{1280, 390} {
			p.scheme(scheme)
			p.size(width, 900)
			what := fmt.Sprintf("%s-%d-%s", name, width, scheme)
			p.axeFor(what, rules)
			p.shot(what)
			if over := p.value(`String(document.documentElement.scrollWidth - innerWidth)`); over != "0" && !strings.HasPrefix(over, "-") {
				p.t.Errorf("%s scrolls sideways by %s px", what, over)
			}
		}
	}
	p.scheme("light")
	p.size(1280, 900)
}
