package peers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/peers"
	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestAnyNumberOfEventsIsAskedAboutInCallsThatAreNotTooLarge(t *testing.T) {
	var calls atomic.Int64
	caller := &sidecartest.Caller{Handle: func(_ context.Context, app, method, path string, in []byte) (any, error) {
		calls.Add(1)
		assert.Equal(t, "notifications POST /internal/notifications/accepted", app+" "+method+" "+path)
		var asked struct {
			EventIDs []string `json:"event_ids"`
		}
		require.NoError(t, json.Unmarshal(in, &asked))
		assert.LessOrEqual(t, len(asked.EventIDs), 500)
		if asked.EventIDs[0] == "event 500" {
			return nil, fault.New(fault.Unavailable, "unavailable", "no answer")
		}
		return map[string]any{"accepted": asked.EventIDs[1:]}, nil
	}}
	var ids []string
	for n := range 1203 {
		ids = append(ids, fmt.Sprint("event ", n))
	}
	accepted, err := peers.Accepted(t.Context(), caller, ids)
	assert.True(t, fault.Is(err, fault.Unavailable), "one of the calls failed: %v", err)
	assert.Equal(t, int64(3), calls.Load())
	assert.Len(t, accepted, 499+202)
	accepted, err = peers.Accepted(t.Context(), caller, nil)
	assert.NoError(t, err)
	assert.Empty(t, accepted)
	assert.Equal(t, int64(3), calls.Load(), "nothing is asked about nothing")
}
