package journal

import (
	"context"
	"time"
)

// Journal remembers which ids have unfinished business. It is safe for concurrent use.
type Journal struct {
	cfg Config
}

// New makes a journal. It does nothing before [Journal.Run] is called.
func New(cfg Config) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Journal{cfg: cfg.withDefaults()}, nil
}

// Run claims lanes, writes what is begun, takes lanes of dead replicas over and offers unfinished ids to the settler,
// until ctx ends. Then it refuses further work, writes what is waiting, and releases its lanes so that another
// replica may take them over at once. Run may be called once. It returns nil when ctx ended.
func (j *Journal) Run(ctx context.Context, settler Settler) error { panic("soon") }

// Begin makes the id durable: once it has returned a ticket, the id is offered to the settler of some replica until
// a settler reports it finished, whatever process dies. The same id may be begun again, also at the same time.
//
// What a handler read before Begin it may write after Begin; what it read later it must not write under this ticket (see the
// package documentation, rule 2).
//
// Errors are transient faults: RateLimited with RetryAfter if the backlog is full, Unavailable if the store does not
// answer, no lane is to be had or the journal is not running, Timeout if ctx ended first. After an error the id may be durable
// all the same; the settler then finds that there is nothing to do.
func (j *Journal) Begin(ctx context.Context, id string) (*Ticket, error) { panic("soon") }

// Finish forgets the ids: the caller knows that their business is finished for good, whatever handler is at work on them.
// Ids that are unknown, or that a handler of this process holds a ticket of, are left alone. It never blocks.
func (j *Journal) Finish(ids ...string) {}

// Poke makes the ids due for the settler now rather than later, or all ids if none are named. It never blocks.
// Use it when something says that a retry will succeed, such as a provider being back. Ids that are unknown here are ignored.
func (j *Journal) Poke(ids ...string) {}

// Ready returns nil if Begin can be expected to succeed, else the reason why not.
func (j *Journal) Ready() error { return nil }

// Stats returns a snapshot of this replica's share of the journal.
func (j *Journal) Stats() Stats { return Stats{} }

// Stats is a snapshot of a replica's share of a journal.
type Stats struct {
	Backlog  int           // unfinished ids
	InFlight int           // those that a handler holds a ticket of
	Waiting  int           // Begins that are not yet written
	Oldest   time.Duration // age of the oldest unfinished id
	Segments int           // live segments
	Lanes    int           // lanes held for writing
}

// Ticket is a handler's hold on an id that it has begun. While it is held, this process's settler is not offered the
// id, for [Config].Grace at most. The first call of Release, Wrote or Finish counts; the others do nothing.
// It is safe for concurrent use.
type Ticket struct{}

// Release leaves the id to the settler, which will have to fence it: the outcome of a write may be unknown. It is meant to be deferred.
func (t *Ticket) Release() {}

// Wrote leaves the id to the settler and says that all writes under this ticket have been answered, with success or a conflict,
// so that there is nothing to fence.
func (t *Ticket) Wrote() {}

// Finish says that all writes have been answered and the id's business is finished. If the id has been begun
// again meanwhile it stays in the journal.
func (t *Ticket) Finish() {}
