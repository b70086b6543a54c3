package journal

import (
	"slices"
	"time"
)

const (
	// defaultMoveLimit bounds the ids that one append writes again for the sake of old segments.
	defaultMoveLimit = 1000
	// defaultDense is the number of unfinished ids from which a segment is kept rather than written again.
	defaultDense = 500
)

// lane is a lane that this replica holds: the memory of its log. Fields are guarded by Journal.mu unless said otherwise.
type lane struct {
	j     *Journal
	n     int
	epoch uint64

	next    uint64 // the position to append at; used by the writer alone
	pending *draft // an append of unknown outcome, at next; used by the writer alone
	end     uint64 // the position after the last segment known
	segs    []*segment
	entries map[string]*entry
	writing bool      // a writer appends to it
	asked   bool      // another replica has no lane and asks for this one
	valid   time.Time // when the lease ends

	closed bool          // no longer held: entries are another replica's business
	gone   chan struct{} // closed with it

	heading turn            // held while the head is written; taken before Journal.mu
	low     uint64          // as in the head
	kept    []uint64        // as in the head
	dead    []uint64        // as in the head
	swept   uint64          // everything below is deleted, but for kept and dead
	erased  map[uint64]bool // of dead
}

// segment is a segment that holds unfinished ids or is above the head's low.
type segment struct {
	seq     uint64
	live    int // entries whose newest record is here
	entries []*entry
}

// entry is an unfinished id in one lane.
type entry struct {
	id    string
	lane  *lane
	seg   *segment  // where its newest record is; nil: finished, or never held
	since time.Time // wall clock

	gen     uint64 // rises with each Begin
	tickets int
	fence   bool      // see Entry.Fence
	touched time.Time // the last Begin or release
	dropped time.Time // when handlers that still hold tickets count as dead

	again   bool // poked while it was being settled
	attempt int
	limit   int       // largest batch to offer it in; 0: no limit
	next    time.Time // earliest time to offer it
}

func (j *Journal) newLane(n int, h head) *lane {
	return &lane{
		j: j, n: n, epoch: h.Epoch, entries: map[string]*entry{}, gone: make(chan struct{}), heading: newTurn(),
		low: h.Low, kept: h.Kept, dead: h.Dead, swept: h.Swept, erased: map[uint64]bool{},
	}
}

// add makes a segment the newest.
func (l *lane) add(seq uint64) *segment {
	s := &segment{seq: seq}
	l.segs = append(l.segs, s)
	l.end = max(l.end, seq+1)
	return s
}

// put makes s the place of the id's newest record.
func (l *lane) put(s *segment, id string, since time.Time) (e *entry, fresh bool) {
	e = l.entries[id]
	if e == nil {
		e, fresh = &entry{id: id, lane: l, since: since}, true
		l.entries[id] = e
	}
	if since.Before(e.since) {
		e.since = since
	}
	e.moveTo(s)
	return e, fresh
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

// drop takes note that one entry has left the segment, and lets go of the memory of those that have.
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
	if e.seg == nil || e.lane.closed {
		return
	}
	s := e.seg
	e.seg = nil
	s.drop()
	delete(e.lane.entries, e.id)
}

// close gives the lane up in memory. Its entries are the business of whoever owns it next.
func (l *lane) close() {
	if l.closed {
		return
	}
	l.closed = true
	close(l.gone)
	if l.j.held[l.n] == l {
		delete(l.j.held, l.n)
	}
}

// frontier returns the next low and the segments below it that must be kept: every segment that is neither at
// or above low nor kept holds no unfinished id. low never falls.
func (l *lane) frontier() (low uint64, kept []uint64) {
	most := l.j.cfg.maxBacklog/l.j.dense + 16
	for _, s := range l.segs {
		switch {
		case s.live == 0:
		case s.seq < l.low, s.live >= l.j.dense && len(kept) < most:
			kept = append(kept, s.seq)
		default:
			return s.seq, kept
		}
	}
	return l.end, kept
}

// prune drops segments from memory that hold nothing and are below low.
func (l *lane) prune() {
	segs := l.segs[:0]
	for _, s := range l.segs {
		if s.seq >= l.low || s.live > 0 {
			segs = append(segs, s)
		}
	}
	clear(l.segs[len(segs):])
	l.segs = segs
}

// stragglers picks the ids to write again with the next append, so that low can advance. There are none as long as the log is short.
// Ids of the newer half are left alone, as they may finish soon, and those of dense segments, as these will be kept.
func (l *lane) stragglers() []*entry {
	span := uint64(l.j.cfg.maxSegments)
	if l.end-l.low <= span {
		return nil
	}
	var moved []*entry
	for _, s := range l.segs {
		if s.seq >= l.end-span/2 {
			break
		}
		if s.live == 0 || s.live >= l.j.dense {
			continue
		}
		if len(moved)+s.live > l.j.moveLimit {
			break
		}
		for _, e := range s.entries {
			if e.seg == s {
				moved = append(moved, e)
			}
		}
	}
	return moved
}
