package orders

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sidecart.dev/kit/event"
)

// Stored is one key of the store where an order may be.
type Stored struct {
	Order *Order // nil: there is none, or the key is fenced off against a delayed write
	ETag  string // good for one Replace; empty: there is no such key at all
	Err   error  // set where the key holds something that is not an order
}

// Repository keeps orders. Errors are transient faults unless a method says otherwise. Implementations are safe for concurrent use.
type Repository interface {
	// Load reads one order. Nothing under the key is an empty Stored, not an error.
	Load(ctx context.Context, id string) (Stored, error)
	// LoadAll reads several; ids with nothing under their key are absent from the answer.
	LoadAll(ctx context.Context, ids []string) (map[string]Stored, error)
	// Insert writes a new order, or fails with sidecar.CodeExists.
	Insert(ctx context.Context, o Order) error
	// Replace writes an order over what was read with the ETag, or fails with sidecar.CodeConflict.
	Replace(ctx context.Context, o Order, etag string) error
	// Fence makes every write impossible that was prepared before, and returns what is there after it; see journal.Fence.
	Fence(ctx context.Context, id string) (Stored, error)
	// Append adds the order to the newest end of its customer's list and returns its position. An order holds its position;
	// entries of which the order holds another are leftovers of attempts that came to nothing.
	Append(ctx context.Context, userID, orderID string) (uint64, error)
	// List returns a page of a customer's orders, newest first.
	List(ctx context.Context, q Query) (Page, error)
}

// Query asks for a page of one customer's orders.
type Query struct {
	UserID string
	Status Status // empty: any
	Limit  int    // 1 or more
	Cursor string // of the page before; empty: from the newest
}

// Page is a page of orders. It may be shorter than asked for, even empty, and still have a next one.
type Page struct {
	Orders []Order
	Next   string // cursor of the next page; empty: this is the last
}

// Products keeps the catalogue. Implementations are safe for concurrent use.
type Products interface {
	// Catalogue returns the catalogue, at most a few seconds old.
	Catalogue(ctx context.Context) (Catalogue, error)
	// Change replaces the catalogue with what edit makes of the present one. edit may run several times.
	Change(ctx context.Context, edit func(Catalogue) (Catalogue, error)) error
}

// Journal remembers orders that are not done; see package journal.
type Journal interface {
	// Begin makes the id durable. Its error is a transient fault.
	Begin(ctx context.Context, id string) (Ticket, error)
	// Ready returns nil if Begin can be expected to succeed.
	Ready() error
	// Poke has the settler look at the ids now rather than later. It does not block.
	Poke(ids ...string)
}

// Ticket is a handler's hold on an id; the first call counts.
type Ticket interface {
	// Release leaves the id to the settler, the outcome of the writes being unknown.
	Release()
	// Wrote leaves the id to the settler, every write having been answered.
	Wrote()
}

// Bus publishes events.
type Bus interface {
	Publish(ctx context.Context, topic string, e event.Event) error
}

// Payments answers what has become of payments.
type Payments interface {
	// Lookup returns the payments of the orders, by order id. Orders whose payment is not known there are absent.
	Lookup(ctx context.Context, orderIDs []string) (map[string]Payment, error)
}

// Notifications answers which events it has taken over.
type Notifications interface {
	// Accepted returns those of the event ids whose customers will be told, whatever happens here.
	Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error)
}

// Letters are the dead letters of this service, which have the words of events that could not be handled.
type Letters interface {
	// Erase overwrites what people typed in the letters about these users. It may be repeated.
	Erase(ctx context.Context, userIDs ...string) error
}

// Deps are what the service works with. All are required.
type Deps struct {
	Repository    Repository
	Products      Products
	Journal       Journal
	Bus           Bus
	Payments      Payments
	Notifications Notifications
	Letters       Letters
}

// Config is how the service works. The zero value of a field means its default.
type Config struct {
	Limits   Limits        // largest totals of an order, default [DefaultLimits]
	Patience time.Duration // how long an event may take to have its effect before it is published again, default 2 s
	// DelayedAfter is how long a payment may be undecided before the customer is told that the order has come in, default
	// 10 s. Of an order that is decided earlier nothing is told but how it was decided.
	DelayedAfter time.Duration
	EraseAgain   time.Duration // age of a deleted user's erasure at which a last look ends it, default 1 min
	Publishers   int           // events published at once without a request waiting for them, default 64
	Now          func() time.Time
	Logger       *slog.Logger
	// Observe is told what the state machine said to each trigger; nil for nobody.
	Observe func(Trigger, Verdict)
}

func (c Config) withDefaults() Config {
	if c.Limits.Any == 0 {
		c.Limits = DefaultLimits()
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Second
	}
	if c.DelayedAfter == 0 {
		c.DelayedAfter = 10 * time.Second
	}
	if c.EraseAgain == 0 {
		c.EraseAgain = time.Minute
	}
	if c.Publishers == 0 {
		c.Publishers = 64
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Observe == nil {
		c.Observe = func(Trigger, Verdict) {}
	}
	return c
}

// Service is what can be done with products and orders. It is safe for concurrent use.
type Service struct {
	cfg       Config
	deps      Deps
	announcer announcer
	waking    sync.Map // ids of the young orders that the settler is to look at when they are late
}

// New makes a service.
func New(cfg Config, deps Deps) *Service {
	cfg = cfg.withDefaults()
	return &Service{
		cfg: cfg, deps: deps,
		announcer: announcer{bus: deps.Bus, slots: make(chan struct{}, cfg.Publishers), log: cfg.Logger},
	}
}

// Drain waits until no event is being published in the background, or ctx ends.
func (s *Service) Drain(ctx context.Context) { s.announcer.drain(ctx) }
