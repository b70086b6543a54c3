package tracing

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// journey is the way of an order through the architecture, from the request to the mail: each span
// lies below the one before.
var journey = map[string][]step{
	"from the request by orders, payments and notifications to the mail": {
		{"gateway", "POST /api/v1/orders"},
		{"gateway's sidecar", "CallLocal/orders/"},
		{"orders", "POST /api/v1/orders"},
		{"orders", "send orders"},
		{"payments's sidecar", "pubsub/orders"},
		{"payments", "process orders"},
		{"payments", "drive payment"},
		{"payments", "send payments"},
		{"notifications's sidecar", "pubsub/payments"},
		{"notifications", "process payments"},
		{"notifications", "deliver email"},
		{"notifications", "dapr.proto.runtime.v1.Dapr/InvokeBinding"},
		{"notifications's sidecar", "/dapr.proto.runtime.v1.Dapr/InvokeBinding"},
	},
	"orders hears that it was paid": {
		{"payments", "send payments"},
		{"orders's sidecar", "pubsub/payments"},
		{"orders", "process payments"},
		{"orders", "dapr.proto.runtime.v1.Dapr/SaveState"},
		{"orders's sidecar", "/dapr.proto.runtime.v1.Dapr/SaveState"},
	},
	"the order is stored": {
		{"orders", "POST /api/v1/orders"},
		{"orders", "dapr.proto.runtime.v1.Dapr/SaveState"},
		{"orders's sidecar", "/dapr.proto.runtime.v1.Dapr/SaveState"},
	},
	"the event is published through the sidecar": {
		{"orders", "send orders"},
		{"orders", "dapr.proto.runtime.v1.Dapr/"},
		{"orders's sidecar", "/dapr.proto.runtime.v1.Dapr/"},
	},
	"the provider captures": {{"payments", "process orders"}, {"payments", "provider capture"}},
	"notifications asks users for the address": {
		{"notifications", "process payments"},
		{"notifications's sidecar", "CallLocal/users/"},
		{"users", "POST /internal/contacts"},
	},
}

func (w *world) orderIsTraced(t *testing.T) {
	customer, trace := w.NewCustomer(t), newTrace()
	order := customer.Place(t, w.product, "tok_visa", traced(trace))
	customer.AwaitStatus(t, order.ID, "paid")
	mail := w.AwaitMail(t, customer.Email, isReceipt)
	w.awaitJourneys(t, trace, journey)

	assert.Contains(t, w.header(t, mail.ID, "Traceparent"), trace,
		"the mail names the trace that it was sent in")
	named := w.of(trace).where(func(s *span) bool {
		return attribute(s.GetAttributes(), "sidecart.resource.id") == order.ID
	})
	assert.NotEmpty(t, named, "a trace is found by its order")
}

// ordersKeepApart places many orders at once, so that calls for several are made together, and
// finds each in the trace of its own request up to the mail, with nothing that is about another.
func (w *world) ordersKeepApart(t *testing.T) {
	customer := w.NewCustomer(t)
	orders := make([]harness.Order, 24)
	traces := make([]string, len(orders))
	var all sync.WaitGroup
	for i := range orders {
		traces[i] = newTrace()
		all.Go(func() { orders[i] = customer.Place(t, w.product, "tok_visa", traced(traces[i])) })
	}
	all.Wait()
	for i, trace := range traces {
		w.awaitJourneys(t, trace, map[string][]step{"up to the mail": {
			{"orders", "send orders"},
			{"payments", "process orders"},
			{"payments", "send payments"},
			{"notifications", "process payments"},
			{"notifications", "deliver email"},
		}})
		for _, s := range w.of(trace) {
			about := attribute(s.GetAttributes(), "sidecart.resource.id")
			if strings.HasPrefix(about, "ord_") {
				assert.Equal(t, orders[i].ID, about, "%s of %s is about another order", s.GetName(), s.who())
			}
		}
	}
}

func (w *world) resumedWorkLeadsBack(t *testing.T) {
	customer, trace := w.NewCustomer(t), newTrace()
	order := customer.Place(t, w.product, "tok_slow", traced(trace))
	harness.Eventually(
		t,
		func(ctx context.Context) error { // the payment has been taken on, and waits for its provider
			answer, err := w.API.Do(
				ctx,
				http.MethodGet,
				"/api/v1/payments?order_id="+order.ID,
				nil,
				harness.Token(customer.AccessToken),
			)
			if err == nil && !strings.Contains(string(answer.Body), `"pending"`) {
				err = fmt.Errorf("the payments are %s", answer.Body)
			}
			return err
		},
	)
	require.NoError(t, w.system.KillApp("payments"))
	customer.AwaitStatus(t, order.ID, "paid")
	w.AwaitMail(t, customer.Email, isReceipt)

	resumed := ""
	harness.Eventually(t, func(context.Context) error {
		for _, s := range w.all() {
			if s.who() == "payments" && s.GetName() == "drive payment" && s.trace != trace &&
				leadsTo(s, trace) {
				resumed = s.trace
				return nil
			}
		}
		return fmt.Errorf("nobody has driven the payment of trace %s again", trace)
	})
	w.awaitJourneys(t, resumed, map[string][]step{
		"it is charged and told from there": {
			{"payments", "drive payment"},
			{"payments", "send payments"},
			{"notifications's sidecar", "pubsub/payments"},
			{"notifications", "process payments"},
			{"notifications", "deliver email"},
			{"notifications's sidecar", "/dapr.proto.runtime.v1.Dapr/InvokeBinding"},
		},
	})
}

// awaitJourneys waits until a trace has all spans of each journey. Spans come in batches, some
// after the work is long done.
func (w *world) awaitJourneys(t *testing.T, trace string, journeys map[string][]step) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	for name, steps := range journeys {
		if !w.awaitSteps(ctx, trace, steps) {
			reached := w.of(trace).path(steps)
			require.Fail(
				t,
				"the trace is not complete",
				"%s: there is nothing below %v for %v in trace %s:\n%s",
				name,
				steps[:reached],
				steps[reached],
				trace,
				w.of(trace),
			)
		}
	}
}

func leadsTo(s *span, trace string) bool {
	for _, link := range s.GetLinks() {
		if hex.EncodeToString(link.GetTraceId()) == trace {
			return true
		}
	}
	return false
}

// newTrace returns a trace id that no other request has.
func newTrace() string { return fmt.Sprintf("%016x%016x", rand.Uint64()|1, rand.Uint64()) } //nolint:gosec // an id

// traced sends a request in a trace.
func traced(trace string) harness.Option {
	return harness.Header("traceparent", "00-"+trace+"-00f067aa0ba902b7-00")
}

// header reads a header of a mail.
func (w *world) header(t *testing.T, id, name string) string {
	t.Helper()
	var headers http.Header
	inbox := harness.NewAPI(w.Inbox.Base, nil)
	harness.Must(
		t,
		inbox,
		http.StatusOK,
		http.MethodGet,
		"/api/v1/message/"+url.PathEscape(id)+"/headers",
		nil,
		&headers,
	)
	return headers.Get(name)
}
