package notifications_test

import (
	"context"
	"testing"

	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/tracing/tracingtest"
	"sidecart.dev/notifications"
)

// A mail is sent in the trace of the event that it is about, although the event was answered long
// before. What another process sends, because the first has died, leads back to that trace.
func TestAMailLeadsToTheTraceOfItsEvent(t *testing.T) {
	for name, dies := range map[string]bool{"sent by who accepted": false, "sent after a death": true} {
		t.Run(name, func(t *testing.T) {
			spans := tracingtest.Record(t)
			w := newWorld(t)
			sentIn := make(chan string, 1)
			sending := func(p *process, _ *notifications.Config) {
				p.email = senderFunc(func(ctx context.Context, _ notifications.Outgoing) error {
					sentIn <- tracing.TraceParent(ctx)
					return nil
				})
			}
			p := w.start(sending)
			if dies {
				p.kill() // its queues send nothing any more
			}
			ctx, event := tracing.Tracer().Start(t.Context(), "process payments")
			e := example(t, "user.password_changed.v1", 1)
			if err := p.Accept(ctx, e); err != nil {
				t.Fatal(err)
			}
			event.End()
			if dies {
				p = w.start(sending)
			}
			p.finish()

			links := tracing.Links(<-sentIn)
			for _, span := range spans.Ended() {
				if span.Name() != "deliver email" {
					continue
				}
				if links[0].SpanContext.SpanID() != span.SpanContext().SpanID() {
					t.Errorf("the provider is called in %v, want the span of the delivery", links)
				}
				began := event.SpanContext()
				if !dies && span.Parent().SpanID() != began.SpanID() {
					t.Errorf("it is in trace %s below %s, want below the event", span.SpanContext().TraceID(), span.Parent().SpanID())
				}
				if dies && (span.Parent().IsValid() || len(span.Links()) != 1 || span.Links()[0].SpanContext.SpanID() != began.SpanID()) {
					t.Errorf("below %v with links %v, want a trace of its own with a link to the event", span.Parent(), span.Links())
				}
				return
			}
			t.Error("the delivery has no span")
		})
	}
}
