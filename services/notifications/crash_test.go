package notifications_test

import (
	"testing"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
)

// TestWhereverItDiesEveryMessageIsSentAndAtMostDoubled lets the process die before and after each
// of its calls.
func TestWhereverItDiesEveryMessageIsSentAndAtMostDoubled(t *testing.T) {
	for _, eventType := range []string{"payment.confirmed.v1", "user.registered.v1", "user.deleted.v1"} {
		for name, prompt := range map[string]time.Duration{"recorded first": 0, "sent at once": time.Minute} {
			t.Run(eventType+", "+name, func(t *testing.T) {
				sidecartest.EachCrash(t, func(t *testing.T, proc *sidecartest.Process) { dies(t, eventType, prompt, proc) })
			})
		}
	}
}

func dies(t *testing.T, eventType string, prompt time.Duration, proc *sidecartest.Process) {
	w := newWorld(t)
	w.prompt = prompt
	e := example(t, eventType, 1)
	first := w.start(func(p *process, _ *notifications.Config) { p.proc = proc })
	accepted := first.Accept(t.Context(), e) == nil
	w.until("the process has died or is finished", func() bool {
		if accepted {
			w.skip(time.Minute)
			first.settle()
		}
		return proc.Dead() || w.unfinished() == 0
	})
	first.kill()
	w.journal.TakeOver()
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
}

// left returns what the record of an event says of each channel, if there is one.
func (w *world) left(e event.Event) map[notifications.Channel]notifications.Status {
	w.t.Helper()
	r, _ := w.stored(e)
	left := map[notifications.Channel]notifications.Status{}
	for _, d := range r.Deliveries {
		left[d.Channel] = d.Status
	}
	return left
}

// TestADeathInAQueueOfMailsDoublesOnlyWhatIsBeingRecorded is about a queue with much to do: only
// what is between the provider's answer and its record can be sent twice, which is one message
// being sent and those that the configuration lets be recorded meanwhile.
func TestADeathInAQueueOfMailsDoublesOnlyWhatIsBeingRecorded(t *testing.T) {
	const recording = 2
	for n := 50; n < 62; n++ {
		for _, after := range []bool{false, true} {
			w := newWorld(t)
			first := w.start(func(p *process, c *notifications.Config) {
				p.proc, c.Recording = sidecartest.DiesAt(n, after), recording
			})
			var events []event.Event
			accepted := map[string]bool{}
			for v := range int64(20) {
				e := example(t, "user.password_changed.v1", v+1)
				events = append(events, e)
				accepted[e.ID] = first.Accept(t.Context(), e) == nil
			}
			w.until("the process has died", first.proc.Dead)
			first.kill()
			w.journal.TakeOver()
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
