package event

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/web"
)

// Handler applies an event. It must be idempotent: the same event may come again at any time, and in any order.
//
// Nil acknowledges. A transient fault asks for redelivery, which the sidecar bounds; every other fault is poison and
// goes to the dead letters at once.
type Handler func(ctx context.Context, e Event) error

// DeadLetter is a message that could not be handled.
type DeadLetter struct {
	Topic    string              `json:"topic"`
	Event    Event               `json:"event"`    // zero if the message was no event at all
	Raw      []byte              `json:"raw"`      // the message as it was delivered
	Headers  map[string][]string `json:"headers"`  // delivery headers worth keeping; no credentials
	Reason   string              `json:"reason"`   // why, in words for an operator
	Code     string              `json:"code"`     // the fault's code
	Attempts int                 `json:"attempts"` // deliveries this process saw
	FirstAt  time.Time           `json:"first_failed_at"`
	LastAt   time.Time           `json:"last_failed_at"`
}

// DeadLetters keeps messages that could not be handled.
type DeadLetters interface {
	// Keep stores a dead letter, or does nothing if it is there already. Its error is a transient fault.
	Keep(ctx context.Context, letter DeadLetter) error
}

// Consumer receives the events of some topics from the sidecar. Register handlers before serving.
type Consumer struct {
	service  string
	letters  DeadLetters
	handlers map[string]map[string]Handler // topic, event type

	mu       sync.Mutex
	failures map[string]failure // by event id; bounded
}

type failure struct {
	reason, code string
	attempts     int
	first, last  time.Time
}

// maxFailures bounds what is remembered of failures under retry.
const maxFailures = 4096

// NewConsumer makes the consumer of a service.
func NewConsumer(service string, letters DeadLetters) *Consumer {
	return &Consumer{
		service: service, letters: letters,
		handlers: map[string]map[string]Handler{}, failures: map[string]failure{},
	}
}

// On registers the handler of an event type on a topic. Types without a handler are acknowledged and ignored.
func (c *Consumer) On(topic, eventType string, h Handler) {
	if c.handlers[topic] == nil {
		c.handlers[topic] = map[string]Handler{}
	}
	c.handlers[topic][eventType] = h
}

// Routes adds the routes that the declarative subscriptions name: /events/{topic} and /dead-letters.
func (c *Consumer) Routes(r *mux.Router) {
	for topic := range c.handlers {
		r.Handle("/events/"+topic, c.receive(topic)).Methods(http.MethodPost)
	}
	r.Handle("/dead-letters", web.Handler(c.receiveDead)).Methods(http.MethodPost)
}

// Handle applies an event as if it had been delivered on the topic. Dead-letter replay calls it.
func (c *Consumer) Handle(ctx context.Context, topic string, e Event) error {
	h, ok := c.handlers[topic][e.Type]
	if !ok {
		return nil
	}
	return h(ctx, e)
}

// maxMessage bounds a delivered message in bytes.
const maxMessage = 4 << 20

func (c *Consumer) receive(topic string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "unavailable", "The message could not be read.")
		}
		e, err := Parse(raw)
		if err == nil {
			err = c.Handle(r.Context(), topic, e)
		}
		switch {
		case err == nil:
			c.forget(e.ID)
			w.WriteHeader(http.StatusOK) // an empty body is an acknowledgement
			return nil
		case fault.KindOf(err).Transient():
			c.remember(e.ID, err)
			return err
		default:
			return c.poison(w, r, topic, e, raw, err)
		}
	}
}

// poison keeps the message with its reason and then tells the sidecar to drop it. The sidecar also hands a dropped
// message to the dead-letter topic, where it is found to be kept already.
func (c *Consumer) poison(w http.ResponseWriter, r *http.Request, topic string, e Event, raw []byte, cause error) error {
	f := c.remember(e.ID, cause)
	if err := c.letters.Keep(r.Context(), letterOf(topic, e, raw, r.Header, f)); err != nil {
		return err
	}
	c.forget(e.ID)
	slog.WarnContext(r.Context(), "message dead-lettered", "topic", topic, "type", e.Type, "event_id", e.ID, "reason", cause.Error())
	return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "DROP"})
}

// receiveDead keeps what the sidecar gave up delivering.
func (c *Consumer) receiveDead(w http.ResponseWriter, r *http.Request) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "unavailable", "The message could not be read.")
	}
	e, parseErr := Parse(raw)
	f := c.failureOf(e.ID)
	if parseErr != nil {
		f.reason, f.code = parseErr.Error(), fault.CodeOf(parseErr)
	}
	if err := c.letters.Keep(r.Context(), letterOf(c.topicOf(e.Type), e, raw, r.Header, f)); err != nil {
		return err
	}
	c.forget(e.ID)
	slog.WarnContext(r.Context(), "message dead-lettered after retries", "type", e.Type, "event_id", e.ID, "reason", f.reason)
	w.WriteHeader(http.StatusOK)
	return nil
}

// topicOf finds the topic an event type is handled on; a dead letter's delivery names only the dead-letter topic.
func (c *Consumer) topicOf(eventType string) string {
	for topic, handlers := range c.handlers {
		if _, ok := handlers[eventType]; ok {
			return topic
		}
	}
	return ""
}

// keptHeaders are the delivery headers an operator may need.
var keptHeaders = []string{"Traceparent", "Tracestate", "Content-Type", "Pubsubname", "Topic"}

func letterOf(topic string, e Event, raw []byte, header http.Header, f failure) DeadLetter {
	kept := map[string][]string{}
	for _, name := range keptHeaders {
		if v := header.Values(name); len(v) > 0 {
			kept[name] = v
		}
	}
	return DeadLetter{
		Topic: topic, Event: e, Raw: raw, Headers: kept, Reason: f.reason, Code: f.code,
		Attempts: f.attempts, FirstAt: f.first, LastAt: f.last,
	}
}

func (c *Consumer) remember(id string, err error) failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.failures[id]
	if !ok {
		if len(c.failures) >= maxFailures {
			clear(c.failures) // losing a reason costs an operator a hint, nothing more
		}
		f.first = time.Now().UTC()
	}
	f.attempts++
	f.last, f.reason, f.code = time.Now().UTC(), err.Error(), fault.CodeOf(err)
	c.failures[id] = f
	return f
}

func (c *Consumer) failureOf(id string) failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.failures[id]; ok {
		return f
	}
	now := time.Now().UTC()
	return failure{reason: "Delivery failed; the reason was not recorded by this replica.", code: "undelivered", first: now, last: now}
}

func (c *Consumer) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.failures, id)
}
