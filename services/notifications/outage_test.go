package notifications_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/notifications"
)

func TestAnOutageOfOneChannelDelaysNoOther(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	p := w.start(nil)
	const n = 50
	var events []event.Event
	for v := range int64(n) {
		events = append(events, example(t, "order.cancelled.v1", v+1))
	}
	p.accept(events...)
	w.until("every SMS message is sent", func() bool { return len(w.sentBy(notifications.SMS)) == n })
	if got := len(w.sentBy(notifications.Email)); got != 0 {
		t.Fatalf("%d mails were sent during the outage", got)
	}
	w.setOutage(notifications.Email, nil)
	w.until("every mail is sent", func() bool {
		p.settle()
		return len(w.sentBy(notifications.Email)) >= n
	})
	p.finish()
	times := map[string]int{}
	for _, m := range w.sentBy(notifications.Email) {
		times[m.ID]++
	}
	for _, e := range events {
		if times[notifications.DeliveryID(e.ID, notifications.Email)] != 1 {
			t.Errorf("%s was mailed %d times", e.ID, times[notifications.DeliveryID(e.ID, notifications.Email)])
		}
	}
	if got := len(w.sentBy(notifications.SMS)); got != n {
		t.Errorf("%d SMS messages in the end, want %d", got, n)
	}
}

func TestAnOutageCostsFewAttempts(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	p := w.start(func(_ *process, c *notifications.Config) { c.BreakerPause, c.BreakerMax = time.Hour, time.Hour })
	var events []event.Event
	for v := range int64(40) {
		events = append(events, example(t, "user.password_changed.v1", v+1))
	}
	p.accept(events...)
	tried := func() (n int) {
		for _, e := range events {
			n += w.record(e).Deliveries[0].Attempts
		}
		return n
	}
	w.until("the circuit is open", func() bool { return tried() >= 5 })
	if n := tried(); n != 5 {
		t.Errorf("%d attempts before the circuit opened, want 5", n)
	}
}

func TestARetryByOneChannelDoesNotWaitForTheOther(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	w.setOutage(notifications.SMS, errRefused)
	p := w.start(func(_ *process, c *notifications.Config) {
		c.BreakerPause, c.BreakerMax, c.Breaker = time.Hour, time.Hour, 1
	})
	first, second := example(t, "order.cancelled.v1", 1), example(t, "order.cancelled.v1", 2)
	p.accept(first)
	w.until("both channels have failed", func() bool {
		r := w.record(first)
		return r.Deliveries[0].Attempts == 1 && r.Deliveries[1].Attempts == 1
	})
	w.setOutage(notifications.SMS, nil)
	p.accept(second) // its mail waits behind the open circuit
	w.skip(time.Hour + time.Minute)
	w.setOutage(notifications.Email, errRefused)
	w.until("the SMS messages are sent", func() bool {
		p.settle()
		return len(w.sentBy(notifications.SMS)) == 2
	})
}

func TestAPermanentFailureIsRecordedWithItsReason(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, fault.New(fault.Unprocessable, "rejected", notifications.ReasonRejected))
	p := w.start(nil)
	e := example(t, "user.password_changed.v1", 1)
	p.accept(e)
	p.finish()
	d := w.record(e).Deliveries[0]
	if d.Status != notifications.Failed || d.Reason != notifications.ReasonRejected || d.Attempts != 1 {
		t.Errorf("the delivery is %+v", d)
	}
}

func TestARefusedMessageIsGivenUpInTheEnd(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	p := w.start(func(_ *process, c *notifications.Config) { c.GiveUp = 3 * time.Hour; c.RetryBase = time.Minute })
	e := example(t, "user.password_changed.v1", 1)
	p.accept(e)
	p.finish()
	d := w.record(e).Deliveries[0]
	if d.Status != notifications.Failed || d.Reason != notifications.ReasonGaveUp || d.Attempts < 10 {
		t.Errorf("the delivery is %+v", d)
	}
}

