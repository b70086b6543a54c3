package auth

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"sidecart.dev/kit/fault"
)

// EndedSet is what has ended within the life of an access token: while such a token has not expired
// yet, nothing may be changed with it any more. The users service tells it.
type EndedSet struct {
	// Version names what the set says. Two sets of the same version say the same.
	Version string `json:"version,omitempty"`
	// Sessions are the ids of sessions that were ended one by one.
	Sessions []string `json:"sessions"`
	// Users has, by user id, the epoch below which every session has ended.
	Users map[string]int64 `json:"users"`
	// Carried are the ids of sessions that live on although their access tokens are of an epoch that
	// has ended.
	Carried []string `json:"carried,omitempty"`
}

// Ended is the present [EndedSet] in memory, so that knowing it costs a request nothing. It is safe
// for concurrent use.
//
// The users service is asked for a set that differs from the one that is known. It answers when
// there is one, after [EndedHold] at the latest, and is asked again then. An ending is known
// everywhere in less than two seconds. Whoever waits for a replica of the users service that is
// lost without a word learns of it after six seconds, and asks once a second from then on until
// another replica answers.
//
// Until it was read once nothing is known of anybody, and every change is refused as Unavailable.
// When the users service does not answer later, the last set is used on: no token outlives it by
// more than its own life of a few minutes, since nobody can get a new one meanwhile.
type Ended struct {
	fetch  FetchEnded
	set    atomic.Pointer[endedIndex]
	failed atomic.Bool // the last question was
}

// FetchEnded asks the users service for the set. The known version is that of the set that is
// known, or empty.
type FetchEnded func(ctx context.Context, known string) (EndedSet, error)

type endedIndex struct {
	version  string
	sessions map[string]bool
	carried  map[string]bool
	users    map[string]int64
}

// EndedHold is how long the users service waits for something to tell before it answers that there
// is nothing.
const EndedHold = 5 * time.Second

const (
	endedEvery   = time.Second            // between two questions at least
	endedHurry   = 50 * time.Millisecond  // the same until the first is answered
	endedTimeout = 800 * time.Millisecond // how long an answer takes at most, beside the hold
)

// NewEnded makes an Ended that asks fetch.
func NewEnded(fetch FetchEnded) *Ended { return &Ended{fetch: fetch} }

// Run reads the set again and again until ctx ends, and returns nil then.
func (e *Ended) Run(ctx context.Context) error {
	failed := false
	for ctx.Err() == nil {
		next := time.Now().Add(endedEvery)
		err := e.Load(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			slog.InfoContext(ctx, "ended sessions are not to be had; what is known is used",
				"code", fault.CodeOf(err))
		}
		failed = err != nil
		if e.set.Load() == nil {
			next = time.Now().Add(endedHurry)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
		}
	}
	return nil
}

// Load reads the set once, after waiting for one that differs from what is known. After a failure
// it does not wait: whoever was asked may be gone, and what ended meanwhile is to be known soon.
func (e *Ended) Load(ctx context.Context) error {
	known, timeout := "", endedTimeout
	if set := e.set.Load(); set != nil && set.version != "" && !e.failed.Load() {
		known, timeout = set.version, endedTimeout+EndedHold
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	set, err := e.fetch(ctx, known)
	e.failed.Store(err != nil)
	if err != nil {
		return err
	}
	e.set.Store(&endedIndex{
		version:  set.Version,
		sessions: setOf(set.Sessions), carried: setOf(set.Carried), users: set.Users,
	})
	return nil
}

func setOf(ids []string) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// Check returns an Unauthenticated fault if the user's session or account has ended.
func (e *Ended) Check(p Principal) error {
	set := e.set.Load()
	if set == nil {
		return &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second,
			Message: "It is not known yet which sessions have ended; try again.",
		}
	}
	allEnded := p.Epoch < set.users[p.UserID]
	if set.sessions[p.SessionID] || allEnded && !set.carried[p.SessionID] {
		return fault.New(fault.Unauthenticated, "unauthenticated", "The session has ended; log in again.")
	}
	return nil
}

// Refusing makes the verifier refuse changes by users whose session or account has ended. It
// returns the verifier, and is for the time before the verifier is used.
func (v *Verifier) Refusing(ended *Ended) *Verifier {
	v.ended = ended
	return v
}
