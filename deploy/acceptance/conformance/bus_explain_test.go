package conformance

import (
	"fmt"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sidecart.dev/kit/event"
)

// explain logs what is known about an event that a test waits for in vain: whether the streams have
// it, what the group has read of them and not acknowledged, and which attempts at it the apps have
// seen.
func (b *bus) explain(t *testing.T, e event.Event, group string, streams ...string) {
	t.Helper()
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	ctx := t.Context()
	for _, stream := range streams {
		messages, err := b.client.XRange(ctx, stream, "-", "+").Result()
		say("%s has %d messages (%v); of this event:", stream, len(messages), err)
		for _, m := range messages {
			if strings.Contains(fmt.Sprint(m.Values), e.ID) {
				say("  %s %v", m.ID, m.Values)
			}
		}
		pending, err := b.client.XPendingExt(ctx, &goredis.XPendingExtArgs{Stream: stream, Group: group, Start: "-", End: "+", Count: 100}).Result()
		say("  not acknowledged by %s: %+v (%v)", group, pending, err)
		groups, err := b.client.XInfoGroups(ctx, stream).Result()
		say("  groups: %+v (%v)", groups, err)
		consumers, err := b.client.XInfoConsumers(ctx, stream, group).Result()
		say("  consumers: %+v (%v)", consumers, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.deliveries {
		if d.event.ID == e.ID {
			say("%s attempt %d, dead letter: %v, at the app %s %p", d.at.UTC().Format("15:04:05.000000"), d.attempt, d.dead, d.to.app, d.to)
		}
	}
	t.Logf("%s, %d deliveries in all:\n%s", e.ID, len(b.deliveries), text.String())
}
