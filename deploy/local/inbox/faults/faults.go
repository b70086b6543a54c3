// Package faults makes an inbox misbehave on purpose.
package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Outcome is how the inbox treats a message.
type Outcome string

// The outcomes a test can ask for.
const (
	// Accept keeps the message and confirms it.
	Accept Outcome = "accept"
	// Temporary refuses it with SMTP 451 or HTTP 503: worth trying again.
	Temporary Outcome = "temporary"
	// Permanent refuses it with SMTP 554 or HTTP 422: not worth trying again.
	Permanent Outcome = "permanent"
	// Drop closes the connection without keeping the message.
	Drop Outcome = "drop"
	// DropAfterAccept keeps the message and closes the connection before
	// confirming it, so the sender cannot know.
	DropAfterAccept Outcome = "drop_after_accept"
)

// Kept reports whether the mailbox keeps a message with this outcome.
func (o Outcome) Kept() bool { return o == Accept || o == DropAfterAccept }

// Faults makes the inbox misbehave on purpose. PUT /api/faults replaces it as a
// whole, so an empty object ends all faults; GET /api/faults returns it.
type Faults struct {
	// SMTP and SMS are the outcomes of mails and of SMS messages.
	SMTP Outcome `json:"smtp"`
	SMS  Outcome `json:"sms"`
	// DelayMS is how many milliseconds the answer to each message waits.
	DelayMS int `json:"delay_ms"`
	// Match limits the faults, delay included, to messages with a recipient that
	// contains it, so that tests which share an inbox do not disturb each other.
	Match string `json:"match,omitempty"`
	// Times is how many messages the outcomes apply to before the inbox accepts
	// again; 0 is no limit. It is counted down.
	Times int `json:"times,omitempty"`
}

const maxDelay = 5 * time.Minute

func (f Faults) validate() error {
	for _, outcome := range []Outcome{f.SMTP, f.SMS} {
		switch outcome {
		case Accept, Temporary, Permanent, Drop, DropAfterAccept:
		default:
			return fmt.Errorf("unknown outcome %q: "+
				"use accept, temporary, permanent, drop or drop_after_accept", outcome)
		}
	}
	if f.DelayMS < 0 || time.Duration(f.DelayMS)*time.Millisecond > maxDelay {
		return fmt.Errorf("delay_ms must be between 0 and %d", maxDelay.Milliseconds())
	}
	if f.Times < 0 {
		return errors.New("times must not be negative")
	}
	return nil
}

// State holds the faults in force. The zero value accepts everything. It is safe for concurrent
// use.
type State struct {
	mu  sync.Mutex
	now Faults
}

// Set puts faults in force, and returns them as they are understood. An error says what is wrong
// with them, and nothing has changed.
func (s *State) Set(f Faults) (Faults, error) {
	f = f.withDefaults()
	if err := f.validate(); err != nil {
		return f, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = f
	return f, nil
}

// Get returns the faults in force.
func (s *State) Get() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.withDefaults()
}

func (f Faults) withDefaults() Faults {
	if f.SMTP == "" {
		f.SMTP = Accept
	}
	if f.SMS == "" {
		f.SMS = Accept
	}
	return f
}

// Mail decides the fate of one mail, counts it, and returns once its sender may be answered, or
// when ctx ends.
func (s *State) Mail(ctx context.Context, recipients []string) Outcome {
	return s.decide(ctx, func(f Faults) Outcome { return f.SMTP }, recipients)
}

// SMS does so for an SMS message.
func (s *State) SMS(ctx context.Context, to string) Outcome {
	return s.decide(ctx, func(f Faults) Outcome { return f.SMS }, []string{to})
}

func (s *State) decide(ctx context.Context, of func(Faults) Outcome, recipients []string) Outcome {
	outcome, delay := s.take(of, recipients)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return outcome
}

func (s *State) take(of func(Faults) Outcome, recipients []string) (Outcome, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.now.withDefaults()
	if !matches(f.Match, recipients) {
		return Accept, 0
	}
	outcome := of(f)
	if outcome != Accept && f.Times > 0 {
		if s.now.Times--; s.now.Times == 0 {
			s.now.SMTP, s.now.SMS = Accept, Accept
		}
	}
	return outcome, time.Duration(f.DelayMS) * time.Millisecond
}

func matches(part string, recipients []string) bool {
	part = strings.ToLower(part)
	return part == "" || slices.ContainsFunc(recipients, func(recipient string) bool {
		return strings.Contains(strings.ToLower(recipient), part)
	})
}
