package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pocketid/internal/directory"
	"pocketid/internal/edge"
)

// The bounds of lists.
const (
	listLimit    = 20
	maxListLimit = 100
	maxListPage  = 1_000_000
	maxSearch    = 100 // characters
	maxFilters   = 100 // values, of all filters together
)

// A columns says which columns of a list can be sorted by and which can be filtered by.
type columns struct {
	sortable, filterable []string
	// values are all that a filter takes, where it is not any text.
	values map[string][]string
}

// queryOf reads what a request asks of a list. What cannot be understood is as if it had
// not been said, because that is what programs rely on; what is too much is cut.
func queryOf(r *http.Request, c columns) directory.Query {
	q := r.URL.Query()
	list := directory.Query{Limit: between(q.Get("pagination[limit]"), listLimit, maxListLimit), Search: text(q.Get("search")),
		Down: strings.EqualFold(q.Get("sort[direction]"), "desc"), Filters: map[string][]string{}}
	list.Offset = (between(q.Get("pagination[page]"), 1, maxListPage) - 1) * list.Limit
	if s := q.Get("sort[column]"); slices.Contains(c.sortable, s) {
		list.Sort = s
	}
	left := maxFilters
	for _, name := range c.filterable {
		for _, value := range filterOf(q, name) {
			if left--; left >= 0 {
				list.Filters[name] = append(list.Filters[name], text(value))
			}
		}
	}
	return list
}

// filterOf are the values of filters[name], with or without a number behind.
func filterOf(q url.Values, name string) (values []string) {
	for key, list := range q {
		if rest, ok := strings.CutPrefix(key, "filters["+name+"]"); ok && (rest == "" || strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]")) {
			values = append(values, list...)
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// between is a number from 1 to most, or otherwise.
func between(s string, otherwise, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return otherwise
	}
	return min(n, most)
}

// text is s as long as counts, or nothing when it is no text.
func text(s string) string {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return ""
	}
	if runes := []rune(s); len(runes) > maxSearch {
		s = string(runes[:maxSearch])
	}
	return strings.TrimSpace(s)
}

// sorted puts a list that is here as a whole in order.
func sorted[T any](list []T, down bool, compare func(x, y *T) int) {
	slices.SortStableFunc(list, func(x, y T) int {
		if down {
			return compare(&y, &x)
		}
		return compare(&x, &y)
	})
}

// A page is a part of a list.
type page[T any] struct {
	Data       []T        `json:"data"`
	Pagination pagination `json:"pagination"`
}

// pagination says which part it is.
type pagination struct {
	TotalPages   int `json:"totalPages"`
	TotalItems   int `json:"totalItems"`
	CurrentPage  int `json:"currentPage"`
	ItemsPerPage int `json:"itemsPerPage"`
}

// writePage answers a part of a list.
func writePage[T any](w http.ResponseWriter, q directory.Query, data []T, total int) error {
	if data == nil {
		data = []T{}
	}
	return edge.WriteJSON(w, http.StatusOK, page[T]{data, pagination{max((total+q.Limit-1)/q.Limit, 1), total, q.Offset/q.Limit + 1, q.Limit}})
}
