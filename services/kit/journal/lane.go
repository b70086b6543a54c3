package journal

import (
	"slices"
	"sync"
	"time"
)

// lanes is what this process remembers of the lanes it holds: their logs and the unfinished ids in
// them. It makes no calls. One lock guards it and everything in it, as an id may stand in several
// lanes. It is never held during a call to the store.
type lanes struct {
	p *process

	mu     sync.Mutex
	held   map[int]*lane
	atWork map[string]bool // ids that the settler is at work on, or is about to be
}

func newLanes(p *process) *lanes {
	return &lanes{p: p, held: map[int]*lane{}, atWork: map[string]bool{}}
}

// lane is a lane that this replica holds: the memory of its log. Fields are guarded by lanes.mu
// unless said otherwise.
type lane struct {
	p     *process
	all   *lanes
	n     int
	epoch uint64

	next    uint64 // the position to append at; used by the writer alone
	end     uint64 // the position after the last segment known
	segs    []*segment
	entries map[string]*entry
	writing bool      // a writer appends to it
	asked   bool      // another replica has no lane and asks for this one
	valid   time.Time // when the lease ends

	closed bool          // no longer held: entries are another replica's business
	gone   chan struct{} // closed with it

	heading turn            // held while the head is written; taken before lanes.mu
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

func newLane(all *lanes, n int, h head) *lane {
	return &lane{
		p: all.p, all: all, n: n, epoch: h.Epoch, entries: map[string]*entry{}, gone: make(chan struct{}), heading: newTurn(),
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
	if e.seg == nil || e.lane.closed {
		return
	}
	s := e.seg
	e.seg = nil
	s.drop()
	delete(e.lane.entries, e.id)
}

// poke makes the entry due, also if it is being settled.
func (e *entry) poke() {
	e.next = time.Time{}
	e.again = e.lane.all.atWork[e.id]
}

// lose gives the lane up because another process owns it.
func (l *lane) lose() {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	if l.closed {
		return
	}
	l.p.metrics.lost.Inc()
	l.p.cfg.Logger.Warn("a journal lane was taken over by another replica", "journal", l.p.cfg.Name, "lane", l.n, "backlog", len(l.entries))
	l.close()
}

func (l *lane) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// close gives the lane up in memory. Its entries are the business of whoever owns it next.
func (l *lane) close() {
	if l.closed {
		return
	}
	l.closed = true
	close(l.gone)
	if l.all.held[l.n] == l {
		delete(l.all.held, l.n)
	}
}

// frontier returns the next low and the segments below it that must be kept: every segment that is
// neither at or above low nor kept holds no unfinished id. low never falls.
func (l *lane) frontier() (low uint64, kept []uint64) {
	most := l.p.cfg.maxBacklog/l.p.cfg.dense + 16
	for _, s := range l.segs {
		switch {
		case s.live == 0:
		case s.seq < l.low, s.live >= l.p.cfg.dense && len(kept) < most:
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

// stragglers picks the ids to write again with the next append, so that low can advance. There are
// none as long as the log is short. Ids of the newer half are left alone, as they may finish soon,
// and those of dense segments, as these will be kept.
func (l *lane) stragglers() []*entry {
	span := uint64(l.p.cfg.maxSegments)
	if l.end-l.low <= span {
		return nil
	}
	var moved []*entry
	for _, s := range l.segs {
		if s.seq >= l.end-span/2 {
			break
		}
		if s.live == 0 || s.live >= l.p.cfg.dense {
			continue
		}
		if len(moved)+s.live > l.p.cfg.moveLimit {
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
