package fault

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// Guard calls work and turns a panic into an Internal fault, after [Recovered] has told operators
// of it.
//
// Everything that runs outside a request's own goroutine goes through it. A panic there would end
// the whole process, and with it the requests of everybody; as a fault it fails the one piece of
// work that it happened in, which the journal or the sender of the message offers again. Guard is
// safe for concurrent use.
func Guard(ctx context.Context, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			Recovered(ctx, v)
			err = Newf(Internal, "internal", "The work panicked: %v", v)
		}
	}()
	return work()
}

var panics atomic.Uint64

// Recovered counts a panic and logs its value and its stack. It is called by the deferred function
// that has recovered from the panic, and is safe for concurrent use.
func Recovered(ctx context.Context, value any) {
	panics.Add(1)
	slog.ErrorContext(ctx, "panic", "value", fmt.Sprint(value), "stack", string(debug.Stack()))
}

// Panics is the number of panics that the process has survived.
func Panics() uint64 { return panics.Load() }
