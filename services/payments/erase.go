package payments

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
)

// ErasedMethod stands where a payment method was. A token leads to a card only together with the
// provider's secret key, but it belongs to a person. Once the charge is decided nothing needs the
// token, because refunds name the charge.
const ErasedMethod = "tok_erased"

// UserDeleted accepts that a deleted user's payment methods are to be erased. Payments themselves
// stay, as they are financial records. All they still say of the person is an id that no longer
// leads anywhere. UserDeleted returns nil once the intent is durable.
func (s *Service) UserDeleted(ctx context.Context, userID string) error {
	if !validUser(userID) {
		return fault.InvalidField("user_id", "must be a user id")
	}
	ticket, err := s.Journal.Begin(ctx, journal.KindID(ErasureKind, userID))
	if err != nil {
		return err
	}
	ticket.Wrote()
	return nil
}

// erasures are what this process knows of the erasures in its journal; a process that knows nothing
// begins again.
type erasures struct {
	mu     sync.Mutex
	wanted map[string]bool      // users to look for in the next sweep
	swept  map[string]time.Time // when the last complete sweep for a user began
}

func newErasures() *erasures {
	return &erasures{wanted: map[string]bool{}, swept: map[string]time.Time{}}
}

// SettleErasures is the journal's settler of the ids of [ErasureKind]: it starts a sweep over all
// payments for the users that need one. There is no list of a user's payments, because it would
// cost every payment a write; instead one sweep serves all users who were deleted in the meantime.
// An erasure is finished when its last sweep began after [Config.ErasureWindow], in which the
// charges that were under way are decided.
func (s *Service) SettleErasures(
	ctx context.Context, entries []journal.Entry,
) (finished []string, _ error) {
	for _, e := range entries {
		if s.erasures.want(e.ID, e.Since.Add(s.ErasureWindow), s.now()) {
			finished = append(finished, e.ID)
		}
	}
	s.Runner.Go(ctx, ErasureKind, s.sweep)
	return finished, nil
}

// want asks for a sweep if there was none, or if the last one is due. It reports whether the last
// one has been done.
func (e *erasures) want(user string, windowEnds, now time.Time) (finished bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	swept, ok := e.swept[user]
	if ok && swept.After(windowEnds) {
		delete(e.swept, user)
		return true
	}
	if !ok || now.After(windowEnds) {
		e.wanted[user] = true
	}
	return false
}

func (s *Service) sweep(ctx context.Context) {
	users, began := s.erasures.take(), s.now()
	if len(users) == 0 {
		return
	}
	err := s.eachPage(ctx, func(ctx context.Context, payments []Payment) error {
		for _, p := range payments {
			if users[p.UserID] && p.erase(s.now()) {
				if err := s.erase(ctx, p.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		err = s.Letters.Erase(ctx, slices.Collect(maps.Keys(users))...)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "erasure of payment methods is not complete and will be repeated",
			"error", err.Error())
		return
	}
	s.erasures.done(users, began)
}

// erasedReason stands where a reason stood that somebody had typed.
const erasedReason = "erased"

// typed returns what is kept of words that somebody types now. Of a payment that was erased nothing
// is: its owner has gone, however long ago.
func (p *Payment) typed(words string) string {
	if p.Method == ErasedMethod && words != "" {
		return erasedReason
	}
	return words
}

// erase overwrites the method of a decided payment, and what people typed: the customer's reason of
// a cancellation and the operators' reasons of refunds. It reports whether that changed anything.
func (p *Payment) erase(now time.Time) bool {
	if p.Status == Pending {
		return false
	}
	had := p.Method != ErasedMethod
	p.Method = ErasedMethod
	if p.Cancellation != nil && p.Cancellation.Reason != "" && p.Cancellation.Reason != erasedReason {
		had, p.Cancellation = true, &Cancellation{Reason: erasedReason, At: p.Cancellation.At}
	}
	refunds := slices.Clone(p.Refunds)
	for i := range refunds {
		if refunds[i].Reason != erasedReason {
			had, refunds[i].Reason = true, erasedReason
		}
	}
	p.Refunds = refunds
	if had {
		p.touch(p.Status, now)
	}
	return had
}

// erase erases from a stored payment. That needs no driving afterwards: it owes no new event.
func (s *Service) erase(ctx context.Context, id string) error {
	_, err := s.update(ctx, id, func(p *Payment) error {
		if !p.erase(s.now()) {
			return aggregate.ErrUnchanged
		}
		return nil
	})
	return err
}

func (e *erasures) take() map[string]bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	users := e.wanted
	e.wanted = map[string]bool{}
	return users
}

func (e *erasures) done(users map[string]bool, began time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for user := range users {
		e.swept[user] = began
	}
}
