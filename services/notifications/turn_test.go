package notifications_test

import (
	"context"
	"slices"
	"testing"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
)

// toldBy are the types of those of the events that were told by a channel, in the order they were
// told.
func (w *world) toldBy(c notifications.Channel, events ...event.Event) []string {
	var told []string
	for _, m := range w.sentBy(c) {
		for _, e := range events {
			if m.ID == notifications.DeliveryID(e.ID, c) {
				told = append(told, e.Type)
			}
		}
	}
	return told
}

const delayed, confirmed = "order.delayed.v1", "payment.confirmed.v1"

func TestOrderReceivedNeverComesAfterWhatBecameOfTheOrder(t *testing.T) {
	for _, decision := range []string{confirmed, "payment.declined.v1", "payment.refunded.v1", "order.cancelled.v1"} {
		for name, test := range map[string]struct {
			play func(p *process, received, decided event.Event)
			want []string
		}{
			"it is delayed, then decided": {func(p *process, received, decided event.Event) {
				p.accept(received)
				p.until("it is told", func() bool {
					return len(p.sentBy(notifications.Email)) == 1 && len(p.sentBy(notifications.SMS)) == 1
				})
				p.accept(decided)
			}, []string{delayed, decision}},
			"the decision overtakes the delay on the bus": {func(p *process, received, decided event.Event) {
				p.accept(decided, received)
			}, []string{decision}},
			"it is decided while the provider takes nothing": {func(p *process, received, decided event.Event) {
				p.setOutage(notifications.Email, errRefused)
				p.setOutage(notifications.SMS, errRefused)
				p.accept(received)
				p.until("it was refused", func() bool {
					r := p.record(received)
					return r.Deliveries[0].Attempts > 0 && r.Deliveries[1].Attempts > 0
				})
				p.accept(decided)
				p.setOutage(notifications.Email, nil)
				p.setOutage(notifications.SMS, nil)
			}, []string{decision}},
		} {
			t.Run(decision+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				p := w.start(nil)
				received, decided := example(t, delayed, 1), example(t, decision, 2)
				test.play(p, received, decided)
				p.finish()
				for _, c := range notifications.Channels() {
					if told := w.toldBy(c, received, decided); !slices.Equal(told, test.want) {
						t.Errorf("by %s the customer is told %v, want %v", c, told, test.want)
					}
				}
				d := w.delivery(received, notifications.Email)
				if len(test.want) == 1 && (d.Status != notifications.Suppressed || d.Reason != notifications.ReasonStale) {
					t.Errorf("what was overtaken is %+v, want it suppressed as no longer needed", d)
				}
			})
		}
	}
}

func TestAnotherOrdersReceiptKeepsNoOrderFromBeingReceived(t *testing.T) {
	w := newWorld(t)
	p := w.start(nil)
	other := example(t, confirmed, 2)
	other.Data = []byte(`{"payment_id":"pay_2","order_id":"ord_2","user_id":"` + ada + `","version":2,
		"amount":{"amount":2598,"currency":"EUR"},"items":[],"captured_at":"2026-03-01T10:00:00Z"}`)
	received := example(t, delayed, 1)
	p.accept(other, received)
	p.finish()
	if told := w.toldBy(notifications.Email, other, received); !slices.Equal(told, []string{confirmed, delayed}) {
		t.Errorf("the customer is told %v, want of both orders", told)
	}
}

// slowly holds the first mail until it is let go.
type slowly struct {
	notifications.Sender
	began, letGo chan struct{}
}

func (s slowly) Send(ctx context.Context, m notifications.Outgoing) error {
	select {
	case s.began <- struct{}{}:
		<-s.letGo
	default:
	}
	return s.Sender.Send(ctx, m)
}

func TestAReceiptWaitsUntilOrderReceivedIsOut(t *testing.T) {
	w := newWorld(t)
	slow := slowly{began: make(chan struct{}, 1), letGo: make(chan struct{})}
	p := w.start(func(p *process, c *notifications.Config) {
		c.Concurrency = map[notifications.Channel]int{notifications.Email: 3}
		provider := &process{world: w, proc: &sidecartest.Process{}}
		slow.Sender = procSender{provider, notifications.Email}
		p.email = slow
	})
	received, receipt, welcome := example(t, delayed, 1), example(t, confirmed, 2), example(t, "user.registered.v1", 1)
	p.accept(received)
	p.until("it is at the provider", func() bool { return len(slow.began) == 1 })
	p.accept(receipt, welcome)
	p.until("a mail about something else is sent", func() bool { return len(w.sentBy(notifications.Email)) > 0 })
	if told := w.toldBy(notifications.Email, received, receipt, welcome); !slices.Equal(told, []string{"user.registered.v1"}) {
		t.Errorf("while the provider has the first mail the customer is told %v, want the welcome", told)
	}
	close(slow.letGo)
	p.finish()
	if told := w.toldBy(notifications.Email, received, receipt); !slices.Equal(told, []string{delayed, confirmed}) {
		t.Errorf("the customer is told %v, want that the order was received and then the receipt", told)
	}
}

// Whether it is still of use is asked of the store. If that does not answer, the provider is not to
// blame, and the message comes later.
func TestAStoreThatDoesNotAnswerOpensNoCircuit(t *testing.T) {
	w := newWorld(t)
	received := example(t, delayed, 1)
	p := w.start(func(_ *process, c *notifications.Config) {
		c.Breaker = 1
		c.Claim = 0
	})
	p.listsDown.Store(true)
	p.accept(received)
	p.until("it was looked at", func() bool { return p.listsAsked.Load() > 0 })
	if d := w.delivery(received, notifications.Email); d.Attempts != 0 || d.Status != notifications.Queued {
		t.Errorf("the delivery is %+v, want it as it was", d)
	}
	p.listsDown.Store(false)
	p.finish()
	if told := w.toldBy(notifications.Email, received); !slices.Equal(told, []string{delayed}) {
		t.Errorf("the customer is told %v, want that the order was received", told)
	}
}
