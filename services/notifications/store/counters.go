// Package store has what notifications counts in its state store.
package store

import (
	"context"
	"slices"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

// Counters implements [notifications.Counters] on a state store. It is safe for concurrent use.
type Counters struct{ counters *document.Documents[counted] }

var _ notifications.Counters = Counters{}

// NewCounters makes counters in the store.
func NewCounters(state sidecar.State) Counters {
	return Counters{document.New[counted](state, "flood", document.Expiring(counterLife))}
}

// counterLife is how long a counter is kept: longer than the hour it counts.
const counterLife = 2 * time.Hour

// counted is a counter as it is stored: the marks of what it has counted.
type counted struct {
	Marks []string `json:"marks"`
}

// Count implements [notifications.Counters].
func (c Counters) Count(ctx context.Context, counter string, limit int,
	marks []string,
) (left int, err error) {
	_, err = c.counters.Change(ctx, counter, func(before counted, _ bool) (after counted, err error) {
		after, left = before.add(limit, marks)
		if len(after.Marks) == len(before.Marks) {
			return after, document.ErrUnchanged
		}
		return after, nil
	})
	return left, err
}

// add counts the marks that are not counted yet, the last of them only within the limit, and
// returns how many may follow that one, or -1 if it is not within the limit.
func (c counted) add(limit int, marks []string) (after counted, left int) {
	all := slices.Clone(c.Marks)
	last := marks[len(marks)-1]
	for _, m := range marks[:len(marks)-1] {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	if !slices.Contains(all, last) && len(all) < limit {
		all = append(all, last)
	}
	at := slices.Index(all, last)
	if at < 0 {
		return counted{all}, -1
	}
	return counted{all}, max(limit-1-at, 0)
}
