package images

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

const openSVG = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">`

func drawn(t *testing.T, inside string) string {
	t.Helper()
	p, err := Read(t.Context(), []byte(openSVG+inside+"</svg>"), ForLogo)
	if err != nil {
		t.Fatalf("%s: %v", inside, err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(p.Data), `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"`), "</svg>")
}

// What a drawing is made of stays; what runs, asks elsewhere or is of another kind is gone.
func TestDrawing(t *testing.T) { // threats 29
	for name, c := range map[string]struct{ in, out string }{
		"keeps shapes":                  {`<path d="M0 0h9" fill="#123" stroke-width="2"/>`, `><path d="M0 0h9" fill="#123" stroke-width="2"/>`},
		"keeps text":                    {`<text x="1">A &amp; <tspan>B</tspan></text>`, `><text x="1">A &amp; <tspan>B</tspan></text>`},
		"keeps what it refers to":       {`<defs><linearGradient id="g"/></defs><rect fill="url(#g)"/><use xlink:href="#g"/>`, `><defs><linearGradient id="g"/></defs><rect fill="url(#g)"/><use href="#g"/>`},
		"keeps a sheet":                 {`<style>.a{fill:red} @media (prefers-color-scheme:dark){.a{fill:blue}}</style>`, `><style>.a{fill:red} @media (prefers-color-scheme:dark){.a{fill:blue}}</style>`},
		"keeps what is in links":        {`<a href="https://evil.example"><rect/></a>`, `><g><rect/></g>`},
		"drops scripts":                 {`<script>alert(1)</script><rect/>`, `><rect/>`},
		"drops scripts of another name": {`<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>`, `/>`},
		"drops documents in it":         {`<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="alert(1)"/></body></foreignObject>`, `/>`},
		"drops handlers":                {`<rect onload="alert(1)" onclick="alert(1)" width="1"/>`, `><rect width="1"/>`},
		"drops what moves":              {`<rect><set attributeName="href" to="javascript:alert(1)"/><animate attributeName="x" values="1;2"/></rect>`, `><rect/>`},
		"drops addresses":               {`<image href="https://evil.example/a.png"/><use href="https://evil.example/#a"/><use xlink:href="javascript:alert(1)"/><use href="data:image/svg+xml,x#a"/>`, `><image/><use/><use/><use/>`},
		"drops addresses in styles":     {`<rect style="fill:url(https://evil.example/x)" fill="url(//evil.example)" width="1"/>`, `><rect width="1"/>`},
		"drops what is hidden in one":   {`<rect style="fill:u\72l(https://evil.example/x)"/><rect style="fill:url( ' https://evil.example')"/><rect style="fill:URL(//e)"/>`, `><rect/><rect/><rect/>`},
		"drops sheets that ask":         {`<style>@import "https://evil.example/x.css";</style><style>a{background:url(https://evil.example)}</style><style>@font-face{src:url(#x)}</style>`, `><style/><style/><style/>`},
		"keeps comments of sheets":      {`<style>a{/* x */fill:red}</style>`, `><style>a{/* x */fill:red}</style>`},
		"drops what follows a comment":  {`<style>a{/* x */fill:url(/**/https://evil.example)}</style><style>a{/*}</style>`, `><style/><style/>`},
		"drops instructions":            {`<?xml-stylesheet href="https://evil.example"?><!-- <script> --><rect/>`, `><rect/>`},
		"drops what it does not know":   {`<sodipodi:namedview xmlns:sodipodi="http://s"/><marquee/><rect data-x="1" xml:base="https://evil.example"/>`, `><rect/>`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := drawn(t, c.in); got != c.out {
				t.Errorf("got  %s\nwant %s", got, c.out)
			}
		})
	}
}

// A picture of pixels inside of a drawing is made anew as well; one that is none is gone.
func TestPictureInADrawing(t *testing.T) { // threats 29, 78
	held := func(file []byte, kind string) string {
		return `<image href="data:` + kind + ";base64," + base64.StdEncoding.EncodeToString(file) + `"/>`
	}
	out := drawn(t, held(withSegment(jpegOf(t, quarters(64, 32)), 0xfe, "HERE I LIVE"), "image/jpeg"))
	_, data, found := strings.Cut(out, `href="data:image/png;base64,`)
	file, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(data, `"/>`))
	if !found || err != nil || strings.Contains(string(file), "HERE I LIVE") {
		t.Errorf("got %s: %v", out, err)
	}
	for _, bad := range []string{held([]byte(openSVG+"<script/></svg>"), "image/svg+xml"), held([]byte("x"), "image/png"), `<image href="data:text/html;base64,PGI+"/>`} {
		if got := drawn(t, bad); got != `><image/>` {
			t.Errorf("%s is %s", bad, got)
		}
	}
	if got := drawn(t, strings.Repeat(held(pngOf(t, quarters(2, 2)), "image/png"), maxInner+3)); strings.Count(got, "data:") != maxInner {
		t.Errorf("%d pictures are in it", strings.Count(got, "data:"))
	}
}

