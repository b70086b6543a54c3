package deadletter_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// typed is a dead letter about a user, with what somebody typed.
func typed(t *testing.T, userID, orderID string) event.DeadLetter {
	t.Helper()
	e, err := event.New("orders", "order.cancelled.v1", orderID, 2, epoch, map[string]any{
		"user_id": userID, "order_id": orderID, "reason": "moved to 1 Elm Street", "total": map[string]any{"amount": 9007199254740993},
	})
	require.NoError(t, err)
	raw, err := e.Encode()
	require.NoError(t, err)
	return event.DeadLetter{Topic: "orders", Event: e, Raw: raw, Reason: "poison", Attempts: 1, FirstAt: epoch, LastAt: epoch}
}

func TestErasureOverwritesWhatPeopleTypedAndNothingElse(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	const many = 150 // more than a page
	for i := range many {
		require.NoError(t, s.Keep(t.Context(), typed(t, []string{"usr_ada", "usr_bob"}[i%2], fmt.Sprintf("ord_%d", i))))
	}
	for _, raw := range []string{"hello usr_ada", `{"data": "usr_ada"}`, `{"data": {"user_id": "usr_ada"}}`, `[]`} {
		require.NoError(t, s.Keep(t.Context(), event.DeadLetter{Raw: []byte(raw)}))
	}
	for range 2 {
		require.NoError(t, s.Erase(t.Context(), "usr_ada", "usr_eve"))
	}
	adas := 0
	for cursor := ""; ; {
		letters, next, err := s.List(t.Context(), cursor, 100)
		require.NoError(t, err)
		for _, l := range letters {
			e, err := event.Parse(l.Payload)
			if err != nil {
				continue
			}
			data, err := event.Decode[struct {
				UserID string `json:"user_id"`
				Reason string `json:"reason"`
				Total  struct{ Amount int64 }
			}](e)
			require.NoError(t, err)
			want := "moved to 1 Elm Street"
			if data.UserID == "usr_ada" {
				adas, want = adas+1, deadletter.ErasedReason
			}
			assert.Equal(t, want, data.Reason, l.EventID)
			assert.Equal(t, int64(9007199254740993), data.Total.Amount)
		}
		if next == "" {
			break
		}
		cursor = next
	}
	assert.Equal(t, many/2, adas)
}

func TestARedeliveryDoesNotBringErasedWordsBack(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	l := typed(t, "usr_ada", "ord_1")
	require.NoError(t, s.Keep(t.Context(), l))
	require.NoError(t, s.Erase(t.Context(), "usr_ada"))
	require.NoError(t, s.Keep(t.Context(), l))
	assert.NotContains(t, string(all(t, s)[0].Payload), "Elm Street")
}

// changing changes a letter in the moment before it is written.
type changing struct {
	sidecar.State
	change func()
}

func (c *changing) Update(ctx context.Context, key string, value []byte, etag string, opts ...sidecar.WriteOption) error {
	if change := c.change; change != nil {
		c.change = nil
		change()
	}
	return c.State.Update(ctx, key, value, etag, opts...)
}

func TestALetterThatChangesMeanwhileIsErasedAllTheSame(t *testing.T) {
	state := sidecartest.NewState()
	s := deadletter.New(state, "payments")
	id := only(t, s, typed(t, "usr_ada", "ord_1")).ID
	eraser := &changing{State: state, change: func() {
		assert.NoError(t, s.Replay(t.Context(), id, replayed(fmt.Errorf("still poison"))))
	}}
	require.NoError(t, deadletter.New(eraser, "payments").Erase(t.Context(), "usr_ada"))
	l := all(t, s)[0]
	assert.NotContains(t, string(l.Payload), "Elm Street")
	assert.Equal(t, 2, l.Attempts, "the failure is not lost")
}
