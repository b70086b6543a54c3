package tracing

import (
	"fmt"
	"slices"
	"strings"
)

// tree is the spans of one trace, by their ids.
type tree map[string]*span

// roots returns the spans that have no parent in the tree.
func (t tree) roots() []*span {
	return t.where(func(s *span) bool { return t[string(s.GetParentSpanId())] == nil })
}

func (t tree) children(of *span) []*span {
	return t.where(
		func(s *span) bool { return string(s.GetParentSpanId()) == string(of.GetSpanId()) },
	)
}

// where returns the spans that are wanted, by their start.
func (t tree) where(wanted func(*span) bool) []*span {
	var found []*span
	for _, s := range t {
		if wanted(s) {
			found = append(found, s)
		}
	}
	slices.SortFunc(
		found,
		func(a, b *span) int { return int(a.GetStartTimeUnixNano()) - int(b.GetStartTimeUnixNano()) },
	) //nolint:gosec // times
	return found
}

// path says whether there is a chain of spans, each somewhere below the one before it, that are
// made by whom the steps name and whose names begin as the steps say. It returns how far it led.
func (t tree) path(steps []step) (reached int) {
	for _, root := range t.roots() {
		reached = max(reached, t.follow(root, steps))
	}
	return reached
}

// step is a span on a path.
type step struct{ who, name string }

func (t tree) follow(from *span, steps []step) int {
	if len(steps) == 0 {
		return 0
	}
	here := 0
	if from.who() == steps[0].who && strings.HasPrefix(from.GetName(), steps[0].name) {
		here = 1
	}
	best := here
	for _, child := range t.children(from) {
		best = max(best, here+t.follow(child, steps[here:]))
	}
	return best
}

// String draws the tree, for who has to find out what is missing.
func (t tree) String() string {
	var b strings.Builder
	for _, root := range t.roots() {
		t.draw(&b, root, 0)
	}
	return b.String()
}

func (t tree) draw(b *strings.Builder, s *span, depth int) {
	fmt.Fprintf(b, "%s%s: %s\n", strings.Repeat("  ", depth), s.who(), s.GetName())
	for _, child := range t.children(s) {
		t.draw(b, child, depth+1)
	}
}
