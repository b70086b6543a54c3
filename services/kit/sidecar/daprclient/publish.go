package daprclient

import (
	"context"
	"strconv"
	"sync"
	"time"

	dapr "github.com/dapr/go-sdk/client"

	"sidecart.dev/kit/batch"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Bus returns the publisher of the named pub/sub component. Events that are published on a topic
// while another one is under way share a call, as do those that come densely: see [Config].Window.
// Each has an outcome of its own.
func (c *Client) Bus(component string) sidecar.Publisher {
	return &bus{
		sdk: c.sdk, component: component, timeout: c.cfg.Timeout, window: c.cfg.Window,
		topics: map[string]*batch.Batcher[*message]{},
	}
}

type bus struct {
	sdk       dapr.Client
	component string
	timeout   time.Duration
	window    time.Duration

	mu     sync.Mutex
	topics map[string]*batch.Batcher[*message]
}

// message is an event on its way. Its outcome may be looked at once done is closed.
type message struct {
	ctx  context.Context //nolint:containedctx // for its trace: see shared
	body []byte
	err  error
	done chan struct{}
}

func (m *message) context() context.Context { return m.ctx }

// maxMessages bounds the events of one call.
const maxMessages = 64

const eventType = "application/cloudevents+json"

// Publish implements [sidecar.Publisher].
func (b *bus) Publish(ctx context.Context, topic string, cloudEvent []byte) error {
	m := &message{ctx: ctx, body: cloudEvent, done: make(chan struct{})}
	b.topic(topic).Add(m)
	select {
	case <-m.done:
		return m.err
	case <-ctx.Done():
		return transient(ctx.Err(), "The message bus does not accept messages.")
	}
}

func (b *bus) topic(name string) *batch.Batcher[*message] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[name] == nil {
		b.topics[name] = batch.New(b.window, maxMessages,
			func(messages []*message) { b.publish(name, messages) },
			func(m *message) { close(m.done) })
	}
	return b.topics[name]
}

// publish makes one call for the messages and notes what became of each.
func (b *bus) publish(topic string, messages []*message) {
	ctx, end := shared("publish together", contexts(messages))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
	defer cancel()
	err := fault.Guard(ctx, func() error {
		if len(messages) == 1 {
			contentType := dapr.PublishEventWithContentType(eventType)
			return b.sdk.PublishEvent(ctx, b.component, topic, messages[0].body, contentType)
		}
		return b.publishTogether(ctx, topic, messages)
	})
	end(err)
	for _, m := range messages {
		if m.err == nil {
			m.err = transient(err, "The message bus does not accept messages.")
		}
	}
}

// publishTogether sets the error of each message that the bus did not take. Its own error is one
// that concerns all of them.
func (b *bus) publishTogether(ctx context.Context, topic string, messages []*message) error {
	events := make([]any, len(messages))
	for i, m := range messages {
		events[i] = dapr.PublishEventsEvent{
			EntryID: strconv.Itoa(i), Data: m.body, ContentType: eventType,
		}
	}
	answer := b.sdk.PublishEvents(ctx, b.component, topic, events)
	if answer.Error == nil {
		return nil
	}
	if len(answer.FailedEvents) == len(messages) {
		return answer.Error
	}
	for _, failed := range answer.FailedEvents {
		entry, ok := failed.(dapr.PublishEventsEvent)
		if !ok {
			return answer.Error // it cannot be told which one failed
		}
		i, err := strconv.Atoi(entry.EntryID)
		if err != nil {
			return answer.Error
		}
		messages[i].err = transient(answer.Error, "The message bus does not accept messages.")
	}
	return nil
}
