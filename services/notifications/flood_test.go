package notifications_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/notifications"
)

// atTheHour puts the clock to the start of an hour, so that no test of a limit runs from one hour
// into the next.
func (w *world) atTheHour() {
	w.skip(w.now().Truncate(time.Hour).Add(time.Hour).Sub(w.now()))
}

// declines are events of several orders whose payments were declined, of one customer.
func declines(t *testing.T, userID string, from, n int) []event.Event {
	t.Helper()
	events := make([]event.Event, n)
	for i := range events {
		e := example(t, "payment.declined.v1", int64(from+i))
		e.Data = []byte(strings.ReplaceAll(string(e.Data), ada, userID))
		events[i] = e
	}
	return events
}

func limited(limits notifications.Limits) func(*process, *notifications.Config) {
	return func(_ *process, c *notifications.Config) { c.Limits = limits }
}

func TestReplicasAndRestartsShareTheLimit(t *testing.T) {
	w := newWorld(t)
	w.atTheHour()
	contact := contactOf(ada)
	contact.EmailVerified = false
	contact.Preferences.SMS = notifications.Preference{}
	w.contacts[ada] = contact
	const limit, free = 8, 2
	one := w.start(limited(notifications.Limits{Unverified: limit}))
	other := w.start(limited(notifications.Limits{Unverified: limit}))
	one.accept(declines(t, ada, 0, 6)...)
	other.accept(declines(t, ada, 6, 6)...)
	if n := queuedOrSent(w, declines(t, ada, 0, 12)); n != limit {
		t.Errorf("two replicas let %d messages through, want %d", n, limit)
	}
	one.kill()
	again := w.start(limited(notifications.Limits{Unverified: limit}))
	again.accept(declines(t, ada, 12, 6)...)
	if n := queuedOrSent(w, declines(t, ada, 0, 18)); n != limit+free {
		t.Errorf("after a restart %d messages got through, want %d and the %d that a process lets through by itself", n, limit, free)
	}
}

// queuedOrSent counts the deliveries that were not held back.
func queuedOrSent(w *world, events []event.Event) (n int) {
	w.t.Helper()
	for _, e := range events {
		for _, d := range w.record(e).Deliveries {
			if d.Reason != notifications.ReasonFlood {
				n++
			}
		}
	}
	return n
}

// Silence without a word would look like a shop that forgets its customers.
func TestTheLastMailWithinTheLimitSaysThatThereIsMore(t *testing.T) {
	for limit := 1; limit <= 9; limit++ {
		w := newWorld(t)
		w.atTheHour()
		p := w.start(limited(notifications.Limits{Orders: limit, Security: 1}))
		events := declines(t, ada, 0, limit+3)
		p.accept(events...)
		p.accept(events...) // delivered again
		again := w.start(limited(notifications.Limits{Orders: limit, Security: 1}))
		again.accept(events...)
		p.finish()
		const more = "please look at your account"
		mails := w.sentBy(notifications.Email)
		if len(mails) != limit {
			t.Fatalf("limit %d: %d mails", limit, len(mails))
		}
		for i, m := range mails {
			last := m.ID == notifications.DeliveryID(events[limit-1].ID, notifications.Email)
			if strings.Contains(m.Text, more) != last || strings.Contains(m.HTML, more) != last {
				t.Errorf("limit %d: mail %d says that there is more: %v, want %v", limit, i+1, !last, last)
			}
		}
		security := example(t, "user.password_reset_requested.v1", 1)
		p.accept(security)
		p.finish()
		if d := w.delivery(security, notifications.Email); d.Status != notifications.Sent {
			t.Errorf("after many mails about orders a security mail is %s", d.Status)
		}
	}
}

func TestTheLastSMSMakesNoMailTheLast(t *testing.T) {
	w := newWorld(t)
	w.atTheHour()
	p := w.start(limited(notifications.Limits{Orders: 100, SMS: 1}))
	p.accept(declines(t, ada, 0, 2)...)
	p.finish()
	if n := len(w.sentBy(notifications.SMS)); n != 1 {
		t.Errorf("%d SMS messages, want 1", n)
	}
	for _, m := range w.sentBy(notifications.Email) {
		if strings.Contains(m.Text, "please look at your account") {
			t.Error("a mail says that it is the last, and only SMS messages are at their limit")
		}
	}
}

func TestASMSIsLimitedByNumberAccountAndPrefix(t *testing.T) {
	for name, c := range map[string]struct {
		limits  notifications.Limits
		contact func(i int) (userID, phone string)
		want    int
	}{
		"one number of many accounts": {
			notifications.Limits{SMS: 3},
			func(i int) (string, string) { return fmt.Sprintf("usr_mallory%d", i), "+4915112345678" }, 3,
		},
		"many numbers of one account": {
			notifications.Limits{SMS: 3},
			func(i int) (string, string) { return "usr_mallory", fmt.Sprintf("+4915%d12345678", i) }, 3,
		},
		"many numbers of one prefix": {
			notifications.Limits{SMS: 3, SMSPrefix: 4},
			func(i int) (string, string) { return fmt.Sprintf("usr_mallory%d", i), fmt.Sprintf("+491511234%04d", i) },
			4,
		},
		"many people": {
			notifications.Limits{SMS: 3, SMSPrefix: 4},
			func(i int) (string, string) { return fmt.Sprintf("usr_p%d", i), fmt.Sprintf("+4915%d12345678", i) },
			6,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.atTheHour()
			p, got := w.start(limited(c.limits)), 0
			for i := range 6 {
				userID, phone := c.contact(i)
				contact := contactOf(userID)
				contact.Phone = phone
				w.mu.Lock()
				w.contacts[userID] = contact
				w.mu.Unlock()
				e := declines(t, userID, i, 1)[0]
				e.Time = w.now().Add(time.Duration(i) * time.Second) // a contact of before the change will not do
				p.accept(e)
				if w.delivery(e, notifications.SMS).Reason != notifications.ReasonFlood {
					got++
				}
			}
			if got != c.want {
				t.Errorf("%d messages, want %d", got, c.want)
			}
		})
	}
}

func TestAReasonWithALinkIsNotMailed(t *testing.T) {
	for reason, mailed := range map[string]bool{
		"arrived broken":               true,
		"see www.evil.example":         false,
		"ｗｗｗ．evil．com":                 false,
		"call ev\u200bil.com for more": false,
		"\u202eevil words":             false,
		"evil" + "\u2066 words":        false,
	} {
		w := newWorld(t)
		e := example(t, "order.cancelled.v1", 3)
		e.Data = []byte(strings.ReplaceAll(string(e.Data), "ordered twice", reason))
		p := w.start(nil)
		p.accept(e)
		p.finish()
		for _, m := range append(w.sentBy(notifications.Email), w.sentBy(notifications.SMS)...) {
			if strings.Contains(m.Text+m.HTML, "evil") || mailed && m.To != "+4915112345678" && !strings.Contains(m.Text, reason) {
				t.Errorf("%q is mailed as %q", reason, m.Text)
			}
		}
	}
}
