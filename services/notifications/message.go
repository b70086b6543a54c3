// Package notifications tells customers what happened: it turns events into e-mails and SMS
// messages, sends each at least once, and remembers what was sent.
//
//	event ─► Accept ─► record (once, journalled) ─► channel's queue ─► provider ─► record updated
//	                        ▲                            │ transient failure
//	                        └───────── settler ◄─────────┘
//
// This package has the rules and no I/O; the stores, the users service and the providers stand
// behind interfaces.
package notifications

import "slices"

// Kind is what a message is about, and thereby which preference decides on it.
type Kind string

// The kinds. Security messages have no preference: they are always sent, by e-mail unless the
// message says otherwise.
const (
	Orders   Kind = "orders"
	Payments Kind = "payments"
	Security Kind = "security"
)

// TokenKind is the kind of mailed token a message carries.
type TokenKind string

// The kinds of mailed tokens; the zero value is none.
const (
	NoToken     TokenKind = ""
	VerifyToken TokenKind = "verify"
	ResetToken  TokenKind = "reset"
	PhoneToken  TokenKind = "phone" // a code to type in
)

// Message is what is said about one type of event.
type Message struct {
	EventType string
	Topic     string
	Kind      Kind
	Template  string    // base name of its template files
	Token     TokenKind // which token it carries
	// Code: it is the one message that goes to a phone number that nobody has confirmed, with the
	// code that confirms it, and it goes nowhere else.
	Code bool
	// Unverified: it may go to an address that its owner has not confirmed. That is so for whatever
	// such an address needs to be confirmed or recovered, and for mail about the owner's own
	// orders. A kind of message that is neither must say false.
	Unverified bool
	// Typed: its reason is what a person typed, a customer or an operator.
	Typed bool
	// Provisional: it says how things stand for now. It is not sent once there is anything else to
	// say about the order, so that no customer reads that an order has come in after reading what
	// became of it.
	Provisional bool
	// Erases: once it is told, everything that names the user is erased.
	Erases bool
}

// messages is every message there is. An event type that is missing here is nobody's business.
var messages = []Message{{
	EventType: "user.registered.v1", Topic: "users", Kind: Security,
	Template: "registered", Token: VerifyToken, Unverified: true,
}, {
	EventType: "user.email_verification_requested.v1", Topic: "users", Kind: Security,
	Template: "verification", Token: VerifyToken, Unverified: true,
}, {
	EventType: "user.phone_confirmation_requested.v1", Topic: "users", Kind: Security,
	Template: "phone_confirmation", Token: PhoneToken, Code: true,
}, {
	EventType: "user.password_reset_requested.v1", Topic: "users", Kind: Security,
	Template: "password_reset", Token: ResetToken, Unverified: true,
}, {
	EventType: "user.password_changed.v1", Topic: "users", Kind: Security,
	Template: "password_changed", Unverified: true,
}, {
	EventType: "user.deleted.v1", Topic: "users", Kind: Security,
	Template: "deleted", Unverified: true, Erases: true,
}, {
	EventType: "order.delayed.v1", Topic: "orders", Kind: Orders,
	Template: "order_delayed", Unverified: true, Provisional: true,
}, {
	EventType: "order.cancelled.v1", Topic: "orders", Kind: Orders,
	Template: "order_cancelled", Unverified: true, Typed: true,
}, {
	EventType: "payment.confirmed.v1", Topic: "payments", Kind: Payments,
	Template: "payment_confirmed", Unverified: true,
}, {
	EventType: "payment.declined.v1", Topic: "payments", Kind: Payments,
	Template: "payment_declined", Unverified: true,
}, {
	EventType: "payment.refunded.v1", Topic: "payments", Kind: Payments,
	Template: "payment_refunded", Unverified: true, Typed: true,
}}

// Messages returns every message, in no particular order. The caller owns the slice.
func Messages() []Message { return slices.Clone(messages) }

// MessageOf returns the message about an event type, and whether there is one.
func MessageOf(eventType string) (Message, bool) {
	i := slices.IndexFunc(messages, func(m Message) bool { return m.EventType == eventType })
	if i < 0 {
		return Message{}, false
	}
	return messages[i], true
}
