package notifications_test

import (
	"fmt"
	"strings"
	"testing"

	"sidecart.dev/kit/event"
	"sidecart.dev/notifications"
)

const codeAsked = "user.phone_confirmation_requested.v1"

// asked are events by which an account wants a code sent.
func asked(t *testing.T, userID string, n int) []event.Event {
	t.Helper()
	events := make([]event.Event, n)
	for i := range events {
		e := example(t, codeAsked, int64(i+1))
		e.ID = strings.ReplaceAll(e.ID, ada, userID)
		e.Data = []byte(strings.ReplaceAll(string(e.Data), ada, userID))
		events[i] = e
	}
	return events
}

func TestANumberThatIsNotConfirmedGetsNothingButItsCode(t *testing.T) {
	w := newWorld(t)
	contact := contactOf(ada)
	contact.PhoneVerified = false
	w.contacts[ada] = contact
	p := w.start(nil)
	for i, m := range notifications.Messages() {
		e := example(t, m.EventType, int64(i+1))
		p.accept(e)
		d := w.delivery(e, notifications.SMS)
		if m.Code { // before the account is deleted
			p.until("the code is out", func() bool { return w.delivery(e, notifications.SMS).Status != notifications.Queued })
		}
		switch {
		case m.Code && (d == nil || d.Status == notifications.Suppressed):
			t.Errorf("the code is held back: %+v", d)
		case !m.Code && m.Kind != notifications.Security && (d == nil || d.Reason != notifications.ReasonUnconfirmed):
			t.Errorf("%s: %+v; want it suppressed, and the reason in the customer's list", m.EventType, d)
		}
	}
	p.finish()
	if texts := w.sentBy(notifications.SMS); len(texts) != 1 || !strings.Contains(texts[0].SMS, "code") {
		t.Errorf("messages to a number that is not confirmed: %+v", texts)
	}
}

// Between the question for the contact and that for the code an account may change its number: the
// owner of the one must not be told the code for the other.
func TestACodeGoesToTheNumberThatItIsForAndToNoOther(t *testing.T) {
	const other = "+4915187654321"
	for number, want := range map[string]int{other: 1, "": 0, "not a number": 0} {
		w := newWorld(t)
		w.coded[ada] = number
		p := w.start(nil)
		p.accept(asked(t, ada, 1)...)
		p.finish()
		texts := w.sentBy(notifications.SMS)
		if len(texts) != want || want == 1 && texts[0].To != other {
			t.Errorf("a code for %q went out as %+v", number, texts)
		}
	}
}

func TestCodesAreLimitedByNumberAccountAndPrefixAndKeepNothingFromTheOwner(t *testing.T) {
	for name, c := range map[string]struct {
		limits notifications.Limits
		number func(i int) (userID, number string)
		want   int
	}{
		"one number of many accounts": {notifications.Limits{Codes: 3}, func(i int) (string, string) {
			return fmt.Sprintf("usr_mallory%d", i), "+4915112345678"
		}, 3},
		"many numbers of one account": {notifications.Limits{Codes: 3}, func(i int) (string, string) {
			return "usr_mallory", fmt.Sprintf("+49151%08d", i*10_000)
		}, 3},
		"neighbouring numbers of many accounts": {notifications.Limits{Codes: 3, SMSPrefix: 4}, func(i int) (string, string) {
			return fmt.Sprintf("usr_mallory%d", i), fmt.Sprintf("+491511234%04d", 5678+i)
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.atTheHour()
			replicas := []*process{w.start(limited(c.limits)), w.start(limited(c.limits))}
			for i := range 12 {
				userID, number := c.number(i)
				w.contacts[userID], w.coded[userID] = contactOf(userID), number
				e := asked(t, userID, i+1)[i]
				replicas[i%2].accept(e, e) // a repetition is no further message
				w.until("its replica has done with it", func() bool { return w.delivery(e, notifications.SMS).Status != notifications.Queued })
			}
			for _, p := range replicas {
				p.finish()
			}
			if n := len(w.sentBy(notifications.SMS)); n != c.want {
				t.Errorf("%d codes were sent, want %d", n, c.want)
			}
			replicas[0].accept(example(t, "payment.confirmed.v1", 99))
			replicas[0].finish()
			if n := len(w.sentBy(notifications.SMS)); n != c.want+1 {
				t.Error("codes that strangers have sent to a number keep its owner's receipt from him")
			}
		})
	}
}
