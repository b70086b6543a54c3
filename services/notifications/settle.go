package notifications

import (
	"context"
	"errors"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
)

// Settle implements [journal.Settler]: it puts what is due back into the queues, and finds what is
// finished. The journal offers a record until then, so nothing depends on a process's memory.
func (s *Service) Settle(ctx context.Context, entries []journal.Entry) ([]string, error) {
	return s.records.Settle(ctx, entries)
}

// drive puts the deliveries that are due into their queues, and erases what a deletion asks for.
func (s *Service) drive(ctx context.Context,
	open []aggregate.Open[Record],
) (map[string]Record, error) {
	var errs []error
	changed := map[string]Record{}
	for _, o := range open {
		s.retry(&o.Doc, o.TraceParent)
		if m, _ := MessageOf(o.Doc.EventType); !m.Erases {
			continue
		}
		r, done, err := s.sweep(ctx, o.Doc)
		if err != nil {
			errs = append(errs, err)
		} else if done {
			changed[o.ID] = r
		}
	}
	return changed, errors.Join(errs...)
}

// busy reports whether the queues have the record and will go on with it by themselves.
func (s *Service) busy(id string) bool {
	anywhere := false
	for _, q := range s.queues {
		busy, delayed := q.holds(id)
		if delayed {
			return false
		}
		anywhere = anywhere || busy
	}
	return anywhere
}

// leave is how long what another process has accepted is left to it. If it lives it has sent it by
// then, or looks at the record before it does.
const leave = 10 * time.Second

// retry puts the deliveries that are due into their queues, where they are claimed before they are
// sent.
func (s *Service) retry(r *Record, traceparent string) {
	now := s.cfg.Now()
	if s.theirs.has(r.ID) && now.Sub(r.CreatedAt) < leave {
		return
	}
	for i := range r.Deliveries {
		d := &r.Deliveries[i]
		if q := s.queue(d.Channel); d.Status == Queued && q.due(d, now) {
			q.push(job{id: r.ID, since: now, about: r.OrderID, traceparent: traceparent})
		}
	}
}

// sweep erases what names a deleted user: at once everything but the farewell, the farewell once it
// is sent, and everything again a little later, because an event may have been accepted meanwhile
// with a contact that was read before. Then it is done.
func (s *Service) sweep(ctx context.Context, r Record) (swept Record, done bool, err error) {
	began := s.cfg.Now()
	keep := r.ID
	if r.Ended() {
		keep = ""
	}
	if err := s.eraseUser(ctx, r.UserID, keep); err != nil {
		return r, false, err
	}
	if err := s.Letters.Erase(ctx, r.UserID); err != nil {
		return r, false, err
	}
	if keep != "" || began.Sub(r.CreatedAt) < s.cfg.EraseAgain {
		return r, false, nil
	}
	swept, err = s.advance(ctx, r.ID, func(r Record) (Record, error) {
		r.Swept = began.UTC()
		return r, nil
	})
	return swept, err == nil, err
}

// advance changes a record as a step of driving it.
func (s *Service) advance(ctx context.Context, id string,
	f func(r Record) (Record, error),
) (Record, error) {
	read, err := s.records.Read(ctx, id)
	if err != nil {
		return Record{}, err
	}
	return s.records.Advance(ctx, read, f)
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
	found, err := s.records.GetAll(ctx, recordsOf(entries, except))
	if err != nil {
		return err
	}
	for id, r := range found {
		if !r.Erased.IsZero() {
			continue
		}
		_, err := s.advance(ctx, id, func(r Record) (Record, error) {
			if !r.Erase(s.cfg.Now().UTC()) {
				return r, aggregate.ErrUnchanged
			}
			return r, nil
		})
		if err != nil && !sidecar.IsMissing(err) {
			return err
		}
	}
	return nil
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

// View returns the delivery by that channel at that position of its user's list, or ok = false if
// it does not stand there.
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
