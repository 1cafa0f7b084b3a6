package protocol

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pocketid/internal/apptest"
)

// withoutWas are the forms that need not say what they showed, and why: what they do takes
// nothing back that somebody else did meanwhile.
var withoutWas = map[*regexp.Regexp]string{
	regexp.MustCompile(`/(delete|disable|enable|release|revoke|remove|end|everywhere|others|sign-out|stop|undo|again|forget|refresh)$`): "a deed that is named on its page, done or not",
	regexp.MustCompile(`/(new|tokens|secrets|link|exchanges|renew)$`):                                                                   "it adds something",
	regexp.MustCompile(`/(picture|logo/\{ground\}|pictures/\{name\})$`):                                                                 "the picture that is sent replaces whichever there is, as its button says",
	regexp.MustCompile(`/user-groups/\{id\}/members$`):                                                                                  "it puts people in and takes people out, one by one",
	regexp.MustCompile(`/users/picked$`):                                                                                                "a deed for those who are named",
	regexp.MustCompile(`/account/(look|passkeys/\{id\}/rename|passkeys/offer)$|/users/columns$`):                                        "a choice of one's own, of which the last counts",
	regexp.MustCompile(`^POST /(login|logout|language|theme|consent|device|lc)\b`):                                                      "nothing is edited there",
}

// merged are the forms that change only what was touched in them: what others changed stays
// without a question.
var merged = map[string]bool{"POST /settings/admin/user-groups/{id}/clients": true}

var wasField = regexp.MustCompile(`^was(_|$)`)

// altered are ways of changing one field of a form, as somebody would, with all else as it is.
func altered(f *apptest.Form) (list []url.Values) {
	for _, field := range f.Fields {
		v := maps.Clone(f.Values())
		at := slices.Index(v[field.Name], field.Value)
		put := func(to ...string) {
			v[field.Name] = slices.Concat(v[field.Name][:max(at, 0)], to, v[field.Name][min(max(at, 0)+1, len(v[field.Name])):])
			list = append(list, v)
		}
		switch {
		case wasField.MatchString(field.Name):
		case field.Kind == "checkbox" && field.On:
			put()
		case field.Kind == "checkbox", field.Kind == "radio" && !field.On:
			if field.Kind == "radio" {
				v.Set(field.Name, field.Value)
			} else {
				v[field.Name] = append(slices.Clone(v[field.Name]), field.Value)
			}
			list = append(list, v)
		case field.Kind == "select", field.Kind == "select-multiple":
			for _, option := range field.Options {
				if option != field.Value {
					v.Set(field.Name, option)
					list = append(list, v)
					break
				}
			}
		case !typed(&apptest.Form{Fields: []apptest.Field{field}}, field.Name):
		case field.Name == "owner": // which has to be somebody
			put("eve")
		case field.Kind == "email":
			put("b" + field.Value)
		case field.Value == "" && strings.HasSuffix(field.Name, "claims"):
			put("team2")
		default:
			if n, err := strconv.Atoi(field.Value); err == nil {
				put(strconv.Itoa(n + 1))
			} else {
				put(field.Value + "b")
			}
		}
	}
	return list
}

// A form that several people may have open says what it showed. Without that, or when it is
// not so any more, nothing changes, and the person hears what somebody else has changed.
func TestFormsSayWhatTheyShowed(t *testing.T) {
	tried := map[string]bool{}
	everyForm(t, func(t *testing.T, c *clerk, l leaf) {
		carries, excused := slices.ContainsFunc(l.form.Names(), wasField.MatchString), false
		for pattern := range withoutWas {
			excused = excused || pattern.MatchString(l.route)
		}
		if !l.form.Post || l.route == "" { // a ceremony, which a module carries on
			return
		}
		if carries == excused {
			t.Errorf("%s on %s: it says what it showed: %v; let it carry was, or say in withoutWas why it need not", l.route, l.page, carries)
		}
		key := l.route + " of " + c.Name
		if !carries || tried[key] {
			return
		}
		tried[key] = true
		send := func(values url.Values) (*apptest.Answer, []string) {
			c.comeBack()
			c.h.Settle()
			before := c.h.Rows()
			a := c.Raw(http.MethodPost, l.action, values, "same-origin")
			return a, changes(before, c.h.Rows())
		}
		now := func() *apptest.Form { // another form of the page may have been saved since
			for _, leaf := range c.leavesAt(l.page, routes(t)) {
				if leaf.action == l.action && leaf.route == l.route {
					return leaf.form
				}
			}
			t.Fatalf("%s has gone from %s", l.route, l.page)
			return nil
		}
		c.comeBack()
		before := now()
		ways := altered(before)
		if len(ways) == 0 && !merged[l.route] { // a question
			ways = []url.Values{before.Values()}
		}
		for name, was := range map[string][]string{"nothing": nil, "nonsense": {"[nonsense"}} {
			if merged[l.route] && was != nil {
				continue // an id that there is not
			}
			for _, way := range ways[:min(len(ways), 2)] {
				way = maps.Clone(way)
				for field := range way {
					if wasField.MatchString(field) {
						way[field] = was
					}
				}
				maps.DeleteFunc(way, func(_ string, v []string) bool { return v == nil })
				if a, changed := send(way); len(changed) > 0 || a.Status != http.StatusUnprocessableEntity {
					t.Errorf("%s that says of what it showed %s: %d, and it changed %v", l.route, name, a.Status, changed)
					return
				}
			}
		}
		saved := -1
		for i, way := range ways {
			if a, changed := send(way); a.Status == http.StatusSeeOther && len(changed) > 0 {
				saved = i
				break
			}
		}
		if saved < 0 && len(ways) > 0 {
			t.Errorf("%s: none of %d changes could be saved: %v", l.route, len(ways), ways)
			return
		}
		if merged[l.route] {
			return
		}
		for _, i := range slices.Compact(slices.Sorted(slices.Values([]int{0, saved, len(ways) - 1}))) {
			way := ways[i]
			a, changed := send(way)
			if len(changed) > 0 || a.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s that is older than what is stored: %d, and it changed %v by %v", l.route, a.Status, changed, way)
				return
			}
			// Settings and claims compare with what was typed, which may be what is stored by now.
			if strings.Contains(l.route, "/apis/") && !strings.Contains(a.Body, "Somebody else changed this while you were here") {
				t.Errorf("%s that is older than what is stored does not say what has changed", l.route)
			}
		}
		if strings.Contains(l.route, "application-configuration/") && !strings.HasSuffix(l.route, "/accounts") {
			return // there is something to set back
		}
		back := before.Values() // for the forms that follow
		for name, values := range now().Values() {
			if wasField.MatchString(name) {
				back[name] = values
			}
		}
		send(back)
	})
	if len(tried) < 15 {
		t.Errorf("only %d forms say what they showed", len(tried))
	}
}
