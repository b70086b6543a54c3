package notifications

import (
	"strings"
	"sync"
	"time"
)

// Limits is how many messages of a kind one recipient gets per hour at most, as a burst or spread.
type Limits struct {
	Security int // e-mails about the account, per address
	Orders   int // e-mails about orders and payments, per address
	// Unverified is Orders for an address that nobody has verified: enough for a customer who has just come, and of no
	// use to whoever has put a stranger's address in.
	Unverified int
	SMS        int // SMS messages, per number
}

// flood protects recipients: a token bucket per recipient and sort of message. It lives in this process: a restart
// refills the buckets, and each replica has its own. It is safe for concurrent use.
type flood struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	buckets map[bucketKey]bucket
}

type bucketKey struct{ sort, recipient string }

type bucket struct {
	level float64 // messages that may still be sent
	at    time.Time
}

// maxBuckets bounds the memory of the flood protection, about 10 MB.
const maxBuckets = 50_000

func newFlood(limits Limits, now func() time.Time) *flood {
	return &flood{limits: limits, now: now, buckets: map[bucketKey]bucket{}}
}

// take reports whether one more message may go to the recipient, and counts it.
func (f *flood) take(c Channel, k Kind, recipient string, verified bool) bool {
	sort, limit := f.limitOf(c, k, verified)
	if limit <= 0 {
		return true
	}
	key, now := bucketKey{sort, strings.ToLower(recipient)}, f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.buckets[key]
	if !ok {
		f.makeRoom(now)
		b = bucket{level: float64(limit), at: now}
	}
	b.level = min(float64(limit), b.level+now.Sub(b.at).Hours()*float64(limit))
	b.at = now
	allowed := b.level >= 1
	if allowed {
		b.level--
	}
	f.buckets[key] = b
	return allowed
}

// limitOf returns which bucket a message is counted in, and its size; 0 is no limit.
func (f *flood) limitOf(c Channel, k Kind, verified bool) (sort string, limit int) {
	switch {
	case c == SMS:
		return "sms", f.limits.SMS
	case k == Security:
		return "security", f.limits.Security
	}
	if !verified {
		return "unverified", f.limits.Unverified
	}
	return "orders", f.limits.Orders
}

// makeRoom forgets buckets that are full again, and if there are none, any tenth of all.
func (f *flood) makeRoom(now time.Time) {
	if len(f.buckets) < maxBuckets {
		return
	}
	for key, b := range f.buckets {
		if now.Sub(b.at) >= time.Hour {
			delete(f.buckets, key)
		}
	}
	for key := range f.buckets {
		if len(f.buckets) < maxBuckets*9/10 {
			return
		}
		delete(f.buckets, key)
	}
}
