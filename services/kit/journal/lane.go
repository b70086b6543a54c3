package journal

import (
	"slices"
	"time"
)

// replay takes the ids of a segment into memory. They are offered to the settler when the handlers
// of the process that wrote them must have given up, wherever its clock stood.
func (l *lane) replay(seq uint64, record segmentRecord) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	s := l.add(seq)
	at := time.UnixMilli(record.At)
	age := min(max(l.p.cfg.now().Sub(at), 0), l.p.cfg.grace)
	for _, id := range record.IDs {
		since := at
		if id.Since != 0 {
			since = time.UnixMilli(id.Since)
		}
		e := l.put(s, id.ID, since)
		e.fence = true
		e.next = time.Now().Add(l.p.cfg.grace - age)
	}
}

// open makes memory ready for appends after this owner's claim.
func (l *lane) open(claim uint64, valid time.Time) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	l.add(claim)
	l.next, l.valid = claim+1, valid
}

// stale reports whether the lease is about to end.
func (l *lane) stale() bool {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	return time.Until(l.valid) < l.p.cfg.lease/6
}

// retire gives the lane up in memory if there is nothing left to do with it, or another replica
// needs it more. That comes before its release, so that no writer takes it meanwhile.
func (l *lane) retire() bool {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	clean := len(l.entries) == 0 && l.swept >= l.end && len(l.erased) == len(l.dead)
	if l.isGone() || l.writing || !clean && !l.asked {
		return false
	}
	l.close()
	return true
}

// lose gives the lane up because another process owns it.
func (l *lane) lose() {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	if l.isGone() {
		return
	}
	l.p.metrics.lost.Inc()
	l.p.log.Warn("a journal lane was taken over by another replica",
		"lane", l.n, "backlog", len(l.entries))
	l.close()
}

// isGone reports whether the lane was given up. It needs no lock.
func (l *lane) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// The rest is called while the lock is held.

// close gives the lane up in memory. Its entries are the business of whoever owns it next.
func (l *lane) close() {
	close(l.gone)
	delete(l.all.held, l.n)
}

// add makes a segment the newest.
func (l *lane) add(seq uint64) *segment {
	s := &segment{seq: seq}
	l.segs = append(l.segs, s)
	l.end = max(l.end, seq+1)
	return s
}

// put makes s the place of the id's newest record.
func (l *lane) put(s *segment, id string, since time.Time) *entry {
	e := l.entries[id]
	if e == nil {
		e = &entry{id: id, lane: l, since: since}
		l.entries[id] = e
	}
	if since.Before(e.since) {
		e.since = since
	}
	e.moveTo(s)
	return e
}

func (e *entry) moveTo(s *segment) {
	if e.seg == s {
		return
	}
	from := e.seg
	e.seg = s
	if from != nil {
		from.drop()
	}
	s.live++
	s.entries = append(s.entries, e)
}

// drop takes note that one entry has left the segment, and lets go of the memory of those that
// have.
func (s *segment) drop() {
	s.live--
	if s.live == 0 {
		s.entries = nil
	} else if len(s.entries) > 2*s.live+16 {
		s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool { return e.seg != s })
	}
}

// finish forgets the entry.
func (e *entry) finish() {
	if e.seg == nil || e.lane.isGone() {
		return
	}
	s := e.seg
	e.seg = nil
	s.drop()
	delete(e.lane.entries, e.id)
}

// busy reports whether a handler is at work on the entry. One that has outlived its grace does not
// count.
func (e *entry) busy(now time.Time) bool { return e.tickets > 0 && now.Before(e.dropped) }

// poke makes the entry due, also if it is being settled.
func (e *entry) poke() {
	e.next = time.Time{}
	e.again = e.lane.all.atWork[e.id]
}
