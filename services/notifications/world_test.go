package notifications_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidecart.dev/contracts"
	"sidecart.dev/kit/aggregate/aggregatetest"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/notifications"
	"sidecart.dev/notifications/render"
	"sidecart.dev/notifications/store"
)

const ada = "usr_p6r1l9k4a8e2"

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// world is what outlives a process: stores, journal, users, providers and the clock.
type world struct {
	t     *testing.T
	state *sidecartest.State

	journal *aggregatetest.Journal

	mu       sync.Mutex
	contacts map[string]notifications.Contact
	coded    map[string]string // by user: the number that a code is for; absent: none
	sent     []sent
	outage   map[notifications.Channel]error
	skipped  time.Duration // how far the clock was put forward
	prompt   time.Duration // how long accepting waits for the first attempts
}

type sent struct {
	channel notifications.Channel
	notifications.Outgoing
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, state: sidecartest.NewState(), journal: aggregatetest.NewJournal(),
		contacts: map[string]notifications.Contact{ada: contactOf(ada)},
		outage:   map[notifications.Channel]error{},
		coded:    map[string]string{ada: "+4915112345678"},
	}
}

func contactOf(userID string) notifications.Contact {
	return notifications.Contact{
		UserID: userID, Email: userID[4:] + "@example.org", EmailVerified: true, Phone: "+4915112345678",
		PhoneVerified: true, Name: "Ada Lovelace", Locale: "en",
		Preferences: notifications.Preferences{
			Email: notifications.Preference{Orders: true, Payments: true},
			SMS:   notifications.Preference{Orders: true, Payments: true},
		},
		Status: "active",
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.skipped)
}

func (w *world) skip(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.skipped += d
}

func (w *world) setOutage(c notifications.Channel, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outage[c] = err
}

func (w *world) sentBy(c notifications.Channel) []notifications.Outgoing {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []notifications.Outgoing
	for _, s := range w.sent {
		if s.channel == c {
			out = append(out, s.Outgoing)
		}
	}
	return out
}

// wantMails checks how many mails have been sent so far; why says what makes it that many.
func (w *world) wantMails(want int, why string) {
	w.t.Helper()
	if n := len(w.sentBy(notifications.Email)); n != want {
		w.t.Errorf("%d mails, want %d: %s", n, want, why)
	}
}

func (w *world) unfinished() int { return len(w.journal.IDs()) }

// stored reads the record of an event, if there is one.
func (w *world) stored(e event.Event) (r notifications.Record, ok bool) {
	w.t.Helper()
	item, err := w.state.Get(context.Background(), notifications.RecordKind+"/"+notifications.RecordID(e.ID))
	if sidecar.IsMissing(err) {
		return r, false
	}
	if err == nil {
		err = json.Unmarshal(item.Value, &r)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return r, r.ID != "" // a tombstone has none
}

// record reads the record of an event.
func (w *world) record(e event.Event) notifications.Record {
	w.t.Helper()
	r, ok := w.stored(e)
	if !ok {
		w.t.Fatalf("there is no record of %s", e.ID)
	}
	return r
}

func (w *world) delivery(e event.Event, c notifications.Channel) *notifications.Delivery {
	w.t.Helper()
	r := w.record(e)
	return r.Delivery(c)
}

var renderer = sync.OnceValues(func() (*render.Renderer, error) {
	return render.New(render.Config{PublicURL: "http://shop.test", ShopName: "Sidecart", DefaultLocale: "en"})
})

// process is one life of the service.
type process struct {
	*world
	*notifications.Service
	proc    *sidecartest.Process
	stop    context.CancelFunc
	stopped chan struct{}
	email   notifications.Sender // what mails go through; nil: the world's provider

	listsDown  atomic.Bool // lists cannot be read
	listsAsked atomic.Int64
}

func (w *world) start(change func(*process, *notifications.Config)) *process {
	w.t.Helper()
	r, err := renderer()
	if err != nil {
		w.t.Fatal(err)
	}
	p := &process{world: w, proc: &sidecartest.Process{}, stopped: make(chan struct{})}
	cfg := notifications.Config{
		Prompt: w.prompt, Now: w.now, StopGrace: time.Millisecond, BreakerPause: time.Millisecond,
		BreakerMax: 5 * time.Millisecond, RetryBase: 10 * time.Millisecond,
	}
	if change != nil {
		change(p, &cfg)
	}
	state := p.proc.State(w.state)
	p.Service = notifications.New(cfg, notifications.Deps{
		State: state, Journal: w.journal.Of(p.proc), Lists: procLists{store.NewLists(state), p},
		Contacts: procContacts{p},
		Counters: store.NewCounters(state), Letters: deadletter.New(state, "notifications"), Renderer: r,
		Senders: map[notifications.Channel]notifications.Sender{
			notifications.Email: procSender{p, notifications.Email},
			notifications.SMS:   procSender{p, notifications.SMS},
		},
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	p.stop = cancel
	go func() {
		defer close(p.stopped)
		_ = p.Run(ctx)
	}()
	w.t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	p.stop()
	<-p.stopped
}

// settle offers everything unfinished once, as the journal of this process would.
func (p *process) settle() {
	p.t.Helper()
	if err := p.journal.Settle(p.t.Context(), p.proc, ofRecords(p.Service), time.Hour); err != nil && !p.proc.Dead() {
		p.t.Fatalf("settle: %v", err)
	}
}

// ofRecords settles the ids that the journal has of records.
func ofRecords(s *notifications.Service) journal.Settler {
	const kind = notifications.RecordKind + "/"
	return journal.SettlerFunc(func(ctx context.Context, entries []journal.Entry) ([]string, error) {
		for i := range entries {
			entries[i].ID = strings.TrimPrefix(entries[i].ID, kind)
		}
		finished, err := s.Settle(ctx, entries)
		for i := range finished {
			finished[i] = kind + finished[i]
		}
		return finished, err
	})
}

// finish settles until nothing is unfinished, putting the clock forward.
func (p *process) finish() {
	p.t.Helper()
	p.until("everything is finished", func() bool {
		p.skip(time.Minute)
		p.settle()
		return p.unfinished() == 0
	})
}

func (p *process) accept(events ...event.Event) {
	p.t.Helper()
	for _, e := range events {
		if err := p.Accept(p.t.Context(), e); err != nil {
			p.t.Fatalf("accept %s: %v", e.ID, err)
		}
	}
}

// until waits for a condition.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// example makes an event of a type from its contract's example.
func example(t *testing.T, eventType string, version int64) event.Event {
	t.Helper()
	raw, ok := contracts.EventSchema(eventType)
	if !ok {
		t.Fatalf("there is no contract of %s", eventType)
	}
	var schema struct {
		Examples []map[string]any `json:"examples"`
	}
	if err := json.Unmarshal(raw, &schema); err != nil || len(schema.Examples) == 0 {
		t.Fatalf("the contract of %s has no example: %v", eventType, err)
	}
	subject := fmt.Sprint(schema.Examples[0][map[string]string{"o": "order_id", "p": "payment_id", "u": "user_id"}[eventType[:1]]])
	e, err := event.New(strings.Split(eventType, ".")[0]+"s", eventType, subject, version, time.Now(), schema.Examples[0])
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var errRefused = fault.Wrap(errors.New("451 later"), fault.Unavailable, "unavailable", "later")
