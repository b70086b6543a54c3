package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	components "github.com/dapr/dapr/pkg/apis/components/v1alpha1"
	subscriptions "github.com/dapr/dapr/pkg/apis/subscriptions/v2alpha1"
	runtimepb "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// owners are the apps that use each component. No other app's sidecar may load it.
var owners = map[string][]string{
	"users-store":         {"users"},
	"orders-store":        {"orders"},
	"payments-store":      {"payments"},
	"notifications-store": {"notifications"},
	"email":               {"notifications"},
	"sms":                 {"notifications"},
	"secrets":             {"notifications", "orders", "payments", "users"},
	"bus":                 {"notifications", "orders", "payments", "users"},
}

// publishers and consumers are the apps that publish to each topic and that listen to it. The
// dead letters of an app are published by its own sidecar.
var (
	publishers = map[string][]string{
		"orders":                     {"orders"},
		"payments":                   {"payments"},
		"users":                      {"users"},
		"dead-letters-orders":        {"orders"},
		"dead-letters-payments":      {"payments"},
		"dead-letters-notifications": {"notifications"},
		"made-up":                    {},
	}
	consumers = map[string][]string{
		"orders":                     {"notifications", "payments"},
		"payments":                   {"notifications", "orders"},
		"users":                      {"notifications", "orders", "payments"},
		"dead-letters-orders":        {"orders"},
		"dead-letters-payments":      {"payments"},
		"dead-letters-notifications": {"notifications"},
		"made-up":                    {},
	}
)

// everyComponent lets every app use every store, and looks which components its sidecar has.
func everyComponent(t *testing.T, m *mesh, of map[string]*app) {
	rows := [][]string{append([]string{"component"}, apps...)}
	for _, o := range m.objects {
		c, is := o.typed.(*components.Component)
		if !is {
			continue
		}
		require.Contains(t, owners, o.name, "a component whose owners this test does not know")
		row := []string{o.name}
		for _, id := range apps {
			may := slices.Contains(owners[o.name], id)
			assert.Equal(t, may, loaded(t, of[id], o.name), "%s in the sidecar of %s", o.name, id)
			if strings.HasPrefix(c.Spec.Type, "state.") {
				of[id].usesStore(t, o.name, may)
			}
			row = append(row, yes(may, "yes"))
		}
		rows = append(rows, row)
	}
	assert.Len(t, rows, len(owners)+1, "components that are not there")
	t.Logf("who has which component:\n%s", table(rows))
}

// usesStore writes to a store and reads from it, which the app's sidecar does or refuses.
func (a *app) usesStore(t *testing.T, store string, may bool) {
	t.Helper()
	const entry = `[{"key": "k", "value": 1}]`
	status, _, text := a.ask(t, http.MethodPost, "/v1.0/state/"+store, nil, entry)
	assert.Equal(t, may, status == http.StatusNoContent, "%s writes %s: %s", a.id, store, text)
	status, _, text = a.ask(t, http.MethodGet, "/v1.0/state/"+store+"/k", nil, "")
	assert.Equal(t, may, status == http.StatusOK, "%s reads %s: %s", a.id, store, text)
}

// yes is the word where something may be.
func yes(may bool, word string) string {
	if may {
		return word
	}
	return ""
}

// loaded tells whether the app's sidecar has the component.
func loaded(t *testing.T, a *app, component string) bool {
	t.Helper()
	status, _, text := a.ask(t, http.MethodGet, "/v1.0/metadata", nil, "")
	require.Equal(t, http.StatusOK, status)
	var metadata struct{ Components []struct{ Name string } }
	require.NoError(t, json.Unmarshal([]byte(text), &metadata))
	for _, c := range metadata.Components {
		if c.Name == component {
			return true
		}
	}
	return false
}

// everyTopic lets every app publish to every topic, and then listen to it.
func everyTopic(t *testing.T, m *mesh, of map[string]*app) {
	topics := slices.Sorted(maps.Keys(publishers))
	for _, topic := range topics {
		for _, id := range apps {
			header := map[string]string{"content-type": "application/json"}
			path := "/v1.0/publish/bus/" + topic
			status, _, text := of[id].ask(t, http.MethodPost, path, header, "{}")
			may := slices.Contains(publishers[topic], id)
			assert.Equal(t, may, status == http.StatusNoContent, "%s to %s: %s", id, topic, text)
		}
	}
	// The subscriptions have it before streams of the same apps share their messages.
	everySubscription(t, m, of)
	rows := [][]string{append([]string{"topic"}, apps...)}
	for _, topic := range topics {
		row := []string{topic}
		for _, id := range apps {
			may := slices.Contains(consumers[topic], id)
			err := of[id].listen(t, topic)
			assert.Equal(t, may, err == nil, "%s listens to %s: %v", id, topic, err)
			cell := yes(slices.Contains(publishers[topic], id), "publishes ") + yes(may, "listens")
			row = append(row, strings.TrimSpace(cell))
		}
		rows = append(rows, row)
	}
	t.Logf("who publishes to and listens to which topic:\n%s", table(rows))
}

// everySubscription waits until what was published has come to the apps that the subscriptions
// name.
func everySubscription(t *testing.T, m *mesh, of map[string]*app) {
	listening := 0
	for _, o := range m.objects {
		s, is := o.typed.(*subscriptions.Subscription)
		if !is {
			continue
		}
		for _, id := range s.Scopes {
			listening++
			assert.Contains(t, consumers[s.Spec.Topic], id, o.name)
			come := func() bool { return of[id].events(s.Spec.Routes.Default) > 0 }
			require.Eventually(t, come, patience, tick, "nothing comes by %s", o.name)
		}
	}
	expected := 0
	for _, of := range consumers {
		expected += len(of)
	}
	assert.Equal(t, expected, listening, "apps that listen to a topic")
}

// listen asks the app's sidecar for the topic's events in a stream, and stops as soon as it has
// agreed or refused.
func (a *app) listen(t *testing.T, topic string) error {
	t.Helper()
	conn, err := grpc.NewClient(
		fmt.Sprintf("127.0.0.1:%d", a.sidecar.DaprGRPCPort),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	require.NoError(t, err)
	defer conn.Close()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	stream, err := runtimepb.NewDaprClient(conn).SubscribeTopicEventsAlpha1(ctx)
	require.NoError(t, err)
	initial := &runtimepb.SubscribeTopicEventsRequestInitialAlpha1{PubsubName: "bus", Topic: topic}
	request := new(runtimepb.SubscribeTopicEventsRequestAlpha1)
	first := &runtimepb.SubscribeTopicEventsRequestAlpha1_InitialRequest{InitialRequest: initial}
	request.SubscribeTopicEventsRequestType = first
	require.NoError(t, stream.Send(request))
	_, err = stream.Recv()
	return err
}
