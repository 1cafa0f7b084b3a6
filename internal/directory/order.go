package directory

import "strings"

// An Order is what a list is ordered by, as each list names it; a minus in front turns it
// round.
type Order string

// Name is o without its direction.
func (o Order) Name() string { return strings.TrimPrefix(string(o), "-") }

// Down reports whether o is turned round.
func (o Order) Down() bool { return strings.HasPrefix(string(o), "-") }

// Turned is o in the other direction.
func (o Order) Turned() Order {
	if o.Down() {
		return Order(o.Name())
	}
	return "-" + o
}
