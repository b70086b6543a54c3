package notifications

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/journal"
)

// Settle implements [journal.Settler]: it puts what is due back into the lanes, and finds what is finished.
// The journal offers a record until then, so nothing depends on a process's memory.
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) (finished []string, err error) {
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		if !s.busy(e.ID) {
			ids = append(ids, e.ID)
		}
	}
	found, err := s.Store.LoadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	fence := map[string]bool{}
	for _, e := range entries {
		fence[e.ID] = e.Fence
	}
	var errs []error
	for _, id := range ids {
		done, err := s.settle(ctx, id, found[id], fence[id])
		if err != nil {
			errs = append(errs, err)
		}
		if done {
			finished = append(finished, id)
		}
	}
	return finished, errors.Join(errs...)
}

// busy reports whether the lanes have the record and will go on with it by themselves.
func (s *Service) busy(id string) bool {
	anywhere := false
	for _, l := range s.lanes {
		busy, delayed := l.holds(id)
		if delayed {
			return false
		}
		anywhere = anywhere || busy
	}
	return anywhere
}

func (s *Service) settle(ctx context.Context, id string, stored Stored, fence bool) (done bool, err error) {
	if fence {
		// Its handler's write may still be under way; after this it is either there or impossible.
		if exists, err := s.Store.Fence(ctx, id); err != nil || !exists {
			return err == nil, err
		}
		if stored, _, err = s.Store.Load(ctx, id); err != nil {
			return false, err
		}
	}
	if !stored.Exists {
		return true, nil
	}
	r := &stored.Record
	m, _ := MessageOf(r.EventType)
	if m.Erases {
		return s.settleErasure(ctx, r)
	}
	if r.Settled() {
		return true, nil
	}
	s.retry(r)
	return false, nil
}

// retry puts the deliveries that are due into their lanes, where they are claimed before they are sent.
func (s *Service) retry(r *Record) {
	now := s.cfg.Now()
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		if l := s.lane(d.Channel); d.Status == Queued && l.due(d, now) {
			l.push(job{id: r.ID, since: now})
		}
	}
}

// settleErasure erases what names a deleted user: at once everything but the farewell, the farewell once it is sent, and everything
// again a little later, because an event may have been accepted meanwhile with a contact that was read before.
func (s *Service) settleErasure(ctx context.Context, r *Record) (done bool, err error) {
	began := s.cfg.Now()
	keep := r.ID
	if r.Settled() {
		keep = ""
	} else {
		s.retry(r)
	}
	if err := s.eraseUser(ctx, r.UserID, keep); err != nil {
		return false, err
	}
	if err := s.Letters.Erase(ctx, r.UserID); err != nil {
		return false, err
	}
	return keep == "" && began.Sub(r.CreatedAt) >= s.cfg.EraseAgain, nil
}

const erasePage = 100

func (s *Service) eraseUser(ctx context.Context, userID, except string) error {
	for before := uint64(0); ; {
		entries, next, err := s.Lists.Page(ctx, userID, before, erasePage)
		if err != nil {
			return err
		}
		if err := s.erasePage(ctx, entries, except); err != nil {
			return err
		}
		if next == 0 {
			return nil
		}
		before = next
	}
}

func (s *Service) erasePage(ctx context.Context, entries []string, except string) error {
	found, err := s.Store.LoadAll(ctx, recordsOf(entries, except))
	if err != nil {
		return err
	}
	for _, stored := range found {
		if err := s.eraseRecord(ctx, stored); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) eraseRecord(ctx context.Context, stored Stored) error {
	for {
		if !stored.Exists || !stored.Record.Erase(s.cfg.Now().UTC()) {
			return nil
		}
		id := stored.Record.ID
		err := s.Store.Update(ctx, stored.Record, stored.ETag)
		if err == nil || !isConflict(err) {
			return err
		}
		var found bool
		if stored, found, err = s.Store.Load(ctx, id); err != nil || !found {
			return err
		}
	}
}

// Delivered is a delivery as its recipient sees it.
type Delivered struct {
	ID        string     `json:"id"`
	Kind      Kind       `json:"kind"`
	EventType string     `json:"event_type"`
	Channel   Channel    `json:"channel"`
	Status    Status     `json:"status"`
	Subject   string     `json:"subject"`
	OrderID   string     `json:"order_id,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at,omitempty"`
}

// View returns the delivery by that channel at that position of its user's list, or ok = false if it does not stand there.
func (r *Record) View(c Channel, seq uint64) (v Delivered, ok bool) {
	d := r.Delivery(c)
	if d == nil || d.Seq != seq {
		return Delivered{}, false
	}
	v = Delivered{
		ID: d.ID, Kind: r.Kind, EventType: r.EventType, Channel: c, Status: d.Status, Subject: d.Subject,
		OrderID: r.OrderID, Reason: d.Reason, CreatedAt: r.CreatedAt,
	}
	if !d.SentAt.IsZero() {
		v.SentAt = &d.SentAt
	}
	return v, true
}
