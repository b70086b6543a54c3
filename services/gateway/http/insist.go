package http

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sidecart.dev/kit/fault"
)

// pauses stand before each further attempt at a request that was lost: long enough for a sidecar to
// notice that one replica of a service is ending and to turn to another.
var pauses = []time.Duration{
	100 * time.Millisecond,
	200 * time.Millisecond,
	400 * time.Millisecond,
	800 * time.Millisecond,
}

const (
	// silence is how long a request may go without an answer before it is sent once more, beside the
	// attempts under way.
	//
	// For up to 20 s after a replica has been killed, sidecars go on calling it, and what they send
	// there is neither answered nor refused. Of two replicas they take one at random, so of the five
	// attempts that fit into the usual 10 s one reaches the other replica in 31 of 32 cases.
	//
	// No attempt is cut off: a service that is slow has all of the request's time to answer the
	// first one. What it costs is four more requests at most for one that takes longer than 8 s. Two
	// seconds are a hundred times what services usually take, so while all is well there are none.
	silence = 2 * time.Second

	// spareAttempts bounds the attempts at all requests to one service that are made beside others,
	// for when it is slow because it has too much to do. It is enough for 100 requests a second
	// through this gateway while one replica of two does not answer.
	spareAttempts = 200
)

// insist sends a request until a service has answered it to the end, five times at most: again
// after a pause when it was lost, and once more when there is no answer for a while. The first
// answer of a service counts, and ends the other attempts, but for one by which the service says
// that it could not do it: while others are under way, they may still. If there is no answer, the
// last failure counts. The request must be [repeatable].
func (u *upstreams) insist(ctx context.Context, app string, req *http.Request) outcome {
	attempts, end := context.WithCancel(ctx)
	defer end()
	spare := &spares{free: u.spare[app]}
	defer spare.giveBack()
	outcomes := make(chan outcome, 1+len(pauses))
	next := time.NewTimer(silence)
	defer next.Stop()
	sent, open := 0, 0
	send := func() {
		sent, open = sent+1, open+1
		go u.again(attempts, app, req, outcomes)
		next.Reset(silence)
	}
	send()
	var refusal outcome // of a service, if there is one
	for o := (outcome{}); ; {
		select {
		case o = <-outcomes:
			open--
			if o.refused() {
				refusal = o
			}
			switch {
			case !lost(o.verdict) && !o.refused():
				return o
			case open == 0 && refusal.refused():
				return refusal
			case open == 0 && sent > len(pauses):
				return o
			case sent <= len(pauses):
				next.Reset(pauses[sent-1])
			}
		case <-next.C:
			if sent > len(pauses) || refusal.refused() {
				continue // what is to come is under way
			}
			if open == 0 || spare.take() {
				send()
			} else {
				next.Reset(silence)
			}
		case <-ctx.Done():
			if refusal.refused() {
				return refusal
			}
			if open > 0 {
				o = <-outcomes
			}
			return o
		}
	}
}

// again makes an attempt with a request of its own.
func (u *upstreams) again(
	ctx context.Context, app string, req *http.Request, outcomes chan<- outcome,
) {
	own := req.Clone(ctx)
	if req.GetBody != nil {
		own.Body, _ = req.GetBody() // it reads memory and cannot fail
	}
	var o outcome
	err := fault.Guard(ctx, func() error {
		o = u.attempt(ctx, app, own)
		return nil
	})
	if err != nil {
		o = outcome{err: err, verdict: errNotCounted}
	}
	outcomes <- o
}

// spares are what one request has taken of its service's spare attempts.
type spares struct {
	free  chan struct{}
	taken int
}

func (s *spares) take() bool {
	select {
	case s.free <- struct{}{}:
		s.taken++
		return true
	default:
		return false
	}
}

func (s *spares) giveBack() {
	for range s.taken {
		<-s.free
	}
}

// refused tells whether a service has answered that it could not do what it was asked.
func (o outcome) refused() bool {
	return o.answer != nil && o.answer.StatusCode >= http.StatusInternalServerError
}

// lost tells whether a verdict is that of a request which reached no service, or whose answer was
// lost on the way.
func lost(verdict error) bool {
	return verdict != nil && !errors.Is(verdict, errNotCounted) &&
		!errors.Is(verdict, context.DeadlineExceeded)
}

// repeatable tells whether a request may be sent again: it reads, or it carries a key by which its
// service knows it again. Its body must be there again as well.
func repeatable(req *http.Request) bool {
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead
	return (reads || req.Header.Get("Idempotency-Key") != "") &&
		(req.GetBody != nil || req.Body == nil || req.Body == http.NoBody)
}
