package journal

import (
	"context"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
)

// rounds bounds the ids that one look at the backlog collects, in batches.
const rounds = 20

// settling offers unfinished ids to the settler.
type settling struct {
	p       *process
	lanes   *lanes
	poked   signal // something is due
	settler Settler
}

// offer is an entry on its way to the settler.
type offer struct {
	*entry
	gen   uint64 // the entry's when it was found due
	limit int    // the entry's
}

// run looks for ids that are due, every Config.Every and when poked, and offers them to the
// settler.
func (s *settling) run(ctx context.Context) {
	batches := make(chan []offer)
	var workers sync.WaitGroup
	for range s.p.cfg.settleParallel {
		workers.Go(func() {
			for batch := range batches {
				s.settle(ctx, batch)
			}
		})
	}
	defer workers.Wait()
	defer close(batches)
	for ctx.Err() == nil {
		due := s.due()
		for _, batch := range split(due, s.p.cfg.settleBatch) {
			select {
			case batches <- batch:
			case <-ctx.Done():
				return
			}
		}
		if len(due) < rounds*s.p.cfg.settleBatch {
			pause(ctx.Done(), s.poked, nil, s.p.jitter(s.p.cfg.Every))
		}
	}
}

// due collects entries that are due, and marks their ids as being settled. An id may stand in
// several lanes; it is offered through one of them at a time.
func (s *settling) due() []offer {
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	now := time.Now()
	var offers []offer
	for _, l := range s.lanes.held {
		for _, e := range l.entries {
			if len(offers) == rounds*s.p.cfg.settleBatch {
				return offers
			}
			if s.lanes.atWork[e.id] || e.busy(now) || now.Before(e.next) || s.busyElsewhere(e, now) {
				continue
			}
			s.lanes.atWork[e.id], e.again = true, false
			e.fence = e.fence || e.tickets > 0
			offers = append(offers, offer{entry: e, gen: e.gen, limit: e.limit})
		}
	}
	return offers
}

// busy reports whether a handler is at work on the entry. One that has outlived its grace does not
// count.
func (e *entry) busy(now time.Time) bool { return e.tickets > 0 && now.Before(e.dropped) }

func (s *settling) busyElsewhere(e *entry, now time.Time) bool {
	if len(s.lanes.held) == 1 {
		return false
	}
	for _, l := range s.lanes.held {
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
func (s *settling) settle(ctx context.Context, batch []offer) {
	offered, entries := s.revise(batch)
	if len(entries) == 0 {
		return
	}
	finished, err := s.call(ctx, entries)
	s.apply(offered, finished, err)
	switch {
	case err != nil && ctx.Err() == nil:
		s.p.metrics.settles.WithLabelValues("error").Inc()
		s.p.cfg.Logger.Warn("unfinished work could not be driven on", "journal", s.p.cfg.Name, "ids", len(entries), "finished", len(finished), "error", err)
	case err == nil:
		s.p.metrics.settles.WithLabelValues("ok").Inc()
	}
}

// revise drops what a handler has begun, or what was finished, since the batch was made.
func (s *settling) revise(batch []offer) (offered []offer, entries []Entry) {
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	wall, now := s.p.cfg.now(), time.Now()
	for _, o := range batch {
		if o.seg == nil || o.lane.closed || o.entry.gen != o.gen || o.busy(now) {
			delete(s.lanes.atWork, o.id)
			continue
		}
		offered = append(offered, o)
		entries = append(entries, Entry{ID: o.id, Since: o.since, Age: wall.Sub(o.since), Attempt: o.attempt + 1, Fence: o.fence})
	}
	return offered, entries
}

func (s *settling) call(ctx context.Context, entries []Entry) (finished []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.p.cfg.settleTimeout)
	defer cancel()
	err = fault.Guard(ctx, func() error {
		finished, err = s.settler.Settle(ctx, entries)
		return err
	})
	return finished, err
}

// apply forgets the finished ids that have not been begun again meanwhile, and schedules the
// others.
func (s *settling) apply(offered []offer, finished []string, err error) {
	done := make(map[string]bool, len(finished))
	for _, id := range finished {
		done[id] = true
	}
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	now := time.Now()
	for _, o := range offered {
		e := o.entry
		delete(s.lanes.atWork, e.id)
		switch {
		case e.gen != o.gen: // begun again: a new business
		case done[e.id]:
			e.finish()
		default:
			e.attempt++
			e.next = now.Add(s.backoff(e.attempt))
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
func (s *settling) backoff(attempt int) time.Duration {
	d := s.p.cfg.maxBackoff
	if shift := attempt - 1; shift < 30 && s.p.cfg.Every<<shift < d {
		d = s.p.cfg.Every << shift
	}
	return s.p.jitter(d)
}
