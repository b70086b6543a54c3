package notifications

import "time"

// Config tunes a service. The zero value of a field means its default.
type Config struct {
	// Concurrency is how many messages are at the provider of a channel at once, default 1 each.
	Concurrency map[Channel]int
	// Recording is how many messages of a channel may have been sent and be on their way to being
	// recorded as such while the next are sent, default 4. If the process dies then, these are sent
	// again.
	Recording int
	// Limits is the flood protection.
	Limits Limits
	// Fresh is how long after it was written a record is sent as it is in memory, default 3 s.
	// After that it is read again before: its user may have been deleted.
	Fresh time.Duration
	// Claim is how long a claim keeps other processes from sending, default 45 s. It must be longer
	// than SendTimeout.
	Claim time.Duration
	// Prompt is how long accepting an event waits for the first attempts at its messages, so that a
	// record is written once, with what came of them. Zero: no attempt is made before the record is
	// written.
	Prompt time.Duration
	// SendTimeout bounds one attempt, default 30 s.
	SendTimeout time.Duration
	// RetryBase is the delay after the first transient failure, default 2 s; it doubles up to
	// RetryMax, default 15 min.
	RetryBase, RetryMax time.Duration
	// GiveUp is the age at which a message that is still refused is given up, default 24 h.
	GiveUp time.Duration
	// Breaker is after how many failures in a row a queue stops and tries one message at a time,
	// default 5.
	Breaker int
	// BreakerPause is the first pause of a stopped queue, default 500 ms; it doubles up to
	// BreakerMax, default 10 s.
	BreakerPause, BreakerMax time.Duration
	// EraseAgain is how long after its deletion a user's records are looked through again, default
	// 1 min: longer than an event of the user can be under way with a contact that was read before.
	EraseAgain time.Duration
	// StopGrace bounds finishing what is being sent when the service stops, default 5 s.
	StopGrace time.Duration
	// Buffered is the number of records a queue keeps in memory whole; of others it keeps the id.
	// Default 500.
	Buffered int
	// Remembered is the number of accepted events remembered, to know them without reading; default
	// 20,000.
	Remembered int
	// Metrics may be nil.
	Metrics *Metrics
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	concurrency := map[Channel]int{}
	for _, channel := range Channels() {
		concurrency[channel] = max(1, c.Concurrency[channel])
	}
	c.Concurrency = concurrency
	setDefault(&c.Recording, 4)
	setDefault(&c.Fresh, 3*time.Second)
	setDefault(&c.Claim, 45*time.Second)
	setDefault(&c.SendTimeout, 30*time.Second)
	setDefault(&c.RetryBase, 2*time.Second)
	setDefault(&c.RetryMax, 15*time.Minute)
	setDefault(&c.GiveUp, 24*time.Hour)
	setDefault(&c.Breaker, 5)
	setDefault(&c.BreakerPause, 500*time.Millisecond)
	setDefault(&c.BreakerMax, 10*time.Second)
	setDefault(&c.EraseAgain, time.Minute)
	setDefault(&c.StopGrace, 5*time.Second)
	setDefault(&c.Buffered, 500)
	setDefault(&c.Remembered, 20_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// retryAfter returns the delay after the nth failed attempt.
func (c Config) retryAfter(n int) time.Duration {
	d := c.RetryBase
	for ; n > 1 && d < c.RetryMax; n-- {
		d *= 2
	}
	return min(d, c.RetryMax)
}
