// Package userstest has a users service on fakes, for the tests of its packages: replicas that share a store, a clock
// that is set by hand, and processes that die at a chosen call to the store.
package userstest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/document"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users"
	"sidecart.dev/users/argon2"
)

// World is everything the replicas of a service share.
type World struct {
	T       testing.TB
	State   *sidecartest.State
	Bus     *sidecartest.Bus
	Journal *Journal

	mu       sync.Mutex
	now      time.Time
	accepted map[string]map[string]bool // service, event id
}

// New makes a world without any accounts.
func New(t testing.TB) *World {
	w := &World{T: t, State: sidecartest.NewState(), Bus: &sidecartest.Bus{}, now: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), accepted: map[string]map[string]bool{}}
	w.State.Now = w.Now
	w.Journal = &Journal{entries: map[string]*entry{}}
	return w
}

// Now is the clock of the world.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance sets the clock forward.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Listeners are the services that hear of accounts.
var Listeners = []string{"notifications", "orders", "payments"}

// Deliver lets every service accept the events that are on the bus.
func (w *World) Deliver() { w.DeliverTo(Listeners...) }

// DeliverTo lets some services accept the events that are on the bus; for the others it is emptied.
func (w *World) DeliverTo(services ...string) {
	for w.Bus.Waiting() > 0 {
		var e struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(w.Bus.Take(0).Body, &e); err != nil {
			w.T.Fatal(err)
		}
		w.mu.Lock()
		for _, service := range services {
			if w.accepted[service] == nil {
				w.accepted[service] = map[string]bool{}
			}
			w.accepted[service][e.ID] = true
		}
		w.mu.Unlock()
	}
}

// Heard reports whether a service has accepted an event of the type.
func (w *World) Heard(service, eventType string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.accepted[service] {
		if strings.HasSuffix(id, ":"+eventType) {
			return true
		}
	}
	return false
}

// Accepted implements users.Peers.
func (w *World) Accepted(_ context.Context, service string, ids []string) (map[string]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := map[string]bool{}
	for _, id := range ids {
		if w.accepted[service][id] {
			known[id] = true
		}
	}
	return known, nil
}

// Process is one replica.
type Process struct {
	*users.Service
	Store  *Dying
	Hasher *argon2.Hasher
	Keys   *users.KeyRing
}

// Wait returns when what is under way in the background is done.
func (p *Process) Wait() { p.Drain(context.Background()) }

// Cheap are parameters that make a hash cost next to nothing.
var Cheap = argon2.Params{Memory: 64, Time: 1, Threads: 1}

// Process starts a replica.
func (w *World) Process() *Process { return w.ProcessWith(Cheap) }

// ProcessWith starts a replica that hashes with the given parameters.
func (w *World) ProcessWith(params argon2.Params) *Process {
	hasher, err := argon2.New(params, 4, 1000)
	if err != nil {
		w.T.Fatal(err)
	}
	state := &Dying{State: w.State}
	keys := users.NewKeyRing(func(context.Context) (string, error) { return Keys, nil }, state, w.Now)
	if err := keys.Reload(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	state.calls.Store(0)
	return &Process{
		Store: state, Hasher: hasher, Keys: keys,
		Service: users.NewService(users.Config{
			State: state, Bus: w.Bus, Journal: w.Journal, Peers: w,
			Hasher: hasher, Signer: keys, Now: w.Now,
			Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}),
	}
}

// Keys is a secret with one signing key.
const Keys = `{"current":"k1","keys":[{"kid":"k1","seed":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}]}`

// SettleAll offers every journalled id to the replica, delivering what is published, until nothing is left.
func (w *World) SettleAll(p *Process) {
	w.T.Helper()
	for range 20 {
		p.Wait()
		w.Deliver()
		if !w.Settle(p) {
			return
		}
	}
	w.T.Fatalf("unfinished after 20 rounds of settling: %v", w.Journal.IDs())
}

// Settle offers every journalled id to the replica once. It reports false if there was none.
func (w *World) Settle(p *Process) bool {
	w.T.Helper()
	entries := w.Journal.offer()
	if len(entries) == 0 {
		return false
	}
	settlers := map[string]journal.Settler{users.AccountKind: p.Service, users.ResetKind: journal.SettlerFunc(p.SettleResets)}
	finished, err := journal.NewKinds(users.AccountKind, settlers).Settle(w.T.Context(), entries)
	if err != nil {
		w.T.Fatalf("settling: %v", err)
	}
	w.Journal.drop(finished)
	return true
}

// Live returns every account in the store.
func (w *World) Live() (accounts []users.User) {
	docs := aggregate.New(aggregate.Config[users.User]{Kind: users.AccountKind, State: w.State, Journal: w.Journal, Done: users.User.Done})
	for _, key := range w.State.Keys() {
		if id, ok := strings.CutPrefix(key, users.AccountKind+"/"); ok {
			u, err := docs.Get(context.Background(), id)
			if err == nil {
				accounts = append(accounts, u)
			} else if !sidecar.IsMissing(err) {
				w.T.Fatal(err)
			}
		}
	}
	return accounts
}

// Change changes an account in the store, as a program of another version might have written it.
func (w *World) Change(id string, change func(*users.User)) {
	w.T.Helper()
	docs := document.New[users.User](w.State, users.AccountKind)
	_, err := docs.Change(w.T.Context(), id, func(u users.User, _ bool) (users.User, error) {
		change(&u)
		return u, nil
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// Journal is a durable aggregate.Journal without time: ids stay until they are settled.
type Journal struct {
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	tickets int
	fence   bool
	attempt int
}

// Begin implements aggregate.Journal.
func (j *Journal) Begin(_ context.Context, id string) (aggregate.Ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[id]
	if e == nil {
		e = &entry{}
		j.entries[id] = e
	}
	e.tickets++
	return &ticket{j: j, e: e}, nil
}

// IDs returns what is unfinished.
func (j *Journal) IDs() (ids []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id := range j.entries {
		ids = append(ids, id)
	}
	return ids
}

// Abandon does what the grace period does: ids whose handlers have died are offered, to be fenced.
func (j *Journal) Abandon() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.tickets > 0 {
			e.tickets, e.fence = 0, true
		}
	}
}

func (j *Journal) offer() (entries []journal.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, e := range j.entries {
		if e.tickets == 0 {
			e.attempt++
			entries = append(entries, journal.Entry{ID: id, Attempt: e.attempt, Fence: e.fence, Age: time.Duration(e.attempt-1) * 10 * time.Second})
		}
	}
	return entries
}

func (j *Journal) drop(ids []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range ids {
		if e := j.entries[id]; e != nil && e.tickets == 0 {
			delete(j.entries, id)
		}
	}
}

type ticket struct {
	j    *Journal
	e    *entry
	done bool
}

// Finish implements aggregate.Journal.
func (*Journal) Finish(time.Time, ...string) {}

// Poke implements aggregate.Journal. Everything is due at all times.
func (*Journal) Poke(...string) {}

// Finish implements aggregate.Ticket.
func (t *ticket) Finish() { t.end(false) }

// Release implements aggregate.Ticket.
func (t *ticket) Release() { t.end(true) }

// Wrote implements aggregate.Ticket.
func (t *ticket) Wrote() { t.end(false) }

func (t *ticket) end(fence bool) {
	t.j.mu.Lock()
	defer t.j.mu.Unlock()
	if !t.done {
		t.done = true
		t.e.tickets = max(0, t.e.tickets-1)
		t.e.fence = t.e.fence || fence
	}
}
