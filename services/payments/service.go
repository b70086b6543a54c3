package payments

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/money"
)

// ErrConflict is what [Store.Write] fails with when somebody was faster.
var ErrConflict = errors.New("the payment has changed since it was read")

// Config makes a [Service]. The interfaces are required; zero values of the rest mean their defaults.
type Config struct {
	Store    Store
	Intents  Intents
	Bus      Announcer
	Notifier Notifier
	Orders   Orders
	Provider Provider
	Index    Index
	Runner   Runner
	Letters  Letters

	ProviderTimeout time.Duration // bound of one call to the provider, default 10 s
	DriveTimeout    time.Duration // bound of driving one payment once, default 25 s
	RefundWait      time.Duration // how long a refund request waits for the provider before it answers "pending", default 3 s
	GiveUpAfter     time.Duration // age at which a charge that the provider decides nothing about counts as declined, default 1 h
	RepublishAfter  time.Duration // age at which an event that nobody has accepted is published again, default 5 s
	ErasureWindow   time.Duration // how long after a user's deletion late payments are still looked for, default 1 h

	Now  func() time.Time                                    // default time.Now
	Wait func(ctx context.Context, d time.Duration) error    // between attempts; default waits
	Log  *slog.Logger                                        // default slog.Default
	Seen func(operation, outcome string, took time.Duration) // called for each call to the provider; default nothing

	// Attention is called with one of the Attention constants when an operator should look at a payment, which the log
	// names; default nothing.
	Attention func(what string)
}

// Letters are the dead letters of this service, which have the words of events that could not be handled.
type Letters interface {
	// Erase overwrites what people typed in the letters about these users. It may be repeated.
	Erase(ctx context.Context, userIDs ...string) error
}

// What operators should look at. What is overdue is so after [Config.GiveUpAfter], and is said each time that the provider
// has been asked in vain.
const (
	AttentionGivenUp       = "charge_given_up" // counts as declined, and is refunded should it have been made
	AttentionVoidOverdue   = "void_overdue"    // a cancelled or given up charge may still be made
	AttentionRefundOverdue = "refund_overdue"  // the customer may not have the money yet
	AttentionRefundRefused = "refund_refused"  // the customer will not get it from the provider this way
)

// Service is what payments does. It is safe for concurrent use.
type Service struct {
	Config
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
	return &Service{Config: cfg, erasures: newErasures()}
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

// now is the time as documents keep it: UTC, in milliseconds, so that it survives being stored unchanged.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// maxTries bounds how often a handler starts over because somebody was faster.
const maxTries = 8

func busy() error {
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second,
		Message: "The payment is changing too often; try again.",
	}
}

// Placed takes an order's payment on: it returns nil once the pending payment and the intent to charge it are durable, or if there is a
// payment already. The charge itself is driven outside the caller's time, so that a slow provider delays nobody else.
func (s *Service) Placed(ctx context.Context, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	id := IDOf(o.ID)
	ticket, err := s.Intents.Begin(ctx, id)
	if err != nil {
		return err
	}
	var p Payment
	if _, err := p.Place(o, s.now()); err != nil {
		ticket.Wrote()
		return err
	}
	err = s.Store.Write(ctx, p, "")
	switch {
	case err == nil:
		s.handOver(ctx, p, 0, ticket)
		return nil
	case errors.Is(err, ErrConflict):
		ticket.Wrote()
		return s.placedBefore(ctx, o)
	default:
		ticket.Release()
		return err
	}
}

// placedBefore handles an order whose payment, or a fence in its place, is there already.
func (s *Service) placedBefore(ctx context.Context, o Order) error {
	return s.change(ctx, IDOf(o.ID), func(p *Payment) (bool, error) { return p.Place(o, s.now()) })
}

// Cancelled makes sure that a cancelled order costs nothing: its payment is voided or fully refunded, or made void if there is none yet.
// It returns nil once that is durable as an intent.
func (s *Service) Cancelled(ctx context.Context, o Order, c Cancellation) error {
	if err := o.check(); err != nil {
		return err
	}
	return s.change(ctx, IDOf(o.ID), func(p *Payment) (bool, error) {
		changed, err := p.Cancel(o, c, s.now())
		if err != nil || !changed {
			return false, err
		}
		if p.Status == Voided {
			p.ListSeq, err = s.Index.Append(ctx, p.ID)
			return true, err
		}
		if step, _ := p.Next(); step == StepRefundOfRest {
			err = p.AcceptRest(s.now())
		}
		return true, err
	})
}

// change reads, changes and writes a payment under an intent, and hands it over to be driven on. What was read before the intent was
// begun is written after it, as the journal asks. Where nothing changes, what is so is driven on or told again.
func (s *Service) change(ctx context.Context, id string, f func(*Payment) (bool, error)) error {
	_, _, err := s.tryChange(ctx, id, f, func(p Payment, since int64, t Ticket) {
		s.handOver(ctx, p, since, t)
	})
	return err
}

func (s *Service) tryChange(ctx context.Context, id string, f func(*Payment) (bool, error),
	then func(p Payment, since int64, t Ticket),
) (p Payment, changed bool, err error) {
	for range maxTries {
		rec, err := s.Store.Get(ctx, id)
		if err != nil {
			return Payment{}, false, err
		}
		since := rec.Version
		changed, err := f(&rec.Payment)
		if err != nil {
			return Payment{}, false, err
		}
		if !changed {
			then(rec.Payment, 0, noTicket{})
			return rec.Payment, false, nil
		}
		ticket, err := s.Intents.Begin(ctx, id)
		if err != nil {
			return Payment{}, false, err
		}
		switch err := s.Store.Write(ctx, rec.Payment, rec.ETag); {
		case err == nil:
			then(rec.Payment, since, ticket)
			return rec.Payment, true, nil
		case errors.Is(err, ErrConflict):
			ticket.Wrote()
		default:
			ticket.Release()
			return Payment{}, false, err
		}
	}
	return Payment{}, false, busy()
}

// noTicket is the ticket of a handler that changed nothing.
type noTicket struct{}

func (noTicket) Release() {}
func (noTicket) Wrote()   {}

// Find returns a payment, or a NotFound fault.
func (s *Service) Find(ctx context.Context, id string) (Payment, error) {
	if !ValidID(id) {
		return Payment{}, notFound()
	}
	rec, err := s.Store.Get(ctx, id)
	if err != nil {
		return Payment{}, err
	}
	if !rec.Exists() {
		return Payment{}, notFound()
	}
	return rec.Payment, nil
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
	records, err := s.Store.BulkGet(ctx, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]Payment, len(records))
	for _, rec := range records {
		if rec.Exists() {
			found[rec.OrderID] = rec.Payment
		}
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
