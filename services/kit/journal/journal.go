package journal

import (
	"context"
	"errors"
	"sync"
	"time"

	"sidecart.dev/kit/fault"
)

// maxID is the longest id in bytes.
const maxID = 256

// Journal remembers which ids have unfinished business. It is safe for concurrent use.
type Journal struct {
	p         *process
	lanes     *lanes     // what it remembers
	queue     *queue     // what waits to be written
	ownership *ownership // which lanes it has
	poked     signal     // something is due for the settler
}

// New makes a journal. It does nothing before [Journal.Run] is called.
func New(cfg Config) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := newProcess(cfg.withDefaults())
	m := newLanes(p)
	j := &Journal{
		p: p, lanes: m, queue: newQueue(p), ownership: newOwnership(p, m), poked: newSignal(),
	}
	var err error
	p.metrics, err = newMetrics(p.cfg, j.Stats)
	return j, err
}

// Run claims lanes, writes what is begun, takes lanes of dead replicas over and offers unfinished
// ids to the settler, until ctx ends. Then it refuses further work, writes what is waiting, waits
// for the settler, and releases its lanes so that another replica may take them over at once. Run
// may be called once. It returns nil when ctx ended.
func (j *Journal) Run(ctx context.Context, settler Settler) error {
	if !j.queue.open() {
		return errors.New("journal: Run was called twice")
	}
	io, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx, to flush and release
	defer stop()
	w := writer{p: j.p, lanes: j.lanes, ownership: j.ownership, queue: j.queue}
	s := settling{p: j.p, lanes: j.lanes, poked: j.poked, settler: settler}
	var writers, others sync.WaitGroup
	for range j.p.cfg.writers {
		writers.Go(func() { w.run(io) })
	}
	others.Go(func() { j.ownership.patrol(ctx, io) })
	others.Go(func() { s.run(ctx) })

	<-ctx.Done()
	j.queue.close()
	others.Wait()
	writers.Wait()
	j.ownership.releaseAll(io)
	stop()
	j.ownership.keepers.Wait()
	return nil
}

// Begin makes the id durable: once it has returned a ticket, the id is offered to the settler of
// some replica until a settler or a ticket finishes it, whatever process dies. The same id may be
// begun again, also at the same time.
//
// What a handler read before Begin it may write after Begin; what it read later it must not write
// under this ticket (see the package documentation, rule 2).
//
// An id is not empty and has at most 256 bytes, or Begin fails with an Invalid fault. Its other
// errors are transient faults: Unavailable with RetryAfter if the backlog is full, the store does
// not answer, no lane is to be had or the journal is not running; Timeout if ctx ended first. After
// an error the id may be durable all the same; the settler then finds that nothing was written.
func (j *Journal) Begin(ctx context.Context, id string) (*Ticket, error) {
	if id == "" || len(id) > maxID {
		return nil, fault.Newf(fault.Invalid, "invalid_request", "An id has 1 to %d bytes.", maxID)
	}
	if err := ctx.Err(); err != nil {
		return nil, outOfTime(err)
	}
	r := &request{id: id, at: time.Now(), done: make(chan struct{})}
	if err := j.queue.add(r, j.lanes.backlog()); err != nil {
		return nil, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		j.queue.fail([]*request{r}, outOfTime(ctx.Err()))
	}
	return r.ticket, r.err
}

func outOfTime(cause error) error {
	return fault.Wrap(cause, fault.Timeout, "timeout",
		"The request could not be recorded in time. Try again.")
}

// Finish forgets the ids because the caller has seen that their business is finished. asOf is the
// time, from time.Now, just before the caller began to read what it saw: ids begun or released
// since then stay, as do ids that a handler holds a ticket of or that must be fenced. Ids that are
// unknown here are ignored. It never blocks on the store.
func (j *Journal) Finish(asOf time.Time, ids ...string) { j.lanes.finish(asOf, ids) }

// Poke makes the ids due for the settler now rather than later, or all ids if none are named; those
// that a handler holds a ticket of, as soon as they are otherwise due. It never blocks on the
// store. Use it when something says that a retry will succeed, such as a provider being back. Ids
// that are unknown here are ignored.
func (j *Journal) Poke(ids ...string) {
	j.lanes.poke(ids)
	j.poked.send()
}

// Owns reports whether an unfinished id is this process's business for now: it stands in a lane
// that this process appends to, and whose lease has half of its length left at least. For so long
// no other process is offered the id, unless it has begun it as well.
func (j *Journal) Owns(id string) bool { return j.lanes.owns(id) }

// Ready returns nil if Begin can be expected to succeed, else what Begin would fail with:
// Unavailable, with the reason.
func (j *Journal) Ready() error { return j.queue.ready(j.lanes.writable()) }

// Stats returns a snapshot of this replica's share of the journal.
func (j *Journal) Stats() Stats {
	s := j.lanes.stats()
	s.Waiting = j.queue.length()
	return s
}
