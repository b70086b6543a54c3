package journal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
)

// rounds bounds the ids that one look at the backlog collects, in batches.
const rounds = 20

// offer is an entry on its way to the settler.
type offer struct {
	*entry
	gen   uint64 // the entry's when it was found due
	limit int    // the entry's
}

// reconcile looks for ids that are due, every Config.Every and when poked, and offers them to the settler.
func (j *Journal) reconcile(ctx context.Context, settler Settler) {
	batches := make(chan []offer)
	var workers sync.WaitGroup
	for range j.cfg.settleParallel {
		workers.Go(func() {
			for batch := range batches {
				j.settle(ctx, settler, batch)
			}
		})
	}
	defer workers.Wait()
	defer close(batches)
	for ctx.Err() == nil {
		due := j.due()
		for _, batch := range split(due, j.cfg.settleBatch) {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
		}
		if len(due) < rounds*j.cfg.settleBatch {
			pause(ctx.Done(), j.poked, nil, j.jitter(j.cfg.Every))
		}
	}
}

// due collects entries that are due, and marks their ids as being settled. An id may stand in several lanes; it is offered
// through one of them at a time.
func (j *Journal) due() []offer {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	var offers []offer
	for _, l := range j.held {
		for _, e := range l.entries {
			if len(offers) == rounds*j.cfg.settleBatch {
				return offers
			}
			if j.settling[e.id] || e.busy(now) || now.Before(e.next) || j.busyElsewhere(e, now) {
				continue
			}
			j.settling[e.id], e.again = true, false
			e.fence = e.fence || e.tickets > 0
			offers = append(offers, offer{entry: e, gen: e.gen, limit: e.limit})
		}
	}
	return offers
}

// busy reports whether a handler is at work on the entry. One that has outlived its grace does not count.
func (e *entry) busy(now time.Time) bool { return e.tickets > 0 && now.Before(e.dropped) }

func (j *Journal) busyElsewhere(e *entry, now time.Time) bool {
	if len(j.held) == 1 {
		return false
	}
	for _, l := range j.held {
		if other := l.entries[e.id]; other != nil && other != e && other.busy(now) {
			return true
		}
	}
	return false
}

// split makes batches of at most size, and smaller ones of ids whose larger batches failed.
func split(offers []offer, size int) [][]offer {
	bound := func(o offer) int {
		if o.limit == 0 {
			return size
		}
		return min(o.limit, size)
	}
	slices.SortStableFunc(offers, func(a, b offer) int { return bound(a) - bound(b) })
	var batches [][]offer
	for len(offers) > 0 {
		n := min(bound(offers[0]), len(offers))
		batches = append(batches, offers[:n])
		offers = offers[n:]
	}
	return batches
}

// settle makes one call to the settler and applies its answer.
func (j *Journal) settle(ctx context.Context, settler Settler, batch []offer) {
	offered, entries := j.revise(batch)
	if len(entries) == 0 {
		return
	}
	finished, err := j.call(ctx, settler, entries)
	j.apply(offered, finished, err)
	switch {
	case err != nil && ctx.Err() == nil:
		j.metrics.settles.WithLabelValues("error").Inc()
		j.cfg.Logger.Warn("unfinished work could not be driven on", "journal", j.cfg.Name, "ids", len(entries), "finished", len(finished), "error", err)
	case err == nil:
		j.metrics.settles.WithLabelValues("ok").Inc()
	}
}

// revise drops what a handler has begun, or what was finished, since the batch was made.
func (j *Journal) revise(batch []offer) (offered []offer, entries []Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	wall, now := j.cfg.now(), time.Now()
	for _, o := range batch {
		if o.seg == nil || o.lane.closed || o.entry.gen != o.gen || o.busy(now) {
			delete(j.settling, o.id)
			continue
		}
		offered = append(offered, o)
		entries = append(entries, Entry{ID: o.id, Since: o.since, Age: wall.Sub(o.since), Attempt: o.attempt + 1, Fence: o.fence})
	}
	return offered, entries
}

func (j *Journal) call(ctx context.Context, settler Settler, entries []Entry) (finished []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, j.cfg.settleTimeout)
	defer cancel()
	err = fault.Guard(ctx, func() error {
		finished, err = settler.Settle(ctx, entries)
		return err
	})
	return finished, err
}

// apply forgets the finished ids that have not been begun again meanwhile, and schedules the others.
func (j *Journal) apply(offered []offer, finished []string, err error) {
	done := make(map[string]bool, len(finished))
	for _, id := range finished {
		done[id] = true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	for _, o := range offered {
		e := o.entry
		delete(j.settling, e.id)
		switch {
		case e.gen != o.gen: // begun again: a new business
		case done[e.id]:
			e.finish()
		default:
			e.attempt++
			e.next = now.Add(j.backoff(e.attempt))
			if e.again {
				e.next = now
			}
			e.limit = 0
			if err != nil && len(finished) == 0 {
				e.limit = max(1, len(offered)/2)
			}
		}
	}
}

// backoff is the delay after the given number of attempts.
func (j *Journal) backoff(attempt int) time.Duration {
	d := j.cfg.maxBackoff
	if shift := attempt - 1; shift < 30 && j.cfg.Every<<shift < d {
		d = j.cfg.Every << shift
	}
	return j.jitter(d)
}

// patrol looks for lanes that hold work and have no living owner, and takes them over, one at a time so that replicas
// share them.
func (j *Journal) patrol(ctx, io context.Context) {
	wait := j.cfg.lease / 3
	for {
		pause(ctx.Done(), nil, nil, j.jitter(wait))
		if ctx.Err() != nil {
			return
		}
		wait = j.cfg.lease / 3
		more, err := j.inherit(io)
		if err != nil {
			j.cfg.Logger.Warn("lanes of the journal could not be looked at", "journal", j.cfg.Name, "error", err)
		}
		if more {
			wait = j.cfg.lease / 30
		}
	}
}

// inherit takes one lane over, and reports whether there are more.
func (j *Journal) inherit(ctx context.Context) (more bool, err error) {
	j.claiming.lock()
	defer j.claiming.unlock()
	found, err := j.survey(ctx)
	if err != nil {
		return false, err
	}
	chosen := j.choose(found, left, dead)
	if len(chosen) == 0 {
		return false, nil
	}
	l, err := j.claim(ctx, chosen[0])
	if err == nil {
		j.hold(ctx, l, false, chosen[0].standing)
	} else if errors.Is(err, errTaken) {
		err = nil
	}
	return len(chosen) > 1, err
}
