package notifications_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
)

// promptWorld is a world whose processes wait for the first attempts at what they accept.
func promptWorld(t *testing.T, prompt time.Duration) *world {
	w := newWorld(t)
	w.prompt = prompt
	return w
}

// held is a provider that takes mails when it is let go.
type heldMail struct {
	began, letGo chan struct{}
}

func newHeldMail() heldMail { return heldMail{make(chan struct{}, 8), make(chan struct{})} }

func (h heldMail) sender(w *world) notifications.Sender {
	return senderFunc(func(_ context.Context, m notifications.Outgoing) error {
		h.began <- struct{}{}
		<-h.letGo
		w.mu.Lock()
		defer w.mu.Unlock()
		w.sent = append(w.sent, sent{notifications.Email, m})
		return nil
	})
}

// mailOf starts a process whose mails go through the sender.
func (w *world) mailOf(s notifications.Sender) *process {
	return w.start(func(p *process, _ *notifications.Config) { p.email = s })
}

func (w *world) writesOf(e event.Event) *atomic.Int64 {
	writes := &atomic.Int64{}
	w.state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
		if strings.HasSuffix(key, notifications.RecordID(e.ID)) && (op == sidecartest.OpInsert || op == sidecartest.OpUpdate) {
			writes.Add(1)
		}
		return nil
	}
	return writes
}

func TestWhatIsSentAtOnceIsRecordedOnce(t *testing.T) {
	w := promptWorld(t, time.Minute)
	e := example(t, "payment.confirmed.v1", 1)
	writes := w.writesOf(e)
	p := w.start(nil)
	p.accept(e)
	r := w.record(e)
	if !r.Ended() || r.Content != nil || writes.Load() != 1 {
		t.Errorf("after %d writes the record is %+v, want it sent after one, and no content kept", writes.Load(), r)
	}
	w.until("nothing is left in the journal", func() bool { return w.unfinished() == 0 })
	p.finish()
	w.wantMails(1, "for one event")
}

func TestAProviderThatTakesLongerDoesNotHoldAnEventUp(t *testing.T) {
	w, mail := promptWorld(t, time.Millisecond), newHeldMail()
	p := w.mailOf(mail.sender(w))
	e, behind := example(t, "user.password_changed.v1", 1), example(t, "user.password_changed.v1", 2)
	p.accept(e, behind)
	<-mail.began
	for _, e := range []event.Event{e, behind} {
		if d := w.delivery(e, notifications.Email); d.Status != notifications.Queued || w.record(e).Content == nil {
			t.Errorf("while the provider has it the delivery is %+v, want it queued, with what to say", d)
		}
	}
	close(mail.letGo)
	p.finish()
	w.wantMails(2, "for two events")
}

// The same event comes to two replicas at once. The second knows by the customer's list that
// another has it.
func TestWhatAnotherProcessSendsAtOnceIsLeftToIt(t *testing.T) {
	w, mail := promptWorld(t, time.Minute), newHeldMail()
	a, b := w.mailOf(mail.sender(w)), w.start(nil)
	e, other := example(t, "user.password_changed.v1", 1), example(t, "user.password_changed.v1", 2)
	accepted := make(chan error, 1)
	go func() { accepted <- a.Accept(t.Context(), e) }()
	<-mail.began
	b.accept(e)
	b.settle()
	b.accept(other)
	w.wantMails(1, "b has sent its own alone")
	close(mail.letGo)
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	w.until("a has recorded it", func() bool { return w.delivery(e, notifications.Email).Status == notifications.Sent })
	a.finish()
	b.finish()
	w.wantMails(2, "for two events")
}

// A redelivery finds the event listed and nothing recorded, because its first process died.
func TestWhatAProcessListedAndNeverSentIsSentAfterAWhile(t *testing.T) {
	w := promptWorld(t, time.Minute)
	e := example(t, "user.password_changed.v1", 1)
	p := w.start(nil)
	entry := notifications.EntryID(notifications.RecordID(e.ID), notifications.Email)
	if _, _, err := p.Lists.Append(t.Context(), ada, []string{entry}); err != nil {
		t.Fatal(err)
	}
	p.accept(e)
	p.settle()
	w.wantMails(0, "another process may be sending it")
	p.finish()
	w.wantMails(1, "for one event")
}

