// Package payments takes and gives back the money of orders: at most one capture per order, a
// refund of every capture whose order was cancelled, and a ledger that balances in every payment.
// It is the domain. What it needs of the outside stands in ports.go and provider.go, and is adapted
// in the folders peers, simulated, stripe and http. Its documents are kept by package aggregate.
//
// # One document
//
// A [Payment] is one document whose id is derived from the order's. Its state machine is the table
// in state.go. Its ledger entries and refunds stand inside it, so one single-key write moves status
// and books together. Events are derived from it ([Payment.Events]), and so is what has to be done
// next ([Payment.Next]); neither is stored, so neither can be lost.
//
// # Two rules
//
//  1. A document with unfinished business (pending, or with a pending refund) always has its id in
//     the journal. Package aggregate sees to that: whoever turns a document that was done or absent
//     into such a one reads it, begins the intent, and only then writes.
//  2. A step that drives a payment on writes without a new intent, because it changes only
//     documents that it has read as unfinished. The ETag proves that they still were when they were
//     written, so by rule 1 the id was in the journal then. It leaves the journal only after
//     somebody has read the document as finished and all its events as accepted.
//
// # If the process dies
//
// between any two lines, the settler of this or another replica finds the id in the journal and
// does the following:
//
//	nothing was written,        fenced, forgotten; orders publishes the order again, as it finds no
//	perhaps it was charged      payment, and the provider is asked with the same key; or the order is
//	                            cancelled, and what was taken is given back
//	pending                     charged on: the provider is asked with the same key, and answers what
//	                            it did
//	pending, order cancelled    voided at the provider, or found to be captured and then refunded
//	captured, refund pending    refunded on, with the same key
//	done, event not published   published, as notifications has not accepted it; orders asks as well
//	done, everything accepted   forgotten
//
// A handler acknowledges its message when the document and its intent are durable. A provider that
// decides at once is asked before the document is written, see [Config].Prompt: so most payments
// are written once. What takes longer is driven by a [Pool], outside the sidecar's delivery
// timeout, one goroutine each: a provider that is slow or hangs holds up the payments it was asked
// about and no others.
//
// # Cancelling against charging
//
// A cancellation leaves a mark in a pending document. Whoever charges it has read it before and
// captures, and then fails to write, because the ETag has changed. It reads the mark and asks the
// provider to void, which answers "captured". So the capture enters the ledger, and the same write
// accepts the refund of all of it. If instead the void came first, no capture can follow:
// [Provider.Void] makes it impossible even for a request that is still on its way. A cancellation
// that finds no payment makes a marked one and voids it likewise, because the order may be charged
// at this moment by a handler that has written nothing yet; that handler then finds the marked
// payment.
//
// # The ledger
//
// Double entry; debits are positive, credits negative. Entries are only appended, each balances.
//
//	                  debit               credit
//	capture           provider:clearing   revenue:orders      the provider owes us the payment
//	refund_accepted   refunds             customer:payable    we owe the customer
//	refund_paid       customer:payable    provider:clearing   the provider has paid it out for us
//	refund_reversed   customer:payable    refunds             the provider refused; nothing is owed
//
// So provider:clearing is what the provider has on record as captured less refunded,
// customer:payable is zero once quiet, and net sales are revenue:orders and refunds together.
// [Service.Report] sums all payments up.
//
// # Personal data
//
// A payment knows a user's id and the token of a payment method, no name and no address. When a
// user is deleted, payments stay, as financial records; the tokens of those whose charge is decided
// are overwritten, see [Service.UserDeleted].
package payments
