package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"pocketid/internal/directory"
	"pocketid/internal/fault"
)

// What is refused about claims in a form, and is no fault of the claims themselves.
var (
	errClaimNameMissing = fault.New(fault.Invalid, "claim_name_missing")
	errClaimRepeated    = fault.New(fault.Invalid, "claim_repeated")
)

// A claimList is custom claims in a form (part "claims"), with an empty row at the end.
type claimList struct {
	Err  string // about all of them
	Rows []claimRow
}

// A claimRow is a claim in a form.
type claimRow struct {
	Name, Value string
	Kind        directory.ClaimKind
	Kinds       []claimKind

	// ID and ValueID are those of the fields of name and value, and Err and ValueErr
	// what is wrong with them.
	ID, ValueID   string
	Err, ValueErr string
	Number        int
}

// A claimKind is a kind that a row offers.
type claimKind struct {
	directory.ClaimKind
	Chosen bool
}

// Words is the key of what the kind is called.
func (k claimKind) Words() string { return "claims.kind." + string(k.ClaimKind) }

// claimListOf shows the claims that somebody has.
func claimListOf(f *Frame, claims map[string]any) claimList {
	var rows []claimRow
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		kind, value := directory.FormatClaim(claims[name])
		rows = append(rows, claimRow{Name: name, Kind: kind, Value: value})
	}
	return listClaims(f, rows)
}

// typedClaims shows the claims of a form again, with its fault.
func typedClaims(f *Frame, form url.Values) claimList { return listClaims(f, claimRows(form)) }

func listClaims(f *Frame, rows []claimRow) claimList {
	l := claimList{Err: f.Err("claims"), Rows: append(rows, claimRow{Kind: directory.ClaimText})}
	for i := range l.Rows {
		row := &l.Rows[i]
		row.Number, row.ID, row.ValueID = i+1, claimField(i), claimValueField(i)
		row.Err, row.ValueErr = f.Err(row.ID), f.Err(row.ValueID)
		for _, kind := range directory.ClaimKinds {
			row.Kinds = append(row.Kinds, claimKind{kind, kind == row.Kind})
		}
	}
	return l
}

func claimField(i int) string      { return fmt.Sprintf("claims[%d]", i) }
func claimValueField(i int) string { return fmt.Sprintf("claims_value[%d]", i) }

// claimRows reads the rows of a form in which something was typed.
func claimRows(form url.Values) []claimRow {
	at := func(field string, i int) string {
		if i < len(form[field]) {
			return form[field][i]
		}
		return ""
	}
	var rows []claimRow
	for i, name := range form["claims"] {
		row := claimRow{Name: strings.TrimSpace(name), Value: at("claims_value", i), Kind: directory.ClaimKind(at("claims_kind", i))}
		if !slices.Contains(directory.ClaimKinds, row.Kind) {
			row.Kind = directory.ClaimText
		}
		if row.Name != "" || strings.TrimSpace(row.Value) != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// claimsOf reads the claims of a form. Its fault names the field at which it stands on
// the page that typedClaims shows.
func claimsOf(form url.Values) (map[string]any, error) {
	claims := map[string]any{}
	places := map[string]int{}
	for i, row := range claimRows(form) {
		if row.Name == "" {
			return nil, errClaimNameMissing.At(claimField(i))
		}
		if _, twice := places[row.Name]; twice {
			return nil, errClaimRepeated.At(claimField(i)).With("name", row.Name)
		}
		value, err := directory.ParseClaim(row.Kind, row.Value)
		if err != nil {
			return nil, fault.Of(err).At(claimValueField(i)).With("name", row.Name)
		}
		claims[row.Name], places[row.Name] = value, i
	}
	if err := directory.CheckClaims(claims); err != nil {
		f := fault.Of(err)
		if i, ok := places[f.Params["name"]]; ok {
			return nil, f.At(claimField(i))
		}
		return nil, f
	}
	return claims, nil
}
