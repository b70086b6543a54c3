package notifications_test

import (
	"context"
	"testing"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/walls"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/store"
)

// TestTheKitsJournalAndListCarryTheService runs the service on the real journal and list, through
// an outage of the provider.
func TestTheKitsJournalAndListCarryTheService(t *testing.T) {
	w, state := newWorld(t), sidecartest.NewState()
	r, err := renderer()
	if err != nil {
		t.Fatal(err)
	}
	log, err := journal.New(journal.Config{Name: "notifications", State: state, Every: 20 * time.Millisecond, SettleAfter: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{world: w, proc: &sidecartest.Process{}} // for what it does not have of its own
	lists := store.NewLists(state)
	s := notifications.New(notifications.Config{BreakerPause: 10 * time.Millisecond, BreakerMax: 20 * time.Millisecond, RetryBase: 50 * time.Millisecond}, notifications.Deps{
		State: state, Journal: aggregate.Of(log), Lists: lists, Contacts: procContacts{p},
		Counters: store.NewCounters(state),
		Letters:  deadletter.New(state, "notifications"), Renderer: r,
		Senders: map[notifications.Channel]notifications.Sender{
			notifications.Email: procSender{p, notifications.Email},
			notifications.SMS:   procSender{p, notifications.SMS},
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 2)
	go func() {
		stopped <- log.Run(ctx, ofRecords(s))
	}()
	go func() { stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-stopped
		<-stopped
	})
	w.until("the journal is ready", func() bool { return log.Ready() == nil })

	w.setOutage(notifications.Email, errRefused)
	const n = 20
	for v := range int64(n) {
		if err := s.Accept(t.Context(), example(t, "payment.confirmed.v1", v+1)); err != nil {
			t.Fatal(err)
		}
	}
	w.until("every SMS message is sent", func() bool { return len(w.sentBy(notifications.SMS)) == n })
	w.setOutage(notifications.Email, nil)
	w.until("the journal is empty", func() bool { return log.Stats().Backlog == 0 })
	if mails := len(w.sentBy(notifications.Email)); mails != n {
		t.Errorf("%d mails, want %d", mails, n)
	}
	items, next, err := lists.Delivered(t.Context(), s.Records, ada, "", 100)
	if err != nil || len(items) != 2*n || next != "" {
		t.Fatalf("%d deliveries are listed, next %q, %v; want %d", len(items), next, err, 2*n)
	}
	for i, d := range items {
		if d.Status != notifications.Sent || i > 0 && d.CreatedAt.After(items[i-1].CreatedAt) {
			t.Errorf("item %d is %s of %s", i, d.Status, d.CreatedAt)
		}
	}
}

// The wall between the domain and what only main and the adapters import.
func TestTheDomainReachesNoSidecarByItself(t *testing.T) { walls.Domain(t) }
