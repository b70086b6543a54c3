package notifications

import (
	"context"

	"sidecart.dev/kit/tracing"
)

// span starts the span of an attempt to send, and returns what ends it. The process that has
// accepted the event sends within the event's trace. A record that the journal offers again, after
// a failure or the death of that process, is sent in a trace of its own, which is linked to the
// event's.
func (j job) span(ctx context.Context, c Channel) (context.Context, func(error)) {
	name := "deliver " + string(c)
	if j.mine {
		return tracing.Start(tracing.Continue(ctx, j.traceparent), name, tracing.About(j.about))
	}
	return tracing.Resume(ctx, name, []string{j.traceparent}, tracing.About(j.about))
}
