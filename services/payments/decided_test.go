package payments_test

import (
	"maps"
	"testing"
	"time"

	"sidecart.dev/payments"
)

// Each decision is told once for the metrics, however often the order is told.
func TestEachDecisionIsCountedOnce(t *testing.T) {
	for name, prompt := range map[string]time.Duration{"written once": time.Second, "driven afterwards": 0} {
		t.Run(name, func(t *testing.T) {
			w, decided := newWorld(), map[string]int{}
			s := w.replica(func(c *payments.Config) {
				c.Prompt = prompt
				c.Decided = func(eventType string) { decided[eventType]++ }
			})
			for n, method := range []string{"tok_visa", "tok_declined", "tok_visa"} {
				for range 2 {
					if err := s.Placed(t.Context(), anOrder(n, method)); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, n := range []int{2, 3} { // of one that is captured, and of one that nobody has placed
				if err := s.Cancelled(t.Context(), anOrder(n, "tok_visa"), aCancellation); err != nil {
					t.Fatal(err)
				}
			}
			want := map[string]int{
				payments.TypeConfirmed: 2, payments.TypeDeclined: 1,
				payments.TypeRefunded: 1, payments.TypeVoided: 1,
			}
			if !maps.Equal(decided, want) {
				t.Errorf("told of %v, want %v", decided, want)
			}
		})
	}
}
