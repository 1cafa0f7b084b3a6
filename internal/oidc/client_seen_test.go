package oidc

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

// Every part that is recorded can be caught up with, each by itself.
func TestCatchUpKnowsEveryPart(t *testing.T) {
	var zero Client
	names := []string{}
	for _, part := range clientParts {
		names = append(names, part.name)
	}
	if got := slices.Sorted(maps.Keys(zero.record())); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
		t.Fatalf("recorded are %q, known are %q", got, names)
	}
	var full ClientEdit
	fill(t, reflect.ValueOf(&full).Elem())
	was := ClientEdit{}.Seen()
	if got := was.changed(full.Seen()); !slices.Equal(got, names) {
		t.Fatalf("of all parts that differ these are seen: %q", got)
	}
	for _, part := range clientParts {
		var theirs ClientEdit
		part.take(&theirs, &full)
		got, changed := ClientEdit{}.CatchUp(was, theirs)
		if !slices.Equal(changed, []string{part.name}) || len(got.Seen().changed(theirs.Seen())) != 0 {
			t.Errorf("%s: changed are %q, the edit is %+v", part.name, changed, got)
		}
		// What was typed stays.
		if got, _ := full.CatchUp(was, theirs); len(got.Seen().changed(full.Seen())) != 0 {
			t.Errorf("%s: of what was typed is left %+v", part.name, got)
		}
	}
	if got := (ClientEdit{RedirectURIs: []URI{}, AllowedGroups: []string{}}).Seen(); len(was.changed(got)) != 0 {
		t.Error("an empty list is not one that is not there")
	}
}

// fill sets everything in v to something.
func fill(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(t, f)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(time.Minute))
	default:
		t.Fatalf("a %s cannot be filled", v.Kind())
	}
}

func TestReviseClient(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		c, _, err := h.p.AddClient(t.Context(), admin, ClientEdit{Name: "shop", RedirectURIs: []URI{{URI: "https://shop.example/cb"}}})
		must(t, err)
		was := c.Edit().Seen()
		first, second := c.Edit(), c.Edit()
		first.GroupRestricted, second.Name = true, "Shop"
		_, err = h.p.ReviseClient(t.Context(), admin, c.ID, was, first)
		must(t, err)
		_, err = h.p.ReviseClient(t.Context(), admin, c.ID, was, second)
		wantFault(t, err, ErrStale, "")
		now, err := h.p.Client(t.Context(), admin, c.ID)
		must(t, err)
		if !now.GroupRestricted || now.Name != "shop" {
			t.Errorf("the client is %+v", now)
		}
		second, changed := second.CatchUp(was, now.Edit())
		if !slices.Equal(changed, []string{"group_restricted"}) {
			t.Errorf("changed are %q", changed)
		}
		_, err = h.p.ReviseClient(t.Context(), admin, c.ID, now.Edit().Seen(), second)
		must(t, err)
		_, err = h.p.ReviseClient(t.Context(), admin, c.ID, nil, second)
		wantFault(t, err, ErrStale, "")
		now, err = h.p.Client(t.Context(), admin, c.ID)
		must(t, err)
		if !now.GroupRestricted || now.Name != "Shop" {
			t.Errorf("the client is %+v", now)
		}
	})
}
