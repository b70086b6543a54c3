package payments

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Config makes a [Service]. State to Letters are required; zero values of the rest mean their
// defaults.
type Config struct {
	State    sidecar.State     // where payments are kept
	Journal  aggregate.Journal // the service's journal
	Bus      sidecar.Publisher
	Peers    Peers
	Provider Provider
	Index    Index
	Runner   Runner
	Letters  Letters

	// ProviderTimeout bounds one call to the provider, default 10 s.
	ProviderTimeout time.Duration
	// Prompt is how long placing a payment waits for each answer of the provider, so that a payment
	// which is decided at once is written once. Zero, the default: it is written as pending before the
	// provider is asked.
	Prompt time.Duration
	// DriveTimeout bounds driving one payment once, default 25 s.
	DriveTimeout time.Duration
	// RefundWait is how long a refund request waits for the provider before it answers "pending",
	// default 3 s.
	RefundWait time.Duration
	// GiveUpAfter is the age at which a charge that the provider does not decide counts as declined,
	// default 1 h.
	GiveUpAfter time.Duration
	// RepublishAfter is the age at which an event that nobody has accepted is published again, default
	// 5 s.
	RepublishAfter time.Duration
	// ErasureWindow is how long after a user's deletion late payments are still looked for, default
	// 1 h.
	ErasureWindow time.Duration

	Now  func() time.Time                                 // default time.Now
	Wait func(ctx context.Context, d time.Duration) error // between attempts; default [Wait]
	Log  *slog.Logger                                     // default slog.Default

	// Seen is called for each call to the provider; default nothing.
	Seen func(operation, outcome string, took time.Duration)

	// Attention is called with one of the Attention constants when an operator should look at a
	// payment, which the log names; default nothing.
	Attention func(what string)

	// Decided is called with the type of each event that tells how a payment was decided, when this
	// process comes to know it. After the death of a process one may be told of twice or not at all;
	// default nothing.
	Decided func(eventType string)
}

// What operators should look at. A void or a refund is overdue after [Config.GiveUpAfter], and that
// is said each time that the provider has been asked in vain.
const (
	AttentionGivenUp       = "charge_given_up" // counts as declined; is refunded if it was made
	AttentionVoidOverdue   = "void_overdue"    // a cancelled or given up charge may still be made
	AttentionRefundOverdue = "refund_overdue"  // the customer may not have the money yet
	AttentionRefundRefused = "refund_refused"  // the provider will not give the money back this way
)

// Service is what payments does. It is safe for concurrent use.
type Service struct {
	Config
	docs     *aggregate.Aggregates[Payment]
	erasures *erasures
}

// NewService makes a service.
func NewService(cfg Config) *Service {
	cfg.ProviderTimeout = cmp.Or(cfg.ProviderTimeout, 10*time.Second)
	cfg.DriveTimeout = cmp.Or(cfg.DriveTimeout, 25*time.Second)
	cfg.RefundWait = cmp.Or(cfg.RefundWait, 3*time.Second)
	cfg.GiveUpAfter = cmp.Or(cfg.GiveUpAfter, time.Hour)
	cfg.RepublishAfter = cmp.Or(cfg.RepublishAfter, 5*time.Second)
	cfg.ErasureWindow = cmp.Or(cfg.ErasureWindow, time.Hour)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = Wait
	}
	if cfg.Seen == nil {
		cfg.Seen = func(string, string, time.Duration) {}
	}
	if cfg.Attention == nil {
		cfg.Attention = func(string) {}
	}
	if cfg.Decided == nil {
		cfg.Decided = func(string) {}
	}
	s := &Service{Config: cfg, erasures: newErasures()}
	s.docs = aggregate.New(aggregate.Config[Payment]{
		Kind: PaymentKind, State: cfg.State, Journal: cfg.Journal, Bus: cfg.Bus, Topic: Topic,
		Done: Payment.done, Events: func(p Payment) ([]event.Event, error) { return p.Events(0) },
		Patience: cfg.RepublishAfter, Logger: cfg.Log,
	})
	s.docs.DrivenBy(aggregate.Driver[Payment]{
		Written: s.handOver, Drive: s.drive, Accepted: s.accepted,
	})
	return s
}

// Wait waits for that time, or until ctx ends, which is its error.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now is the time as documents keep it: UTC, in milliseconds, so that it survives being stored
// unchanged.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// Placed accepts the payment of an order. It returns nil once the payment and the intent to drive
// it on are durable. If there is a payment already, that one is driven on, and its events are told
// again. What the provider has not decided within [Config.Prompt] is written as pending, and is
// driven on outside the caller's time, so that a slow provider delays nobody else.
func (s *Service) Placed(ctx context.Context, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	var opts []aggregate.CreateOption
	if s.Prompt > 0 {
		opts = append(opts, aggregate.Alongside()) // asking the provider takes a while
	}
	make := func() (Payment, error) { return s.decidedAtOnce(ctx, o) }
	p, created, err := s.docs.Create(ctx, IDOf(o.ID), make, opts...)
	if errors.Is(err, aggregate.ErrUnchanged) {
		err = nil
	}
	if err == nil && !created {
		s.runAgain(ctx, p, "")
	}
	return err
}

// Cancelled makes sure that a cancelled order costs nothing: its payment is voided or fully
// refunded. If there is no payment yet, one is made and voided at the provider, which somebody else
// may be asking to charge it at this moment. Cancelled returns nil once the intent is durable.
func (s *Service) Cancelled(ctx context.Context, o Order, c Cancellation) error {
	if err := o.check(); err != nil {
		return err
	}
	changed := false
	p, err := s.docs.Put(ctx, IDOf(o.ID), func(p Payment, _ bool) (_ Payment, err error) {
		if changed, err = p.Cancel(o, c, s.now()); err != nil || !changed {
			return p, cmp.Or(err, aggregate.ErrUnchanged)
		}
		if step, _ := p.Next(); step == StepRefundOfRest {
			err = p.AcceptRest(s.now())
		}
		return p, err
	})
	if err == nil && !changed {
		s.runAgain(ctx, p, "")
	}
	return err
}

// Find returns a payment, or a NotFound fault.
func (s *Service) Find(ctx context.Context, id string) (Payment, error) {
	if !validID(id) {
		return Payment{}, notFound()
	}
	p, err := s.docs.Get(ctx, id)
	if sidecar.IsMissing(err) {
		return Payment{}, notFound()
	}
	return p, err
}

func notFound() error {
	return fault.New(fault.NotFound, "not_found", "There is no such payment.")
}

// MaxLookup is the number of orders one [Service.Lookup] may ask for.
const MaxLookup = 500

// Lookup returns the payments of the orders that have one, by order id.
func (s *Service) Lookup(ctx context.Context, orderIDs []string) (map[string]Payment, error) {
	ids := make([]string, len(orderIDs))
	for i, orderID := range orderIDs {
		ids[i] = IDOf(orderID)
	}
	payments, err := s.docs.GetAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Payment, len(payments))
	for _, p := range payments {
		found[p.OrderID] = p
	}
	return found, nil
}
