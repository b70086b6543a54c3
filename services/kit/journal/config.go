package journal

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/sidecar"
)

// Config describes a journal. Name and State are required; the zero value of anything else means
// its default. All replicas of a service must agree on Name, and may differ in the rest. What is
// not exported is set by this package's tests alone.
type Config struct {
	// Name is the journal's name in the store and in its metrics, such as "orders".
	Name string
	// State is the service's store. All replicas share it.
	State sidecar.State

	// lanes is the number of logs the replicas share, default 16. A replica holds one, and one more
	// for each dead replica while it takes over: allow twice the largest number of replicas. It may be
	// raised, but never lowered while the highest lanes hold ids.
	lanes int
	// writers is the number of lanes this replica appends to at once, default 1. One is best with
	// group commit: what arrives during an append shares the next.
	writers int
	// lease is how long a lane's head must stay unchanged before another replica takes the lane over,
	// default 6 s. A head is renewed three times per lease. It is measured by each observer's own
	// clock: clocks need not agree.
	lease time.Duration
	// Instance optionally tells that a process succeeds an earlier one, such as the pod's name and the
	// container's: a starting process takes the lanes of the same instance over at once, without
	// waiting for the lease. It must differ between processes that run at the same time.
	Instance string

	// Window is how long a Begin waits for others at most while they come densely, so that one append
	// carries several: see package batch. Zero: never, and only what arrives during an append shares
	// the next.
	Window time.Duration
	// OneByOne turns group commit off: every Begin is an append of its own, and Writers is 8 unless it
	// is set. It is there to be measured against; replicas may differ in it.
	OneByOne bool
	// maxBatch is the number of ids one append may carry, default 256.
	maxBatch int
	// maxSegments is the length of a lane's log above which the unfinished ids of its older half are
	// written again with new ones, so that the older half can be deleted, default 4096. A takeover
	// reads 100 segments in a call.
	maxSegments int
	// dense is the number of unfinished ids from which a segment is kept rather than written again,
	// default 500.
	dense int
	// moveLimit bounds the ids that one append writes again for the sake of old segments, default
	// 1000.
	moveLimit int
	// maxBacklog is the number of unfinished ids above which Begin sheds load, default 50,000: about
	// 10 MB of memory.
	maxBacklog int

	// Every is the period of looking for ids that are due, and the first delay after an unfinished
	// attempt, default 1 s.
	Every time.Duration
	// SettleAfter is how long an id is left alone after its handler released it, default 2 s.
	SettleAfter time.Duration
	// grace is how long a handler may work on an id, default 15 s: longer than every request's
	// deadline. After it the handler counts as dead and the id is offered to the settler.
	grace time.Duration
	// maxBackoff limits the delay between two attempts at the same id, default 5 min.
	maxBackoff time.Duration
	// settleBatch is the number of ids offered in one call, default 200.
	settleBatch int
	// settleParallel is the number of such calls at one time, default 4.
	settleParallel int
	// settleTimeout is the deadline of such a call, default 30 s.
	settleTimeout time.Duration
	// callTimeout is the deadline of one call to the store, default 5 s.
	callTimeout time.Duration

	// Registerer gets the journal's metrics; nil for none.
	Registerer prometheus.Registerer
	// Logger gets what an operator should know; nil means slog.Default.
	Logger *slog.Logger
	// now is the wall clock, used for ages alone; nil means time.Now. It may be wrong: only ages and
	// grace suffer.
	now func() time.Time
	// rand is the source of jitter and of this process's name in the store, which must be unique; nil
	// means math/rand/v2. It must be safe for concurrent use.
	rand func() uint64
}

func (c Config) withDefaults() Config {
	if c.OneByOne {
		c.maxBatch, c.Window = 1, 0
		setDefault(&c.writers, 8)
	}
	setDefault(&c.lanes, 16)
	setDefault(&c.writers, 1)
	setDefault(&c.lease, 6*time.Second)
	setDefault(&c.maxBatch, 256)
	setDefault(&c.maxSegments, 4096)
	setDefault(&c.dense, 500)
	setDefault(&c.moveLimit, 1000)
	setDefault(&c.maxBacklog, 50_000)
	setDefault(&c.Every, time.Second)
	setDefault(&c.SettleAfter, 2*time.Second)
	setDefault(&c.grace, 15*time.Second)
	setDefault(&c.maxBackoff, 5*time.Minute)
	setDefault(&c.settleBatch, 200)
	setDefault(&c.settleParallel, 4)
	setDefault(&c.settleTimeout, 30*time.Second)
	setDefault(&c.callTimeout, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.rand == nil {
		c.rand = rand.Uint64
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
	case min(d.lanes, d.writers, d.maxBatch, d.maxSegments, d.dense, d.moveLimit, d.maxBacklog,
		d.settleBatch, d.settleParallel) < 1:
		return fmt.Errorf("journal: a number in the configuration is negative")
	case min(d.Window, d.SettleAfter) < 0, d.maxBackoff < d.Every,
		min(d.lease, d.Every, d.grace, d.settleTimeout, d.callTimeout) <= 0:
		return fmt.Errorf("journal: a duration in the configuration is negative, " +
			"or MaxBackoff is less than Every")
	case d.writers > d.lanes:
		return fmt.Errorf("journal: there are %d writers, but only %d lanes", d.writers, d.lanes)
	}
	return nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
