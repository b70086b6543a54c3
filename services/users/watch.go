package users

import (
	"context"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
)

// watch is what this replica knows of the ended sessions and accounts, for whoever waits to be told
// of another one. However many wait, the store is read for all of them together, once in
// [watchEvery]; while nobody waits it is not read at all. It is safe for concurrent use.
type watch struct {
	read   func(ctx context.Context) (auth.EndedSet, error)
	closed <-chan struct{} // closed when nobody is to be kept waiting any more; may be nil

	turn chan struct{} // held while what follows is used, and while the store is read
	set  auth.EndedSet
	asOf time.Time // when the reading of the set began
}

// watchEvery is how soon after an ending each replica knows of it at the latest, whichever replica
// noted it.
const watchEvery = time.Second

// readTimeout bounds a reading of the set: while one hangs, nobody is told anything.
const readTimeout = 700 * time.Millisecond

// differing returns the set as soon as it has another version than the known one, and after
// [auth.EndedHold] in any case. It reads the store anew before it says that they differ: the caller
// may have heard of it from a replica that has read it later than this one.
func (w *watch) differing(ctx context.Context, known string) (auth.EndedSet, error) {
	asked := time.Now()
	until := asked.Add(auth.EndedHold)
	for from := asked.Add(-watchEvery); ; {
		set, asOf, err := w.since(ctx, from)
		switch {
		case err != nil:
			return auth.EndedSet{}, err
		case set.Version != known && asOf.Before(asked):
			from = asked
		case set.Version != known, !w.wait(ctx, asOf.Add(watchEvery), until):
			return set, nil
		default:
			from = asOf.Add(watchEvery)
		}
	}
}

// since returns the set as it was at a time or later, and when that was.
func (w *watch) since(ctx context.Context, from time.Time) (auth.EndedSet, time.Time, error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return auth.EndedSet{}, time.Time{}, fault.Wrap(ctx.Err(), fault.Timeout, "timeout",
			"What has ended could not be read in time.")
	}
	if w.asOf.Before(from) {
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		asOf := time.Now()
		set, err := w.read(ctx)
		if err != nil {
			return auth.EndedSet{}, time.Time{}, err
		}
		w.set, w.asOf = set, asOf
	}
	return w.set, w.asOf, nil
}

// wait waits for the time of the next look, or returns false if there is to be none.
func (w *watch) wait(ctx context.Context, next, until time.Time) bool {
	if next.After(until) {
		next = until
	}
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	select {
	case <-timer.C:
		return time.Now().Before(until)
	case <-ctx.Done():
	case <-w.closed:
	}
	return false
}

// Ended returns what every service has to know of sessions and accounts that have ended. Whoever
// names the version that it knows is answered when there is something else to know, and after
// [auth.EndedHold] in any case.
func (s *Service) Ended(ctx context.Context, known string) (auth.EndedSet, error) {
	return s.watch.differing(ctx, known)
}
