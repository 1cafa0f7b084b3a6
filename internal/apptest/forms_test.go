package apptest

import (
	"reflect"
	"testing"
)

func TestFormsAreReadAsABrowserReadsThem(t *testing.T) {
	forms := Forms(`<form method="get" role="search"><input type=search name="q" value="a &amp; &quot;b&quot;"></form>
		<!-- <form method="post"><input name="not"></form> --><input name="outside">
		<form id="a" method="POST" action="/x?y=1&amp;z=2"><input type="hidden" name="id" value="1"><input name="t"><textarea name="d" rows=3>
one &lt; two
</textarea><input type="checkbox" name="c"><input type="checkbox" name="c" value="2" checked><input type="radio" name="r" value="l" checked>
<input type="radio" name="r" value="m"><select name="s"><option value="1">One</option><option value="2" selected>Two</option></select>
<select name="n"><option value="f">F</option></select><select name="m" multiple><option value="g">G</option></select><select name="mm" multiple><option value="g" selected>G</option><option value="h" selected>H</option></select>
<input name="gone" disabled><button name="do" value="it">Do</button><button>Save</button></form>
		<button name="later" form="a" value="x">Later</button><select name="e" form="a"><option value="30">30</option></select>`)
	if len(forms) != 2 || forms[0].Post || !forms[1].Post || forms[1].Action != "/x?y=1&z=2" {
		t.Fatalf("read %+v", forms)
	}
	if got := forms[0].Values().Get("q"); got != `a & "b"` {
		t.Errorf("q is %q", got)
	}
	want := map[string][]string{"id": {"1"}, "t": {""}, "d": {"one < two\n"}, "c": {"2"}, "r": {"l"}, "s": {"2"}, "n": {"f"}, "mm": {"g", "h"}, "e": {"30"}}
	if got := map[string][]string(forms[1].Values()); !reflect.DeepEqual(got, want) {
		t.Errorf("a browser sends %v, want %v", got, want)
	}
	if got := forms[1].Names(); !reflect.DeepEqual(got, []string{"id", "t", "d", "c", "r", "s", "n", "m", "mm", "do", "later", "e"}) {
		t.Errorf("the names are %v", got)
	}
}
