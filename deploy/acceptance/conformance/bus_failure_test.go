package conformance

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/event"
)

// failing tries each way in which an app can fail, one after the other: a sidecar that begins other
// calls to its app at the same moment may take a connection that breaks off for a success. The
// README says so.
func (b *bus) failing(t *testing.T) string {
	var failed []event.Event
	for _, respond := range []answer{fail, retry, breakOff} {
		e := b.publish(t, respond)
		b.deadLettered(t, e)
		failed = append(failed, e)
	}
	b.attemptsLater(t)
	for i, e := range failed {
		assert.Len(t, b.seen(e.ID, "payments", false), b.settings.attempts, "attempts at failure %d", i)
		letters := b.seen(e.ID, "payments", true)
		assert.Len(t, letters, 1, "dead letters of failure %d", i)
		assert.Equal(t, string(e.Data), string(letters[0].event.Data))
		assert.Empty(t, b.seen(e.ID, "notifications", true), "another group's failure")
	}
	return yes
}

// deadLettered waits for the dead letter of an event, for as long as a lost reader of it would
// delay it.
func (b *bus) deadLettered(t *testing.T, e event.Event) {
	t.Helper()
	defer func() {
		if t.Failed() {
			b.explain(t, e, "payments", "orders", "dead-letters-payments")
		}
	}()
	within(t, b.settings.redeliveredWithin()+patience, func(context.Context) error {
		if len(b.seen(e.ID, "payments", true)) == 0 {
			return fmt.Errorf("no dead letter of %s after %d attempts", e.ID, len(b.seen(e.ID, "payments", false)))
		}
		return nil
	})
}

func (b *bus) recovers(t *testing.T) string {
	last := b.settings.attempts
	e := b.publish(t, onlyUntil(last, fail))
	eventually(t, func(context.Context) error {
		if n := len(b.seen(e.ID, "payments", false)); n < last {
			return fmt.Errorf("%d attempts", n)
		}
		return nil
	})
	b.attemptsLater(t)
	assert.Len(t, b.seen(e.ID, "payments", false), last, "attempts after a success")
	assert.Empty(t, b.seen(e.ID, "payments", true), "dead letters of an event that succeeded in the end")
	return yes
}

// hangs has a handler that waits for the sidecar to give up, and then to try again.
func (b *bus) hangs(t *testing.T) string {
	gaveUp := make(chan time.Time, 1)
	e := b.publish(t, onlyUntil(2, func(w http.ResponseWriter, r *http.Request, d delivery) {
		hang(w, r, d)
		gaveUp <- time.Now()
	}))
	eventually(t, func(context.Context) error {
		if n := len(b.seen(e.ID, "payments", false)); n < 2 {
			return fmt.Errorf("%d attempts", n)
		}
		return nil
	})
	select {
	case at := <-gaveUp:
		attempts := b.seen(e.ID, "payments", false)
		took := at.Sub(attempts[0].at)
		t.Logf("given up after %s, tried again after %s", took, attempts[1].at.Sub(attempts[0].at))
		assert.Greater(t, took, b.settings.timeout/2, "given up long before its time") // which begins in the sidecar
		assert.Less(t, took, patience, "nothing but the end of the test's patience ended the handler")
	case <-time.After(patience):
		t.Error("the event is delivered again while the sidecar still waits for the first answer")
	}
	b.attemptsLater(t)
	assert.Len(t, b.seen(e.ID, "payments", false), 2, "attempts after a success")
	assert.Empty(t, b.seen(e.ID, "payments", true), "dead letters of an event that succeeded in the end")
	return yes
}

func (b *bus) dropped(t *testing.T) string {
	e := b.publish(t, drop)
	b.arrives(t, e.ID, "payments", false)
	b.attemptsLater(t)
	assert.Len(t, b.seen(e.ID, "payments", false), 1, "deliveries of a dropped event")
	return yes
}

