package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
			return fmt.Errorf("unknown outcome %q: use accept, temporary, permanent, drop or drop_after_accept", outcome)
		}
	}
	if f.DelayMS < 0 || time.Duration(f.DelayMS)*time.Millisecond > maxDelay {
		return fmt.Errorf("delay_ms must be between 0 and %d", maxDelay.Milliseconds())
	}
	if f.Times < 0 {
		return fmt.Errorf("times must not be negative")
	}
	return nil
}

// faultState holds the faults in force. The zero value accepts everything.
type faultState struct {
	mu  sync.Mutex
	now Faults
}

func (s *faultState) set(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = f
}

func (s *faultState) get() Faults {
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

// take decides the fate of one message and counts it.
func (s *faultState) take(kind func(Faults) Outcome, recipients ...string) (Outcome, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.now.withDefaults()
	if !matches(f.Match, recipients) {
		return Accept, 0
	}
	delay := time.Duration(f.DelayMS) * time.Millisecond
	outcome := kind(f)
	if outcome != Accept && f.Times > 0 {
		if s.now.Times--; s.now.Times == 0 {
			s.now.SMTP, s.now.SMS = Accept, Accept
		}
	}
	return outcome, delay
}

func matches(part string, recipients []string) bool {
	if part == "" {
		return true
	}
	for _, recipient := range recipients {
		if strings.Contains(strings.ToLower(recipient), strings.ToLower(part)) {
			return true
		}
	}
	return false
}

func smtpOutcome(f Faults) Outcome { return f.SMTP }

func smsOutcome(f Faults) Outcome { return f.SMS }

// wait returns after the delay, or earlier when the inbox closes or ctx ends.
func (s *Server) wait(ctx context.Context, delay time.Duration) {
	if delay <= 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closing:
	}
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.faults.get())
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	var f Faults
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		badRequest(w, err)
		return
	}
	f = f.withDefaults()
	if err := f.validate(); err != nil {
		badRequest(w, err)
		return
	}
	s.faults.set(f)
	writeJSON(w, http.StatusOK, f)
}
