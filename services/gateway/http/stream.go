package http

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

// streams serves order status as Server-Sent Events.
//
// Each stream asks the orders service for the order, as its user, and tells what is new in the
// order's history; the id of an event is the history entry's version. So a stream needs no state
// here and no message: it can be resumed at any replica, misses nothing when messages are lost, and
// shows nobody what they may not read. A broadcast subscription per replica would leave a consumer
// group behind in the broker for every replica that ever was, each reading from the beginning of
// the topic; asking costs one cheap read per watched order and interval.
type streams struct {
	up      *upstreams
	most    int             // at once
	mostOf  int             // of one user at once
	maxTime time.Duration   // how long one lasts
	closing <-chan struct{} // closed when all are to end

	mu     sync.Mutex
	open   int
	openOf map[string]int // by user; without entries of 0
}

func newStreams(up *upstreams, deps Deps) *streams {
	return &streams{
		up:      up,
		most:    deps.Config.MaxStreams,
		mostOf:  deps.Config.UserStreams,
		maxTime: deps.Config.StreamTime,
		closing: deps.Closing,
		openOf:  map[string]int{},
	}
}

// enter counts a stream of a user in, or fails where there are enough. Who entered must leave.
func (s *streams) enter(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.openOf[user] >= s.mostOf:
		return &fault.Error{
			Kind: fault.RateLimited, Code: "rate_limited", RetryAfter: tryAgain,
			Message: "You have too many streams open; close one, or try again when one has ended.",
		}
	case s.open >= s.most:
		return &fault.Error{
			Kind: fault.Unavailable, Code: "unavailable", RetryAfter: tryAgain,
			Message: "Too many streams are open; try again shortly.",
		}
	}
	s.open++
	s.openOf[user]++
	return nil
}

func (s *streams) leave(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.openOf[user]--; s.openOf[user] == 0 {
		delete(s.openOf, user)
	}
}

const (
	askFirst  = 50 * time.Millisecond // an order is usually paid within a blink
	askMost   = 2 * time.Second
	heartbeat = 15 * time.Second
	askLimit  = 5 * time.Second
	tryAgain  = 5 * time.Second // told to who finds too many streams open
)

// watched is what a stream reads of an order.
type watched struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
	History []struct {
		Status string    `json:"status"`
		At     time.Time `json:"at"`
		Reason string    `json:"reason,omitempty"`
	} `json:"history"`
}

type statusEvent struct {
	OrderID string    `json:"order_id"`
	Status  string    `json:"status"`
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
}

func (s *streams) serve(w http.ResponseWriter, r *http.Request) error {
	last, err := lastEventID(r)
	if err != nil {
		return err
	}
	user := auth.From(r.Context()).UserID
	if err := s.enter(user); err != nil {
		return err
	}
	defer s.leave(user)
	order, resp, err := s.ask(r)
	if err != nil {
		return err
	}
	if resp != nil { // the service's refusal, passed on as it is
		relay(w, resp)
		return nil
	}
	rc := http.NewResponseController(w)
	// The server's read timeout is for requests, not for the life of a stream.
	_ = rc.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if !web.IsHead(r) {
		s.run(w, rc, r, order, last)
	}
	return nil
}

func lastEventID(r *http.Request) (int64, error) {
	value := r.Header.Get("Last-Event-ID")
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.InvalidField("Last-Event-ID",
			"must be the id of an event of this stream")
	}
	return n, nil
}

// run tells what is new until the order is at its end, the client is gone or does not read, the
// stream's time is up, or the program is about to end. A stream without an end event is one that
// the client resumes.
func (s *streams) run(
	w http.ResponseWriter, rc *http.ResponseController, r *http.Request, order *watched, last int64,
) {
	over := time.NewTimer(s.maxTime)
	defer over.Stop()
	wait, spoke := askFirst, time.Now()
	for {
		// Of what is written now, not of the stream; a recorder has none.
		_ = rc.SetWriteDeadline(time.Now().Add(answerTime))
		told := tell(w, order, last)
		if told > last {
			last, wait, spoke = told, askFirst, time.Now()
		} else if time.Since(spoke) > heartbeat {
			fmt.Fprint(w, ": heartbeat\n\n")
			spoke = time.Now()
		}
		if final(order.Status) {
			writeEvent(w, "end", 0, map[string]any{
				"order_id": order.ID, "status": order.Status, "version": order.Version,
			})
			_ = rc.Flush()
			return
		}
		if rc.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-over.C:
			return
		case <-s.closing:
			return
		case <-time.After(wait):
		}
		wait = min(wait*2, askMost)
		next, refusal, err := s.ask(r)
		switch {
		case err != nil: // asked again
		case refusal == nil:
			order = next
		default:
			_ = refusal.Body.Close()
			if refusal.StatusCode < http.StatusInternalServerError {
				return // no longer this user's to read: the token has expired, or the order is gone
			}
		}
	}
}

// tell writes the history entries after version last and returns the last version told. Entry i of
// a history is version i+1.
func tell(w io.Writer, order *watched, last int64) int64 {
	for i, h := range order.History {
		if version := int64(i + 1); version > last {
			writeEvent(w, "status", version, statusEvent{order.ID, h.Status, version, h.At, h.Reason})
			last = version
		}
	}
	return last
}

func writeEvent(w io.Writer, name string, id int64, data any) {
	raw, _ := json.Marshal(data) //nolint:errchkjson // plain values
	if id > 0 {
		fmt.Fprintf(w, "id: %d\n", id)
	}
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, raw)
}

func final(status string) bool {
	switch status {
	case "paid", "payment_failed", "cancelled", "refunded":
		return true
	}
	return false
}

// ask reads the order as the stream's user. Exactly one of order, refusal and error is set.
func (s *streams) ask(r *http.Request) (order *watched, refusal *http.Response, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), askLimit)
	path := r.URL.Path[:len(r.URL.Path)-len("/events")]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.up.base+path, nil)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	copyHeaders(req.Header, r.Header, []string{"Authorization", web.RequestIDHeader})
	resp, err := s.up.do(ctx, "orders", req)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body = cancelBody{resp.Body, cancel}
		return nil, resp, nil
	}
	defer cancel()
	defer resp.Body.Close()
	order = &watched{}
	if err := json.NewDecoder(resp.Body).Decode(order); err != nil {
		return nil, nil, unavailable("orders", time.Second, err)
	}
	return order, nil, nil
}

// cancelBody ends a request's context when its answer was read.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements [io.Closer].
func (b cancelBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
