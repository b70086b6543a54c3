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

// budget is what telling of orders by mail may cost, in calls of the sidecar. Nothing else may be
// called, but for what the journal does whether or not there is an order: the heads of its lanes,
// three times per lease.
type budget struct {
	call   string
	reason string
	alone  int // one order
	many   int // 64 orders of as many customers at once
	slow   int // the same before a provider that takes 200 ms for each
}

var budgets = []budget{
	{"call users /internal/contacts", "who is it: everyone who waits shares a call, of which two may be under way", 1, 3, 3},
	{"get notifications-of", "the head of the customer's list, which the delivery is added to", 1, 64, 64},
	{"insert notifications-of", "the delivery is listed (an update, if it is not the customer's first)", 1, 64, 64},
	{"insert journal", "the intent: everyone who waits shares a segment", 1, 3, 3},
	{"get evt", "whether the event was told before; and the version of a record that is updated", 1, 64, 128},
	{"invoke email", "the mail", 1, 64, 64},
	{"insert evt", "the record, with what came of the mail", 1, 64, 64},
	{"update evt", "that it is sent, if that took longer than the event could wait", 0, 0, 64},
}

func TestWhatAnOrderCosts(t *testing.T) {
	for name, c := range map[string]struct {
		orders   int
		provider time.Duration // for one mail
		limit    func(b budget) int
	}{
		"alone":                             {1, time.Millisecond, func(b budget) int { return b.alone }},
		"in company":                        {64, time.Millisecond, func(b budget) int { return b.many }},
		"in company before a slow provider": {64, 200 * time.Millisecond, func(b budget) int { return b.slow }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := callsFor(t, c.orders, c.provider)
				for _, b := range budgets {
					if want := c.limit(b); got[b.call] > want {
						t.Errorf("%s: %d calls, the budget is %d: %s", b.call, got[b.call], want, b.reason)
					}
					delete(got, b.call)
				}
				if len(got) > 0 {
					t.Errorf("calls without a budget: %v", got)
				}
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
		Counters: store.NewCounters(proc.State(state)), Letters: deadletter.New(proc.State(state), "notifications"),
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
	return kindsOf(proc.Calls()[before:])
}

// kindsOf counts calls, without the keys that they are for, but for what the journal does by
// itself.
func kindsOf(calls []string) map[string]int {
	kinds := map[string]int{}
	for _, call := range calls {
		op, key, _ := strings.Cut(call, " ")
		first, _, _ := strings.Cut(key, "/")
		switch {
		case first == "journal" && op != "insert", op == "bulk-get": // heads of lanes
		case op == "call" || op == "invoke":
			kinds[call]++
		default:
			kinds[op+" "+first]++
		}
	}
	return kinds
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
