package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/kit/list"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/local/stack"
)

// sow gives a customer copies of an order, written as services/orders would have written them:
// placing that many would take an hour.
func sow(b *testing.B, r *rig, model string, c *harness.Customer, n int) {
	b.Helper()
	app, err := r.stack.App("orders")
	require.NoError(b, err)
	client, err := daprclient.Dial(daprclient.Ports(strconv.Itoa(app.SidecarGRPCPort), strconv.Itoa(app.SidecarHTTPPort), app.SidecarToken))
	require.NoError(b, err)
	defer client.Close()
	state := client.State("orders-store")
	item, err := state.Get(b.Context(), "order/"+model)
	require.NoError(b, err)
	var order map[string]any
	require.NoError(b, json.Unmarshal(item.Value, &order))

	lists := list.New(list.Config{State: state})
	const batch = 512 // documents in one request, which must stay below the sidecar's limit of 1 MiB
	for from := 0; from < n; from += batch {
		var ids []string
		for i := from; i < min(from+batch, n); i++ {
			ids = append(ids, fmt.Sprintf("ord_seed%s%06d", c.User.ID[len(c.User.ID)-16:], i))
		}
		seqs, err := lists.AppendAll(b.Context(), "orders-of/"+c.User.ID, ids)
		require.NoError(b, err)
		documents := make([]any, len(ids))
		for i, id := range ids {
			order["id"], order["user_id"], order["seq"] = id, c.User.ID, seqs[i]
			raw, err := json.Marshal(order)
			require.NoError(b, err)
			documents[i] = map[string]any{"key": "order/" + id, "value": json.RawMessage(raw)}
		}
		saveAll(b, app, "orders-store", documents)
	}
}

// saveAll writes many keys in one call, which services never do.
func saveAll(b *testing.B, app stack.App, store string, documents []any) {
	b.Helper()
	body, err := json.Marshal(documents)
	require.NoError(b, err)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, app.SidecarURL+"/v1.0/state/"+store, bytes.NewReader(body))
	require.NoError(b, err)
	req.Header.Set("dapr-api-token", app.SidecarToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	require.Equal(b, http.StatusNoContent, resp.StatusCode)
}
