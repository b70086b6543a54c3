package deadletter_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// handler is a consumer.
type handler func(ctx context.Context, topic string, e event.Event) error

func (h handler) Handle(ctx context.Context, topic string, e event.Event) error {
	return h(ctx, topic, e)
}

// replayed is a consumer whose answer is err.
func replayed(err error) handler {
	return func(context.Context, string, event.Event) error { return err }
}

func TestAReplayThatIsAppliedRemovesTheLetter(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	l := poison(t, "ord_1", 1)
	id := only(t, s, l).ID
	require.NoError(t, s.Replay(t.Context(), id, handler(func(_ context.Context, topic string, e event.Event) error {
		assert.Equal(t, "orders", topic)
		assert.Equal(t, l.Event.ID, e.ID)
		assert.JSONEq(t, string(l.Event.Data), string(e.Data))
		return nil
	})))
	assert.Empty(t, all(t, s))
	assert.True(t, fault.Is(s.Replay(t.Context(), id, replayed(nil)), fault.NotFound), "there is nothing left to replay")
}

func TestAReplayThatFailsKeepsTheLetterWithItsNewReason(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	first := only(t, s, poison(t, "ord_1", 1))
	require.NoError(t, s.Replay(t.Context(), first.ID, replayed(errors.New("still no total"))))
	got := all(t, s)[0]
	assert.Equal(t, 2, got.Attempts)
	assert.Equal(t, "still no total", got.Reason)
	assert.Equal(t, first.FirstAt, got.FirstAt)
	assert.True(t, got.LastAt.After(first.LastAt))
	assert.JSONEq(t, string(first.Payload), string(got.Payload))
}

// The event's business may have come to its end in another way long ago: then its handler, which is
// idempotent, has nothing to do.
func TestAReplayOfWhatWasAppliedAlreadyIsHarmless(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	consumer, balance := consumer.New("payments", s), map[string]int{}
	consumer.On("orders", "order.placed.v1", func(_ context.Context, e event.Event) error {
		balance[e.Subject] = 1999
		return nil
	})
	l := poison(t, "ord_1", 1)
	id := only(t, s, l).ID
	require.NoError(t, consumer.Handle(t.Context(), "orders", l.Event))
	require.NoError(t, s.Replay(t.Context(), id, consumer))
	assert.Equal(t, map[string]int{"ord_1": 1999}, balance)
	assert.Empty(t, all(t, s))
}

func TestAnEventThatFailsAgainDuringItsReplayStaysALetter(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	id := only(t, s, poison(t, "ord_1", 1)).ID
	require.NoError(t, s.Replay(t.Context(), id, handler(func(ctx context.Context, _ string, _ event.Event) error {
		return s.Keep(ctx, poison(t, "ord_1", 2)) // and this replay succeeds
	})))
	letters := all(t, s)
	require.Len(t, letters, 1, "the newer failure is for the operator to see")
	assert.Equal(t, 2, letters[0].Attempts)
	require.NoError(t, s.Replay(t.Context(), id, replayed(nil)))
	assert.Empty(t, all(t, s))
}

func TestALetterThatIsDiscardedDuringItsReplayStaysAway(t *testing.T) {
	for name, outcome := range map[string]error{"applied": nil, "failed": errBusy} {
		s := deadletter.New(sidecartest.NewState(), "payments")
		id := only(t, s, poison(t, "ord_1", 1)).ID
		require.NoError(t, s.Replay(t.Context(), id, handler(func(ctx context.Context, _ string, _ event.Event) error {
			require.NoError(t, s.Discard(ctx, id))
			return outcome
		})), name)
		assert.Empty(t, all(t, s), name)
	}
}

func TestConcurrentFailingReplaysAreAllCounted(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	id := only(t, s, poison(t, "ord_1", 1)).ID
	var replays sync.WaitGroup
	for range 4 {
		replays.Go(func() { assert.NoError(t, s.Replay(t.Context(), id, replayed(errBusy))) })
	}
	replays.Wait()
	assert.Equal(t, 5, all(t, s)[0].Attempts)
}

func TestAReplayThatIsCutOffChangesNothing(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	before := only(t, s, poison(t, "ord_1", 1))
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Replay(ctx, before.ID, handler(func(ctx context.Context, _ string, _ event.Event) error {
		cancel() // the operator closes his browser
		return fault.Wrap(ctx.Err(), fault.Timeout, "timeout", "The state store did not answer in time.")
	}))
	assert.True(t, fault.Is(err, fault.Timeout), "%v", err)
	assert.Equal(t, []deadletter.Letter{before}, all(t, s), "that the caller went away says nothing about the message")
}

// Whichever call of the store fails, before or after its effect, the letter is there to be replayed
// again, or it has been applied.
func TestWhereverAReplayIsCutOffNothingIsLost(t *testing.T) {
	for name, outcome := range map[string]error{"applied": nil, "failed": errBusy} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				state, applied := sidecartest.NewState(), false
				s := deadletter.New(state, "payments")
				id := only(t, s, poison(t, "ord_1", 1)).ID
				cut := failAt(state, n, after)
				err := s.Replay(t.Context(), id, handler(func(context.Context, string, event.Event) error {
					applied = outcome == nil
					return outcome
				}))
				if !*cut {
					require.NoError(t, err, name)
					break
				}
				assert.True(t, err != nil && fault.KindOf(err).Transient(), "%s, call %d: %v", name, n, err)
				letters := all(t, s)
				assert.True(t, applied || len(letters) == 1, "%s, call %d, after %v: neither applied nor kept", name, n, after)
				for _, l := range letters {
					require.NoError(t, s.Replay(t.Context(), l.ID, replayed(nil)))
				}
				assert.Empty(t, all(t, s))
			}
		}
	}
}
