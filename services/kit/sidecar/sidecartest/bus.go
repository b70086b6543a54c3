package sidecartest

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Message is what was published.
type Message struct {
	Topic string
	Body  []byte // a CloudEvent in structured JSON
}

// Bus is a [sidecar.Publisher] that keeps what was published until a test takes it: in any order,
// twice, or never, as a real bus may. It is safe for concurrent use.
type Bus struct {
	// Before fails a publish that then has no effect; After one that was carried out. Both may be nil.
	Before, After func(ctx context.Context, topic string) error
	// Check, if set, is given every message, for example to validate it against its schema.
	Check func(body []byte) error

	mu       sync.Mutex
	waiting  []Message
	all      []Message
	checkErr error
}

var _ sidecar.Publisher = (*Bus)(nil)

// Publish implements [sidecar.Publisher].
func (b *Bus) Publish(ctx context.Context, topic string, cloudEvent []byte) error {
	if b.Before != nil {
		if err := b.Before(ctx, topic); err != nil {
			return err
		}
	}
	m := Message{Topic: topic, Body: bytes.Clone(cloudEvent)}
	b.mu.Lock()
	b.waiting, b.all = append(b.waiting, m), append(b.all, m)
	if b.Check != nil && b.checkErr == nil {
		b.checkErr = b.Check(m.Body)
	}
	b.mu.Unlock()
	if b.After != nil {
		return b.After(ctx, topic)
	}
	return nil
}

// CheckError returns the first error of Check.
func (b *Bus) CheckError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.checkErr
}

// Waiting returns how many messages have not been taken.
func (b *Bus) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// Take removes and returns the i-th waiting message.
func (b *Bus) Take(i int) Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.waiting[i]
	b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
	return m
}

// Put makes a message wait again, as a redelivery does.
func (b *Bus) Put(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, m)
}

// Clear drops what waits, as emptying the broker does.
func (b *Bus) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = nil
}

// All returns everything ever published on a topic.
func (b *Bus) All(topic string) []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Message
	for _, m := range b.all {
		if m.Topic == topic {
			out = append(out, m)
		}
	}
	return out
}

// Caller is a [sidecar.Caller] whose answers are functions. The zero value answers every call with
// Unavailable.
type Caller struct {
	// Handle returns the answer to a call, to be encoded as JSON. in is the request as JSON.
	Handle func(ctx context.Context, app, method, path string, in []byte) (any, error)
}

var _ sidecar.Caller = (*Caller)(nil)

// Call implements [sidecar.Caller].
func (c *Caller) Call(ctx context.Context, app, method, path string, in, out any) error {
	if c.Handle == nil {
		return fault.Newf(fault.Unavailable, "unavailable", "The service %s does not answer.", app)
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := c.Handle(ctx, app, method, path, raw)
	if err != nil || out == nil || answer == nil {
		return err
	}
	raw, err = json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

// Invocation is one call of an output binding.
type Invocation struct {
	Name, Operation string
	Data            []byte
	Metadata        map[string]string
}

// Binding is a [sidecar.Binding] that records its calls. It is safe for concurrent use.
type Binding struct {
	// Before fails a call that then has no effect; After one that was carried out. Both may be nil.
	Before, After func(ctx context.Context, in Invocation) error

	mu    sync.Mutex
	calls []Invocation
}

var _ sidecar.Binding = (*Binding)(nil)

// Invoke implements [sidecar.Binding].
func (b *Binding) Invoke(ctx context.Context, name, operation string, data []byte,
	metadata map[string]string,
) ([]byte, error) {
	in := Invocation{Name: name, Operation: operation, Data: bytes.Clone(data), Metadata: metadata}
	if b.Before != nil {
		if err := b.Before(ctx, in); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, in)
	b.mu.Unlock()
	if b.After != nil {
		return nil, b.After(ctx, in)
	}
	return nil, nil
}

// Calls returns the calls that took effect.
func (b *Binding) Calls() []Invocation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Invocation(nil), b.calls...)
}

// Secrets is a [sidecar.Secrets] over a map.
type Secrets map[string]string

// Secret implements [sidecar.Secrets].
func (s Secrets) Secret(_ context.Context, name string) (string, error) {
	if v, ok := s[name]; ok {
		return v, nil
	}
	return "", fault.Newf(fault.NotFound, "secret_missing", "The secret store has no secret %q.", name)
}
