package journal

import (
	"context"
	"errors"
)

// appender writes segments to the lane that a writer has, one after the other.
type appender struct {
	p       *process
	lane    *lane
	queue   *queue
	pending *draft // of unknown outcome, at the lane's end; nobody waits for it any more
}

// write writes one segment with the requests, and answers them. If the lane is lost they go back
// into the queue.
func (a *appender) write(ctx context.Context, reqs []*request) {
	err := error(nil)
	if a.pending != nil {
		err = a.place(ctx, a.pending, nil)
	}
	if err == nil {
		err = a.place(ctx, a.lane.draft(idsOf(reqs)), reqs)
	}
	switch {
	case err == nil:
		a.p.metrics.batch.Observe(float64(len(reqs)))
	case errors.Is(err, errTaken):
		a.queue.putBack(reqs)
	default:
		a.queue.fail(reqs, unavailable(err))
	}
}

func idsOf(reqs []*request) []string {
	ids := make([]string, len(reqs))
	for i, r := range reqs {
		ids[i] = r.id
	}
	return ids
}

// place puts a draft at the lane's end, and on success commits it to memory and gives whoever waits
// for it a ticket. A draft of unknown outcome becomes pending.
func (a *appender) place(ctx context.Context, d *draft, reqs []*request) error {
	err := a.p.place(ctx, a.lane.n, a.lane.next, &d.record, d.value)
	outcome := a.p.metrics.appends
	switch {
	case err == nil:
		outcome.WithLabelValues("written").Inc()
		a.pending = nil
		a.answer(reqs, a.lane.commit(d))
	case errors.Is(err, errTaken):
		outcome.WithLabelValues("conflict").Inc()
		a.pending = nil
		a.lane.lose()
	default:
		outcome.WithLabelValues("unknown").Inc()
		a.pending = d
	}
	return err
}

// answer gives the requests their tickets. One that nobody waits for is ended: nothing is written
// under it.
func (a *appender) answer(reqs []*request, tickets []*Ticket) {
	for i, t := range tickets {
		if i >= len(reqs) || !a.queue.answer(reqs[i], t) {
			t.Wrote()
		}
	}
}
