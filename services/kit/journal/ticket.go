package journal

import "time"

// Ticket is a handler's hold on an id that it has begun. While it is held, this process's settler
// is not offered the id, for 15 s at most. The first call of Release, Wrote or Finish counts; the
// others do nothing. It is safe for concurrent use, and its methods never block on the store.
type Ticket struct {
	e    *entry
	gen  uint64
	done bool // guarded by lanes.mu
}

// begin gives a handler a hold on the entry. The lock of lanes is held.
func (e *entry) begin(now time.Time) *Ticket {
	e.gen++
	e.tickets++
	e.attempt, e.limit = 0, 0
	e.touched = now
	e.dropped = now.Add(e.lane.p.cfg.grace)
	e.next = time.Time{}
	return &Ticket{e: e, gen: e.gen}
}

// Release leaves the id to the settler, which will have to fence it, as the outcome of a write may
// be unknown. It is meant to be deferred.
func (t *Ticket) Release() { t.end(true, false) }

// Wrote leaves the id to the settler and says that all writes under this ticket have been answered,
// with success or a conflict, so that there is nothing to fence.
func (t *Ticket) Wrote() { t.end(false, false) }

// Finish says that all writes have been answered and the id's business is finished. If the id has
// been begun again meanwhile it stays in the journal.
func (t *Ticket) Finish() { t.end(false, true) }

func (t *Ticket) end(fence, finished bool) {
	t.e.lane.all.mu.Lock()
	defer t.e.lane.all.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	e, now := t.e, time.Now()
	e.tickets--
	e.fence = e.fence || fence
	e.touched = now
	if e.tickets > 0 {
		return
	}
	if finished && e.gen == t.gen && !e.fence {
		e.finish()
		return
	}
	e.next = now.Add(e.lane.p.cfg.SettleAfter)
}
