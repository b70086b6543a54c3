package notifications_test

import (
	"context"
	"slices"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/notifications"
)

type procState struct{ p *process }

func (s procState) Get(ctx context.Context, key string) (item sidecar.Item, err error) {
	err = s.p.call(func() error { item, err = s.p.state.Get(ctx, key); return err })
	return item, err
}

func (s procState) BulkGet(ctx context.Context, keys []string) (items map[string]sidecar.Item, err error) {
	err = s.p.call(func() error { items, err = s.p.state.BulkGet(ctx, keys); return err })
	return items, err
}

func (s procState) Insert(ctx context.Context, key string, value []byte, opts ...sidecar.WriteOption) error {
	return s.p.call(func() error { return s.p.state.Insert(ctx, key, value, opts...) })
}

func (s procState) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	return s.p.call(func() error { return s.p.state.Update(ctx, key, value, etag, opts...) })
}

func (s procState) Delete(ctx context.Context, key, etag string) error {
	return s.p.call(func() error { return s.p.state.Delete(ctx, key, etag) })
}

type procLists struct{ p *process }

func (l procLists) Append(_ context.Context, userID string, entries []string) (seqs []uint64, err error) {
	err = l.p.call(func() error {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		for _, e := range entries {
			l.p.lists[userID] = append(l.p.lists[userID], e)
			seqs = append(seqs, uint64(len(l.p.lists[userID])))
		}
		return nil
	})
	return seqs, err
}

func (l procLists) Page(_ context.Context, userID string, before uint64, limit int) (page []string, next uint64, err error) {
	if l.p.listsDown.Load() {
		l.p.listsAsked.Add(1)
		return nil, 0, errRefused
	}
	err = l.p.call(func() error {
		l.p.mu.Lock()
		defer l.p.mu.Unlock()
		all := l.p.lists[userID]
		if before > 0 {
			all = all[:before-1]
		}
		from := max(0, len(all)-limit)
		page = slices.Clone(all[from:])
		slices.Reverse(page)
		if from > 0 {
			next = uint64(from) + 1
		}
		return nil
	})
	return page, next, err
}

type procContacts struct{ p *process }

func (c procContacts) Contact(_ context.Context, userID string, _ time.Time) (contact notifications.Contact, err error) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	contact, ok := c.p.contacts[userID]
	if !ok {
		return contact, fault.New(fault.NotFound, "not_found", "no such user")
	}
	return contact, nil
}

func (procContacts) Forget(string) {}

func (c procContacts) Token(_ context.Context, userID string, kind notifications.TokenKind, eventID string) (notifications.MailToken, error) {
	c.p.mu.Lock()
	number := c.p.coded[userID]
	c.p.mu.Unlock()
	return notifications.MailToken{Phone: number, Token: "secret-" + string(kind) + "-" + eventID[len(eventID)-4:], Expires: c.p.now().Add(time.Hour)}, nil
}

type procJournal struct{ p *process }

func (j procJournal) Begin(_ context.Context, id string) (notifications.Ticket, error) {
	err := j.p.call(func() error { j.set(id, true); return nil })
	return &ticket{j: j, id: id}, err
}

func (j procJournal) set(id string, fence bool) {
	j.p.mu.Lock()
	defer j.p.mu.Unlock()
	j.p.journal[id] = fence
}

func (j procJournal) Finish(_ time.Time, ids ...string) {
	if j.p.dead.Load() {
		return
	}
	j.p.mu.Lock()
	defer j.p.mu.Unlock()
	for _, id := range ids {
		delete(j.p.journal, id)
	}
}

func (procJournal) Poke(ids ...string) {
	if len(ids) == 0 {
		panic("poked everything")
	}
}

type ticket struct {
	j    procJournal
	id   string
	over bool
}

func (t *ticket) Release() {}

func (t *ticket) Wrote() {
	if !t.over && !t.j.p.dead.Load() {
		t.over = true
		t.j.set(t.id, false)
	}
}

func (t *ticket) Finish() { t.j.Finish(time.Time{}, t.id) }

type procSender struct {
	p *process
	c notifications.Channel
}

func (s procSender) Send(ctx context.Context, m notifications.Outgoing) error {
	return s.p.call(func() error {
		if s.p.email != nil && s.c == notifications.Email {
			return s.p.email.Send(ctx, m)
		}
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		if err := s.p.outage[s.c]; err != nil {
			return err
		}
		s.p.sent = append(s.p.sent, sent{s.c, m})
		return nil
	})
}
