package aggregate_test

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/aggregate/aggregatetest"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// parcel is a small aggregate: it is packed, has to be handed to a carrier, and may come back,
// which a clerk then has to put away.
type parcel struct {
	ID       string   `json:"id"`
	Version  int64    `json:"version"`
	Steps    []string `json:"steps"` // packed, shipped, returned, stored, inspected
	Shipping string   `json:"shipping,omitempty"`
}

func (p parcel) last() string {
	if len(p.Steps) == 0 {
		return ""
	}
	return p.Steps[len(p.Steps)-1]
}

func (p parcel) after(step string) parcel {
	p.Version++
	p.Steps = append(p.Steps, step)
	return p
}

func (p parcel) done() bool { return p.last() != "packed" && p.last() != "returned" }

func (p parcel) events() ([]event.Event, error) {
	var events []event.Event
	for i, step := range p.Steps {
		e, err := event.New("parcels", "parcel."+step+".v1", p.ID, int64(i+1), time.Unix(0, 0),
			map[string]string{"id": p.ID})
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// world is what outlives every process.
type world struct {
	*testing.T
	state   *sidecartest.State
	bus     *sidecartest.Bus
	journal *aggregatetest.Journal

	mu      sync.Mutex
	carried map[string]int  // by the parcel's id: how often the carrier was called
	lost    map[string]bool // event ids whose first message the bus lost
	heard   map[string]int  // event ids, as often as they were heard
}

func newWorld(t *testing.T) *world {
	return &world{
		T: t, state: sidecartest.NewState(), bus: &sidecartest.Bus{}, journal: aggregatetest.NewJournal(),
		carried: map[string]int{}, lost: map[string]bool{}, heard: map[string]int{},
	}
}

// parcels is the service of one process.
func (w *world) parcels(p *sidecartest.Process) *aggregate.Aggregates[parcel] {
	a := aggregate.New(aggregate.Config[parcel]{
		Kind: "parcel", State: p.State(w.state), Journal: w.journal.Of(p),
		Bus: p.Bus(w.bus), Topic: "parcels",
		Done: parcel.done, Events: parcel.events, Patience: time.Minute,
	})
	a.DrivenBy(aggregate.Driver[parcel]{
		Drive: func(ctx context.Context, open []aggregate.Open[parcel]) (map[string]parcel, error) {
			changed := map[string]parcel{}
			for _, o := range open {
				doc, err := w.drive(ctx, p, a, o.ID)
				if err != nil {
					return changed, err
				}
				changed[o.ID] = doc
			}
			return changed, nil
		},
		Accepted: func(_ context.Context, owed []aggregate.Owed[parcel]) (map[string]bool, error) {
			accepted := map[string]bool{}
			err := p.Call("accepted", func() error {
				w.mu.Lock()
				defer w.mu.Unlock()
				for _, id := range aggregate.EventIDs(owed) {
					accepted[id] = w.heard[id] > 0
				}
				return nil
			})
			return accepted, err
		},
	})
	return a
}

// drive ships what is packed, and puts away what came back.
func (w *world) drive(ctx context.Context, p *sidecartest.Process,
	a *aggregate.Aggregates[parcel], id string,
) (parcel, error) {
	err := p.Call("carrier", func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.carried[id]++
		return nil
	})
	if err != nil {
		return parcel{}, err
	}
	read, err := a.Read(ctx, id)
	if err != nil {
		return parcel{}, err
	}
	return a.Advance(ctx, read, func(doc parcel) (parcel, error) {
		switch doc.last() {
		case "packed":
			return doc.after("shipped"), nil
		case "returned":
			return doc.after("stored"), nil
		}
		return doc, aggregate.ErrUnchanged
	})
}

// hear takes what was published. The bus loses the first message of every event.
func (w *world) hear() {
	for w.bus.Waiting() > 0 {
		m := w.bus.Take(0)
		e, err := event.Parse(m.Body)
		require.NoError(w, err)
		w.mu.Lock()
		if w.lost[e.ID] {
			w.heard[e.ID]++
		}
		w.lost[e.ID] = true
		w.mu.Unlock()
	}
}

// settle lets a process that lives settle everything, long after it was begun, until nothing is
// left.
func (w *world) settle() {
	w.Helper()
	p := &sidecartest.Process{}
	settler := kinds(w.parcels(p))
	for range 8 {
		w.hear()
		if len(w.journal.IDs()) == 0 {
			return
		}
		require.NoError(w, w.journal.Settle(w.Context(), p, settler, time.Hour))
	}
	w.Fatalf("still unfinished: %v", w.journal.IDs())
}

func pack(id string) func() (parcel, error) {
	return func() (parcel, error) { return parcel{ID: id}.after("packed"), nil }
}

func takeBack(doc parcel) (parcel, error) {
	switch {
	case doc.last() == "returned" || doc.last() == "stored":
		return doc, aggregate.ErrUnchanged
	case doc.last() != "shipped":
		return doc, fault.New(fault.Conflict, "not_shipped", "It is still here.")
	}
	return doc.after("returned"), nil
}

// check holds the parcel to what must be true in the end.
func (w *world) check(id string, steps ...string) {
	w.Helper()
	doc, err := w.parcels(&sidecartest.Process{}).Get(w.Context(), id)
	require.NoError(w, err)
	require.Equal(w, steps, doc.Steps)
	events, err := doc.events()
	require.NoError(w, err)
	for _, e := range events {
		require.Positive(w, w.heard[e.ID], "nobody has heard of %s", e.ID)
	}
}
