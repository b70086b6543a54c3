package payments

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
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

	ProviderTimeout time.Duration // bound of one call to the provider, default 10 s
	// Prompt is how long placing a payment waits for each answer of the provider, so that a payment
	// which is decided at once is written once. Zero, the default: it is written as pending before the
	// provider is asked.
	Prompt time.Duration

	DriveTimeout   time.Duration // bound of driving one payment once, default 25 s
	RefundWait     time.Duration // how long a refund request waits for the provider before it answers "pending", default 3 s
	GiveUpAfter    time.Duration // age at which a charge that the provider decides nothing about counts as declined, default 1 h
	RepublishAfter time.Duration // age at which an event that nobody has accepted is published again, default 5 s
	ErasureWindow  time.Duration // how long after a user's deletion late payments are still looked for, default 1 h

	Now  func() time.Time                                    // default time.Now
	Wait func(ctx context.Context, d time.Duration) error    // between attempts; default waits
	Log  *slog.Logger                                        // default slog.Default
	Seen func(operation, outcome string, took time.Duration) // called for each call to the provider; default nothing

	// Attention is called with one of the Attention constants when an operator should look at a
	// payment, which the log names; default nothing.
	Attention func(what string)

	// Decided is called with the type of each event that tells how a payment was decided, when this
	// process comes to know it. After the death of a process one may be told of twice or not at all;
	// default nothing.
	Decided func(eventType string)
}

// What operators should look at. What is overdue is so after [Config.GiveUpAfter], and is said each
// time that the provider has been asked in vain.
const (
	AttentionGivenUp       = "charge_given_up" // counts as declined, and is refunded should it have been made
	AttentionVoidOverdue   = "void_overdue"    // a cancelled or given up charge may still be made
	AttentionRefundOverdue = "refund_overdue"  // the customer may not have the money yet
	AttentionRefundRefused = "refund_refused"  // the customer will not get it from the provider this way
)

// Service is what payments does. It is safe for concurrent use.
type Service struct {
	Config
	docs     *aggregate.Aggregates[Payment]
	erasures *erasures
}

// NewService makes a service.
func NewService(cfg Config) *Service {
	defaults := []struct {
		field *time.Duration
		value time.Duration
	}{
		{&cfg.ProviderTimeout, 10 * time.Second},
		{&cfg.DriveTimeout, 25 * time.Second},
		{&cfg.RefundWait, 3 * time.Second},
		{&cfg.GiveUpAfter, time.Hour},
		{&cfg.RepublishAfter, 5 * time.Second},
		{&cfg.ErasureWindow, time.Hour},
	}
	for _, d := range defaults {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = wait
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
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
		Kind: KindPayment, State: cfg.State, Journal: cfg.Journal, Bus: cfg.Bus, Topic: Topic,
		Done: Payment.done, Events: func(p Payment) ([]event.Event, error) { return p.Events(0) },
		Patience: cfg.RepublishAfter, Logger: cfg.Log,
	})
	s.docs.DrivenBy(aggregate.Driver[Payment]{Written: s.handOver, Drive: s.drive, Accepted: s.accepted})
	return s
}

func wait(ctx context.Context, d time.Duration) error {
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

// Placed takes an order's payment on: it returns nil once the payment and the intent to drive it on
// are durable, or if there is a payment already, which is then driven on, and its events told
// again. What the provider has not decided within [Config.Prompt] is written as pending, and driven
// outside the caller's time, so that a slow provider delays nobody else.
func (s *Service) Placed(ctx context.Context, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	var opts []aggregate.CreateOption
	if s.Prompt > 0 {
		opts = append(opts, aggregate.Alongside()) // asking the provider takes a while
	}
	p, created, err := s.docs.Create(ctx, IDOf(o.ID), func() (Payment, error) { return s.decidedAtOnce(ctx, o) }, opts...)
	if errors.Is(err, aggregate.ErrUnchanged) {
		err = nil
	}
	if err == nil && !created {
		s.runAgain(ctx, p, "")
	}
	return err
}

// Cancelled makes sure that a cancelled order costs nothing: its payment is voided or fully
// refunded. If there is none yet it is made, and voided at the provider, which may have been asked
// to charge it at this moment. It returns nil once that is durable as an intent.
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
	if !ValidID(id) {
		return Payment{}, notFound()
	}
	p, err := s.docs.Get(ctx, id)
	if sidecar.IsMissing(err) {
		return Payment{}, notFound()
	}
	return p, err
}

func notFound() error { return fault.New(fault.NotFound, "not_found", "There is no such payment.") }

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

var (
	orderPattern = regexp.MustCompile(`^ord_[0-9a-z-]{1,36}$`)
	userPattern  = regexp.MustCompile(`^usr_[0-9a-z-]{1,36}$`)
)

// check refuses orders that no payment can be made of. They are poison: they will never be right.
func (o Order) check() error {
	var fields []fault.Field
	bad := func(field, message string) { fields = append(fields, fault.Field{Field: field, Message: message}) }
	if !orderPattern.MatchString(o.ID) {
		bad("order_id", "must be an order id")
	}
	if !userPattern.MatchString(o.UserID) {
		bad("user_id", "must be a user id")
	}
	if o.Amount.Amount <= 0 || o.Amount.Amount > maxAmount || !money.ValidCurrency(o.Amount.Currency) {
		bad("total", "must be a positive amount of a currency")
	}
	if len(o.Method) == 0 || len(o.Method) > 128 {
		bad("payment_method", "must have 1 to 128 characters")
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// maxAmount is the largest integer that every JSON reader keeps exactly.
const maxAmount = 1<<53 - 1
