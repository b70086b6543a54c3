package notifications_test

import (
	"context"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/store"
)

// procLists are the lists of users as a process reaches them.
type procLists struct {
	store.Lists
	p *process
}

func (l procLists) Page(ctx context.Context, userID string, before uint64, limit int) (page []string, next uint64, err error) {
	if l.p.listsDown.Load() {
		l.p.listsAsked.Add(1)
		return nil, 0, errRefused
	}
	return l.Lists.Page(ctx, userID, before, limit)
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

type procSender struct {
	p *process
	c notifications.Channel
}

func (s procSender) Send(ctx context.Context, m notifications.Outgoing) error {
	return s.p.proc.Call("send "+string(s.c), func() error {
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
