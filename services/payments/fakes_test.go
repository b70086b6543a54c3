package payments_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"sidecart.dev/kit/aggregate"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/journal"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
)

// intents is a journal that forgets nothing and offers everything, also while handlers are at work.
type intents struct {
	world   *world
	mu      sync.Mutex
	entries map[string]*intent
	begins  int
}

type intent struct {
	begun int // the last of all begins that was its own: one that is forgotten and begun again is another
	open  int // tickets whose writes have not all been answered
}

func (j *intents) Begin(ctx context.Context, id string) (aggregate.Ticket, error) {
	before, after := through(ctx, j.world.pass, "begin "+id)
	if before != nil {
		return nil, before
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[id]
	if !ok {
		e = &intent{}
		j.entries[id] = e
	}
	j.begins++
	e.begun = j.begins
	e.open++
	if after != nil {
		return nil, after
	}
	return &ticket{journal: j, id: id, ctx: ctx}, nil
}

type ticket struct {
	journal *intents
	id      string
	ctx     context.Context //nolint:containedctx // tells whose ticket it is
	once    sync.Once
}

// Finish and Poke implement [aggregate.Journal]: everything is offered at all times, and forgotten
// when a settler says so.
func (*intents) Finish(time.Time, ...string) {}
func (*intents) Poke(...string)              {}

func (t *ticket) Release() { t.once.Do(func() {}) }

func (t *ticket) Wrote() {
	t.once.Do(func() {
		t.journal.mu.Lock()
		defer t.journal.mu.Unlock()
		if e, ok := t.journal.entries[t.id]; ok && !isDead(t.ctx) {
			e.open--
		}
	})
}

func (t *ticket) Finish() { t.Wrote() }

// settle offers everything to a settler once, and forgets what is finished and was not begun again
// meanwhile.
func (j *intents) settle(ctx context.Context, s *payments.Service, age time.Duration) error {
	j.mu.Lock()
	var offered []journal.Entry
	begun := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(j.entries)) { // the same order in each run of the same story
		e := j.entries[id]
		offered = append(offered, journal.Entry{ID: id, Age: age, Since: time.Now().Add(-age), Attempt: 1, Fence: e.open > 0})
		begun[id] = e.begun
	}
	j.mu.Unlock()
	if len(offered) == 0 {
		return nil
	}
	finished, err := settler(s).Settle(ctx, offered)
	if before, _ := through(ctx, j.world.pass, "forget"); before != nil {
		return before
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range finished {
		if e, ok := j.entries[id]; ok && e.begun == begun[id] {
			delete(j.entries, id)
		}
	}
	return err
}

func (j *intents) size() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// index is a list in memory.
type index struct {
	world *world
	mu    sync.Mutex
	ids   []string
}

func (x *index) Append(ctx context.Context, _, id string) (uint64, error) {
	before, after := through(ctx, x.world.pass, "append "+id)
	if before != nil {
		return 0, before
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ids = append(x.ids, id)
	return uint64(len(x.ids)), after
}

func (x *index) Page(_ context.Context, _ string, before uint64, limit int) (page []list.Entry, next uint64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	top := uint64(len(x.ids))
	if before > 0 {
		top = min(top, before-1)
	}
	for seq := top; seq > 0 && len(page) < limit; seq-- {
		page = append(page, list.Entry{Seq: seq, ID: x.ids[seq-1]})
	}
	if n := uint64(len(page)); n < top {
		next = top - n + 1
	}
	return page, next, nil
}

// bus takes events. What is heard of them counts as accepted by notifications and, of refunds, as
// noted by orders.
type bus struct {
	world     *world
	mu        sync.Mutex
	published map[string][]byte // by event id, ever
	heard     map[string][]byte
	count     int
	deaf      bool // orders hears nothing
}

// errUnheard is the answer of pass to the publishing of an event that the bus takes and then loses.
var errUnheard = errors.New("lost on the bus")

// Refunded is what orders noted: what was heard, unless it is deaf.
func (b *bus) Refunded(ctx context.Context, orderIDs []string) (map[string]int64, error) {
	if before, _ := through(ctx, b.world.pass, "refunded"); before != nil {
		return nil, before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	noted := map[string]int64{}
	for _, id := range orderIDs {
		noted[id] = 0
	}
	for _, raw := range b.heard {
		e, err := event.Parse(raw)
		if err != nil {
			return nil, err
		}
		data, err := event.Decode[struct {
			OrderID string      `json:"order_id"`
			Total   money.Money `json:"total_refunded"`
		}](e)
		if err != nil {
			return nil, err
		}
		if _, asked := noted[data.OrderID]; asked && !b.deaf && e.Type == payments.TypeRefunded {
			noted[data.OrderID] = max(noted[data.OrderID], data.Total.Amount)
		}
	}
	return noted, nil
}

func (b *bus) Publish(ctx context.Context, _ string, raw []byte) error {
	e, err := event.Parse(raw)
	if err != nil {
		return err
	}
	before, after := through(ctx, b.world.pass, "publish "+e.ID)
	if before != nil {
		return before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.published[e.ID] = raw
	b.count++
	if errors.Is(after, errUnheard) {
		return nil
	}
	b.heard[e.ID] = raw
	return after
}

func (b *bus) Accepted(ctx context.Context, ids []string) (map[string]bool, error) {
	if before, _ := through(ctx, b.world.pass, "accepted"); before != nil {
		return nil, before
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	accepted := map[string]bool{}
	for _, id := range ids {
		_, accepted[id] = b.heard[id]
	}
	return accepted, nil
}

// settler settles the ids of every kind, as the journal of the service does.
func settler(s *payments.Service) journal.Settler {
	return journal.NewKinds(payments.PaymentKind, map[string]journal.Settler{
		payments.PaymentKind: s, payments.ErasureKind: journal.SettlerFunc(s.SettleErasures),
	})
}
