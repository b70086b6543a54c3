package tracing

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/otlp/common/v1"

	"sidecart.dev/acceptance/harness"
)

// What the test's customer is called, and types.
const (
	aName   = "Wilhelmina Unmistakable"
	aReason = "because grandmother said so"
	aCard   = "4111111111111111"
)

// nothingPersonalIsTraced has a customer do what a customer does, well and badly, and reads every
// span of this run.
func (w *world) nothingPersonalIsTraced(t *testing.T) {
	number := harness.NewNumber()
	customer := w.NewCustomer(
		t,
		func(form map[string]any) { form["phone"], form["name"] = number, aName },
	)
	customer.Must(t, http.StatusNoContent, http.MethodPost, "/api/v1/users/me/phone/confirm",
		map[string]string{"code": w.AwaitCode(t, number)}, nil)
	order := customer.Place(t, w.product, "tok_declined")
	customer.AwaitStatus(t, order.ID, "payment_failed")
	misused := newTrace()
	w.misuse(t, customer, number, misused)

	seen := newTrace()
	customer.Must(
		t,
		http.StatusOK,
		http.MethodGet,
		"/api/v1/orders/"+order.ID,
		nil,
		nil,
		traced(seen),
	)
	w.awaitJourneys(
		t,
		seen,
		map[string][]step{
			"the last request is there": {{"gateway", "GET /api/v1/orders"}, {"orders", "GET"}},
		},
	)

	found, keys, dropped := 0, map[string]bool{}, droppedByTheCollector(t)
	for _, s := range w.all() {
		for where, text := range s.texts() {
			if s.sidecar && s.trace == misused && (where == "name" || dropped[where]) {
				continue // a sidecar names the address it is called with, whatever was typed there
			}
			keys[where] = true
			found++
			assertClean(t, s, where, text, w.system.Secrets())
		}
	}
	require.NotZero(t, found)
	assert.Greater(t, len(keys), 20, "attributes are read: %v", keys)
}

// droppedByTheCollector are the attributes that never leave the collector of deploy/observability.
func droppedByTheCollector(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(root + "/deploy/observability/collector.yaml")
	require.NoError(t, err)
	deleted := regexp.MustCompile(`\{key: ([\w.]+), action: delete\}`)
	dropped := map[string]bool{}
	for _, action := range deleted.FindAllStringSubmatch(string(text), -1) {
		dropped[action[1]] = true
	}
	return dropped
}

// misuse sends what is personal to where it does not belong.
func (w *world) misuse(t *testing.T, customer *harness.Customer, number, trace string) {
	t.Helper()
	token := harness.Token(customer.AccessToken)
	for _, path := range []string{
		"/api/v1/orders/" + customer.Email, "/api/v1/orders/" + aCard,
		"/api/v1/payments?order_id=" + customer.Email,
		"/api/v1/payments?order_id=" + aCard,
		"/api/v1/orders?cursor=" + customer.Email, "/api/v1/products/" + aCard,
		"/api/v1/orders?status=" + strings.ReplaceAll(number, "+", "%2B"), "/" + customer.Email,
	} {
		_, err := w.API.Do(t.Context(), http.MethodGet, path, nil, token, traced(trace),
			harness.Header("tracestate", "name="+aCard))
		require.NoError(t, err)
	}
	for path, body := range map[string]any{
		"/api/v1/sessions":        map[string]string{"email": customer.Email, "password": "not " + harness.Password},
		"/api/v1/password-resets": map[string]string{"email": customer.Email},
		"/api/v1/users":           map[string]string{"email": customer.Email, "password": harness.Password, "name": aName},
	} {
		_, err := w.API.Do(t.Context(), http.MethodPost, path, body)
		require.NoError(t, err)
	}
	_, err := w.API.Do(t.Context(), http.MethodPost, "/api/v1/orders", map[string]any{
		"items": []harness.Item{{ProductID: w.product, Quantity: 1}}, "payment_method": aCard,
	}, token, harness.Key(uuid.NewString()))
	require.NoError(t, err)
	paid := customer.Place(
		t,
		w.product,
		"tok_visa",
		harness.Header("baggage", "email="+customer.Email),
	)
	_, err = w.API.Do(
		t.Context(),
		http.MethodPost,
		"/api/v1/orders/"+paid.ID+"/cancel",
		map[string]string{"reason": aReason},
		token,
	)
	require.NoError(t, err)
}

// texts are all words of a span, by where they stand.
func (s *span) texts() map[string]string {
	all := map[string]string{
		"name": s.GetName(), "status": s.GetStatus().GetMessage(),
		"tracestate": s.GetTraceState(), "scope": s.scope.GetName(),
	}
	add := func(prefix string, attributes []*common.KeyValue) {
		for _, a := range attributes {
			all[prefix+a.GetKey()] = a.GetValue().String()
		}
	}
	add("", s.GetAttributes())
	add("resource ", s.resource.GetAttributes())
	for i, event := range s.GetEvents() {
		all[fmt.Sprint("event ", i)] = event.GetName()
		add(fmt.Sprint("event ", i, " "), event.GetAttributes())
	}
	for i, link := range s.GetLinks() {
		all[fmt.Sprint("link ", i)] = link.GetTraceState()
		add(fmt.Sprint("link ", i, " "), link.GetAttributes())
	}
	return all
}

func assertClean(t *testing.T, s *span, where, text string, secrets []string) {
	t.Helper()
	what := harness.PersonalIn(text)
	for _, own := range append([]string{"Wilhelmina", "Unmistakable", "Ada Example", "grandmother"}, secrets...) {
		if strings.Contains(text, own) {
			what = "what only its owner may know"
		}
	}
	if what != "" {
		assert.Fail(
			t,
			"a span is not clean",
			"%s of %s, %s, has %s: %s",
			where,
			s.GetName(),
			s.who(),
			what,
			text,
		)
	}
}

func (w *world) problemsAndLogsNameTheTrace(t *testing.T) {
	customer, trace := w.NewCustomer(t), newTrace()
	var problem struct {
		TraceID string `json:"trace_id"`
	}
	customer.Must(
		t,
		http.StatusNotFound,
		http.MethodGet,
		"/api/v1/orders/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa",
		nil,
		&problem,
		traced(trace),
	)
	assert.Equal(t, trace, problem.TraceID)
	w.awaitJourneys(
		t,
		trace,
		map[string][]step{"the request": {{"gateway", "GET /api/v1/orders"}, {"orders", "GET"}}},
	)
	for _, app := range []string{"gateway", "orders"} {
		lines := logLines(t, filepath.Join(w.system.LogsDir, app+".log"), trace)
		if !assert.NotEmpty(t, lines, "%s has logged nothing of the request", app) {
			continue
		}
		for _, line := range lines {
			raw, err := hex.DecodeString(line.SpanID)
			require.NoError(t, err)
			assert.Contains(t, w.of(trace), string(raw), "the line's span is one of the trace")
		}
	}
}

// logLine is a line of a service's log.
type logLine struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

// logLines returns the lines of a log that belong to a trace.
func logLines(t *testing.T, path, trace string) (found []logLine) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line logLine
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.TraceID == trace {
			found = append(found, line)
		}
	}
	return found
}
