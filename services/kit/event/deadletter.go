package event

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// DeadLetter is a message that could not be handled.
type DeadLetter struct {
	Topic    string              `json:"topic"`    // where it was first published, if that is known
	Event    Event               `json:"event"`    // zero if the message was no event at all
	Raw      []byte              `json:"raw"`      // the message as it was delivered
	Headers  map[string][]string `json:"headers"`  // delivery headers worth keeping; no credentials
	Reason   string              `json:"reason"`   // why, in words for an operator
	Code     string              `json:"code"`     // the fault's code
	Attempts int                 `json:"attempts"` // failures this process saw in a row
	FirstAt  time.Time           `json:"first_failed_at"`
	LastAt   time.Time           `json:"last_failed_at"`
}

// Identity is what all deliveries of the same event to the same handler have in common: the event's
// source and id, which is how CloudEvents tells events apart, and the topic. What is no event is
// known by its bytes alone, since nothing else of it is certain.
func (l DeadLetter) Identity() string {
	if l.Event.ID == "" {
		sum := sha256.Sum256(l.Raw)
		return hex.EncodeToString(sum[:])
	}
	return strings.Join([]string{l.Topic, l.Event.Source, l.Event.ID}, "\x00")
}

// DeadLetters keeps messages that could not be handled.
type DeadLetters interface {
	// Keep stores a dead letter. Keeping the same message twice is keeping it once. Its error is a
	// transient fault.
	Keep(ctx context.Context, letter DeadLetter) error
}