func (b *bus) dropLetter(t *testing.T) string {
	e := b.publish(t, drop)
	b.arrives(t, e.ID, "payments", false)
	b.attemptsLater(t)
	letters := len(b.seen(e.ID, "payments", true))
	require.LessOrEqual(t, letters, 1)
	if letters == 0 {
		return "no"
	}
	return yes
}

// appGone has an app that ends every connection, while its sidecar lives. Its dead letters cannot
// reach it either.
func (b *bus) appGone(t *testing.T) string {
	b.notified.gone.Store(true)
	e := b.publish(t, nil)
	b.settled(t, "orders", "notifications")
	b.settled(t, "dead-letters-notifications", "notifications")
	require.Contains(t, b.contents(t, "dead-letters-notifications"), e.ID, "it was not dead-lettered")
	b.notified.gone.Store(false)
	b.arrives(t, b.publish(t, nil).ID, "notifications", false)
	b.attemptsLater(t)
	if len(b.seen(e.ID, "notifications", false))+len(b.seen(e.ID, "notifications", true)) == 0 {
		return "**lost**"
	}
	return "kept"
}

// settled waits until the group has read all of the stream and acknowledged it, what the killed
// sidecar of [bus.crash] had in hand included, which another one is given only after a while.
func (b *bus) settled(t *testing.T, stream, group string) {
	t.Helper()
	within(t, b.settings.redeliveredWithin()+patience, func(ctx context.Context) error {
		last, err := b.client.XRevRangeN(ctx, stream, "+", "-", 1).Result()
		if err != nil {
			return err
		}
		groups, err := b.client.XInfoGroups(ctx, stream).Result()
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Name == group && g.Pending == 0 && len(last) == 1 && g.LastDeliveredID == last[0].ID {
				return nil
			}
		}
		return fmt.Errorf("%s is not done with %s: %+v, last %v", group, stream, groups, last)
	})
}

func (b *bus) contents(t *testing.T, stream string) string {
	t.Helper()
	messages, err := b.client.XRange(t.Context(), stream, "-", "+").Result()
	require.NoError(t, err)
	return fmt.Sprint(messages)
}

// crash kills the sidecar of a member that is handling an event. What it returns waits until its
// group has the event again.
func (b *bus) crash(t *testing.T) (redelivered func(t *testing.T) string) {
	e := b.publish(t, onlyUntil(2, hang))
	b.arrives(t, e.ID, "payments", false)
	first := b.seen(e.ID, "payments", false)[0]
	first.to.killSidecar(t)
	return func(t *testing.T) string {
		limit := b.settings.redeliveredWithin()
		within(t, limit+patience, func(context.Context) error {
			if n := len(b.seen(e.ID, "payments", false)); n < 2 {
				return fmt.Errorf("%d deliveries", n)
			}
			return nil
		})
		took := b.seen(e.ID, "payments", false)[1].at.Sub(first.at)
		t.Logf("delivered again after %s; processingTimeout and redeliverInterval together are %s", took.Round(time.Second), limit)
		assert.Empty(t, b.seen(e.ID, "payments", true), "dead letters of an event that succeeded in the end")
		return yes
	}
}

// killSidecar returns when another process has taken the sidecar's place: until it is gone, it
// takes messages along.
func (m *member) killSidecar(t *testing.T) {
	t.Helper()
	before, err := m.stack.App(m.app)
	require.NoError(t, err)
	require.NoError(t, m.stack.KillSidecar(m.app))
	eventually(t, func(context.Context) error {
		now, err := m.stack.App(m.app)
		if err == nil && (now.SidecarPID == 0 || now.SidecarPID == before.SidecarPID) {
			err = fmt.Errorf("the sidecar's process is %d, it was %d", now.SidecarPID, before.SidecarPID)
		}
		return err
	})
}

// once runs last, when everything that was not acknowledged has been delivered again.
func (b *bus) once(t *testing.T) string {
	require.NotEmpty(t, b.finished)
	for _, id := range b.finished {
		assert.Len(t, b.seen(id, "payments", false), 1, "deliveries of %s to payments", id)
		assert.Len(t, b.seen(id, "notifications", false), 1, "deliveries of %s to notifications", id)
	}
	return yes
}
