package http

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sidecart.dev/kit/fault"
)

// limiter is a token bucket per key. It is safe for concurrent use; its memory is bounded.
type limiter struct {
	name  string
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	old     map[string]*rate.Limiter // the generation before, dropped at the next turn
	turned  time.Time
}

// maxBuckets bounds one generation of keys.
const maxBuckets = 100_000

func newLimiter(name string, perSecond float64, now func() time.Time) *limiter {
	burst := max(10, int(math.Ceil(2*perSecond)))
	return &limiter{
		name: name, rate: rate.Limit(perSecond), burst: burst, now: now,
		buckets: map[string]*rate.Limiter{}, turned: now(),
	}
}

// allow takes a token of the key's bucket and describes it in the answer's headers
// (draft-ietf-httpapi-ratelimit-headers), or returns a RateLimited fault that says when to try
// again.
func (l *limiter) allow(w http.ResponseWriter, key string) error {
	now := l.now()
	b := l.bucket(key, now)
	ok := b.AllowN(now, 1)
	left := max(0, math.Floor(b.TokensAt(now)))
	reset := math.Ceil((float64(l.burst) - b.TokensAt(now)) / float64(l.rate))
	window := math.Ceil(float64(l.burst) / float64(l.rate))
	w.Header().Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%.0f", l.name, l.burst, window))
	w.Header().Set("RateLimit", fmt.Sprintf("%q;r=%.0f;t=%.0f", l.name, left, reset))
	if ok {
		return nil
	}
	wait := time.Duration((1 - b.TokensAt(now)) / float64(l.rate) * float64(time.Second))
	return &fault.Error{
		Kind: fault.RateLimited, Code: "rate_limited", RetryAfter: wait,
		Message: "Too many requests; slow down and try again after the time in Retry-After.",
	}
}

func (l *limiter) bucket(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A bucket is full again after burst/rate, so one that was not used for that long may be
	// forgotten.
	full := time.Duration(float64(l.burst) / float64(l.rate) * float64(time.Second))
	if now.Sub(l.turned) > max(full, time.Minute) || len(l.buckets) >= maxBuckets {
		l.old, l.buckets, l.turned = l.buckets, map[string]*rate.Limiter{}, now
	}
	b, ok := l.buckets[key]
	if !ok {
		if b, ok = l.old[key]; !ok {
			b = rate.NewLimiter(l.rate, l.burst)
		}
		l.buckets[key] = b
	}
	return b
}
