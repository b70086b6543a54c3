package conformance

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/local/stack"
)

// bus is a bus with sidecars around it, which load the real component, subscriptions and
// resiliency. The apps have the ids and topics that those files know: orders publishes, two members
// of payments and one of notifications listen.
type bus struct {
	*runningBus
	column    *testing.T
	settings  busSettings
	resources []string
	orders    sidecar.Publisher
	payments  []*member
	notified  *member

	mu         sync.Mutex
	deliveries []delivery
	answers    map[string]answer // by event id; nothing means success
	finished   []string          // ids of events that every group has acknowledged
}

// member is an app with its sidecar, which is one consumer of its group.
type member struct {
	app   string
	stack *stack.Stack
	gone  atomic.Bool // connections to the app end without an answer
}

// delivery is one attempt to deliver an event.
type delivery struct {
	to      *member
	event   event.Event
	dead    bool // as a dead letter
	header  http.Header
	at      time.Time
	attempt int // of that group, from 1
}

// answer is what an app does with a delivery.
type answer func(w http.ResponseWriter, r *http.Request, d delivery)

func newBus(t *testing.T, s busServer) *bus {
	otel.SetTextMapPropagator(propagation.TraceContext{}) // as the services do
	b := &bus{runningBus: s.open(t), column: t, answers: map[string]answer{}}
	b.settings, b.resources = busResources(t, s.set, b.addr)
	publisher := sidecarWith(t, b.resources, b.options(), map[string]int{"orders": 0})
	b.orders = client(t, publisher, "orders").Bus("bus")
	for range 2 {
		b.payments = append(b.payments, b.join(t, "payments"))
	}
	return b
}

func (b *bus) options() stack.Options {
	return stack.Options{FreePorts: true, Env: b.env}
}

// join starts an app and its sidecar.
func (b *bus) join(t *testing.T, app string) *member {
	t.Helper()
	m := &member{app: app}
	server := httptest.NewServer(b.serve(m))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	port, err := strconv.Atoi(at.Port())
	require.NoError(t, err)
	m.stack = sidecarWith(t, b.resources, b.options(), map[string]int{app: port})
	return m
}

// serve is the app's end of a subscription: it notes every delivery and gives the answer that the
// test wants.
func (b *bus) serve(m *member) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		if m.gone.Load() {
			panic(http.ErrAbortHandler)
		}
		raw, err := readAll(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		e, err := event.Parse(raw)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d, respond := b.note(delivery{to: m, event: e, dead: r.URL.Path == "/dead-letters", header: r.Header, at: time.Now()})
		if respond != nil && !d.dead {
			respond(w, r, d)
		}
	})
}

func (b *bus) note(d delivery) (delivery, answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.attempt = 1
	for _, other := range b.deliveries {
		if other.event.ID == d.event.ID && other.to.app == d.to.app && other.dead == d.dead {
			d.attempt++
		}
	}
	b.deliveries = append(b.deliveries, d)
	return d, b.answers[d.event.ID]
}

// seen returns the deliveries of an event to a group, in order.
func (b *bus) seen(id, app string, dead bool) []delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []delivery
	for _, d := range b.deliveries {
		if d.event.ID == id && d.to.app == app && d.dead == dead {
			all = append(all, d)
		}
	}
	return all
}

func newEvent(t *testing.T) event.Event {
	t.Helper()
	e, err := event.New("orders", "order.placed.v1", "ord_"+unique(), 1, time.Now().Truncate(time.Microsecond), map[string]any{"total": 12345678901234567, "name": "Zoë ☕"})
	require.NoError(t, err)
	return e
}

// publish publishes a new event, which payments answers as given and every other group
// acknowledges.
func (b *bus) publish(t *testing.T, respond answer) event.Event {
	t.Helper()
	e := newEvent(t)
	if respond != nil {
		b.answer(e.ID, "payments", respond)
	}
	e.TraceParent = b.tell(t, e)
	return e
}

// answer gives the answer of one group to an event.
func (b *bus) answer(id, app string, respond answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answers[id] = func(w http.ResponseWriter, r *http.Request, d delivery) {
		if d.to.app == app {
			respond(w, r, d)
		}
	}
}

// tell publishes an event in a trace of its own, as a service does, and returns its traceparent.
func (b *bus) tell(t *testing.T, e event.Event) string {
	t.Helper()
	ctx, traceparent := traced(t.Context())
	require.NoError(t, event.Publish(ctx, b.orders, "orders", e))
	return traceparent
}

func traced(ctx context.Context) (_ context.Context, traceparent string) {
	id := unique()
	var traceID trace.TraceID
	var spanID trace.SpanID
	copy(traceID[:], id)
	copy(spanID[:], id[9:])
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
	ctx = trace.ContextWithSpanContext(ctx, span)
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return ctx, carrier["traceparent"]
}

// arrives waits until the group has the event, or has it as a dead letter.
func (b *bus) arrives(t *testing.T, id, app string, dead bool) {
	t.Helper()
	eventually(t, func(context.Context) error {
		if len(b.seen(id, app, dead)) == 0 {
			return fmt.Errorf("%s (dead letter: %v) has not arrived at %s", id, dead, app)
		}
		return nil
	})
}

// attemptsLater returns once as much time as all attempts at an event take has passed since the
// call: an event that fails was published, tried and dead-lettered.
func (b *bus) attemptsLater(t *testing.T) {
	t.Helper()
	e := b.publish(t, fail)
	b.arrives(t, e.ID, "payments", true)
}

func fail(w http.ResponseWriter, _ *http.Request, _ delivery) {
	w.WriteHeader(http.StatusInternalServerError)
}

func drop(w http.ResponseWriter, _ *http.Request, _ delivery) {
	status(w, "DROP")
}

func retry(w http.ResponseWriter, _ *http.Request, _ delivery) {
	status(w, "RETRY")
}

// breakOff ends the connection without an answer, as an app does that dies.
func breakOff(http.ResponseWriter, *http.Request, delivery) { panic(http.ErrAbortHandler) }

// onlyUntil answers the attempts before the given one, which and whose successors succeed.
func onlyUntil(attempt int, respond answer) answer {
	return func(w http.ResponseWriter, r *http.Request, d delivery) {
		if d.attempt < attempt {
			respond(w, r, d)
		}
	}
}

func status(w http.ResponseWriter, word string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":%q}`, word)
}

// hang waits until the sidecar gives up or is gone.
func hang(_ http.ResponseWriter, r *http.Request, _ delivery) {
	select {
	case <-r.Context().Done():
	case <-time.After(patience): // only if the test fails
	}
}
