package sidecartest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Cost is what one kind of call may come to.
type Cost struct {
	Call           string  // as [Tally] names it
	Alone, Company float64 // calls for each item: of one by itself, and of many of the same moment
	Why            string
}

// Allow is a line of a budget: what one kind of call may come to for each item, and why it is made.
func Allow(call string, alone, company float64, why string) Cost {
	return Cost{Call: call, Alone: alone, Company: company, Why: why}
}

// Budget is every call that some work may make. What is not in it may not be called.
type Budget []Cost

// Check fails the test if the work on a number of items of the same moment has made more calls than
// the budget allows.
func (b Budget) Check(t testing.TB, calls map[string]int, items int) {
	t.Helper()
	for _, what := range b.exceeded(calls, items) {
		t.Error(what)
	}
	total, allowed := 0, 0.0
	for _, n := range calls {
		total += n
	}
	for _, c := range b {
		allowed += c.of(items)
	}
	t.Logf("%d at once: %.2f calls for each, of at most %.2f",
		items, float64(total)/float64(items), allowed)
}

func (c Cost) of(items int) float64 {
	if items == 1 {
		return c.Alone
	}
	return c.Company
}

func (b Budget) exceeded(calls map[string]int, items int) (what []string) {
	left := maps.Clone(calls)
	for _, c := range b {
		if each := float64(calls[c.Call]) / float64(items); each > c.of(items) {
			what = append(what, fmt.Sprintf("%s: %.2f for each of %d at once, want at most %.2f: %s",
				c.Call, each, items, c.of(items), c.Why))
		}
		delete(left, c.Call)
	}
	for _, call := range slices.Sorted(maps.Keys(left)) {
		what = append(what, fmt.Sprintf("%s: %d for %d at once, want none", call, left[call], items))
	}
	return what
}

// Tally counts the calls of a process, named by the operation and by what about says of it and of
// the key, topic or path. Calls of which that is empty are left out.
func Tally(calls []string, about func(op, what string) string) map[string]int {
	tally := map[string]int{}
	for _, call := range calls {
		op, what, _ := strings.Cut(call, " ")
		if name := about(op, what); name != "" {
			tally[op+" "+name]++
		}
	}
	return tally
}
