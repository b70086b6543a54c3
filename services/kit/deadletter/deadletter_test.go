package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/deadletter"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/sidecar/sidecartest"
)

var epoch = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// poison is a dead letter of payments as its consumer makes it. telling tells apart the times that
// the same event is told.
func poison(t *testing.T, orderID string, telling int) event.DeadLetter {
	t.Helper()
	e, err := event.New("orders", "order.placed.v1", orderID, 1, epoch, map[string]any{"total": nil})
	require.NoError(t, err)
	e.TraceParent = fmt.Sprintf("00-%032d-%016d-01", telling, telling)
	raw, err := e.Encode()
	require.NoError(t, err)
	at := epoch.Add(time.Duration(telling) * time.Minute)
	return event.DeadLetter{
		Topic: "orders", Event: e, Raw: raw, Headers: map[string][]string{"Traceparent": {e.TraceParent}, "Pubsubname": {"bus", "again"}},
		Reason: fmt.Sprint("data.total: missing, ", telling), Code: "invalid_event", Attempts: 1, FirstAt: at, LastAt: at,
	}
}

func all(t *testing.T, s *deadletter.Store) []deadletter.Letter {
	t.Helper()
	letters, next, err := s.List(t.Context(), "", 100)
	require.NoError(t, err)
	require.Empty(t, next)
	return letters
}

// only keeps a letter in an empty store.
func only(t *testing.T, s *deadletter.Store, l event.DeadLetter) deadletter.Letter {
	t.Helper()
	require.NoError(t, s.Keep(t.Context(), l))
	letters := all(t, s)
	require.Len(t, letters, 1)
	return letters[0]
}

func TestALetterHasAllThatAnOperatorNeeds(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	l := poison(t, "ord_1", 1)
	got := only(t, s, l)
	assert.Regexp(t, `^payments\.[0-9a-z_-]+$`, got.ID)
	assert.JSONEq(t, string(l.Raw), string(got.Payload))
	want := deadletter.Letter{
		ID: got.ID, Service: "payments", Topic: "orders", EventType: "order.placed.v1", EventID: l.Event.ID,
		Reason: "data.total: missing, 1", Attempts: 1, FirstAt: l.FirstAt, LastAt: l.LastAt,
		Headers: map[string]string{"traceparent": l.Event.TraceParent, "pubsubname": "bus, again"}, Payload: got.Payload,
	}
	assert.Equal(t, want, got)
	inspected, err := s.Get(t.Context(), got.ID)
	require.NoError(t, err)
	assert.Equal(t, got, inspected)
}

