package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/kit/tracing/tracingtest"
)

// An event may be told for the first time by the settler, long after what caused it.
func TestAnEventWithATraceOfItsOwnStaysInIt(t *testing.T) {
	bus := &sidecartest.Bus{}
	e, err := event.New("users", "user.deleted.v1", "usr_1", 1, time.Now(), map[string]string{"user_id": "usr_1"})
	require.NoError(t, err)
	e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tracingtest.Record(t)
	require.NoError(t, event.Publish(t.Context(), bus, "users", e))
	told, err := event.Parse(bus.Take(0).Body)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(told.TraceParent, "00-0af7651916cd43dd8448eb211c80319c-"), "the trace is %s", told.TraceParent)
	assert.Equal(t, told.TraceParent, told.TraceID, "without it a sidecar puts its own call in the place of the trace")
}
