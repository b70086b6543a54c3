package journal

import (
	"context"
	"errors"
	"time"
)

// draft is a segment on its way into the store.
type draft struct {
	record segmentRecord
	value  []byte
	reqs   []*request
	moved  []*entry
}

// draft makes the segment that carries the requests, and stragglers of old segments.
func (l *lane) draft(reqs []*request) *draft {
	now := l.p.cfg.now()
	d := &draft{reqs: reqs, record: l.p.segment(l.epoch, now)}
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	seen := make(map[string]bool, len(reqs))
	record := func(id string, since time.Time) {
		if seen[id] {
			return
		}
		seen[id] = true
		r := idRecord{ID: id}
		if ms := since.UnixMilli(); ms != d.record.At {
			r.Since = ms
		}
		d.record.IDs = append(d.record.IDs, r)
	}
	for _, r := range reqs {
		since := now
		if e := l.entries[r.id]; e != nil {
			since = e.since
		}
		r.since = since
		record(r.id, since)
	}
	d.moved = l.stragglers()
	for _, e := range d.moved {
		record(e.id, e.since)
	}
	d.value = encode(d.record)
	return d
}

// appender writes segments to the lane that a writer has, one after the other.
type appender struct {
	p       *process
	lane    *lane
	queue   *queue
	pending *draft // of unknown outcome, at the lane's end
}

// write writes one segment with the requests, and answers them. If the lane is lost they go back
// into the queue.
func (a *appender) write(ctx context.Context, reqs []*request) {
	err := error(nil)
	if a.pending != nil {
		err = a.flush(ctx, a.pending)
	}
	if err == nil {
		err = a.flush(ctx, a.lane.draft(reqs))
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

// flush places a draft at the lane's end, and on success commits it to memory. A draft of unknown
// outcome becomes pending.
func (a *appender) flush(ctx context.Context, d *draft) error {
	err := a.p.place(ctx, a.lane.n, a.lane.next, &d.record, d.value)
	outcome := a.p.metrics.appends
	switch {
	case err == nil:
		outcome.WithLabelValues("written").Inc()
		a.pending = nil
		a.lane.commit(d, a.queue)
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

// commit records in memory what stands in the store, and gives the waiting handlers their tickets.
func (l *lane) commit(d *draft, q *queue) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	seq := l.next
	l.next++
	if l.closed {
		// The next owner reads this segment too: the ids are durable, and its business.
		for _, r := range d.reqs {
			q.answer(r, func() *Ticket { return &Ticket{e: &entry{id: r.id, lane: l}} })
		}
		return
	}
	now := time.Now()
	s := l.add(seq)
	for _, r := range d.reqs {
		e, fresh := l.put(s, r.id, r.since)
		answered := q.answer(r, func() *Ticket { return e.begin(now) })
		if !answered && fresh { // nobody is at work on it: it was given up while it was written
			e.next = now.Add(l.p.cfg.SettleAfter)
		}
	}
	for _, e := range d.moved {
		if e.seg != nil {
			e.moveTo(s)
		}
	}
}
