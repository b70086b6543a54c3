package notifications_test

import (
	"strings"
	"testing"
	"time"

	"sidecart.dev/contracts"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/store"
)

func TestEveryEventOfTheContractsIsToldOrDeliberatelyNot(t *testing.T) {
	untold := map[string]bool{"order.placed.v1": true, "payment.voided.v1": true}
	for _, eventType := range contracts.EventTypes() {
		t.Run(eventType, func(t *testing.T) {
			w := newWorld(t)
			p := w.start(nil)
			e := example(t, eventType, 1)
			p.accept(e)
			if untold[eventType] {
				if n := len(w.state.Keys()); n != 0 {
					t.Fatalf("%d keys were written for an event nobody is told about", n)
				}
				return
			}
			m, _ := notifications.MessageOf(eventType)
			if m.Code {
				w.until("the code is sent", func() bool { return len(w.sentBy(notifications.SMS)) == 1 })
				p.finish()
				if n := len(w.sentBy(notifications.Email)); n != 0 || w.record(e).Content != nil {
					t.Errorf("%d mails about a code were sent; the record is %+v", n, w.record(e))
				}
				return
			}
			w.until("the mail is sent", func() bool { return len(w.sentBy(notifications.Email)) == 1 })
			p.finish()
			wantSMS := 1
			if m.Kind == notifications.Security {
				wantSMS = 0
			}
			if n := len(w.sentBy(notifications.SMS)); n != wantSMS {
				t.Errorf("%d SMS messages were sent, want %d", n, wantSMS)
			}
			mail := w.sentBy(notifications.Email)[0]
			if mail.To != "p6r1l9k4a8e2@example.org" || mail.ID != notifications.DeliveryID(e.ID, notifications.Email) {
				t.Errorf("the mail went to %s as %s", mail.To, mail.ID)
			}
			r := w.record(e)
			if d := r.Delivery(notifications.Email); d.Status != notifications.Sent || d.SentAt.IsZero() || d.Seq == 0 {
				t.Errorf("the delivery is %+v, want it sent and listed", d)
			}
			if r.Content != nil {
				t.Error("the content of a message that was sent is kept")
			}
		})
	}
}

func TestTheSameEventIsToldOnceHoweverOftenItComes(t *testing.T) {
	w := newWorld(t)
	e := example(t, "payment.confirmed.v1", 2)
	p := w.start(nil)
	p.accept(e, e, e)
	p.finish()
	second := w.start(nil) // a process that remembers nothing
	second.accept(e)
	second.finish()
	if n := len(w.sentBy(notifications.Email)); n != 1 {
		t.Errorf("%d mails were sent, want 1", n)
	}
	if entries, _, err := store.NewLists(w.state).Page(t.Context(), ada, 0, 10); err != nil || len(entries) != 2 {
		t.Errorf("the list has %v, %v, want one entry per delivery", entries, err)
	}
}

func TestPreferencesDecide(t *testing.T) {
	on, off := notifications.Preference{Orders: true, Payments: true}, notifications.Preference{}
	onlyOrders := notifications.Preference{Orders: true}
	type want struct{ email, sms string } // status, empty: no delivery
	for name, c := range map[string]struct {
		email, sms notifications.Preference
		phone      string
		eventType  string
		want       want
	}{
		"all on":                     {on, on, "+4915112345678", "order.delayed.v1", want{"sent", "sent"}},
		"mail only":                  {on, off, "+4915112345678", "order.delayed.v1", want{"sent", ""}},
		"SMS only":                   {off, on, "+4915112345678", "payment.refunded.v1", want{"suppressed", "sent"}},
		"nothing":                    {off, off, "+4915112345678", "payment.declined.v1", want{"suppressed", ""}},
		"orders but no payments":     {onlyOrders, onlyOrders, "+4915112345678", "payment.confirmed.v1", want{"suppressed", ""}},
		"orders, and it is one":      {onlyOrders, onlyOrders, "+4915112345678", "order.cancelled.v1", want{"sent", "sent"}},
		"SMS wanted without a phone": {on, on, "", "order.delayed.v1", want{"sent", "suppressed"}},
		"a number that is none":      {on, on, "110", "order.delayed.v1", want{"sent", "failed"}},
		"security whatever is off":   {off, off, "+4915112345678", "user.password_changed.v1", want{"sent", ""}},
		"no security by SMS":         {on, on, "+4915112345678", "user.password_reset_requested.v1", want{"sent", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			contact := contactOf(ada)
			contact.Preferences, contact.Phone = notifications.Preferences{Email: c.email, SMS: c.sms}, c.phone
			w.contacts[ada] = contact
			p := w.start(nil)
			e := example(t, c.eventType, 1)
			p.accept(e)
			p.finish()
			r := w.record(e)
			for channel, status := range map[notifications.Channel]string{notifications.Email: c.want.email, notifications.SMS: c.want.sms} {
				got := ""
				if d := r.Delivery(channel); d != nil {
					got = string(d.Status)
					if d.Status != notifications.Sent && d.Reason == "" {
						t.Errorf("%s is %s without a reason", channel, d.Status)
					}
				}
				if got != status {
					t.Errorf("%s is %q, want %q", channel, got, status)
				}
				if n := len(w.sentBy(channel)); (n == 1) != (status == "sent") {
					t.Errorf("%d messages went out by %s", n, channel)
				}
			}
		})
	}
}

