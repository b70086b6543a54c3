// Package aggregatetest has a journal in memory for tests: it is as durable as the store, forgets
// only what it is told to, and offers its ids to a settler when a test says so.
package aggregatetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// Journal is what the replicas of a service share. [Journal.Of] gives each of them its own view. It
// is safe for concurrent use.
type Journal struct {
	mu      sync.Mutex
	entries map[string]*entry
	begins  int
}

type entry struct {
	begun int // the number of its last begin: an entry that is begun anew is another one
	open  int // tickets whose writes have not all been answered
	since time.Time
	by    *sidecartest.Process // who began it; nil once it was taken over
	fence bool                 // it was taken over: its owner may have a write under way
}

// NewJournal returns an empty journal.
func NewJournal() *Journal { return &Journal{entries: map[string]*entry{}} }

// Of returns the journal as a process sees it.
func (j *Journal) Of(p *sidecartest.Process) aggregate.Journal { return &view{j, p} }

// IDs returns the ids that are unfinished, in order.
func (j *Journal) IDs() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.entries))
}

// Begins returns how many intents were begun.
func (j *Journal) Begins() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.begins
}

// TakeOver says that the owners of all ids have lost them: from now on nobody owns them, and they
// are offered with Fence set.
func (j *Journal) TakeOver() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		e.by, e.fence = nil, true
	}
}

// Settle offers everything to a settler of the process once, as if each intent had that age, and
// forgets what is finished and was not begun again meanwhile. An id whose ticket was released, or
// never ended, is offered with Fence set.
func (j *Journal) Settle(ctx context.Context, p *sidecartest.Process, s journal.Settler,
	age time.Duration,
) error {
	j.mu.Lock()
	var offered []journal.Entry
	begun := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(j.entries)) {
		e := j.entries[id]
		offered = append(offered, journal.Entry{
			ID: id, Age: age, Since: e.since, Attempt: 1, Fence: e.fence || e.open > 0,
		})
		begun[id] = e.begun
	}
	j.mu.Unlock()
	if len(offered) == 0 {
		return nil
	}
	finished, failed := s.Settle(ctx, offered)
	err := p.Call("forget", func() error {
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, id := range finished {
			if e, ok := j.entries[id]; ok && e.begun == begun[id] {
				delete(j.entries, id)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return failed
}

type view struct {
	j *Journal
	p *sidecartest.Process
}

// Begin implements [aggregate.Journal].
func (v *view) Begin(_ context.Context, id string) (aggregate.Ticket, error) {
	err := v.p.Call("begin "+id, func() error {
		v.j.mu.Lock()
		defer v.j.mu.Unlock()
		e := v.j.entries[id]
		if e == nil {
			e = &entry{since: time.Now()}
			v.j.entries[id] = e
		}
		v.j.begins++
		e.begun, e.by = v.j.begins, v.p
		e.open++
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ticket{view: v, id: id}, nil
}

// Finish implements [aggregate.Journal].
func (v *view) Finish(_ time.Time, ids ...string) {
	v.j.mu.Lock()
	defer v.j.mu.Unlock()
	for _, id := range ids {
		if e := v.j.entries[id]; e != nil && e.open == 0 && !e.fence && !v.p.Dead() {
			delete(v.j.entries, id)
		}
	}
}

// Owns tells what [journal.Journal.Owns] does.
func (v *view) Owns(id string) bool {
	v.j.mu.Lock()
	defer v.j.mu.Unlock()
	e := v.j.entries[id]
	return e != nil && e.by == v.p && !v.p.Dead()
}

// Poke implements [aggregate.Journal]. Everything is due at all times.
func (*view) Poke(...string) {}

type ticket struct {
	*view
	id   string
	once sync.Once
}

func (t *ticket) Release() { t.once.Do(func() {}) }

func (t *ticket) Wrote() { t.end(false) }

func (t *ticket) Finish() { t.end(true) }

// end counts the ticket as answered. A dead process ends nothing.
func (t *ticket) end(finished bool) {
	t.once.Do(func() {
		t.j.mu.Lock()
		defer t.j.mu.Unlock()
		e := t.j.entries[t.id]
		if e == nil || t.p.Dead() {
			return
		}
		if e.open--; e.open == 0 && finished {
			delete(t.j.entries, t.id)
		}
	})
}
