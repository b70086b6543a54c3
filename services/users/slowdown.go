package users

import (
	"time"

	"sidecart.dev/kit/fault"
)

// Attempts counts failed logins of one account or from one client address. It lives in the store,
// with expiry, so that all replicas count together.
type Attempts struct {
	Failures int       `json:"failures"`
	At       time.Time `json:"at"`    // of the last one
	Until    time.Time `json:"until"` // attempts before are refused
}

// Slowdown says how failures slow down what follows: some are free, then the wait doubles with each
// one. It slows down and never locks: somebody who tries passwords of another's account costs its
// owner at most Max.
type Slowdown struct {
	Free   int           // failures without a wait
	Base   time.Duration // the first wait
	Max    time.Duration // the longest wait
	Window time.Duration // after that long without a failure all is forgotten
}

// attemptsLife is how long the store keeps a count after the last attempt: at least as long as any
// window.
const attemptsLife = 15 * time.Minute

// The slow-downs of logins. An address may stand for many people behind one router, so it gets more
// free failures.
var (
	PerAccount = Slowdown{Free: 5, Base: time.Second, Max: time.Minute, Window: attemptsLife}
	PerAddress = Slowdown{Free: 30, Base: time.Second, Max: 5 * time.Minute, Window: attemptsLife}
)

// Check returns a RateLimited fault while attempts are refused.
func (a Attempts) Check(now time.Time) error {
	if wait := a.Until.Sub(now); wait > 0 {
		return tooManyAttempts(wait)
	}
	return nil
}

// Fail counts one more failure.
func (s Slowdown) Fail(a Attempts, now time.Time) Attempts {
	if now.Sub(a.At) > s.Window {
		a = Attempts{}
	}
	a.Failures, a.At, a.Until = a.Failures+1, now, time.Time{}
	if over := a.Failures - s.Free; over > 0 {
		a.Until = now.Add(min(s.Base<<min(over-1, 20), s.Max))
	}
	return a
}

func tooManyAttempts(wait time.Duration) error {
	return &fault.Error{
		Kind: fault.RateLimited, Code: "rate_limited", RetryAfter: wait,
		Message: "Too many failed attempts; wait before the next one.",
	}
}
