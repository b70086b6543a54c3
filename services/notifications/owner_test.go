package notifications_test

import (
	"context"
	"testing"
	"time"

	"sidecart.dev/notifications"
)

// senderFunc makes a sender of a function.
type senderFunc func(ctx context.Context, m notifications.Outgoing) error

func (f senderFunc) Send(ctx context.Context, m notifications.Outgoing) error { return f(ctx, m) }

// A mail in hand is not claimed as long as the journal's lease keeps it from others, and is claimed
// when that is over.
func TestAMailIsClaimedOnlyIfAnotherProcessCouldHaveIt(t *testing.T) {
	for name, lost := range map[string]bool{"its lane is held": false, "its lane was taken over": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first, second := example(t, "user.password_changed.v1", 1), example(t, "user.password_changed.v1", 2)
			began, letGo, claimed := make(chan struct{}, 2), make(chan struct{}), make(chan bool, 1)
			p := w.start(func(p *process, _ *notifications.Config) {
				p.email = senderFunc(func(_ context.Context, m notifications.Outgoing) error {
					if m.ID == notifications.DeliveryID(second.ID, notifications.Email) {
						claimed <- !w.delivery(second, notifications.Email).Claimed.IsZero()
						return nil
					}
					began <- struct{}{}
					<-letGo
					return nil
				})
			})
			p.accept(first)
			<-began
			p.accept(second) // it waits behind the first
			w.skip(5 * time.Second)
			if lost {
				w.journal.TakeOver()
			}
			close(letGo)
			if got := <-claimed; got != lost {
				t.Errorf("claimed: %v, want %v", got, lost)
			}
			p.finish()
		})
	}
}

// An event that comes to a second replica while the first still has its mail in hand is left to the
// first.
func TestWhatAnotherProcessHasAcceptedIsLeftToIt(t *testing.T) {
	w := newWorld(t)
	e, other := example(t, "user.password_changed.v1", 1), example(t, "user.password_changed.v1", 2)
	began, letGo := make(chan struct{}, 1), make(chan struct{})
	a := w.start(func(p *process, _ *notifications.Config) {
		p.email = senderFunc(func(context.Context, notifications.Outgoing) error {
			began <- struct{}{}
			<-letGo
			return nil
		})
	})
	b := w.start(nil)
	a.accept(e)
	<-began
	b.accept(e)
	b.settle()
	b.accept(other) // behind whatever else b would send
	w.until("b has sent what it accepted", func() bool { return len(w.sentBy(notifications.Email)) > 0 })
	for _, m := range w.sentBy(notifications.Email) {
		if m.ID != notifications.DeliveryID(other.ID, notifications.Email) {
			t.Errorf("b has sent %q, which a is sending", m.Subject)
		}
	}
	close(letGo)
	w.until("a has recorded it", func() bool { return w.delivery(e, notifications.Email).Status == notifications.Sent })
	b.finish()
	if n := len(w.sentBy(notifications.Email)); n != 1 {
		t.Errorf("b has sent %d mails, want 1", n)
	}
}
