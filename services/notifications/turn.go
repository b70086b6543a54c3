package notifications

import (
	"context"
	"fmt"
	"sync"

	"sidecart.dev/kit/fault"
)

var (
	// errStale says that a message has nothing to say any more.
	errStale = fault.New(fault.Unprocessable, "stale", ReasonStale)
	// errNotTried says that nothing was sent, and that it was not the provider's fault.
	errNotTried = fault.New(fault.Unavailable, "unavailable",
		"Whether the message is still of use cannot be found out.")
)

// turns keeps a provisional message and what is said later about the same order in that order, on
// each channel: as long as the first is at the provider, the others wait. It is safe for concurrent
// use.
type turns struct {
	mu      sync.Mutex
	sending map[turn]chan struct{} // closed when the provisional message is out
}

type turn struct {
	channel Channel
	orderID string
}

// take begins to send a provisional message. The caller calls done when the provider has answered.
func (t *turns) take(key turn) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sending == nil {
		t.sending = map[turn]chan struct{}{}
	}
	out := make(chan struct{})
	t.sending[key] = out
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.sending, key)
		close(out)
	}
}

// wait returns when no provisional message about the order is being sent.
func (t *turns) wait(ctx context.Context, key turn) error {
	t.mu.Lock()
	out := t.sending[key]
	t.mu.Unlock()
	if out == nil {
		return nil
	}
	select {
	case <-out:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inTurn returns when it is the message's turn to be sent; the caller calls done when the provider
// has answered. A provisional message that was overtaken is errStale. One that is judged to be of
// use is sent before anything that is accepted after that, as far as this process sends it: what
// another process sends in the same moment may arrive first.
func (s *Service) inTurn(ctx context.Context, c Channel, m Message,
	r Record,
) (done func(), err error) {
	key := turn{c, r.OrderID}
	if !m.Provisional {
		if r.OrderID == "" {
			return func() {}, nil
		}
		return func() {}, s.turns.wait(ctx, key)
	}
	done = s.turns.take(key)
	over, err := s.overtaken(ctx, r)
	switch {
	case err != nil:
		s.warn(ctx, "a message may be overtaken", r.ID, err)
		err = fmt.Errorf("%w: %w", errNotTried, err)
	case over:
		err = errStale
	}
	if err != nil {
		done()
	}
	return done, err
}

// lookBack is how many of a user's latest deliveries are looked through for news about an order.
const lookBack = 100

// overtaken reports whether something else has been accepted about the order of a provisional
// message.
func (s *Service) overtaken(ctx context.Context, r Record) (bool, error) {
	entries, _, err := s.Lists.Page(ctx, r.UserID, 0, lookBack)
	if err != nil {
		return false, err
	}
	ids := recordsOf(entries, r.ID)
	found, err := s.records.GetAll(ctx, ids)
	if err != nil {
		return false, err
	}
	for _, other := range found {
		if other.OrderID == r.OrderID {
			return true, nil
		}
	}
	if len(found) < len(ids) && s.cfg.Now().Sub(r.CreatedAt) < leave {
		return false, errInHand // or it is listed and nobody will ever send it
	}
	return false, nil
}

// recordsOf returns the records of list entries, each once, without the one.
func recordsOf(entries []string, except string) []string {
	ids := make([]string, 0, len(entries))
	for _, entry := range entries {
		if id, _ := ParseEntryID(entry); id != except && (len(ids) == 0 || ids[len(ids)-1] != id) {
			ids = append(ids, id)
		}
	}
	return ids
}
