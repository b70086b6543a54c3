package notifications

import "sync"

// recent remembers ids in two generations: when the young one is full it becomes the old one, and
// the old one is forgotten. It is safe for concurrent use.
type recent struct {
	mu         sync.Mutex
	size       int
	young, old map[string]struct{}
}

func newRecent(size int) *recent {
	return &recent{size: max(1, size/2), young: map[string]struct{}{}, old: map[string]struct{}{}}
}

func (r *recent) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= r.size {
		r.young, r.old = map[string]struct{}{}, r.young
	}
	r.young[id] = struct{}{}
}

func (r *recent) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.young[id]; ok {
		return true
	}
	_, ok := r.old[id]
	return ok
}