// The store takes no record after the mail is out. The event is not acknowledged, and comes again.
func TestAMailWhoseRecordCouldNotBeWrittenIsNotSentAgain(t *testing.T) {
	w := promptWorld(t, time.Minute)
	e := example(t, "user.password_changed.v1", 1)
	var failures atomic.Int64
	w.state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
		if op == sidecartest.OpInsert && strings.HasSuffix(key, notifications.RecordID(e.ID)) && failures.Add(1) <= 2 {
			return errRefused
		}
		return nil
	}
	p := w.start(nil)
	if err := p.Accept(t.Context(), e); err == nil {
		t.Error("the event is acknowledged and has no record")
	}
	w.until("it is recorded", func() bool { _, ok := w.stored(e); return ok })
	p.accept(e)
	p.finish()
	w.wantMails(1, "for one event")
	if d := w.delivery(e, notifications.Email); d.Status != notifications.Sent {
		t.Errorf("the delivery is %+v, want it sent", d)
	}
}

func TestWhatTheProviderRefusesAtFirstIsRecordedAndTriedAgain(t *testing.T) {
	w := promptWorld(t, time.Minute)
	w.setOutage(notifications.Email, errRefused)
	e := example(t, "user.password_changed.v1", 1)
	p := w.start(nil)
	p.accept(e)
	d := w.delivery(e, notifications.Email)
	if d.Status != notifications.Queued || d.Attempts == 0 || d.Reason != notifications.ReasonRetrying || w.record(e).Content == nil {
		t.Errorf("what was refused is %+v, want it queued to be tried again", d)
	}
	w.setOutage(notifications.Email, nil)
	p.finish()
	w.wantMails(1, "for one event")
}

// An event that was told long ago comes again, to a process that knows nothing of it, when its
// entry is not among the latest.
func TestWhatWasToldLongAgoIsNotToldAgain(t *testing.T) {
	w := promptWorld(t, time.Minute)
	e := example(t, "user.password_changed.v1", 1)
	p := w.start(nil)
	p.accept(e)
	for i := range list.PageSize {
		if _, _, err := p.Lists.Append(t.Context(), ada, []string{fmt.Sprint("another-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	again := w.start(nil)
	again.accept(e)
	again.finish()
	w.wantMails(1, "for one event")
}

// A mail that waits for its turn when its record fails to be written is not sent: the event comes
// again.
func TestWhatIsNotRecordedAndNotBegunIsNotSent(t *testing.T) {
	w, mail := promptWorld(t, time.Millisecond), newHeldMail()
	p := w.mailOf(mail.sender(w))
	events := []event.Event{
		example(t, "user.password_changed.v1", 1), example(t, "user.password_changed.v1", 2),
		example(t, "user.password_changed.v1", 3),
	}
	w.state.Before = func(_ context.Context, op sidecartest.Op, key string) error {
		if op == sidecartest.OpInsert && strings.HasSuffix(key, notifications.RecordID(events[1].ID)) {
			return errRefused
		}
		return nil
	}
	p.accept(events[0])
	<-mail.began
	if err := p.Accept(t.Context(), events[1]); err == nil {
		t.Error("the event is acknowledged and has no record")
	}
	p.accept(events[2])
	close(mail.letGo)
	w.until("what is behind it is sent", func() bool { return w.delivery(events[2], notifications.Email).Status == notifications.Sent })
	for _, m := range w.sentBy(notifications.Email) {
		if m.ID == notifications.DeliveryID(events[1].ID, notifications.Email) {
			t.Error("what is recorded nowhere is sent")
		}
	}
}

// What is told of an order may be on its way in another process, of which nothing is recorded yet.
func TestOrderReceivedWaitsForWhatMayBeOnItsWay(t *testing.T) {
	w, mail := promptWorld(t, time.Minute), newHeldMail()
	a, b := w.mailOf(mail.sender(w)), w.start(nil)
	receipt, received := example(t, confirmed, 2), example(t, delayed, 1)
	accepted := make(chan error, 1)
	go func() { accepted <- a.Accept(t.Context(), receipt) }()
	<-mail.began
	b.accept(received)
	b.accept(example(t, "user.password_changed.v1", 1)) // behind it
	w.until("b has sent what is behind it", func() bool { return len(w.sentBy(notifications.Email)) > 0 })
	if told := w.toldBy(notifications.Email, received); len(told) > 0 {
		t.Errorf("while the receipt is on its way the customer is told %v", told)
	}
	close(mail.letGo)
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	b.finish()
	if d := w.delivery(received, notifications.Email); d.Status != notifications.Suppressed {
		t.Errorf("what was overtaken is %+v, want it suppressed", d)
	}
}
