package orders

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar"
)

// The kinds of the ids in this service's journal.
const (
	Kind        = "order"   // an order that is not done, or of which somebody is still to be told
	ErasureKind = "erasure" // a deleted user, whose orders are to be ended and erased
)

// Products keeps the catalogue. Implementations are safe for concurrent use.
type Products interface {
	// Catalogue returns the catalogue, at most a few seconds old.
	Catalogue(ctx context.Context) (Catalogue, error)
	// Change replaces the catalogue with what edit makes of the present one, and may call edit several
	// times.
	Change(ctx context.Context, edit func(Catalogue) (Catalogue, error)) error
}

// Payments answers what has become of payments.
type Payments interface {
	// Lookup returns the payments of the orders, by order id. Orders whose payment is not known there
	// are absent.
	Lookup(ctx context.Context, orderIDs []string) (map[string]Payment, error)
}

// Notifications answers which events it has accepted.
type Notifications interface {
	// Accepted returns those of the event ids whose customers will be told, whatever happens here.
	Accepted(ctx context.Context, eventIDs []string) (map[string]bool, error)
}

// Letters are the dead letters of this service, which have the words of events that could not be
// handled.
type Letters interface {
	// Erase overwrites what people typed in the letters about these users. It may be repeated.
	Erase(ctx context.Context, userIDs ...string) error
}

// Deps are what the service works with. All are required.
type Deps struct {
	State         sidecar.State
	Bus           sidecar.Publisher
	Journal       aggregate.Journal
	Ready         func() error // nil if the journal can be expected to take an intent
	Products      Products
	Payments      Payments
	Notifications Notifications
	Letters       Letters
}

// Config is how the service works. The zero value of a field means its default.
type Config struct {
	Limits Limits // largest totals of an order, default [DefaultLimits]
	// Patience is how long an event may take to have its effect before it is published again, default
	// 2 s.
	Patience time.Duration
	// DelayedAfter is how long a payment may be undecided before the customer is told that the order
	// has come in, default 10 s. Of an order that is decided earlier nothing is told but how it was
	// decided.
	DelayedAfter time.Duration
	// EraseAgain is the age of a deleted user's erasure at which a last look ends it, default 1 min.
	EraseAgain time.Duration
	Now        func() time.Time
	Logger     *slog.Logger
	// Observe is told what the state machine said to each trigger; nil for nobody.
	Observe func(Trigger, Verdict)
	// Finished is told of each order that comes to rest, with the time since it was placed; nil for
	// nobody. What happens to it later, such as a refund, is not told.
	Finished func(Status, time.Duration)
}

func (c Config) withDefaults() Config {
	if c.Limits.Any == 0 {
		c.Limits = DefaultLimits()
	}
	c.Patience = cmp.Or(c.Patience, 2*time.Second)
	c.DelayedAfter = cmp.Or(c.DelayedAfter, 10*time.Second)
	c.EraseAgain = cmp.Or(c.EraseAgain, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(Trigger, Verdict) {}
	}
	if c.Finished == nil {
		c.Finished = func(Status, time.Duration) {}
	}
	return c
}

// Service is what can be done with products and orders. It is safe for concurrent use.
type Service struct {
	cfg    Config
	deps   Deps
	orders *aggregate.Aggregates[Order]
	lists  *list.Lists // of each customer's orders, newest last
	waking sync.Map    // ids of the orders at which the settler is to look when they begin to be late
}

// New makes a service. Its journal settles ids of [Kind] with [Service.Settle] and those of
// [ErasureKind] with [Service.SettleErasures].
func New(cfg Config, deps Deps) *Service {
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, deps: deps, lists: list.New(list.Config{State: deps.State})}
	s.orders = aggregate.New(aggregate.Config[Order]{
		Kind: Kind, State: deps.State, Journal: deps.Journal, Bus: deps.Bus, Topic: Topic,
		Done: Order.Done, Events: Order.Events, Encode: encode, Decode: decode,
		Patience: cfg.Patience, Logger: cfg.Logger,
	})
	s.orders.DrivenBy(aggregate.Driver[Order]{Drive: s.drive, Accepted: s.accepted})
	return s
}

// Drain waits until no event is being published in the background, or ctx ends.
func (s *Service) Drain(ctx context.Context) { s.orders.Drain(ctx) }

func encode(o Order) ([]byte, error) { return json.Marshal(o.Document()) }

func decode(raw []byte) (Order, error) {
	var d Document
	if err := json.Unmarshal(raw, &d); err != nil {
		return Order{}, err
	}
	return d.Order()
}
