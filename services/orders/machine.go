package orders

// Trigger is something that happens to an order.
type Trigger string

// The triggers. Those named payment come from payments, as events or as answers to a question,
// late, twice, in any order and possibly contradicting each other.
const (
	Placed                Trigger = "placed"
	PaymentConfirmed      Trigger = "payment confirmed"
	PaymentDeclined       Trigger = "payment declined"
	PaymentVoided         Trigger = "payment voided"
	PaymentPartlyRefunded Trigger = "payment refunded in part"
	PaymentRefunded       Trigger = "payment refunded"
	CancelRequested       Trigger = "cancel requested"
)

// Triggers are all of them.
var Triggers = []Trigger{
	Placed,
	PaymentConfirmed, PaymentDeclined, PaymentVoided, PaymentPartlyRefunded, PaymentRefunded,
	CancelRequested,
}

// Verdict is what the table says about a trigger.
type Verdict uint8

// The verdicts. Only Applied changes the order.
const (
	// Applied: the order has changed.
	Applied Verdict = iota
	// Repeated: what happened is known already, or something later has overtaken it.
	Repeated
	// Contradict: it cannot be true beside what is known. An operator should know of it.
	Contradict
	// Refused: the customer asked for something that the status does not allow.
	Refused
)

// String returns the verdict as a metric's label.
func (v Verdict) String() string {
	return [...]string{"applied", "repeated", "contradiction", "refused"}[v]
}

// none is the status of an order that does not exist yet.
const none Status = ""

// rule is one cell of the table: what a trigger does to an order in a status.
type rule struct {
	// to are the statuses the order passes through; it rests in the last. Where there are none the
	// status stays. There are several where the trigger implies another one that has not arrived yet:
	// a refund implies a capture.
	to []Status
	// closing says how payments has closed the payment. It is noted unless another one is already.
	closing Closing
	// reopen forgets a decline that a capture has contradicted: the money is to be given back.
	reopen bool
	// tell makes the order owe order.cancelled.v1, on which payments voids or refunds.
	tell bool
	// otherwise is the verdict where none of the above changes anything.
	otherwise Verdict
}

func to(path ...Status) rule         { return rule{to: path, otherwise: Repeated} }
func (r rule) closed(c Closing) rule { r.closing = c; return r }
func (r rule) telling() rule         { r.tell = true; return r }

var (
	stay     = rule{otherwise: Repeated}
	refuse   = rule{otherwise: Refused}
	conflict = rule{otherwise: Contradict}
	giveBack = rule{reopen: true, tell: true, otherwise: Repeated}
)

// table is the whole state machine: what each trigger does to an order in each status. Every
// combination stands in it.
//
// Beside what stands in the table, a refund in part or in full notes in every status how much has
// been given back in all, if that is more than was known.
//
//   - Cancel against payment: whichever is written first decides, because both are writes under the
//     order's ETag. If the cancel is first, a confirmation that comes later changes nothing:
//     payments refunds on order.cancelled.v1, which this order owes until payments has closed it.
//     If the confirmation is first, the cancel starts a refund.
//   - A refund of a pending order has overtaken its confirmation.
//   - A void of a pending order means that it can never be paid: it is cancelled.
//   - A confirmation of a failed order says that somebody was charged for nothing, so it is given
//     back. It comes if payments had given up on a provider that did not answer, and then learnt
//     that the money had been taken.
var table = map[Status]map[Trigger]rule{
	none: {
		Placed:                to(Pending),
		PaymentConfirmed:      conflict,
		PaymentDeclined:       conflict,
		PaymentVoided:         conflict,
		PaymentPartlyRefunded: conflict,
		PaymentRefunded:       conflict,
		CancelRequested:       conflict,
	},
	Pending: {
		Placed:                stay,
		PaymentConfirmed:      to(Paid),
		PaymentDeclined:       to(PaymentFailed).closed(ByDecline),
		PaymentVoided:         to(Cancelled).closed(ByVoid).telling(),
		PaymentPartlyRefunded: to(Paid),
		PaymentRefunded:       to(Paid, Refunding, Refunded).closed(ByRefund),
		CancelRequested:       to(Cancelled).telling(),
	},
	Paid: {
		Placed:                stay,
		PaymentConfirmed:      stay,
		PaymentDeclined:       conflict,
		PaymentVoided:         conflict,
		PaymentPartlyRefunded: stay,
		PaymentRefunded:       to(Refunding, Refunded).closed(ByRefund),
		CancelRequested:       to(Refunding).telling(),
	},
	PaymentFailed: {
		Placed:                stay,
		PaymentConfirmed:      giveBack,
		PaymentDeclined:       stay,
		PaymentVoided:         stay.closed(ByVoid),
		PaymentPartlyRefunded: stay,
		PaymentRefunded:       stay.closed(ByRefund),
		CancelRequested:       refuse,
	},
	Cancelled: {
		Placed:                stay,
		PaymentConfirmed:      stay,
		PaymentDeclined:       stay.closed(ByDecline),
		PaymentVoided:         stay.closed(ByVoid),
		PaymentPartlyRefunded: stay,
		PaymentRefunded:       stay.closed(ByRefund),
		CancelRequested:       stay,
	},
	Refunding: {
		Placed:           stay,
		PaymentConfirmed: stay,
		// A decline or a void contradicts the capture, but leaves nothing to give back.
		PaymentDeclined:       to(Refunded).closed(ByDecline),
		PaymentVoided:         to(Refunded).closed(ByVoid),
		PaymentPartlyRefunded: stay,
		PaymentRefunded:       to(Refunded).closed(ByRefund),
		CancelRequested:       stay,
	},
	Refunded: {
		Placed:                stay,
		PaymentConfirmed:      stay,
		PaymentDeclined:       stay,
		PaymentVoided:         stay,
		PaymentPartlyRefunded: stay,
		PaymentRefunded:       stay,
		CancelRequested:       stay,
	},
}
