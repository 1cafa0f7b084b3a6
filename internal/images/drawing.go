package images

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A drawing (SVG) is a document: it can hold scripts, ask other hosts and refer to itself
// until a browser has no memory left. So it is read into a tree of what we know, which is
// then written anew; everything else is gone. It is served under a policy of its own, too
// (edge.Serve).

const (
	maxNodes = 20_000
	maxDepth = 100
	// maxDrawn is how many elements a drawing may have when each reference is written out.
	maxDrawn = 100_000
	// maxInner is how many pictures of pixels may be inside of a drawing.
	maxInner = 8
)

// redraw writes a drawing anew.
func redraw(file []byte) (Picture, error) {
	if len(file) > maxDrawing {
		return Picture{}, ErrTooLarge.With("max", "0.5").Because("a drawing of %d bytes", len(file))
	}
	root, err := parseDrawing(file)
	if err == nil {
		err = root.check()
	}
	if err != nil {
		return Picture{}, ErrUnreadable.Because("drawing: %w", err)
	}
	width, height := root.size()
	if width > maxSide || height > maxSide {
		return Picture{}, ErrTooManyPixels.With("width", fmt.Sprint(width)).With("height", fmt.Sprint(height))
	}
	var out bytes.Buffer
	root.write(&out)
	return made("image/svg+xml", width, height, out.Bytes()), nil
}

// A node is an element of a drawing, or text.
type node struct {
	name  string // "" is text
	attrs []xml.Attr
	text  string
	inner []*node
}

// parseDrawing reads a drawing into a tree without anything that is not on the lists.
func parseDrawing(file []byte) (*node, error) {
	if !utf8.Valid(file) {
		return nil, errors.New("it is not UTF-8")
	}
	d := xml.NewDecoder(bytes.NewReader(file))
	var root *node
	var open []*node
	skip, nodes, pictures := 0, 0, 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			name, known := elementOf(t.Name)
			switch {
			case skip > 0 || !known || root == nil && name != "svg" || root != nil && len(open) == 0:
				skip++
				continue
			case len(open) == maxDepth:
				return nil, errors.New("it is too deep")
			}
			if nodes++; nodes > maxNodes {
				return nil, errors.New("it has too many elements")
			}
			n := &node{name: name, attrs: attributes(name, t.Attr, &pictures)}
			if root == nil {
				root = n
			} else {
				open[len(open)-1].inner = append(open[len(open)-1].inner, n)
			}
			open = append(open, n)
		case xml.EndElement:
			if skip > 0 {
				skip--
				continue
			}
			last := open[len(open)-1]
			open = open[:len(open)-1]
			if last.name == "style" && !harmlessSheet(last.sheet()) {
				last.inner = nil
			}
		case xml.CharData:
			if skip == 0 && len(open) > 0 && texts[open[len(open)-1].name] {
				last := open[len(open)-1]
				last.inner = append(last.inner, &node{text: string(t)})
			}
		}
	}
	if root == nil {
		return nil, errors.New("there is no svg in it")
	}
	return root, nil
}

func set(names string) map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(names) {
		m[name] = true
	}
	return m
}

var (
	// elements are what a drawing may consist of: shapes, text, colours, and the filters
	// that ask for nothing. No script, no document of another kind, nothing that moves: an
	// animation can write attributes that are not on the list.
	elements = set(`svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan textPath image style
		linearGradient radialGradient stop pattern clipPath mask marker filter feBlend feColorMatrix feComponentTransfer feComposite
		feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset`)
	// groups are elements that say something we do not keep about what is in them.
	groups = set("a switch")
	// texts are elements in which characters mean something.
	texts = set("text tspan textPath title desc style")
	// attrs are what may be said about elements.
	attrs = set(`id class viewBox preserveAspectRatio width height x y x1 y1 x2 y2 cx cy r rx ry fx fy fr d points pathLength transform
		version fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray
		stroke-dashoffset opacity color display visibility overflow clip-path clip-rule clipPathUnits mask maskUnits maskContentUnits mask-type
		marker-start marker-mid marker-end markerUnits markerWidth markerHeight refX refY orient filter filterUnits primitiveUnits
		gradientUnits gradientTransform spreadMethod offset stop-color stop-opacity patternUnits patternContentUnits patternTransform
		font-family font-size font-style font-weight font-variant font-stretch letter-spacing word-spacing text-anchor text-decoration
		text-rendering dominant-baseline alignment-baseline baseline-shift direction writing-mode textLength lengthAdjust startOffset
		dx dy rotate shape-rendering image-rendering color-interpolation color-interpolation-filters vector-effect paint-order
		mix-blend-mode isolation in in2 result mode type values tableValues slope intercept amplitude exponent operator k1 k2 k3 k4
		stdDeviation edgeMode flood-color flood-opacity radius role aria-label aria-hidden`)
)

