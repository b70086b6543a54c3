package payments_test

import (
	"testing"
	"time"

	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/tracing/tracingtest"
	"sidecart.dev/payments"
)

// A charge, its provider's calls and its event belong to the trace of the order. A payment that is
// taken up again from the journal is driven in a trace of its own, which leads back to that of the
// order.
func TestAPaymentLeadsToTheTraceOfItsOrder(t *testing.T) {
	for name, dies := range map[string]bool{"driven by who took it on": false, "driven after a death": true} {
		t.Run(name, func(t *testing.T) {
			spans := tracingtest.Record(t)
			w := newWorld()
			first := w.replica(func(c *payments.Config) {
				if dies {
					c.Runner = idle{}
				}
			})
			ctx, request := tracing.Tracer().Start(t.Context(), "process orders")
			order := anOrder(1, "tok_visa")
			order.ID = "ord_abcdefghijklmnopqrstuvwxyz"
			if err := first.Placed(ctx, order); err != nil {
				t.Fatal(err)
			}
			request.End()
			if dies {
				if err := w.intents.settle(t.Context(), w.replica(), time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if p := find(t, w, order); p.Status != payments.Captured {
				t.Fatalf("it is %s", p.Status)
			}

			began := request.SpanContext()
			found := map[string]string{} // name to trace id
			for _, span := range spans.Ended() {
				found[span.Name()] = span.SpanContext().TraceID().String()
				if span.Name() != "drive payment" {
					continue
				}
				if resumed := len(span.Links()) == 1 && span.Links()[0].SpanContext.TraceID() == began.TraceID(); resumed != dies {
					t.Errorf("its links are %v", span.Links())
				}
				if inside := span.SpanContext().TraceID() == began.TraceID(); inside == dies {
					t.Errorf("it is in the order's trace: %v", inside)
				}
				if a := span.Attributes(); len(a) != 1 || a[0].Value.AsString() != order.ID {
					t.Errorf("it does not name the order: %v", a)
				}
			}
			for _, name := range []string{"provider authorize", "provider capture", "send payments"} {
				if found[name] == "" || found[name] != found["drive payment"] {
					t.Errorf(
						"%s is in trace %q, want %q",
						name,
						found[name],
						found["drive payment"],
					)
				}
			}
		})
	}
}
