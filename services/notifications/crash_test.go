package notifications_test

import (
	"fmt"
	"testing"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/dapr"
)

// TestWhereverItDiesEveryMessageIsSentAndAtMostDoubled lets the process die before and after each of its calls.
func TestWhereverItDiesEveryMessageIsSentAndAtMostDoubled(t *testing.T) {
	for _, eventType := range []string{"payment.confirmed.v1", "user.registered.v1", "user.deleted.v1"} {
		for _, after := range []bool{false, true} {
			for n := int64(1); ; n++ {
				died := false
				t.Run(fmt.Sprintf("%s/%v/%d", eventType, after, n), func(t *testing.T) { died = dieAt(t, eventType, n, after) })
				if !died {
					break
				}
			}
		}
	}
}

func dieAt(t *testing.T, eventType string, n int64, after bool) (died bool) {
	w := newWorld(t)
	e := example(t, eventType, 1)
	first := w.start(func(p *process, _ *notifications.Config) { p.diesAt, p.after = n, after })
	accepted := first.Accept(t.Context(), e) == nil
	w.until("the process has died or is finished", func() bool {
		if accepted {
			w.skip(time.Minute)
			first.settle()
		}
		return first.dead.Load() || w.unfinished() == 0
	})
	died = first.dead.Load()
	first.kill()
	for id := range w.journal {
		w.journal[id] = true // taken over: what the dead process wrote last is not known
	}
	left, sentBefore := w.left(e), map[notifications.Channel]int{}
	for _, c := range []notifications.Channel{notifications.Email, notifications.SMS} {
		sentBefore[c] = len(w.sentBy(c))
	}
	second := w.start(nil)
	if !accepted {
		second.accept(e) // the bus or the journal of its publisher brings it again
	}
	second.finish()
	r := w.record(e)
	for _, d := range r.Deliveries {
		times, before := len(w.sentBy(d.Channel)), sentBefore[d.Channel]
		want := 1
		if before == 1 && left[d.Channel] != notifications.Sent { // it died between the provider's answer and recording it
			want = 2
		}
		if d.Status != notifications.Sent || times != want {
			t.Errorf("%s is %s and was sent %d times, want %d: it died with %d sent and the record saying %q",
				d.Channel, d.Status, times, want, before, left[d.Channel])
		}
	}
	if m, _ := notifications.MessageOf(eventType); m.Erases && r.Erased.IsZero() {
		t.Error("the user is not erased")
	}
	return died
}

// left returns what the record of an event says of each channel, if there is one.
func (w *world) left(e event.Event) map[notifications.Channel]notifications.Status {
	w.t.Helper()
	s, _, err := dapr.NewStore(w.state).Load(w.t.Context(), notifications.RecordID(e.ID))
	if err != nil {
		w.t.Fatal(err)
	}
	left := map[notifications.Channel]notifications.Status{}
	for _, d := range s.Record.Deliveries {
		left[d.Channel] = d.Status
	}
	return left
}

// TestADeathInAQueueOfMailsDoublesOnlyWhatIsBeingRecorded is about a lane with much to do: only what is between the provider's answer
// and its record can be sent twice, which is one message being sent and those that the configuration lets be recorded meanwhile.
func TestADeathInAQueueOfMailsDoublesOnlyWhatIsBeingRecorded(t *testing.T) {
	const recording = 2
	for n := int64(70); n < 82; n++ {
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			first := w.start(func(p *process, c *notifications.Config) { p.diesAt, p.after, c.Recording = n, after, recording })
			var events []event.Event
			accepted := map[string]bool{}
			for v := range int64(20) {
				e := example(t, "user.password_changed.v1", v+1)
				events = append(events, e)
				accepted[e.ID] = first.Accept(t.Context(), e) == nil
			}
			w.until("the process has died", first.dead.Load)
			first.kill()
			for id := range w.journal {
				w.journal[id] = true
			}
			second := w.start(nil)
			for _, e := range events {
				if !accepted[e.ID] {
					second.accept(e)
				}
			}
			second.finish()
			for _, e := range events {
				if d := w.delivery(e, notifications.Email); d.Status != notifications.Sent {
					t.Errorf("dying at %d: %s is %s", n, e.ID, d.Status)
				}
			}
			if mails := len(w.sentBy(notifications.Email)); mails > len(events)+1+recording {
				t.Errorf("dying at %d: %d mails for %d events", n, mails, len(events))
			}
		}
	}
}
