package payments

import "sidecart.dev/kit/fault"

// Status is where a payment stands. The zero value, Absent, is a payment that does not exist.
type Status string

// The statuses. Declined, Voided and Refunded are ends.
const (
	Absent            Status = ""
	Pending           Status = "pending"            // to be charged, or being charged
	Captured          Status = "captured"           // the money was taken
	PartiallyRefunded Status = "partially_refunded" // a part of it was given back
	Refunded          Status = "refunded"           // all of it was given back
	Declined          Status = "declined"           // the provider refused for good; nothing was taken
	Voided            Status = "voided"             // cancelled before any capture; nothing was taken
)

// Input is something that happens to a payment.
type Input string

// The inputs: what orders tells, what operators ask, and what the provider answered.
const (
	OrderPlaced      Input = "order placed"
	OrderCancelled   Input = "order cancelled"
	RefundRequested  Input = "refund requested"
	ProviderCaptured Input = "provider captured"
	ProviderDeclined Input = "provider declined"
	ProviderVoided   Input = "provider voided"
	RefundedInPart   Input = "provider refunded in part"
	RefundedInFull   Input = "provider refunded the rest"
	ProviderSilent   Input = "provider never answered"
	CapturedAfterAll Input = "provider had captured what was given up"
	NothingAfterAll  Input = "provider had captured nothing of what was given up"
	RefundFailed     Input = "provider refused the refund"
)

// transitions is the state machine of a payment, all of it: what each input makes of each status.
// What is not here is refused and changes nothing.
//
// Messages may be late, repeated, out of order and contradictory. So OrderPlaced and OrderCancelled
// are allowed in every status: where there is nothing to be done any more the status stays, and
// what is so is told again. A cancellation that finds no payment makes a marked one, which a later
// OrderPlaced can never charge. A cancellation of a pending or captured payment does not move it by
// itself: it leaves a mark, and what the provider then does or did (void, or capture and refund)
// moves it. A declined or voided payment moves only if nobody knew what the provider did when it
// was decided.
var transitions = map[Status]map[Input]Status{
	Absent: {
		OrderPlaced:    Pending,
		OrderCancelled: Pending, // marked: void it
	},
	Pending: {
		OrderPlaced:      Pending,
		OrderCancelled:   Pending, // marked: void it, or refund it if it turns out to be captured
		ProviderCaptured: Captured,
		ProviderDeclined: Declined,
		ProviderVoided:   Voided,
		ProviderSilent:   Declined, // for good, as far as the customer is concerned: see [Payment.GiveUp]
	},
	Captured: {
		OrderPlaced:     Captured,
		OrderCancelled:  Captured, // marked: refund the rest
		RefundRequested: Captured,
		RefundedInPart:  PartiallyRefunded,
		RefundedInFull:  Refunded,
		RefundFailed:    Captured,
	},
	PartiallyRefunded: {
		OrderPlaced:     PartiallyRefunded,
		OrderCancelled:  PartiallyRefunded, // marked: refund the rest
		RefundRequested: PartiallyRefunded,
		RefundedInPart:  PartiallyRefunded,
		RefundedInFull:  Refunded,
		RefundFailed:    PartiallyRefunded,
	},
	Refunded: {
		OrderPlaced:    Refunded,
		OrderCancelled: Refunded,
	},
	Declined: {
		OrderPlaced:      Declined,
		OrderCancelled:   Declined,
		CapturedAfterAll: Captured, // marked as cancelled: refund it
		NothingAfterAll:  Declined,
	},
	Voided: {
		OrderPlaced:      Voided,
		OrderCancelled:   Voided,
		CapturedAfterAll: Captured, // marked as cancelled: refund it
		NothingAfterAll:  Voided,
	},
}

// After returns what the input makes of the status, or a Conflict fault if the state machine does
// not allow it.
func (s Status) After(in Input) (Status, error) {
	next, ok := transitions[s][in]
	if !ok {
		return s, fault.Newf(fault.Conflict, "conflict",
			"The payment is %s, which does not allow this (%s).", s.words(), in)
	}
	return next, nil
}

// Terminal reports whether the payment has come to its end. Only a provider that turns out to have
// captured after all can move it any more.
func (s Status) Terminal() bool { return s == Declined || s == Voided || s == Refunded }

func (s Status) words() string {
	switch s {
	case Absent:
		return "unknown"
	case PartiallyRefunded:
		return "partially refunded"
	default:
		return string(s)
	}
}
