package journal

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/sidecar"
)

// Config describes a journal. Name and State are required; the zero value of anything else means its default.
// All replicas of a service must agree on Name and Lanes, and may differ in the rest.
type Config struct {
	// Name is the journal's name in the store and in its metrics, such as "orders".
	Name string
	// State is the service's store. All replicas share it.
	State sidecar.State

	// Lanes is the number of logs the replicas share, default 16. A replica holds one, and one more for each dead
	// replica while it takes over: allow twice the largest number of replicas. It may be raised, but never lowered
	// while the highest lanes hold ids.
	Lanes int
	// Writers is the number of lanes this replica appends to at once, default 1. One is best with group commit:
	// what arrives during an append shares the next.
	Writers int
	// Lease is how long a lane's head must stay unchanged before another replica takes the lane over, default 6 s.
	// A head is renewed three times per lease. It is measured by each observer's own clock: clocks need not agree.
	Lease time.Duration
	// Instance optionally tells that a process succeeds an earlier one, such as the pod's name and the container's: a
	// starting process takes the lanes of the same instance over at once, without waiting for the lease. It must differ between
	// processes that run at the same time.
	Instance string

	// OneByOne turns group commit off: every Begin is an append of its own, and Writers is 8 unless it is set. It is there
	// to be measured against; replicas may differ in it.
	OneByOne bool
	// MaxBatch is the number of ids one append may carry, default 256.
	MaxBatch int
	// MaxSegments is the length of a lane's log above which the unfinished ids of its older half are written again with
	// new ones, so that the older half can be deleted, default 4096. A takeover reads 100 segments in a call.
	MaxSegments int
	// MaxBacklog is the number of unfinished ids above which Begin sheds load, default 50,000: about 10 MB of memory.
	MaxBacklog int

	// Every is the period of the reconciler and the first delay after an unfinished attempt, default 1 s.
	Every time.Duration
	// SettleAfter is how long an id is left alone after its handler released it, default 2 s.
	SettleAfter time.Duration
	// Grace is how long a handler may work on an id, default 15 s: longer than every request's deadline. After it the
	// handler counts as dead and the id is offered to the settler.
	Grace time.Duration
	// MaxBackoff limits the delay between two attempts at the same id, default 5 min.
	MaxBackoff time.Duration
	// SettleBatch is the number of ids offered in one call, default 200.
	SettleBatch int
	// SettleParallel is the number of such calls at one time, default 4.
	SettleParallel int
	// SettleTimeout is the deadline of such a call, default 30 s.
	SettleTimeout time.Duration
	// CallTimeout is the deadline of one call to the store, default 5 s.
	CallTimeout time.Duration

	// Registerer gets the journal's metrics; nil for none.
	Registerer prometheus.Registerer
	// Logger gets what an operator should know; nil means slog.Default.
	Logger *slog.Logger
	// Now is the wall clock, used for ages alone; nil means time.Now. It may be wrong: only ages and grace suffer.
	Now func() time.Time
	// Rand is the source of jitter and of this process's name in the store, which must be unique; nil means math/rand/v2.
	// It must be safe for concurrent use.
	Rand func() uint64
}

func (c Config) withDefaults() Config {
	if c.OneByOne {
		c.MaxBatch = 1
		setDefault(&c.Writers, 8)
	}
	setDefault(&c.Lanes, 16)
	setDefault(&c.Writers, 1)
	setDefault(&c.Lease, 6*time.Second)
	setDefault(&c.MaxBatch, 256)
	setDefault(&c.MaxSegments, 4096)
	setDefault(&c.MaxBacklog, 50_000)
	setDefault(&c.Every, time.Second)
	setDefault(&c.SettleAfter, 2*time.Second)
	setDefault(&c.Grace, 15*time.Second)
	setDefault(&c.MaxBackoff, 5*time.Minute)
	setDefault(&c.SettleBatch, 200)
	setDefault(&c.SettleParallel, 4)
	setDefault(&c.SettleTimeout, 30*time.Second)
	setDefault(&c.CallTimeout, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
	return c
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	switch d := c.withDefaults(); {
	case c.Name == "":
		return fmt.Errorf("journal: Config.Name is required")
	case c.State == nil:
		return fmt.Errorf("journal: Config.State is required")
	case d.Lanes < 1 || d.Writers < 1 || d.MaxBatch < 1 || d.MaxSegments < 1 || d.MaxBacklog < 1 ||
		d.SettleBatch < 1 || d.SettleParallel < 1:
		return fmt.Errorf("journal: a number in the configuration is negative")
	case d.Lease <= 0 || d.Every <= 0 || d.SettleAfter < 0 || d.Grace <= 0 || d.MaxBackoff < d.Every ||
		d.SettleTimeout <= 0 || d.CallTimeout <= 0:
		return fmt.Errorf("journal: a duration in the configuration is negative, or MaxBackoff is less than Every")
	case d.Writers > d.Lanes:
		return fmt.Errorf("journal: Config.Writers is %d, but there are %d lanes", d.Writers, d.Lanes)
	}
	return nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
