package journal

import (
	"sync"
	"time"
)

// lanes is what this process remembers of the lanes it holds: their logs and the unfinished ids in
// them. It makes no calls. One lock guards it and everything in it, as an id may stand in several
// lanes. While it is held no other lock is taken, and the store is not called.
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
	writing bool          // a writer appends to it
	asked   bool          // another replica has no lane and asks for this one
	valid   time.Time     // when the lease ends
	gone    chan struct{} // closed when it is given up: its entries are another replica's business

	heading turn            // held while the head is written; taken before lanes.mu
	low     uint64          // as in the head
	kept    []uint64        // as in the head
	dead    []uint64        // as in the head
	swept   uint64          // everything below is deleted, but for kept and dead
	erased  map[uint64]bool // of dead
}

func newLane(all *lanes, n int, h head) *lane {
	return &lane{
		p: all.p, all: all, n: n, epoch: h.Epoch,
		entries: map[string]*entry{}, gone: make(chan struct{}), heading: newTurn(),
		low: h.Low, kept: h.Kept, dead: h.Dead, swept: h.Swept, erased: map[uint64]bool{},
	}
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