const (
	svgSpace   = "http://www.w3.org/2000/svg"
	xlinkSpace = "http://www.w3.org/1999/xlink"
)

// elementOf is the element that a name means here, and whether there is one.
func elementOf(name xml.Name) (string, bool) {
	if name.Space != "" && name.Space != svgSpace {
		return "", false
	}
	if groups[name.Local] {
		return "g", true
	}
	return name.Local, elements[name.Local]
}

// attributes are those of an element that are kept. Of addresses, which only some elements
// have, those within the drawing are kept, and pictures that lie in it.
func attributes(element string, all []xml.Attr, pictures *int) []xml.Attr {
	var kept []xml.Attr
	seen := map[string]bool{}
	keep := func(name, value string) {
		if !seen[name] {
			seen[name] = true
			kept = append(kept, xml.Attr{Name: xml.Name{Local: name}, Value: value})
		}
	}
	for _, a := range all {
		switch name := a.Name.Local; {
		case name == "href" && (a.Name.Space == "" || a.Name.Space == xlinkSpace):
			value := strings.TrimSpace(a.Value)
			switch {
			case strings.HasPrefix(value, "#"):
				keep("href", value)
			case element == "image":
				if *pictures++; *pictures <= maxInner {
					if data := innerPicture(value); data != "" {
						keep("href", data)
					}
				}
			}
		case a.Name.Space != "":
		case name == "style":
			if harmless(a.Value) {
				keep("style", a.Value)
			}
		case attrs[name]:
			if harmless(a.Value) {
				keep(name, a.Value)
			}
		}
	}
	return kept
}

// innerPicture makes a picture that lies in a drawing anew, too; "" of what is none.
func innerPicture(address string) string {
	head, data, ok := strings.Cut(address, ",")
	if !ok || !strings.HasPrefix(head, "data:image/") || !strings.HasSuffix(head, ";base64") {
		return ""
	}
	file, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, data))
	if err != nil {
		return ""
	}
	p, err := read(file, Want{Width: 512, Height: 512})
	if err != nil {
		return ""
	}
	return "data:" + p.Type + ";base64," + base64.StdEncoding.EncodeToString(p.Data)
}

// harmless says whether a value can be kept: it asks for nothing that is elsewhere, and
// hides nothing behind escapes.
func harmless(value string) bool {
	if strings.ContainsAny(value, `\<>{}@`) || strings.Contains(value, "/*") {
		return false
	}
	return localOnly(value)
}

// localOnly says whether all that a value of CSS refers to is within the drawing. Spaces
// are taken out first, since browsers do not mind them.
func localOnly(css string) bool {
	css = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '"' || r == '\'' || r == 0xa0 {
			return -1
		}
		return r
	}, strings.ToLower(css))
	for _, bad := range []string{"javascript:", "expression(", "behavior:", "-moz-binding", "image-set(", "image(", "src(", "cross-fade(", "element(", "http:", "https:", "data:"} {
		if strings.Contains(css, bad) {
			return false
		}
	}
	for rest := css; ; {
		_, after, found := strings.Cut(rest, "url(")
		if !found {
			return true
		}
		if !strings.HasPrefix(after, "#") {
			return false
		}
		rest = after
	}
}

// harmlessSheet is harmless for the text of a style element. What holds under conditions
// may stay; nothing else that begins with @.
func harmlessSheet(css string) bool {
	for {
		before, after, found := strings.Cut(css, "/*")
		if !found {
			break
		}
		_, after, found = strings.Cut(after, "*/")
		if !found {
			return false
		}
		css = before + " " + after
	}
	if strings.ContainsAny(css, `\<`) {
		return false
	}
	for i, part := range strings.Split(css, "@") {
		if i > 0 && !strings.HasPrefix(part, "media") {
			return false
		}
	}
	return localOnly(css)
}

// sheet is the text of a style element.
func (n *node) sheet() string {
	var b strings.Builder
	for _, t := range n.inner {
		b.WriteString(t.text)
	}
	return b.String()
}

