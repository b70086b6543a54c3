package journal

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/sidecar"
)

// errTaken says that another process owns the lane.
var errTaken = errors.New("journal: the lane belongs to another replica")

// draft is a segment on its way into the store.
type draft struct {
	record segmentRecord
	value  []byte
	reqs   []*request
	moved  []*entry
}

// draft makes the segment that carries the requests, and stragglers of old segments.
func (l *lane) draft(reqs []*request) *draft {
	j := l.j
	now := j.cfg.now()
	d := &draft{reqs: reqs, record: segmentRecord{Epoch: l.epoch, By: j.owner, N: j.serial.Add(1), At: now.UnixMilli()}}
	j.mu.Lock()
	defer j.mu.Unlock()
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

// place inserts a segment by first-write. Nil means that it stands at its position, errTaken that another process's segment does.
// Any other error leaves the outcome unknown: the same segment must be placed again before anything else is.
func (j *Journal) place(ctx context.Context, lane int, seq uint64, record *segmentRecord, value []byte) error {
	key := j.segmentKey(lane, seq)
	var err error
	for range 2 {
		if err = j.store.insert(ctx, key, value); err == nil {
			return nil
		}
		item, readErr := j.store.get(ctx, key)
		if readErr == nil {
			stands, err := decode[segmentRecord](key, item.Value)
			if err != nil {
				return err
			}
			if stands.sameWrite(record) {
				return nil // an earlier try arrived, whatever its answer was
			}
			return errTaken
		}
		if !sidecar.IsMissing(readErr) {
			return err
		}
	}
	return err
}

// append writes one segment with the requests, and answers them.
func (l *lane) append(ctx context.Context, reqs []*request) {
	j := l.j
	if l.pending != nil {
		if err := l.flush(ctx, l.pending); err != nil {
			l.failed(reqs, err)
			return
		}
	}
	if err := l.flush(ctx, l.draft(reqs)); err != nil {
		l.failed(reqs, err)
		return
	}
	j.metrics.batch.Observe(float64(len(reqs)))
}

// flush places a draft at the lane's end, and on success commits it to memory. A draft of unknown outcome becomes pending.
func (l *lane) flush(ctx context.Context, d *draft) error {
	err := l.j.place(ctx, l.n, l.next, &d.record, d.value)
	switch {
	case err == nil:
		l.j.metrics.appends.WithLabelValues("written").Inc()
		l.pending = nil
		l.commit(d)
		return nil
	case errors.Is(err, errTaken):
		l.j.metrics.appends.WithLabelValues("conflict").Inc()
		l.pending = nil
		l.lose()
		return err
	default:
		l.j.metrics.appends.WithLabelValues("unknown").Inc()
		l.pending = d
		return err
	}
}

// failed hands the requests to another lane if this one was lost, and else answers them with the failure.
func (l *lane) failed(reqs []*request, err error) {
	if errors.Is(err, errTaken) {
		l.j.requeue(reqs)
		return
	}
	l.j.fail(reqs, err)
}

// commit records in memory what stands in the store, and gives the waiting handlers their tickets.
func (l *lane) commit(d *draft) {
	j := l.j
	j.mu.Lock()
	defer j.mu.Unlock()
	seq := l.next
	l.next++
	if l.closed {
		// The next owner reads this segment too: the ids are durable, and its business.
		for _, r := range d.reqs {
			j.answer(r, &Ticket{j: j, e: &entry{id: r.id, lane: l}}, nil)
		}
		return
	}
	now := time.Now()
	s := l.add(seq)
	for _, r := range d.reqs {
		e, fresh := l.put(s, r.id, r.since)
		if r.state == stateDone {
			if fresh { // nobody is at work on it: it was given up while it was written
				e.next = now.Add(j.cfg.SettleAfter)
			}
			continue
		}
		j.answer(r, e.begin(now), nil)
	}
	for _, e := range d.moved {
		if e.seg != nil {
			e.moveTo(s)
		}
	}
}

// lose gives the lane up because another process owns it.
func (l *lane) lose() {
	j := l.j
	j.mu.Lock()
	defer j.mu.Unlock()
	if l.closed {
		return
	}
	j.metrics.lost.Inc()
	j.cfg.Logger.Warn("a journal lane was taken over by another replica", "journal", j.cfg.Name, "lane", l.n, "backlog", len(l.entries))
	l.close()
}