func TestWhatIsNoEventIsKeptAsItCame(t *testing.T) {
	for name, c := range map[string]struct{ raw, payload string }{
		"JSON":            {`{"hello": [1, 2]}`, `{"hello":[1,2]}`},
		"text":            {"hello", `"hello"`},
		"nothing":         {"", `""`},
		"bytes":           {"\xff\x00\"", `"\ufffd\u0000\""`},
		"JSON, not UTF-8": {"{\"hello\":\"\xff\"}", `{"hello":"\ufffd"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := deadletter.New(sidecartest.NewState(), "payments")
			got := only(t, s, event.DeadLetter{Raw: []byte(c.raw), Reason: "The message is not a CloudEvent."})
			assert.JSONEq(t, c.payload, string(got.Payload))
			assert.Equal(t, "unknown", got.Topic)
			assert.Equal(t, 1, got.Attempts, "it has failed at least once")
			require.NoError(t, s.Replay(t.Context(), got.ID, replayed(nil)))
			assert.Equal(t, 2, only(t, s, event.DeadLetter{Raw: []byte(c.raw)}).Attempts, "replaying it is a failure, and keeping it again none")
		})
	}
}

func TestLettersAreToldApartByWhatTheyAreAbout(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	elsewhere, partners := poison(t, "ord_1", 1), poison(t, "ord_1", 1)
	elsewhere.Event.Source, partners.Topic = "/elsewhere", "orders-of-partners"
	for _, l := range []event.DeadLetter{
		poison(t, "ord_1", 1), poison(t, "ord_2", 1), elsewhere, partners,
		{Raw: []byte("hello"), Topic: "orders"},
		{Raw: []byte("goodbye"), Topic: "orders"},
	} {
		require.NoError(t, s.Keep(t.Context(), l))
	}
	require.NoError(t, s.Keep(t.Context(), event.DeadLetter{Raw: []byte("hello")})) // the same, from the dead-letter topic
	assert.Len(t, all(t, s), 6)
}

func TestAServiceHasItsOwnLetters(t *testing.T) {
	state := sidecartest.NewState()
	id := only(t, deadletter.New(state, "payments"), poison(t, "ord_1", 1)).ID
	other := deadletter.New(sidecartest.NewState(), "orders")
	for _, id := range []string{id, strings.Replace(id, "payments", "orders", 1), "orders.", "orders.||", "orders.../head", ""} {
		_, err := other.Get(t.Context(), id)
		assert.True(t, fault.Is(err, fault.NotFound), "inspecting %q: %v", id, err)
		assert.True(t, fault.Is(other.Discard(t.Context(), id), fault.NotFound), "discarding %q", id)
		assert.True(t, fault.Is(other.Replay(t.Context(), id, replayed(nil)), fault.NotFound), "replaying %q", id)
	}
}

func TestAMessageIsKeptOnce(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	first := only(t, s, poison(t, "ord_1", 1))
	echo := poison(t, "ord_1", 1) // what was dropped comes back by way of the dead-letter topic, to a replica that knows less
	echo.Reason, echo.LastAt = "unknown", echo.LastAt.Add(time.Second)
	assert.Equal(t, first, only(t, s, echo))
}

func TestAnEventThatIsToldAgainAndFailsAgainIsOneLetter(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	first := only(t, s, poison(t, "ord_1", 1))
	again := poison(t, "ord_1", 2)
	again.Attempts = 4
	got := only(t, s, again)
	assert.Equal(t, first.ID, got.ID)
	assert.Equal(t, 5, got.Attempts)
	assert.Equal(t, "data.total: missing, 2", got.Reason)
	assert.Equal(t, first.FirstAt, got.FirstAt)
	assert.Equal(t, again.LastAt, got.LastAt)
	assert.JSONEq(t, string(again.Raw), string(got.Payload), "the message as it is told now is the one to replay")
}

func TestConcurrentKeepsMakeOneLetter(t *testing.T) {
	for _, tellings := range []int{1, 4} {
		state := sidecartest.NewState()
		var keepers sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			l := poison(t, "ord_1", i%tellings)
			keepers.Go(func() { // each a process of its own
				for errs[i] = errBusy; fault.Is(errs[i], fault.Unavailable); {
					errs[i] = deadletter.New(state, "payments").Keep(t.Context(), l)
				}
			})
		}
		keepers.Wait()
		require.NoError(t, errors.Join(errs...))
		letters := all(t, deadletter.New(state, "payments"))
		require.Len(t, letters, 1, "%d tellings", tellings)
		assert.GreaterOrEqual(t, letters[0].Attempts, tellings, "none of %d failures is forgotten", tellings)
	}
}

var errBusy = fault.New(fault.Unavailable, "unavailable", "not yet")

// What keeping or removing a letter asks of the store fails, before or after it has its effect, as
// a dying process leaves it: the message is delivered again, and the operator asks again.
func TestWhereverAKeepIsCutOffTheNextOneMakesTheLetter(t *testing.T) {
	for _, kept := range []bool{false, true} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				state := sidecartest.NewState()
				s := deadletter.New(state, "payments")
				want := 1
				if kept {
					require.NoError(t, s.Keep(t.Context(), poison(t, "ord_1", 1)))
					want = 2
				}
				cut := failAt(state, n, after)
				l := poison(t, "ord_1", 2)
				err := s.Keep(t.Context(), l)
				if !*cut {
					require.NoError(t, err)
					break
				}
				assert.True(t, err != nil && fault.KindOf(err).Transient(), "call %d: %v", n, err)
				got := only(t, deadletter.New(state, "payments"), l)
				assert.Equal(t, want, got.Attempts, "call %d, after %v", n, after)
				assert.Equal(t, l.Reason, got.Reason)
			}
		}
	}
}

// failAt lets the n-th call of the store fail from now on, and reports whether it has.
func failAt(state *sidecartest.State, n int, after bool) *bool {
	var mu sync.Mutex
	failed := false
	hook := func(context.Context, sidecartest.Op, string) error {
		mu.Lock()
		defer mu.Unlock()
		if n--; n != 0 {
			return nil
		}
		failed = true
		return fault.New(fault.Timeout, "timeout", "no answer")
	}
	if after {
		state.After = hook
	} else {
		state.Before = hook
	}
	return &failed
}

func TestLettersAreListedNewestFirstPageByPage(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	const n = 150
	for i := range n {
		require.NoError(t, s.Keep(t.Context(), poison(t, fmt.Sprint("ord_", i), 1)))
	}
	var want []string
	for i := n - 1; i >= 0; i-- {
		id := fmt.Sprintf("ord_%d:1:order.placed.v1", i)
		if i%3 == 0 {
			discard(t, s, id)
		} else {
			want = append(want, id)
		}
	}
	var got []string
	for cursor := ""; ; {
		page, next, err := s.List(t.Context(), cursor, 7)
		require.NoError(t, err)
		for _, l := range page {
			got = append(got, l.EventID)
		}
		if len(got) == 14 { // what comes meanwhile does not move the pages to come
			require.NoError(t, s.Keep(t.Context(), poison(t, "ord_late", 1)))
		}
		if cursor = next; next == "" {
			break
		}
		assert.Len(t, page, 7)
	}
	assert.Equal(t, want, got)
	_, _, err := s.List(t.Context(), "nonsense", 7)
	assert.True(t, fault.Is(err, fault.Invalid), "a bad cursor: %v", err)
}

// discard discards the letter of an event.
func discard(t *testing.T, s *deadletter.Store, eventID string) {
	t.Helper()
	l := event.DeadLetter{Topic: "orders", Event: event.Event{ID: eventID, Source: "/sidecart/orders"}}
	id := only(t, deadletter.New(sidecartest.NewState(), "payments"), l).ID
	require.NoError(t, s.Discard(t.Context(), id))
}

func TestADiscardedLetterIsGone(t *testing.T) {
	s := deadletter.New(sidecartest.NewState(), "payments")
	id := only(t, s, poison(t, "ord_1", 1)).ID
	require.NoError(t, s.Discard(t.Context(), id))
	assert.Empty(t, all(t, s))
	assert.True(t, fault.Is(s.Discard(t.Context(), id), fault.NotFound))
	again := only(t, s, poison(t, "ord_1", 2))
	assert.Equal(t, id, again.ID)
	assert.Equal(t, 1, again.Attempts, "a new story")
}

func TestALetterThatFailsAgainWhileItIsDiscardedIsDiscarded(t *testing.T) {
	state := sidecartest.NewState()
	s := deadletter.New(state, "payments")
	id := only(t, s, poison(t, "ord_1", 1)).ID
	state.Before = func(ctx context.Context, op sidecartest.Op, _ string) error {
		if op == sidecartest.OpDelete {
			state.Before = nil
			return s.Replay(ctx, id, replayed(errBusy))
		}
		return nil
	}
	require.NoError(t, s.Discard(t.Context(), id))
	assert.Empty(t, all(t, s), "the answer said that it is gone")
}
