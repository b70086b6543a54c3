package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

type deadLetter struct {
	ID, Service, Topic, Reason string
	EventID                    string `json:"event_id"`
	Attempts                   int
}

// TestPoisonIsKeptForOperators puts a message that no schema allows onto the bus, as a defective
// publisher would.
func TestPoisonIsKeptForOperators(t *testing.T) {
	if own == nil {
		t.Skip("needs the bus of a stack this suite started")
	}
	inContract(t)
	operator := world.LogIn(t, world.Operator)
	eventID := publishPoison(t)

	letter := awaitLetter(t, operator, eventID, func(l deadLetter) bool { return l.Service == "payments" })
	assert.Equal(t, "orders", letter.Topic)
	assert.NotEmpty(t, letter.Reason)

	path := "/api/v1/admin/dead-letters/" + letter.ID
	operator.Must(t, http.StatusOK, http.MethodGet, path, nil, nil)
	operator.Must(t, http.StatusAccepted, http.MethodPost, path+"/replay", nil, nil)
	again := awaitLetter(t, operator, eventID, func(l deadLetter) bool { return l.ID == letter.ID && l.Attempts > letter.Attempts })
	assert.Equal(t, letter.ID, again.ID, "poison stays poison, with one attempt more")
	operator.Must(t, http.StatusNoContent, http.MethodDelete, path, nil, nil)
	operator.Must(t, http.StatusNotFound, http.MethodGet, path, nil, nil)
	world.NewCustomer(t).Must(t, http.StatusForbidden, http.MethodGet, "/api/v1/admin/dead-letters", nil, nil)
}

func publishPoison(t *testing.T) string {
	t.Helper()
	id := uuid.NewString()
	raw, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "source": "/sidecart/orders", "type": "order.placed.v1", "subject": "ord_poison",
		"time": time.Now().UTC(), "datacontenttype": "application/json", "data": map[string]any{"order_id": 42},
	})
	require.NoError(t, err)
	client, err := own.BusClient()
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: map[string]any{"data": raw}}).Err())
	return id
}

func awaitLetter(t *testing.T, operator *harness.Customer, eventID string, match func(deadLetter) bool) deadLetter {
	t.Helper()
	var found deadLetter
	harness.Eventually(t, func(ctx context.Context) error {
		answer, err := world.API.Do(ctx, http.MethodGet, "/api/v1/admin/dead-letters?limit=100&service=payments", nil, harness.Token(operator.AccessToken))
		if err != nil {
			return err
		}
		var page harness.List[deadLetter]
		if err := answer.Into(&page); err != nil {
			return err
		}
		for _, l := range page.Items {
			if l.EventID == eventID && match(l) {
				found = l
				return nil
			}
		}
		return fmt.Errorf("no such dead letter among %d", len(page.Items))
	})
	return found
}
