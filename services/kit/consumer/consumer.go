// Package consumer receives the events of a service from its sidecar over HTTP, and turns the
// outcome of handling one into what the message bus has to do next: forget it, deliver it again, or
// hand it to the dead letters.
package consumer

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/mux"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/tracing"
	"sidecart.dev/kit/web"
)

// Consumer receives the events of some topics from the sidecar. Register handlers before serving.
type Consumer struct {
	service  string
	letters  event.DeadLetters
	handlers map[string]map[string]event.Handler // topic, event type
	metrics  *metrics

	mu       sync.Mutex
	failures map[string]failure // by event.DeadLetter.Identity; bounded
}

// failure is what is remembered of a message while the sidecar retries it.
type failure struct {
	attempts    int
	first, last time.Time
}

const (
	maxFailures = 4096 // what is remembered of failures under retry
	// retriesEnd is longer than a sidecar goes on retrying: a failure after that is another story.
	retriesEnd = 2 * time.Minute
)

// New makes the consumer of a service.
func New(service string, letters event.DeadLetters) *Consumer {
	return &Consumer{
		service: service, letters: letters,
		handlers: map[string]map[string]event.Handler{}, failures: map[string]failure{},
	}
}

// On registers the handler of an event type on a topic. Types without a handler are acknowledged
// and ignored.
func (c *Consumer) On(topic, eventType string, h event.Handler) {
	if c.handlers[topic] == nil {
		c.handlers[topic] = map[string]event.Handler{}
	}
	c.handlers[topic][eventType] = h
}

// Hears reports whether there is any handler.
func (c *Consumer) Hears() bool { return len(c.handlers) > 0 }

// Routes adds the routes that the declarative subscriptions name: /events/{topic} and
// /dead-letters.
func (c *Consumer) Routes(r *mux.Router) {
	for topic := range c.handlers {
		r.Handle("/events/"+topic, c.receive(topic)).Methods(http.MethodPost)
	}
	r.Handle("/dead-letters", web.Handler(c.receiveDead)).Methods(http.MethodPost)
}

// Handle applies an event as if it had been delivered on the topic. Dead-letter replay calls it. A
// handler that panics has failed with an Internal fault, so that the reason stands in the dead
// letter.
func (c *Consumer) Handle(ctx context.Context, topic string, e event.Event) error {
	h, ok := c.handlers[topic][e.Type]
	if !ok {
		return nil
	}
	ctx, end := c.span(ctx, topic, e)
	start := time.Now()
	err := fault.Guard(ctx, func() error { return h(ctx, e) })
	c.metrics.handled(topic, e, start, err)
	end(err)
	return err
}

// span starts the span of handling an event. It stands below the delivery, and is linked to where
// the event was made: the two differ where a message was replayed or came on without its trace.
func (c *Consumer) span(
	ctx context.Context, topic string, e event.Event,
) (context.Context, func(error)) {
	if !tracing.Recording(ctx) {
		return ctx, func(error) {}
	}
	attributes := append(event.Attributes(topic, e), semconv.MessagingConsumerGroupName(c.service),
		semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess)
	return tracing.Start(ctx, "process "+topic, trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(tracing.Links(e.TraceParent)...), trace.WithAttributes(attributes...))
}

func (c *Consumer) receive(topic string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		raw, err := read(r)
		if err != nil {
			return err
		}
		letter, err := c.try(r.Context(), topic, raw, r.Header)
		switch {
		case err == nil:
			w.WriteHeader(http.StatusOK) // an empty body is an acknowledgement
			return nil
		case fault.KindOf(err).Transient():
			return err
		}
		if err := c.keep(r.Context(), letter); err != nil {
			return err
		}
		// The sidecar hands what is dropped to the dead-letter topic, where it is found to be kept
		// already.
		return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "DROP"})
	}
}

// lastChance bounds the handling of a dead letter before it is kept. It leaves the larger part of
// the sidecar's delivery timeout to keeping it, as there is no dead-letter topic behind this one.
const lastChance = 3 * time.Second

// receiveDead takes what the sidecar gave up delivering. It is tried once more: the retries may
// have run out because this app was down, because another replica could not reach something, or it
// was replayed meanwhile. If it fails again, the reason is known here, whichever replica the
// retries were made by.
func (c *Consumer) receiveDead(w http.ResponseWriter, r *http.Request) error {
	raw, err := read(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), lastChance)
	defer cancel()
	letter, err := c.try(ctx, c.origin(raw), raw, r.Header)
	if err != nil {
		if err := c.keep(r.Context(), letter); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// try handles a message. If that fails it returns the dead letter that the message is, should there
// be no further attempt.
func (c *Consumer) try(
	ctx context.Context, topic string, raw []byte, header http.Header,
) (event.DeadLetter, error) {
	e, err := event.Parse(raw)
	if err == nil {
		err = c.Handle(ctx, topic, e)
	}
	letter := event.DeadLetter{Topic: topic, Event: e, Raw: raw}
	if err == nil {
		c.forget(letter)
		return letter, nil
	}
	letter.Headers, letter.Reason, letter.Code = kept(header), err.Error(), fault.CodeOf(err)
	c.remember(&letter)
	return letter, err
}

func (c *Consumer) keep(ctx context.Context, letter event.DeadLetter) error {
	if err := c.letters.Keep(ctx, letter); err != nil {
		return err
	}
	c.forget(letter)
	c.kept(letter.Topic)
	slog.WarnContext(ctx, "message dead-lettered",
		"topic", letter.Topic, "type", letter.Event.Type, "event_id", letter.Event.ID,
		"reason", letter.Reason)
	return nil
}

// maxMessage bounds a delivered message in bytes.
const maxMessage = 4 << 20

func read(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	return raw, fault.Wrap(err, fault.Unavailable, "unavailable", "The message could not be read.")
}

// origin finds the topic a dead letter was first published on, as its delivery names only the
// dead-letter topic. The sidecar that published the message wrote its topic into it. Without that,
// or if it has been put on the dead-letter topic by hand, it is the topic on which its type is
// handled.
func (c *Consumer) origin(raw []byte) string {
	var sent struct {
		Topic string `json:"topic"`
		Type  string `json:"type"`
	}
	if err := json.Unmarshal(raw, &sent); err != nil {
		return ""
	}
	if c.handlers[sent.Topic] != nil {
		return sent.Topic
	}
	for _, topic := range slices.Sorted(maps.Keys(c.handlers)) {
		if c.handlers[topic][sent.Type] != nil {
			return topic
		}
	}
	return ""
}

// remember counts a failure and fills in the letter's attempts and times.
func (c *Consumer) remember(letter *event.DeadLetter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, now := letter.Identity(), time.Now().UTC()
	f, ok := c.failures[id]
	if !ok && len(c.failures) >= maxFailures {
		clear(c.failures) // losing a count costs an operator a hint, nothing more
	}
	if !ok || now.Sub(f.last) > retriesEnd {
		f = failure{first: now}
	}
	f.attempts++
	f.last = now
	c.failures[id] = f
	letter.Attempts, letter.FirstAt, letter.LastAt = f.attempts, f.first, f.last
}

func (c *Consumer) forget(letter event.DeadLetter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failures) > 0 {
		delete(c.failures, letter.Identity())
	}
}

// keptHeaders are the delivery headers an operator may need.
var keptHeaders = []string{"Traceparent", "Tracestate", "Content-Type", "Pubsubname", "Topic"}

func kept(header http.Header) map[string][]string {
	headers := map[string][]string{}
	for _, name := range keptHeaders {
		if v := header.Values(name); len(v) > 0 {
			headers[name] = v
		}
	}
	return headers
}
