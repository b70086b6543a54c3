// Package fault has the one error type of the system.
//
// A fault has a [Kind], which decides what happens next, and a stable code,
// which tells a client's program what went wrong. Kinds are translated once at
// each edge: to an HTTP status by package web, and to success, retry or dead
// letter by package event. Code between the edges adds context with
// fmt.Errorf("…: %w", err) and never looks at statuses.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure a fault is, and thereby what may be done about it.
type Kind uint8

// The kinds. Unavailable, Timeout and RateLimited are transient: the same call may succeed later.
const (
	Internal        Kind = iota // a defect or an unknown error; retried by consumers, 500 to clients
	Invalid                     // the input can never be accepted as it is
	Unprocessable               // well-formed, but contradicts something already known
	Unauthenticated             // no valid identity
	Forbidden                   // a valid identity that may not do this
	NotFound                    // no such thing, or not this caller's
	Conflict                    // the present state does not allow it, or somebody was faster
	TooLarge                    // the input is over a limit
	RateLimited                 // too many calls; try again later
	Unavailable                 // a dependency does not answer; try again later
	Timeout                     // no answer in time; the outcome is unknown
)

var kindNames = [...]string{
	"internal", "invalid", "unprocessable", "unauthenticated", "forbidden",
	"not found", "conflict", "too large", "rate limited", "unavailable", "timeout",
}

// String returns the kind's name in lower-case words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Transient reports whether the same call may succeed when it is simply made again later. Internal
// counts as transient, so that a defect in one release delays a message rather than losing it.
func (k Kind) Transient() bool {
	switch k {
	case Internal, RateLimited, Unavailable, Timeout:
		return true
	default:
		return false
	}
}

// Field is what is wrong with one part of the input.
type Field struct {
	Field   string `json:"field"`   // path in the input, for example items[0].quantity
	Message string `json:"message"` // what to change, for example "must be at least 1"
}

// Error is a failure with a kind, a stable code and a message meant for the caller.
// It is immutable after construction and safe for concurrent use.
type Error struct {
	Kind       Kind
	Code       string        // stable, snake_case, documented in the API contract
	Message    string        // for the caller; carries no internals and no personal data
	Fields     []Field       // what is wrong with which field, if that is known
	RetryAfter time.Duration // when trying again makes sense; zero if unknown
	// Extensions are further members of the answer that the API contract describes for this code, by
	// their JSON names.
	Extensions map[string]any
	Err        error // the cause, for the log only
}

// Error returns the message followed by the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes a fault. The message is shown to callers.
func New(kind Kind, code, message string) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// Newf is New with a formatted message.
func Newf(kind Kind, code, format string, args ...any) *Error {
	return New(kind, code, fmt.Sprintf(format, args...))
}

// Wrap makes a fault with a cause that is logged and never shown to callers. It returns nil if err
// is nil.
func Wrap(err error, kind Kind, code, message string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Code: code, Message: message, Err: err}
}

// InvalidFields makes the fault for input with wrong fields.
func InvalidFields(fields ...Field) *Error {
	return &Error{
		Kind: Invalid, Code: "invalid_request",
		Message: "The request has fields that cannot be accepted.", Fields: fields,
	}
}

// KindOf returns the kind of the first fault in err's chain, or Internal if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the code of the first fault in err's chain, or "internal" if there is none.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return "internal"
}

// Is reports whether err is a fault of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }
