package payments_test

import (
	"testing"

	"sidecart.dev/kit/fault"
	"sidecart.dev/payments"
)

var allStatuses = []payments.Status{
	payments.Absent, payments.Pending, payments.Captured, payments.PartiallyRefunded,
	payments.Refunded, payments.Declined, payments.Voided,
}

var allInputs = []payments.Input{
	payments.OrderPlaced, payments.OrderCancelled, payments.RefundRequested, payments.ProviderCaptured,
	payments.ProviderDeclined, payments.ProviderVoided, payments.RefundedInPart, payments.RefundedInFull, payments.RefundFailed,
	payments.ProviderSilent, payments.CapturedAfterAll, payments.NothingAfterAll,
}

// no marks what the state machine refuses.
const no = payments.Status("no")

// Every status against every input, in the order of allInputs.
var expected = map[payments.Status][]payments.Status{
	//                           placed                      cancelled                   refund req.                 captured           declined           voided           in part                     in full            refund failed  silent  captured after all  nothing after all
	payments.Absent:            {payments.Pending, payments.Pending, no, no, no, no, no, no, no, no, no, no},
	payments.Pending:           {payments.Pending, payments.Pending, no, payments.Captured, payments.Declined, payments.Voided, no, no, no, payments.Declined, no, no},
	payments.Captured:          {payments.Captured, payments.Captured, payments.Captured, no, no, no, payments.PartiallyRefunded, payments.Refunded, payments.Captured, no, no, no},
	payments.PartiallyRefunded: {payments.PartiallyRefunded, payments.PartiallyRefunded, payments.PartiallyRefunded, no, no, no, payments.PartiallyRefunded, payments.Refunded, payments.PartiallyRefunded, no, no, no},
	payments.Refunded:          {payments.Refunded, payments.Refunded, no, no, no, no, no, no, no, no, no, no},
	payments.Declined:          {payments.Declined, payments.Declined, no, no, no, no, no, no, no, no, payments.Captured, payments.Declined},
	payments.Voided:            {payments.Voided, payments.Voided, no, no, no, no, no, no, no, no, payments.Captured, payments.Voided},
}

func TestEveryStatusAnswersEveryInputAsTheTableSays(t *testing.T) {
	for _, status := range allStatuses {
		for i, in := range allInputs {
			want := expected[status][i]
			got, err := status.After(in)
			switch {
			case want == no && !fault.Is(err, fault.Conflict):
				t.Errorf("%q after %q: got %q, %v; want a conflict", status, in, got, err)
			case want == no && got != status:
				t.Errorf("%q after the refused %q became %q", status, in, got)
			case want != no && (err != nil || got != want):
				t.Errorf("%q after %q: got %q, %v; want %q", status, in, got, err, want)
			}
		}
	}
}

func TestEndsHaveNoWayOut(t *testing.T) {
	for _, status := range allStatuses {
		if !status.Terminal() {
			continue
		}
		for _, in := range allInputs {
			if in == payments.CapturedAfterAll {
				continue // only if nobody knew what the provider did
			}
			if next, err := status.After(in); err == nil && next != status {
				t.Errorf("%q is an end, but %q makes it %q", status, in, next)
			}
		}
	}
}
