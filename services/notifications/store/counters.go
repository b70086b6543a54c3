// Package store has what notifications counts in its state store.
package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

// Counters implements [notifications.Counters] on a state store. It is safe for concurrent use.
type Counters struct{ state sidecar.State }

var _ notifications.Counters = Counters{}

// NewCounters makes counters in the store.
func NewCounters(state sidecar.State) Counters { return Counters{state} }

// counterLife is how long a counter is kept: longer than the hour it counts.
const counterLife = 2 * time.Hour

// counted is a counter as it is stored: the marks of what it has counted.
type counted struct {
	Marks []string `json:"marks"`
}

// Count implements [notifications.Counters].
func (c Counters) Count(ctx context.Context, counter string, limit int, marks []string) (left int, err error) {
	key := "flood/" + counter
	for range 16 {
		before, etag, err := c.load(ctx, key)
		if err != nil {
			return 0, err
		}
		after, left := before.add(limit, marks)
		if len(after.Marks) == len(before.Marks) {
			return left, nil
		}
		raw, err := json.Marshal(after)
		if err != nil {
			return 0, err
		}
		if etag == "" {
			err = c.state.Insert(ctx, key, raw, sidecar.WithTTL(counterLife))
		} else {
			err = c.state.Update(ctx, key, raw, etag, sidecar.WithTTL(counterLife))
		}
		if !sidecar.IsConflict(err) && !sidecar.IsExists(err) {
			return left, err
		}
	}
	return 0, fault.New(fault.Unavailable, "unavailable", "Too many messages are being counted at once; try again.")
}

func (c Counters) load(ctx context.Context, key string) (counted, string, error) {
	item, err := c.state.Get(ctx, key)
	if sidecar.IsMissing(err) {
		return counted{}, "", nil
	}
	if err != nil {
		return counted{}, "", err
	}
	var doc counted
	if err := json.Unmarshal(item.Value, &doc); err != nil {
		return counted{}, "", fmt.Errorf("counter %s: %w", key, err)
	}
	return doc, item.ETag, nil
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
