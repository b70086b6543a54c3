package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"sidecart.dev/kit/batch"
	"sidecart.dev/kit/fault"
)

// maxID is the longest id in bytes.
const maxID = 256

// Journal remembers which ids have unfinished business. It is safe for concurrent use.
type Journal struct {
	cfg     Config
	store   store
	owner   string        // names this process in the store
	serial  atomic.Uint64 // numbers this process's segments
	metrics *metrics

	dense, moveLimit int // smaller in tests

	claiming     turn             // held while lanes are looked for and claimed; guards the next two
	seen         map[int]sighting // by lane
	predecessors map[int]uint64   // lane to epoch of an owner this process succeeds; nil before the first survey

	queued  chan struct{}  // something is in the queue
	poked   chan struct{}  // something is due for the settler
	closing chan struct{}  // closed when no more is accepted
	keepers sync.WaitGroup // one for each lane held

	mu       sync.Mutex // never held during a call to the store
	running  bool
	closed   bool
	notReady error
	queue    []*request
	window   *batch.Window // how long those in the queue wait for others
	waiting  int           // Begins without an answer, in the queue or being appended
	held     map[int]*lane
	settling map[string]bool // ids that the settler is at work on, or is about to be
}

// New makes a journal. It does nothing before [Journal.Run] is called.
func New(cfg Config) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	j := &Journal{
		cfg: cfg, store: store{state: cfg.State, timeout: cfg.callTimeout},
		owner:    fmt.Sprintf("%016x%016x", cfg.rand(), cfg.rand()),
		claiming: newTurn(), seen: map[int]sighting{},
		queued: make(chan struct{}, 1), poked: make(chan struct{}, 1), closing: make(chan struct{}),
		window: batch.NewWindow(cfg.Window), held: map[int]*lane{}, settling: map[string]bool{}, dense: defaultDense, moveLimit: defaultMoveLimit,
	}
	var err error
	j.metrics, err = newMetrics(j)
	return j, err
}

// Run claims lanes, writes what is begun, takes lanes of dead replicas over and offers unfinished ids to the settler,
// until ctx ends. Then it refuses further work, writes what is waiting, waits for the settler, and releases its lanes so that another
// replica may take them over at once. Run may be called once. It returns nil when ctx ended.
func (j *Journal) Run(ctx context.Context, settler Settler) error {
	j.mu.Lock()
	if j.running || j.closed {
		j.mu.Unlock()
		return errors.New("journal: Run was called twice")
	}
	j.running = true
	j.mu.Unlock()

	io, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx, to flush and release
	defer stop()
	var writers, others sync.WaitGroup
	for range j.cfg.writers {
		writers.Go(func() { j.write(io) })
	}
	others.Go(func() { j.patrol(ctx, io) })
	others.Go(func() { j.reconcile(ctx, settler) })

	<-ctx.Done()
	j.mu.Lock()
	j.closed = true
	close(j.closing)
	j.mu.Unlock()
	others.Wait()
	writers.Wait()
	j.releaseAll(io)
	stop()
	j.keepers.Wait()
	return nil
}

func (j *Journal) releaseAll(ctx context.Context) {
	j.mu.Lock()
	var lanes []*lane
	for _, l := range j.held {
		lanes = append(lanes, l)
		l.close()
	}
	j.mu.Unlock()
	var wg sync.WaitGroup
	for _, l := range lanes {
		wg.Go(func() { l.release(ctx) })
	}
	wg.Wait()
}

// Begin makes the id durable: once it has returned a ticket, the id is offered to the settler of some replica until
// a settler or a ticket finishes it, whatever process dies. The same id may be begun again, also at the same time.
//
// What a handler read before Begin it may write after Begin; what it read later it must not write under this ticket (see the
// package documentation, rule 2).
//
// An id is not empty and has at most 256 bytes, or Begin fails with an Invalid fault. Its other errors are transient faults: Unavailable
// with RetryAfter if the backlog is full, the store does not answer, no lane is to be had or the journal is not running; Timeout if
// ctx ended first. After an error the id may be durable all the same; the settler then finds that nothing was written.
func (j *Journal) Begin(ctx context.Context, id string) (*Ticket, error) {
	if id == "" || len(id) > maxID {
		return nil, fault.Newf(fault.Invalid, "invalid_request", "An id has 1 to %d bytes.", maxID)
	}
	if err := ctx.Err(); err != nil {
		return nil, outOfTime(err)
	}
	r := &request{id: id, at: time.Now(), done: make(chan struct{})}
	if err := j.enqueue(r); err != nil {
		return nil, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		j.mu.Lock()
		j.answer(r, nil, outOfTime(ctx.Err()))
		j.mu.Unlock()
	}
	return r.ticket, r.err
}

