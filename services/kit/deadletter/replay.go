package deadletter

import (
	"context"
	"time"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar"
)

// Replayer applies an event as if it had been delivered on the topic. [consumer.Consumer] is one.
type Replayer interface {
	Handle(ctx context.Context, topic string, e event.Event) error
}

// Replay hands the letter's message to the consumer again. When the consumer has applied it the letter is removed, unless the event has
// failed once more meanwhile; when that fails the letter stays, with one attempt more and the new reason. Replay returns nil in
// both cases: the operator's wish was carried out. It returns NotFound if there is no such letter, and a transient fault if ctx ended or the
// store failed, after which the letter may be replayed again.
func (s *Store) Replay(ctx context.Context, id string, consumer Replayer) error {
	doc, item, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	e, cause := event.Parse(doc.Letter.Payload)
	if cause == nil {
		cause = consumer.Handle(ctx, doc.Letter.Topic, e)
	}
	if cause == nil {
		if err := s.state.Delete(ctx, item.Key, item.ETag); !sidecar.IsConflict(err) {
			return err
		}
		return nil // it failed again, which is for the operator to see, or it is gone already
	}
	if err := ctx.Err(); err != nil { // that it failed says nothing about the message
		return fault.Wrap(err, fault.Timeout, "timeout", "The replay was cut off; the dead letter is still there to be replayed.")
	}
	return s.failed(ctx, id, cause)
}

// failed notes a failed replay, unless the letter was removed meanwhile.
func (s *Store) failed(ctx context.Context, id string, cause error) error {
	for range tries {
		doc, item, err := s.get(ctx, id)
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		doc.Letter.Attempts++
		doc.Letter.LastAt, doc.Letter.Reason = time.Now().UTC(), cause.Error()
		if err := s.update(ctx, item, doc); !sidecar.IsConflict(err) {
			return err
		}
	}
	return busy()
}
