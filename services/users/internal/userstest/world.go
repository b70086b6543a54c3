// Package userstest has a users service on fakes, for the tests of its packages: replicas that
// share a store, a clock that is set by hand, and processes that may die at a chosen call.
package userstest

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/aggregate/aggregatetest"
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
	Journal *aggregatetest.Journal

	mu       sync.Mutex
	now      time.Time
	accepted map[string]map[string]bool // service, event id
}

// New makes a world without any accounts.
func New(t testing.TB) *World {
	w := &World{
		T: t, State: sidecartest.NewState(), Bus: &sidecartest.Bus{}, Journal: aggregatetest.NewJournal(),
		now: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), accepted: map[string]map[string]bool{},
	}
	w.State.Now = w.Now
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

// peers are the other services as a process sees them. It implements users.Peers.
type peers struct {
	w    *World
	proc *sidecartest.Process
}

// Accepted implements users.Peers.
func (p peers) Accepted(_ context.Context, service string, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	err := p.proc.Call("call "+service, func() error {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		for _, id := range ids {
			if p.w.accepted[service][id] {
				known[id] = true
			}
		}
		return nil
	})
	return known, err
}

// Process is one replica.
type Process struct {
	*users.Service
	Proc   *sidecartest.Process // what the outside sees of it
	Hasher *argon2.Hasher
	Keys   *users.KeyRing
}

// Wait returns when what is under way in the background is done.
func (p *Process) Wait() { p.Drain(context.Background()) }

// Reads and Writes return how many calls to the store there were so far.
func (p *Process) Reads() int { return p.count("get", "bulk-get") }

// Writes is like Reads.
func (p *Process) Writes() int { return p.count("insert", "update", "delete") }

func (p *Process) count(ops ...string) (n int) {
	for _, call := range p.Proc.Calls() {
		op, _, _ := strings.Cut(call, " ")
		if slices.Contains(ops, op) {
			n++
		}
	}
	return n
}

// Settler returns what settles everything that the service has in its journal.
func (p *Process) Settler() journal.Settler {
	return journal.NewKinds(users.AccountKind, map[string]journal.Settler{
		users.AccountKind: p.Service, users.ResetKind: journal.SettlerFunc(p.SettleResets),
	})
}

// Cheap are parameters that make a hash cost next to nothing.
var Cheap = argon2.Params{Memory: 64, Time: 1, Threads: 1}

// Process starts a replica.
func (w *World) Process() *Process { return w.start(&sidecartest.Process{}, Cheap) }

// ProcessOf starts a replica in a process that may die.
func (w *World) ProcessOf(proc *sidecartest.Process) *Process { return w.start(proc, Cheap) }

// ProcessWith starts a replica that hashes with the given parameters.
func (w *World) ProcessWith(params argon2.Params) *Process {
	return w.start(&sidecartest.Process{}, params)
}

func (w *World) start(proc *sidecartest.Process, params argon2.Params) *Process {
	hasher, err := argon2.New(params, 4, 1000)
	if err != nil {
		w.T.Fatal(err)
	}
	// The keys are read before anything that a test is about, and so are no calls of the process.
	secret := func(context.Context) (string, error) { return Keys, nil }
	keys := users.NewKeyRing(secret, w.State, w.Now)
	if err := keys.Reload(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	return &Process{
		Proc: proc, Hasher: hasher, Keys: keys,
		Service: users.NewService(users.Config{
			State: proc.State(w.State), Bus: proc.Bus(w.Bus),
			Journal: w.Journal.Of(proc), Peers: peers{w, proc},
			Hasher: hasher, Signer: keys, Now: w.Now,
			Log: slog.New(slog.DiscardHandler),
		}),
	}
}

// Keys is a secret with one signing key.
const Keys = `{"current":"k1","keys":[` +
	`{"kid":"k1","seed":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}]}`

// SettleAll offers every journalled id to the replica, delivering what is published, until nothing
// is left.
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

// Settle offers every journalled id to the replica once, long after it was begun. It reports false
// if there was none.
func (w *World) Settle(p *Process) bool {
	w.T.Helper()
	if len(w.Journal.IDs()) == 0 {
		return false
	}
	if err := w.Journal.Settle(w.T.Context(), p.Proc, p.Settler(), time.Hour); err != nil {
		w.T.Fatalf("settling: %v", err)
	}
	return true
}

// Live returns every account in the store.
func (w *World) Live() (accounts []users.User) {
	docs := aggregate.New(aggregate.Config[users.User]{
		Kind: users.AccountKind, State: w.State, Journal: w.Journal.Of(&sidecartest.Process{}),
		Done: users.User.Done,
	})
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
