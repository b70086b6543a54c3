package journal

import (
	"context"
	"slices"
	"sync"

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
		due := s.lanes.due(rounds * s.p.cfg.settleBatch)
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
	offered, entries := s.lanes.revise(batch)
	if len(entries) == 0 {
		return
	}
	finished, err := s.call(ctx, entries)
	s.lanes.settled(offered, finished, err != nil)
	switch {
	case err != nil && ctx.Err() == nil:
		s.p.metrics.settles.WithLabelValues("error").Inc()
		s.p.log.Warn("unfinished work could not be driven on",
			"ids", len(entries), "finished", len(finished), "error", err)
	case err == nil:
		s.p.metrics.settles.WithLabelValues("ok").Inc()
	}
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
