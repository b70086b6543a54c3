package consumer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/consumer"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

// Labels are bounded: anybody who can publish could otherwise fill the memory with names of types
// and topics.
func TestEventsAreCountedByTopicTypeAndOutcomeAndNothingElse(t *testing.T) {
	c, reg := consumer.New("payments", &letters{}), prometheus.NewRegistry()
	outcomes := []error{nil, fault.New(fault.Unavailable, "unavailable", "later"), fault.New(fault.Invalid, "invalid_event", "bad")}
	c.On("orders", "order.placed.v1", func(context.Context, event.Event) error {
		next := outcomes[0]
		outcomes = outcomes[1:]
		return next
	})
	c.Measure(reg)
	r := mux.NewRouter()
	c.Routes(r)
	post := func(path, body string) {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	}
	for range 3 {
		post("/events/orders", message(t))
	}
	post("/events/orders", strings.ReplaceAll(message(t), "order.placed.v1", "order.eaten.v9"))
	post("/dead-letters", `{"topic":"made-up","type":"x"}`)

	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
		# HELP sidecart_dead_letters_total Messages that were put among the dead letters, by topic.
		# TYPE sidecart_dead_letters_total counter
		sidecart_dead_letters_total{topic="orders"} 1
		sidecart_dead_letters_total{topic="unknown"} 1
	`), "sidecart_dead_letters_total"))
	families, err := reg.Gather()
	require.NoError(t, err)
	seen := map[string]uint64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if m.GetHistogram() != nil {
				seen[strings.Join(labels, " ")] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	assert.Equal(t, map[string]uint64{
		"ok orders order.placed.v1": 1, "retry orders order.placed.v1": 1, "dead orders order.placed.v1": 1, "orders": 3,
	}, seen)
}
