package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sidecart.dev/kit/sidecar"
)

// handle is a request: it adds one piece of business to an aggregate, following the rules of the
// package documentation. With first it tries an insert before it reads. It reports whether the
// client was told of success.
func (r *replica) handle(ctx context.Context, id string, first bool) bool {
	key := "aggregate/" + id
	var item sidecar.Item
	if !first {
		var err error
		if item, err = r.Get(ctx, key); err != nil && !sidecar.IsMissing(err) {
			return false
		}
	}
	for range 5 {
		ticket, err := r.journal.Begin(ctx, id)
		if err != nil {
			return false
		}
		time.Sleep(r.upTo(10 * time.Second))
		var a aggregate
		_ = json.Unmarshal(item.Value, &a) // nothing and a tombstone have nothing to do
		a.Todo++
		whole := r.chance(0.2) // the handler does all the business at once
		if whole {
			a.Done = a.Todo
		}
		if item.ETag == "" {
			err = r.Insert(ctx, key, encode(a))
		} else {
			err = r.Update(ctx, key, encode(a), item.ETag)
		}
		time.Sleep(r.upTo(time.Second))
		switch {
		case err == nil:
			switch {
			case whole:
				ticket.Finish()
			case r.chance(0.8):
				ticket.Wrote()
			case r.chance(0.5):
				ticket.Release()
			default: // a handler that hangs or has a defect
			}
			return true
		case sidecar.IsExists(err), sidecar.IsConflict(err):
			ticket.Wrote()
		default:
			ticket.Release()
			return false
		}
		if item, err = r.Get(ctx, key); err != nil && !sidecar.IsMissing(err) {
			return false
		}
	}
	return false
}

// finish tells the journal what somebody saw who is not the settler.
func (r *replica) finish(ctx context.Context, id string) {
	asOf := time.Now()
	item, err := r.Get(ctx, "aggregate/"+id)
	var a aggregate
	if err == nil && json.Unmarshal(item.Value, &a) == nil && a.Todo == a.Done {
		time.Sleep(r.upTo(5 * time.Second))
		r.journal.Finish(asOf, id)
	}
}

// Settle drives aggregates on, and sometimes fails.
func (r *replica) Settle(ctx context.Context, entries []Entry) (finished []string, err error) {
	r.enter(entries, 1)
	defer r.enter(entries, -1)
	for _, e := range entries {
		if done, err := r.drive(ctx, e); err != nil {
			return finished, err
		} else if done {
			finished = append(finished, e.ID)
		}
	}
	return finished, nil
}

func (r *replica) drive(ctx context.Context, e Entry) (finished bool, err error) {
	key := "aggregate/" + e.ID
	if e.Fence {
		if _, ok, err := Fence(ctx, r, key, []byte(testTombstone), 24*time.Hour); err != nil || !ok {
			return err == nil, err
		}
	}
	item, err := r.Get(ctx, key)
	if sidecar.IsMissing(err) {
		return true, nil
	}
	var a aggregate
	if err == nil {
		err = json.Unmarshal(item.Value, &a)
	}
	if err != nil || a.Todo == a.Done {
		return err == nil, err
	}
	if time.Sleep(r.upTo(5 * time.Second)); r.chance(0.2) {
		return false, nil // the next service does not answer
	}
	a.Done = a.Todo
	err = r.Update(ctx, key, encode(a), item.ETag)
	if sidecar.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}

// enter checks that no id is settled twice at a time by one process.
func (r *replica) enter(entries []Entry, by int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		if r.inSettler[e.ID] += by; r.inSettler[e.ID] > 1 {
			r.broken = append(r.broken, fmt.Sprintf("%s was offered %s twice at a time", r.name, e.ID))
		}
	}
}
