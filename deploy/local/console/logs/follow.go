package logs

import "sync/atomic"

// Follower is handed the lines that come from its beginning on. Close ends it.
type Follower struct {
	lines  chan Record
	query  Query
	store  *Store
	missed atomic.Int64
}

// Follow hands on the lines that a query asks for from now on.
func (s *Store) Follow(q Query) *Follower {
	f := &Follower{lines: make(chan Record, 256), query: q, store: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers[f] = struct{}{}
	return f
}

// Lines are the lines that come. Whoever reads them too slowly misses some.
func (f *Follower) Lines() <-chan Record { return f.lines }

// Missed returns how many lines were missed since it was called last.
func (f *Follower) Missed() int64 { return f.missed.Swap(0) }

// Close ends the following.
func (f *Follower) Close() {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	delete(f.store.followers, f)
}

// tell never waits.
func (f *Follower) tell(record Record) {
	if !f.query.wants(record) {
		return
	}
	select {
	case f.lines <- record:
	default:
		f.missed.Add(1)
	}
}
