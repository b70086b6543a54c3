package notifications_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/bindings"
	"sidecart.dev/notifications/peers"
	"sidecart.dev/notifications/store"
)

// budget is what telling of orders by mail may cost: calls of the sidecar per order, of one by
// itself and of 64 customers' at once. What the journal does whether or not there is an order is
// not counted: the heads of its lanes are written three times per lease.
var budget = sidecartest.Budget{
	sidecartest.Allow("call users /internal/contacts", 1, 3.0/64, "who is it: everyone who waits shares a call"),
	sidecartest.Allow("get notifications-of", 1, 1, "the head of the customer's list, which the delivery is added to"),
	sidecartest.Allow("insert notifications-of", 1, 1, "the delivery is listed (an update, if it is not the customer's first)"),
	sidecartest.Allow("insert journal", 1, 3.0/64, "the intent: everyone who waits shares a segment"),
	sidecartest.Allow("invoke email", 1, 1, "the mail"),
	sidecartest.Allow("insert evt", 1, 1, "the record, with what came of the mail"),
}

// What is added to that if the mail is sent while the event waits, and if it takes longer.
var (
	prompt = sidecartest.Budget{
		sidecartest.Allow("get evt", 1, 1, "whether the event was told before"),
	}
	slow = sidecartest.Budget{
		sidecartest.Allow("get evt", 1, 2, "whether the event was told before; and the version of the record that is updated"),
		sidecartest.Allow("update evt", 0, 1, "that it is sent"),
	}
)

func TestWhatAnOrderCosts(t *testing.T) {
	for name, c := range map[string]struct {
		orders   int
		provider time.Duration // for one mail
		more     sidecartest.Budget
	}{
		"alone":                             {1, time.Millisecond, prompt},
		"in company":                        {64, time.Millisecond, prompt},
		"in company before a slow provider": {64, 200 * time.Millisecond, slow},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slices.Concat(budget, c.more).Check(t, callsFor(t, c.orders, c.provider), c.orders)
			})
		})
	}
}

// callsFor tells customers of as many orders at once, and returns how often each kind of call was
// made until the last mail was recorded. A call of the sidecar takes a millisecond.
func callsFor(t *testing.T, orders int, provider time.Duration) map[string]int {
	t.Helper()
	state, proc, peer, binding := sidecartest.NewState(), &sidecartest.Process{}, &sidecartest.Caller{}, &sidecartest.Binding{}
	state.Before = func(context.Context, sidecartest.Op, string) error { time.Sleep(time.Millisecond); return nil }
	binding.Before = func(context.Context, sidecartest.Invocation) error { time.Sleep(provider); return nil }
	peer.Handle = func(_ context.Context, _, _, _ string, in []byte) (any, error) {
		time.Sleep(time.Millisecond)
		return contactsFor(in)
	}
	log, err := journal.New(journal.Config{Name: "notifications", State: proc.State(state)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := renderer()
	if err != nil {
		t.Fatal(err)
	}
	s := notifications.New(notifications.Config{Prompt: 250 * time.Millisecond, Limits: notifications.Limits{Security: 20, Orders: 120}}, notifications.Deps{
		State: proc.State(state), Journal: aggregate.Of(log), Lists: store.NewLists(proc.State(state)),
		Counters: store.NewCounters(proc.State(state)),
		Letters:  deadletter.New(proc.State(state), "notifications"),
		Contacts: peers.NewContacts(proc.Caller(peer), 0, 0, nil), Renderer: r,
		Senders: map[notifications.Channel]notifications.Sender{
			notifications.Email: bindings.NewEmailSender(proc.Binding(binding), "email"),
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = log.Run(ctx, ofRecords(s)) })
	running.Go(func() { _ = s.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for log.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	before := len(proc.Calls())
	var accepting sync.WaitGroup
	for i := range orders {
		e := example(t, "payment.confirmed.v1", int64(i+1))
		e.Data = []byte(strings.ReplaceAll(string(e.Data), ada, fmt.Sprintf("usr_%d", i)))
		accepting.Go(func() {
			if err := s.Accept(ctx, e); err != nil {
				t.Errorf("accept: %v", err)
			}
		})
	}
	accepting.Wait()
	for log.Stats().Backlog > 0 {
		time.Sleep(time.Millisecond)
	}
	if n := len(binding.Calls()); n != orders {
		t.Errorf("%d mails for %d orders", n, orders)
	}
	return sidecartest.Tally(proc.Calls()[before:], about)
}

// about says what a call is about: whom is asked, or what kind of key is read or written.
func about(op, what string) string {
	kind, _, _ := strings.Cut(what, "/")
	switch {
	case op == "call", op == "invoke":
		return what
	case kind == "journal" && op != "insert":
		return "" // of its lanes, and of segments whose intents are forgotten
	}
	return kind
}

// contactsFor answers like users: everyone wants mail, and has no phone.
func contactsFor(in []byte) (any, error) {
	var asked struct {
		UserIDs []string `json:"user_ids"`
	}
	if err := json.Unmarshal(in, &asked); err != nil {
		return nil, err
	}
	contacts := map[string]notifications.Contact{}
	for _, id := range asked.UserIDs {
		c := contactOf(id)
		c.Phone, c.Preferences.SMS = "", notifications.Preference{}
		contacts[id] = c
	}
	return map[string]any{"contacts": slices.Collect(maps.Values(contacts))}, nil
}
