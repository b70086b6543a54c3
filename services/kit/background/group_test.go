package background_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/background"
)

func TestNoMoreRunsThanIsAllowed(t *testing.T) {
	g := background.NewGroup(2)
	release := make(chan struct{})
	hold := func(context.Context) { <-release }
	assert.True(t, g.Go(t.Context(), hold))
	assert.True(t, g.Go(t.Context(), hold))
	assert.False(t, g.Go(t.Context(), hold))
	close(release)
	g.Drain(t.Context())
	assert.True(t, g.Go(t.Context(), hold), "there is room again")
	g.Drain(t.Context())
}

func TestDrainReturnsWhenNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := background.NewGroup(8)
		release := make(chan struct{})
		g.Go(t.Context(), func(context.Context) { <-release })
		drained := make(chan struct{})
		for range 2 {
			go func() { g.Drain(t.Context()); drained <- struct{}{} }()
		}
		synctest.Wait()
		select {
		case <-drained:
			t.Fatal("drained while work ran")
		default:
		}
		close(release)
		<-drained
		<-drained
	})
}

func TestDrainReturnsWhenItsContextEnds(t *testing.T) {
	g := background.NewGroup(1)
	release := make(chan struct{})
	g.Go(t.Context(), func(context.Context) { <-release })
	ended, end := context.WithCancel(t.Context())
	end()
	g.Drain(ended)
	close(release)
	g.Drain(t.Context())
}

func TestWorkOutlivesTheRequestAndAPanicEndsNothingElse(t *testing.T) {
	g := background.NewGroup(2)
	type key struct{}
	request, end := context.WithCancel(context.WithValue(t.Context(), key{}, "trace"))
	end()
	g.Go(request, func(ctx context.Context) {
		assert.NoError(t, ctx.Err())
		assert.Equal(t, "trace", ctx.Value(key{}))
		panic("in the background")
	})
	g.Drain(t.Context())
	assert.True(t, g.Go(t.Context(), func(context.Context) {}), "a panic gives its place back")
	g.Drain(t.Context())
}

// A service is drained while its handlers still start work: this is what a WaitGroup forbids, and
// what the race detector finds in one.
func TestWorkMayBeStartedWhileSomebodyWaits(t *testing.T) {
	g := background.NewGroup(1000)
	var started sync.WaitGroup
	for range 8 {
		started.Go(func() {
			for range 100 {
				g.Go(t.Context(), func(context.Context) {})
			}
		})
		started.Go(func() { g.Drain(t.Context()) })
	}
	started.Wait()
	g.Drain(t.Context())
}

func TestWhatThereIsNoRoomForIsDoneByTheCaller(t *testing.T) {
	g := background.NewGroup(1)
	release := make(chan struct{})
	assert.True(t, g.Go(t.Context(), func(context.Context) { <-release }))
	request, end := context.WithCancel(t.Context())
	end()
	done := false
	g.Do(request, func(ctx context.Context) {
		assert.NoError(t, ctx.Err(), "it goes on when the request has ended")
		done = true
		panic("in the caller")
	})
	assert.True(t, done, "Do has returned before the work was done")
	close(release)
	g.Drain(t.Context())
}
