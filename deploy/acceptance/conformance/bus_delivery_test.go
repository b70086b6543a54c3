package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/event"
)

const yes = "yes"

// offline publishes between two lives of the only member of a group.
func (b *bus) offline(t *testing.T) string {
	t.Run("first life", func(t *testing.T) { // its end ends the member
		b.join(t, "notifications")
		b.arrives(t, b.publish(t, nil).ID, "notifications", false)
	})
	missed := make([]event.Event, 20)
	for i := range missed {
		missed[i] = b.publish(t, nil)
		b.arrives(t, missed[i].ID, "payments", false)
		require.Empty(t, b.seen(missed[i].ID, "notifications", false), "nobody should listen")
	}
	b.notified = b.join(b.column, "notifications")
	for _, e := range missed {
		b.arrives(t, e.ID, "notifications", false)
	}
	return yes
}

// emptied loses what was in flight; the journals of the services publish that again.
func (b *bus) emptied(t *testing.T) string {
	require.NoError(t, b.client.FlushAll(t.Context()).Err())
	b.reachesAll(t)
	return yes
}

func (b *bus) stopped(t *testing.T) string {
	require.NoError(t, b.stop(t.Context()))
	require.Error(t, event.Publish(t.Context(), b.orders, "orders", newEvent(t)), "nothing is accepted while the bus is down")
	require.NoError(t, b.start(t.Context()))
	b.reachesAll(t)
	return yes
}

// reachesAll publishes an event as soon as the bus takes one, and waits until every group has it.
func (b *bus) reachesAll(t *testing.T) {
	t.Helper()
	e := newEvent(t)
	eventually(t, func(ctx context.Context) error { return event.Publish(ctx, b.orders, "orders", e) })
	b.arrives(t, e.ID, "payments", false)
	b.arrives(t, e.ID, "notifications", false)
}

func (b *bus) delivered(t *testing.T) string {
	published := make([]event.Event, 50)
	for i := range published {
		published[i] = b.publish(t, nil)
		b.finished = append(b.finished, published[i].ID)
	}
	for _, e := range published {
		b.arrives(t, e.ID, "notifications", false)
		got := b.seen(e.ID, "notifications", false)[0].event
		assert.Equal(t, string(e.Data), string(got.Data))
		got.Data = e.Data
		got.TraceParent, got.TraceID = e.TraceParent, e.TraceID // they are a row of their own
		assert.Equal(t, e, got)
	}
	return yes
}

func (b *bus) traceparent(t *testing.T) string {
	e := b.publish(t, nil)
	b.arrives(t, e.ID, "notifications", false)
	got := b.seen(e.ID, "notifications", false)[0]
	t.Logf("published %s, in the event %s, in the header %s", e.TraceParent, got.event.TraceParent, got.header.Get("Traceparent"))
	inTrace := func(traceparent string) bool {
		want, have := strings.Split(e.TraceParent, "-"), strings.Split(traceparent, "-")
		return len(have) == 4 && have[1] == want[1] && have[3] == want[3]
	}
	assert.True(t, inTrace(got.header.Get("Traceparent")), "the delivery is not in the trace of the publisher")
	switch {
	case got.event.TraceParent == e.TraceParent:
		return "unchanged"
	case inTrace(got.event.TraceParent):
		return "same trace, span of the sidecar"
	}
	return "**lost**"
}

func (b *bus) broadcast(t *testing.T) string {
	for range 20 {
		e := b.publish(t, nil)
		b.arrives(t, e.ID, "payments", false)
		b.arrives(t, e.ID, "notifications", false)
		b.finished = append(b.finished, e.ID)
	}
	return yes
}

// shared publishes until both members of a group have had something, and then looks for what both
// have had.
func (b *bus) shared(t *testing.T) string {
	had := map[*member]int{}
	eventually(t, func(context.Context) error {
		e := b.publish(t, nil)
		b.arrives(t, e.ID, "payments", false)
		b.finished = append(b.finished, e.ID)
		had[b.seen(e.ID, "payments", false)[0].to]++
		if len(had) < len(b.payments) {
			return errors.New("one member has had every event")
		}
		return nil
	})
	b.attemptsLater(t)
	for _, id := range b.finished {
		assert.Len(t, b.seen(id, "payments", false), 1, "deliveries of %s to the group", id)
	}
	return yes
}

// traceFields puts messages on the bus as no sidecar would, past all of them: whoever may write to
// the bus may do so. Every member's sidecar must go on, in the same process.
func (b *bus) traceFields(t *testing.T) string {
	members := append([]*member{b.notified}, b.payments...)
	processes := func() (ids []int) {
		for _, m := range members {
			info, err := m.stack.App(m.app)
			require.NoError(t, err)
			require.NotZero(t, info.SidecarPID)
			ids = append(ids, info.SidecarPID)
		}
		return ids
	}
	before := processes()
	for _, field := range []string{"traceid", "traceparent", "tracestate"} {
		for _, value := range []any{12345, 1.5, true, nil, []any{"a"}, map[string]any{"a": 1}} {
			message := map[string]any{}
			raw, err := newEvent(t).Encode()
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(raw, &message))
			message[field] = value
			raw, err = json.Marshal(message)
			require.NoError(t, err)
			require.NoError(t, b.client.XAdd(t.Context(), &goredis.XAddArgs{Stream: "orders", Values: map[string]any{"data": raw}}).Err())
		}
	}
	for range 4 * len(b.payments) { // so that each member has most likely got some of both
		b.reachesAll(t)
	}
	for _, group := range []string{"payments", "notifications"} {
		b.settled(t, "orders", group)
	}
	assert.Equal(t, before, processes(), "sidecars that ended")
	return yes
}
