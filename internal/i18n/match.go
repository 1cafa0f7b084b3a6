package i18n

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxTags is how many languages of a list are looked at.
const maxTags = 20

// Match is the id of the locale to speak: the first that we have among those
// of the request (ui_locales, OpenID Connect Core §3.1.2.1), of the user, of
// the cookie and of the browser's Accept-Language; English otherwise.
func Match(uiLocales, user, cookie, acceptLanguage string) string {
	for _, tag := range firstTags(strings.Fields(uiLocales)) {
		if id := nearest(tag); id != "" {
			return id
		}
	}
	for _, tag := range []string{user, cookie} {
		if id := nearest(tag); id != "" {
			return id
		}
	}
	for _, tag := range accepted(acceptLanguage) {
		if id := nearest(tag); id != "" {
			return id
		}
	}
	return Source
}

func firstTags(tags []string) []string { return tags[:min(len(tags), maxTags)] }

// nearest is our locale for a language tag (RFC 4647 §3.4), or nothing.
// Chinese in traditional characters is not what zh-CN holds: who wants it and
// something else gets the something else.
func nearest(tag string) string {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	if tag == "" || len(tag) > 35 {
		return ""
	}
	ids := Locales()
	for t := tag; t != ""; t = t[:max(0, strings.LastIndexByte(t, '-'))] {
		for _, id := range ids {
			if strings.EqualFold(id, t) {
				return id
			}
		}
	}
	parts := strings.Split(tag, "-")
	for _, traditional := range []string{"hant", "tw", "hk", "mo"} {
		if slices.Contains(parts[1:], traditional) {
			return ""
		}
	}
	for _, id := range ids {
		if language, _, _ := strings.Cut(id, "-"); language == parts[0] {
			return id
		}
	}
	return ""
}

// accepted are the languages of an Accept-Language header, the dearest first
// (RFC 9110 §12.5.4).
func accepted(header string) []string {
	type choice struct {
		tag string
		q   float64
	}
	var choices []choice
	for _, part := range firstTags(strings.SplitN(header, ",", maxTags+1)) {
		tag, params, _ := strings.Cut(part, ";")
		c := choice{strings.TrimSpace(tag), 1}
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				continue
			}
			c.q = q
		}
		if c.q > 0 && c.q <= 1 && c.tag != "*" {
			choices = append(choices, c)
		}
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(b.q, a.q) })
	tags := make([]string, len(choices))
	for i, c := range choices {
		tags[i] = c.tag
	}
	return tags
}
