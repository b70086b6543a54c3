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
func (c Counters) Count(ctx context.Context, counter string, limit int, marks []string) (bool, error) {
	key := "flood/" + counter
	for range 16 {
		before, etag, err := c.load(ctx, key)
		if err != nil {
			return false, err
		}
		after, allowed := before.add(limit, marks)
		if len(after.Marks) == len(before.Marks) {
			return allowed, nil
		}
		raw, err := json.Marshal(after)
		if err != nil {
			return false, err
		}
		if etag == "" {
			err = c.state.Insert(ctx, key, raw, sidecar.WithTTL(counterLife))
		} else {
			err = c.state.Update(ctx, key, raw, etag, sidecar.WithTTL(counterLife))
		}
		if !sidecar.IsConflict(err) && !sidecar.IsExists(err) {
			return allowed, err
		}
	}
	return false, fault.New(fault.Unavailable, "unavailable", "Too many messages are being counted at once; try again.")
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

// add counts the marks that are not counted yet, the last of them only within the limit, and reports whether that one is counted.
func (c counted) add(limit int, marks []string) (counted, bool) {
	all := slices.Clone(c.Marks)
	last := len(marks) - 1
	for _, m := range marks[:last] {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	switch {
	case slices.Contains(all, marks[last]):
		return counted{all}, true
	case len(all) >= limit:
		return counted{all}, false
	}
	return counted{append(all, marks[last])}, true
}
