package event_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

type registrar map[string]event.Handler

func (r registrar) On(topic, eventType string, h event.Handler) { r[topic+" "+eventType] = h }

func TestAHandlerIsGivenDataInItsTypeOrNotCalled(t *testing.T) {
	type placed struct {
		OrderID string `json:"order_id"`
	}
	handlers, got := registrar{}, []string(nil)
	event.On(handlers, "orders", "order.placed.v1", func(_ context.Context, e event.Event, p placed) error {
		got = append(got, e.ID+" "+p.OrderID)
		return nil
	})
	h := handlers["orders order.placed.v1"]
	require.NotNil(t, h)
	e, err := event.New("orders", "order.placed.v1", "ord_1", 1, time.Now(), map[string]any{"order_id": "ord_1", "unknown": true})
	require.NoError(t, err)
	require.NoError(t, h(t.Context(), e))
	e.Data = json.RawMessage(`{"order_id": 7}`)
	err = h(t.Context(), e)
	assert.True(t, fault.Is(err, fault.Invalid), "got %v", err)
	assert.Equal(t, []string{"ord_1:1:order.placed.v1 ord_1"}, got)
}