// check refuses a drawing that becomes too much when its references are written out, and
// one that refers to itself.
func (n *node) check() error {
	byID, styled := map[string]*node{}, map[string][]string{}
	var learn func(*node)
	learn = func(n *node) {
		if n.name == "style" {
			sheetReferences(n.sheet(), styled)
		}
		if id := n.attr("id"); id != "" && byID[id] == nil {
			byID[id] = n
		}
		for _, i := range n.inner {
			learn(i)
		}
	}
	learn(n)
	known, under := map[*node]int{}, map[*node]bool{}
	var weigh func(*node) (int, error)
	weigh = func(n *node) (int, error) {
		if w, ok := known[n]; ok {
			return w, nil
		}
		if under[n] {
			return 0, errors.New("it refers to itself")
		}
		under[n] = true
		defer delete(under, n)
		sum := 1
		add := func(other *node) error {
			w, err := weigh(other)
			if sum += w; err == nil && sum > maxDrawn {
				err = errors.New("it becomes too much")
			}
			return err
		}
		for _, i := range n.inner {
			if err := add(i); err != nil {
				return 0, err
			}
		}
		ids := append([]string{}, styled[""]...)
		for _, class := range strings.Fields(n.attr("class")) {
			ids = append(ids, styled[class]...)
		}
		for _, a := range n.attrs {
			ids = append(ids, references(a)...)
		}
		for _, id := range ids {
			if other := byID[id]; other != nil {
				if err := add(other); err != nil {
					return 0, err
				}
			}
		}
		known[n] = sum
		return sum, nil
	}
	_, err := weigh(n)
	return err
}

// references are the ids that the value of an attribute refers to.
func references(a xml.Attr) (ids []string) {
	if a.Name.Local == "href" {
		if id, ok := strings.CutPrefix(a.Value, "#"); ok {
			return []string{id}
		}
		return nil
	}
	for rest := a.Value; ; {
		_, after, found := strings.Cut(rest, "url(")
		if !found {
			return ids
		}
		id, tail, _ := strings.Cut(after, ")")
		ids = append(ids, strings.Trim(id, "#\"' \t\r\n"))
		rest = tail
	}
}

// sheetReferences adds to styled what the rules of a sheet refer to, by the classes that
// they are for; "" is for every element.
func sheetReferences(css string, styled map[string][]string) {
	for rule := range strings.SplitSeq(css, "}") {
		at := strings.LastIndexByte(rule, '{')
		if at < 0 {
			continue
		}
		ids := references(xml.Attr{Value: rule[at:]})
		if len(ids) == 0 {
			continue
		}
		selectors := rule[strings.LastIndexByte(rule[:at], '{')+1 : at]
		for selector := range strings.SplitSeq(selectors, ",") {
			class := ""
			if _, after, found := strings.Cut(selector, "."); found {
				class = after[:len(after)-len(strings.TrimLeftFunc(after, func(r rune) bool {
					return r == '-' || r == '_' || r > 0x7f || unicode.IsLetter(r) || unicode.IsDigit(r)
				}))]
			}
			styled[class] = append(styled[class], ids...)
		}
	}
}

func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// size is how large a drawing wants to be; 0 when it does not say.
func (n *node) size() (width, height int) {
	if w, h := length(n.attr("width")), length(n.attr("height")); w > 0 && h > 0 {
		return w, h
	}
	box := strings.FieldsFunc(n.attr("viewBox"), func(r rune) bool { return r <= ' ' || r == ',' })
	if len(box) != 4 {
		return 0, 0
	}
	return length(box[2]), length(box[3])
}

// length reads a number of pixels; 0 of anything else.
func length(s string) int {
	f, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), "px"), 64)
	if err != nil || math.IsNaN(f) || f <= 0 || f > 1<<30 {
		return 0
	}
	return int(math.Ceil(f))
}

// write writes a drawing.
func (n *node) write(b *bytes.Buffer) {
	if n.name == "" {
		xml.EscapeText(b, []byte(n.text))
		return
	}
	b.WriteString("<" + n.name)
	if b.Len() == len("<svg") {
		b.WriteString(` xmlns="` + svgSpace + `"`)
		// Without a box it would not grow and shrink with the place that it gets.
		if w, h := n.size(); n.attr("viewBox") == "" && w > 0 {
			fmt.Fprintf(b, ` viewBox="0 0 %d %d"`, w, h)
		}
	}
	for _, a := range n.attrs {
		b.WriteString(" " + a.Name.Local + `="`)
		xml.EscapeText(b, []byte(a.Value))
		b.WriteString(`"`)
	}
	if len(n.inner) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	for _, i := range n.inner {
		i.write(b)
	}
	b.WriteString("</" + n.name + ">")
}