func TestUserDeletionErasesWhatNamesTheUserAndKeepsCounts(t *testing.T) {
	w := newWorld(t)
	p := w.start(nil)
	told := []event.Event{example(t, "user.registered.v1", 1), example(t, "order.cancelled.v1", 1), example(t, "payment.confirmed.v1", 2)}
	p.accept(told...)
	p.finish()
	w.setOutage(notifications.SMS, errRefused)
	waiting := example(t, "payment.refunded.v1", 3)
	p.accept(waiting)
	w.until("the mail is sent and the SMS message waits", func() bool {
		r := w.record(waiting)
		return r.Deliveries[0].Status == notifications.Sent && r.Deliveries[1].Attempts > 0
	})
	letters := deadletter.New(w.state, "notifications")
	letter := []byte(`{"data": {"user_id": "` + ada + `", "reason": "moved to 1 Elm Street"}}`)
	if err := letters.Keep(t.Context(), event.DeadLetter{Raw: letter}); err != nil {
		t.Fatal(err)
	}
	gone := example(t, "user.deleted.v1", 4)
	p.accept(gone)
	p.finish()
	if kept, _, err := letters.List(t.Context(), "", 10); err != nil || len(kept) != 1 || strings.Contains(string(kept[0].Payload), "Elm") {
		t.Errorf("the dead letters are %+v, %v", kept, err)
	}

	mails := w.sentBy(notifications.Email)
	if last := mails[len(mails)-1]; last.ID != notifications.DeliveryID(gone.ID, notifications.Email) {
		t.Errorf("the last mail is %q, want the farewell", last.Subject)
	}
	for _, e := range append(told, waiting, gone) {
		r := w.record(e)
		if r.Erased.IsZero() || r.Content != nil {
			t.Errorf("%s is not erased: %+v", e.Type, r)
		}
		for _, d := range r.Deliveries {
			if d.Recipient != "" || d.Subject != "" {
				t.Errorf("%s keeps recipient %q, subject %q", e.Type, d.Recipient, d.Subject)
			}
		}
	}
	if d := w.delivery(waiting, notifications.SMS); d.Status != notifications.Suppressed || d.Reason != notifications.ReasonDeleted {
		t.Errorf("what was waiting is %+v", d)
	}
	if d := w.delivery(told[1], notifications.Email); d.Status != notifications.Sent {
		t.Error("that a message was sent is forgotten")
	}
	for _, key := range w.state.Keys() {
		item, err := w.state.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if contains(item.Value, "example.org", "+4915112345678", "Lovelace", "secret-") {
			t.Errorf("%s still has personal data: %s", key, item.Value)
		}
	}
}

func TestProcessesThatShareAStoreSendOnce(t *testing.T) {
	w := newWorld(t)
	w.setOutage(notifications.Email, errRefused)
	a, b := w.start(nil), w.start(nil)
	var events []event.Event
	for v := range int64(20) {
		events = append(events, example(t, "user.password_changed.v1", v+1))
	}
	a.accept(events...)
	w.until("some were tried", func() bool { return w.record(events[0]).Deliveries[0].Attempts > 0 })
	w.setOutage(notifications.Email, nil)
	w.skip(5 * time.Second) // what waits in memory is no longer fresh
	w.journal.TakeOver()    // a has stood still for so long that b is offered everything, and a does not know it yet
	w.until("every mail is sent", func() bool {
		a.settle()
		b.settle()
		return len(w.sentBy(notifications.Email)) >= len(events)
	})
	times := map[string]int{}
	for _, m := range w.sentBy(notifications.Email) {
		if times[m.ID]++; times[m.ID] > 1 {
			t.Errorf("%s was sent %d times", m.ID, times[m.ID])
		}
	}
}

func contains(value []byte, parts ...string) bool {
	for _, part := range parts {
		if bytes.Contains(value, []byte(part)) {
			return true
		}
	}
	return false
}
