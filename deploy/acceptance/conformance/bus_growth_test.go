package conformance

import (
	"context"
	"fmt"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/event"
)

// unread is a topic that orders may publish to and that no sidecar reads here.
const unread = "dead-letters-orders"

// node is how many messages Redis keeps together, and trims together where the limit is
// approximate.
const node = 100

// bounded has a stream outgrow the limit and then publishes: each message takes away more than it
// adds.
func (b *bus) bounded(t *testing.T) string {
	limit := b.settings.maxLen
	b.overfill(t, limit+limit/8)
	eventually(t, func(ctx context.Context) error {
		if err := event.Publish(ctx, b.orders, unread, newEvent(t)); err != nil {
			return err
		}
		n, err := b.client.XLen(ctx, unread).Result()
		if err == nil && n > limit+node {
			err = fmt.Errorf("%d messages, the limit is %d", n, limit)
		}
		return err
	})
	n, err := b.client.XLen(t.Context(), unread).Result()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, n, limit, "more was trimmed than the limit asks for")
	return yes
}

// overfill makes a group that reads nothing, and fills the stream past what the component would
// have it keep.
func (b *bus) overfill(t *testing.T, n int64) {
	t.Helper()
	require.NoError(t, b.client.XGroupCreateMkStream(t.Context(), unread, "slow", "0").Err())
	const batch = 5000
	for done := int64(0); done < n; done += batch {
		_, err := b.client.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
			for i := range min(batch, n-done) {
				p.XAdd(t.Context(), &goredis.XAddArgs{Stream: unread, Values: map[string]any{"n": done + i}})
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// slow reads what bounded has left for a group that had read nothing.
func (b *bus) slow(t *testing.T) string {
	read, err := b.client.XReadGroup(t.Context(), &goredis.XReadGroupArgs{
		Group: "slow", Consumer: "slow", Streams: []string{unread, ">"}, Count: 1,
	}).Result()
	require.NoError(t, err)
	require.NoError(t, b.client.Del(t.Context(), unread).Err())
	if first := read[0].Messages[0].Values["n"]; first != "0" {
		t.Logf("the first message to be read is number %v", first)
		return "**lost**"
	}
	return "kept"
}