// A drawing that would take all of the memory of a browser is refused.
func TestDrawingsThatGrow(t *testing.T) { // threats 29, 78
	laughs, classes := "", "<style>"
	for i := range 10 {
		laughs += fmt.Sprintf(`<g id="l%d">`, i+1) + strings.Repeat(fmt.Sprintf(`<use href="#l%d"/>`, i), 10) + `</g>`
		classes += fmt.Sprintf(".c%d{mask:url(#m%d)}", i, i)
	}
	classes += "</style>"
	for i := range 10 {
		classes += fmt.Sprintf(`<mask id="m%d">`, i) + strings.Repeat(fmt.Sprintf(`<rect class="c%d"/>`, i-1), 10) + `</mask>`
	}
	for name, inside := range map[string]string{
		"one laugh of another": `<g id="l0"><rect/></g>` + laughs,
		"by their classes":     classes,
		"itself":               `<g id="a"><use href="#a"/></g>`,
		"each other":           `<pattern id="a"><rect fill="url(#b)"/></pattern><pattern id="b"><rect fill="url('#a')"/></pattern>`,
		"too many":             strings.Repeat("<g/>", maxNodes+1),
		"too deep":             strings.Repeat("<g>", maxDepth) + strings.Repeat("</g>", maxDepth),
	} {
		if got := refused(t, []byte(openSVG+inside+"</svg>"), ForLogo); got != "image_unreadable" {
			t.Errorf("%s: it is refused with %s", name, got)
		}
	}
}

func TestSizeOfADrawing(t *testing.T) {
	for attrs, want := range map[string][2]int{
		`width="10" height="20px"`: {10, 20}, `viewBox="0 0 30 40"`: {30, 40}, `width="100%" viewBox="0,0,5,6"`: {5, 6}, ``: {0, 0}, `width="NaN" height="1"`: {0, 0},
	} {
		p, err := Read(t.Context(), []byte(`<svg `+attrs+`/>`), ForLogo)
		if err != nil || p.Width != want[0] || p.Height != want[1] {
			t.Errorf("%s: got %d by %d, %v", attrs, p.Width, p.Height, err)
		}
		if want[0] > 0 && !strings.Contains(string(p.Data), "viewBox") {
			t.Errorf("%s: it cannot be scaled: %s", attrs, p.Data)
		}
	}
}

// FuzzDrawing reads any text as a drawing: whatever comes out is well-formed, has only what
// is on the lists, refers to nothing elsewhere, and is the same when it is read again.
func FuzzDrawing(f *testing.F) { // threats 29
	for _, seed := range []string{`<rect onload="alert(1)"/>`, `<script>alert(1)</script>`, `<style>@import "x"</style>`, `<use href="#a" id="a"/>`, `<image href="data:image/png;base64,AAAA"/>`,
		`<text>a<![CDATA[<script>]]></text>`, `<x:rect xmlns:x="http://www.w3.org/2000/svg" x:onload="1"/>`, `<rect style="fill:url(#a)"/>`} {
		f.Add(openSVG + seed + "</svg>")
	}
	f.Fuzz(func(t *testing.T, file string) {
		p, err := redraw([]byte(file))
		if err != nil {
			return
		}
		for d := xml.NewDecoder(strings.NewReader(string(p.Data))); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is no XML: %v", p.Data, err)
			}
			switch token := token.(type) {
			case xml.ProcInst, xml.Directive, xml.Comment:
				t.Fatalf("%s has a %T", p.Data, token)
			case xml.StartElement:
				if token.Name.Space != svgSpace || !elements[token.Name.Local] {
					t.Fatalf("%s has the element %v", p.Data, token.Name)
				}
				for _, a := range token.Attr {
					name := a.Name.Local
					if a.Name.Space != "" || !attrs[name] && name != "href" && name != "style" && name != "xmlns" {
						t.Fatalf("%s has the attribute %v", p.Data, a.Name)
					}
					if name == "href" && !strings.HasPrefix(a.Value, "#") && !strings.HasPrefix(a.Value, "data:image/png;") && !strings.HasPrefix(a.Value, "data:image/jpeg;") {
						t.Fatalf("%s leads elsewhere", p.Data)
					}
				}
			}
		}
		again, err := redraw(p.Data)
		if err != nil || string(again.Data) != string(p.Data) {
			t.Fatalf("read again it is %s (%v), not %s", again.Data, err, p.Data)
		}
	})
}