func TestAnUnverifiedAddressGetsOnlyWhatTheTableAllows(t *testing.T) {
	for _, m := range notifications.Messages() {
		w := newWorld(t)
		contact := contactOf(ada)
		contact.EmailVerified = false
		w.contacts[ada] = contact
		p := w.start(nil)
		p.accept(example(t, m.EventType, 1))
		p.finish()
		if n := len(w.sentBy(notifications.Email)); (n == 1) != m.Unverified {
			t.Errorf("%s: %d mails to an unverified address, allowed: %v", m.EventType, n, m.Unverified)
		}
	}
}

func TestAnUnknownUserIsAcceptedAndToldNothing(t *testing.T) {
	w := newWorld(t)
	delete(w.contacts, ada)
	p := w.start(nil)
	e := example(t, "order.delayed.v1", 1)
	p.accept(e)
	if d := w.record(e).Deliveries[0]; d.Status != notifications.Suppressed || d.Reason != notifications.ReasonUnknownUser {
		t.Errorf("the delivery is %+v", d)
	}
	if w.unfinished() != 0 {
		t.Error("an event with nothing to do is journalled")
	}
}

func TestAcceptedTellsWhatIsRecorded(t *testing.T) {
	w := newWorld(t)
	p := w.start(nil)
	yes, no := example(t, "order.delayed.v1", 1), example(t, "order.delayed.v1", 2)
	p.accept(yes)
	voided := event.ID("pay_w8n2c6b5t1z9", 3, "payment.voided.v1")
	for _, q := range []*process{p, w.start(nil)} { // one that remembers, one that reads
		got, err := q.Accepted(t.Context(), []string{yes.ID, no.ID, voided})
		if err != nil || len(got) != 2 || !strings.Contains(strings.Join(got, " "), yes.ID) || !strings.Contains(strings.Join(got, " "), voided) {
			t.Errorf("accepted: %v, %v; want %s, and %s of which nobody is told", got, err, yes.ID, voided)
		}
	}
}

func TestAnEventWithoutItsDataIsPoison(t *testing.T) {
	p := newWorld(t).start(nil)
	e := example(t, "order.delayed.v1", 1)
	for _, data := range []string{`{}`, `{"user_id":"usr_x"}`, `{"user_id":"usr_x","order_id":"ord_1","total":{"amount":1,"currency":"€"}}`, `[]`} {
		e.Data = []byte(data)
		if err := p.Accept(t.Context(), e); fault.KindOf(err) != fault.Invalid {
			t.Errorf("data %s: %v, want an Invalid fault", data, err)
		}
	}
}

func TestARecipientIsNotFlooded(t *testing.T) {
	w := newWorld(t)
	p := w.start(func(_ *process, c *notifications.Config) { c.Limits.Security = 2 })
	var last event.Event
	for v := range int64(4) {
		last = example(t, "user.password_reset_requested.v1", v+1)
		p.accept(last)
	}
	p.finish()
	if n := len(w.sentBy(notifications.Email)); n != 2 {
		t.Errorf("%d security mails to one address, want 2", n)
	}
	if d := w.record(last).Deliveries[0]; d.Status != notifications.Suppressed || d.Reason != notifications.ReasonFlood {
		t.Errorf("the excess is %+v", d)
	}
	w.skip(time.Hour)
	p.accept(example(t, "user.password_reset_requested.v1", 9), example(t, "order.delayed.v1", 1))
	p.finish()
	if n := len(w.sentBy(notifications.Email)); n != 4 {
		t.Errorf("%d mails after an hour and with one of another sort, want 4", n)
	}
}

// Whoever registers with a stranger's address has that stranger told a few times, and in nobody's
// words but ours.
func TestAnAddressThatNobodyVerifiedIsToldLittleAndNothingTyped(t *testing.T) {
	for _, verified := range []bool{false, true} {
		w := newWorld(t)
		contact := contactOf(ada)
		contact.EmailVerified, contact.Name = verified, "Mallory"
		w.contacts[ada] = contact
		p := w.start(func(_ *process, c *notifications.Config) { c.Limits = notifications.Limits{Orders: 100, Unverified: 3} })
		for v := range int64(8) {
			p.accept(example(t, "order.cancelled.v1", v+1))
		}
		p.finish()
		sent := w.sentBy(notifications.Email)
		if want := map[bool]int{false: 3, true: 8}[verified]; len(sent) != want {
			t.Errorf("verified %v: %d mails, want %d", verified, len(sent), want)
		}
		for _, m := range sent {
			if typed := strings.Contains(m.HTML, "Mallory") || strings.Contains(m.HTML, "ordered twice"); typed != verified {
				t.Errorf("verified %v: a mail with what people typed: %v", verified, typed)
			}
		}
	}
}

func TestAnExpiredLinkIsNotSent(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	p := w.start(nil)
	e := example(t, "user.password_reset_requested.v1", 1)
	p.accept(e)
	w.until("it was tried", func() bool { return w.record(e).Deliveries[0].Attempts > 0 })
	w.setOutage(notifications.Email, nil)
	w.skip(2 * time.Hour)
	p.finish()
	if d := w.record(e).Deliveries[0]; d.Status != notifications.Failed || d.Reason != notifications.ReasonExpired || len(w.sentBy(notifications.Email)) != 0 {
		t.Errorf("the delivery is %+v", d)
	}
}
