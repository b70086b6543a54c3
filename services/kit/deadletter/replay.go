package deadletter

import (
	"context"
	"time"

	"sidecart.dev/kit/document"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

// Replayer applies an event as if it had been delivered on the topic. [consumer.Consumer] is one.
type Replayer interface {
	Handle(ctx context.Context, topic string, e event.Event) error
}

// Replay hands the letter's message to the consumer again. When the consumer has applied it the
// letter is removed, unless the event has failed once more meanwhile; when that fails the letter
// stays, with one attempt more and the new reason. Replay returns nil in both cases: the operator's
// wish was carried out. It returns NotFound if there is no such letter, and a transient fault if
// ctx ended or the store failed, after which the letter may be replayed again.
func (s *Store) Replay(ctx context.Context, id string, consumer Replayer) error {
	read, err := s.read(ctx, id)
	if err != nil {
		return err
	}
	e, cause := event.Parse(read.Doc.Letter.Payload)
	if cause == nil {
		cause = consumer.Handle(ctx, read.Doc.Letter.Topic, e)
	}
	if cause == nil {
		// Where somebody was faster it has failed again, which is for the operator to see, or it is gone.
		_, err := document.Written(s.letters.Delete(ctx, read))
		return err
	}
	if err := ctx.Err(); err != nil { // that it failed says nothing about the message
		return fault.Wrap(err, fault.Timeout, "timeout",
			"The replay was cut off; the dead letter is still there to be replayed.")
	}
	return s.failed(ctx, id, cause)
}

// failed notes a failed replay, unless the letter was removed meanwhile.
func (s *Store) failed(ctx context.Context, id string, cause error) error {
	err := s.change(ctx, id, func(doc stored) (stored, error) {
		doc.Letter.Attempts++
		doc.Letter.LastAt, doc.Letter.Reason = time.Now().UTC(), cause.Error()
		return doc, nil
	})
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
