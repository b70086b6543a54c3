package fault

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Guard calls work and turns a panic into an Internal fault, after logging its value and its stack.
//
// Everything that runs outside a request's own goroutine goes through it. A panic there would end the
// whole process, and with it the requests of everybody; as a fault it fails the one piece of work that
// it happened in, which the journal or the sender of the message offers again. Guard is safe for
// concurrent use.
func Guard(ctx context.Context, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			slog.ErrorContext(ctx, "panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = Newf(Internal, "internal", "The work panicked: %v", v)
		}
	}()
	return work()
}