func outOfTime(cause error) error {
	return fault.Wrap(cause, fault.Timeout, "timeout", "The request could not be recorded in time. Try again.")
}

func (j *Journal) enqueue(r *request) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case !j.running || j.closed:
		return unavailable(errors.New("journal: not running"))
	case j.backlog()+len(j.queue) >= j.cfg.maxBacklog:
		j.metrics.shed.Inc()
		return &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", RetryAfter: 5 * time.Second,
			Message: "Too much work is waiting to be finished. Try again later.",
		}
	}
	j.queue = append(j.queue, r)
	j.waiting++
	j.window.Arrived(r.at, j.waiting)
	j.wake()
	return nil
}

// Finish forgets the ids because the caller has seen that their business is finished. asOf is the time, from time.Now, just before the
// caller began to read what it saw: ids begun or released since then stay, as do ids that a handler holds a ticket of
// or that must be fenced. Ids that are unknown here are ignored. It never blocks on the store.
func (j *Journal) Finish(asOf time.Time, ids ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.held {
		for _, id := range ids {
			if e := l.entries[id]; e != nil && e.tickets == 0 && !e.fence && e.touched.Before(asOf) {
				e.finish()
			}
		}
	}
}

// Poke makes the ids due for the settler now rather than later, or all ids if none are named; those that a handler holds
// a ticket of, as soon as they are otherwise due. It never blocks on the store. Use it when something says that a
// retry will succeed, such as a provider being back. Ids that are unknown here are ignored.
func (j *Journal) Poke(ids ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.held {
		if len(ids) == 0 {
			for _, e := range l.entries {
				e.poke()
			}
		}
		for _, id := range ids {
			if e := l.entries[id]; e != nil {
				e.poke()
			}
		}
	}
	select {
	case j.poked <- struct{}{}:
	default:
	}
}

// Owns reports whether an unfinished id is this process's business for now: it stands in a lane that this process appends to, and whose
// lease has half of its length left at least. For so long no other process is offered the id, unless it has begun it as well.
func (j *Journal) Owns(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.held {
		if l.writing && l.entries[id] != nil && time.Until(l.valid) >= j.cfg.lease/2 {
			return true
		}
	}
	return false
}

func (e *entry) poke() {
	e.next = time.Time{}
	e.again = e.lane.j.settling[e.id]
}

// Ready returns nil if Begin can be expected to succeed, else what Begin would fail with: Unavailable, with the reason.
func (j *Journal) Ready() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.running || j.closed {
		return unavailable(fault.New(fault.Unavailable, "unavailable", "The journal is not running."))
	}
	for _, l := range j.held {
		if l.writing && time.Now().Before(l.valid) {
			return nil
		}
	}
	if j.notReady != nil {
		return unavailable(j.notReady)
	}
	return unavailable(fault.New(fault.Unavailable, "unavailable", "The journal has no lane yet."))
}

// backlog counts the unfinished ids in the lanes held.
func (j *Journal) backlog() int {
	n := 0
	for _, l := range j.held {
		n += len(l.entries)
	}
	return n
}

func (j *Journal) isClosed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

// Stats is a snapshot of a replica's share of a journal.
type Stats struct {
	Backlog  int           // unfinished ids
	InFlight int           // those that a handler holds a ticket of
	Waiting  int           // Begins that are not yet written
	Oldest   time.Duration // age of the oldest unfinished id
	Segments int           // segments in the lanes held, from low on or kept
	Lanes    int           // lanes held
}

// Stats returns a snapshot of this replica's share of the journal.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{Backlog: j.backlog(), Waiting: len(j.queue), Lanes: len(j.held)}
	now := j.cfg.now()
	for _, l := range j.held {
		s.Segments += len(l.segs)
		for _, e := range l.entries {
			if e.tickets > 0 {
				s.InFlight++
			}
			s.Oldest = max(s.Oldest, now.Sub(e.since))
		}
	}
	return s
}
