package daprclient_test

import (
	"bytes"
	"context"
	"path"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/sidecar"
)

// What is only glanced at is not asked for again, unless somebody whose read shares the call wants
// to be sure of it.
func TestAGlanceBelievesWhatTheFirstAnswerLacks(t *testing.T) {
	g := newGate()
	var again atomic.Int64
	client := dial(t, func(method string, request []byte) []byte {
		g.pass(method)
		if path.Base(method) != "GetBulkState" && !bytes.Contains(request, []byte("first")) {
			again.Add(1)
		}
		return nil
	})
	state := client.State("store")
	g.together(3, func(n int) {
		ctx, keys := t.Context(), []string{"sure", "both"}
		switch n {
		case 0:
			keys = []string{"first"}
		case 1:
			ctx, keys = sidecar.Glance(ctx), []string{"glanced", "both"}
		}
		items, err := state.BulkGet(ctx, keys)
		assert.NoError(t, err)
		assert.Empty(t, items)
	})
	assert.Equal(t, int64(2), again.Load(),
		"calls for single keys: of those that somebody wants to be sure of")
	again.Store(0)
	glance := sidecar.Glance(context.WithoutCancel(t.Context()))
	_, err := state.BulkGet(glance, []string{"glanced", "other"})
	require.NoError(t, err)
	assert.Zero(t, again.Load(), "calls for single keys")
}
