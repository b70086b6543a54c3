package document

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// ErrBusy is in the chain of the fault that a write ends with when others were faster each time.
// Nothing was written then.
var ErrBusy = errors.New("somebody else was faster each time")

const (
	tries    = 20                     // of one write, against writers everywhere
	maxPause = 100 * time.Millisecond // between two tries
)

// UntilWritten makes attempts at a write until one is written or fails. An attempt reads, decides
// and writes under what it has read; it reports false and no error if somebody else was faster. The
// next one then follows after a pause, at random and longer each time, so that writers who meet do
// not meet again.
//
// The number of attempts is bounded: beyond, an Unavailable fault with [ErrBusy] says that it makes
// sense to try again. If ctx ends between two attempts it is a Timeout fault. In both cases nothing
// was written.
func UntilWritten(ctx context.Context, attempt func() (written bool, err error)) error {
	for try := range tries {
		if err := pause(ctx, try); err != nil {
			return err
		}
		if written, err := attempt(); written || err != nil {
			return err
		}
	}
	return &fault.Error{
		Kind: fault.Unavailable, Code: "unavailable", RetryAfter: time.Second, Err: ErrBusy,
		Message: "This is being changed by others too often; try again.",
	}
}

// pause waits before a try that is not the first.
func pause(ctx context.Context, try int) error {
	if try == 0 {
		return nil
	}
	limit := min(time.Millisecond<<min(try, 10), maxPause)
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Timeout, "timeout",
			"This could not be written in time. Try again.")
	case <-timer.C:
		return nil
	}
}

// Written says what a write under an ETag, or of a key that must be absent, has come to: false and
// no error if somebody else was faster.
func Written(err error) (bool, error) {
	if sidecar.IsExists(err) || sidecar.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}
