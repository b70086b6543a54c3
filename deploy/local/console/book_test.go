package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sidecart.dev/local/console/traces"
)

// shelf is a sidecar with the records of orders.
type shelf struct {
	mu      sync.Mutex
	status  map[string]string // by order
	asked   int
	records int
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var question struct{ Keys []string }
	_ = json.NewDecoder(r.Body).Decode(&question)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	s.records += len(question.Keys)
	answer := []map[string]any{{"key": "order/ord_odd0odd0odd", "data": "no object"}}
	for _, key := range question.Keys {
		if status := s.status[strings.TrimPrefix(key, orderKey)]; status != "" {
			at := time.Now()
			answer = append(answer, map[string]any{"key": key, "data": order{
				Status: status, History: []step{{Status: status, At: at}},
			}})
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// withShelf is a console whose orders service keeps its records there.
func withShelf(t *testing.T) (*Console, *shelf) {
	t.Helper()
	kept := &shelf{status: map[string]string{}}
	sidecar := httptest.NewServer(kept)
	t.Cleanup(sidecar.Close)
	return startWith(t, one{&fake{}, App{ID: ordersApp, SidecarURL: sidecar.URL}}), kept
}

// mention sends the span of an order of some time ago.
func (s *shelf) mention(c *Console, n int, status string, ago time.Duration) string {
	id := fmt.Sprintf("ord_abcdefgh%05d", n)
	s.mu.Lock()
	s.status[id] = status
	s.mu.Unlock()
	c.traces.Add(&traces.Span{
		TraceID: fmt.Sprint("trace", n, status), ID: "1", Start: time.Now().Add(-ago).UnixMicro(),
		Attributes: map[string]string{"order.id": id},
	})
	return id
}

func TestAnOrderThatWaitsIsShownHoweverManyNewerOnesThereAre(t *testing.T) {
	c, kept := withShelf(t)
	stuck := kept.mention(c, 0, "pending", time.Hour)
	c.orders(t.Context())
	for i := range bookSize + 500 {
		kept.mention(c, i+1, "paid", time.Minute)
		if i%bulkSize == 0 {
			c.orders(t.Context())
		}
	}
	all := c.orders(t.Context())
	if waits := waiting(all); len(waits) != 1 || waits[0].ID != stuck {
		t.Errorf("%d orders are said to wait among %d, not just the one that does", len(waits), len(all))
	}
	if len(all) > bookSize {
		t.Errorf("%d orders are remembered, more than %d", len(all), bookSize)
	}
}

func TestWhoOnlyLooksCostsTheSystemNothing(t *testing.T) {
	c, kept := withShelf(t)
	kept.mention(c, 1, "paid", time.Hour)
	kept.mention(c, 2, "payment_failed", time.Hour)
	for range 5 {
		c.orders(t.Context())
	}
	if kept.asked != 1 || kept.records != 2 {
		t.Errorf("%d questions were asked for %d records, not one for two", kept.asked, kept.records)
	}
	kept.mention(c, 3, "pending", 0)
	kept.mention(c, 1, "refunded", 0) // something happens to it
	c.orders(t.Context())
	if kept.asked != 2 || kept.records != 4 {
		t.Errorf("then %d were asked for %d, not two for four", kept.asked, kept.records)
	}
}

// More orders wait than are read at once.
func TestAllOrdersAreReadHoweverManyWait(t *testing.T) {
	c, kept := withShelf(t)
	for i := range 2*bulkSize + 1 {
		kept.mention(c, i, "pending", time.Minute)
	}
	c.orders(t.Context())
	newer := kept.mention(c, 3*bulkSize, "paid", 0)
	for range 3 {
		c.orders(t.Context())
	}
	for _, o := range c.orders(t.Context()) {
		if o.Status == "unknown" || o.ID == newer && o.Status != "paid" {
			t.Fatalf("order %s is %s after four looks", o.ID, o.Status)
		}
	}
}

func TestTracesAreChosenByWhetherTheyFailedAndWhetherAnybodyWaits(t *testing.T) {
	c, _ := withShelf(t)
	add := func(id, name string, failed bool) {
		c.traces.Add(&traces.Span{
			TraceID: id, ID: "1", Name: name, Kind: "server", Start: time.Now().UnixMicro(), Error: failed,
			Attributes: map[string]string{"http.route": "/api/v1/orders"},
		})
	}
	add("good", "GET /api/v1/products", false)
	add("bad", "POST /api/v1/orders", true)
	c.traces.Add(&traces.Span{
		TraceID: "own", ID: "1", Name: "/dapr.proto.runtime.v1.Dapr/GetState", Start: time.Now().UnixMicro(),
	})
	for query, want := range map[string]int{"": 2, "?errors=1": 1, "?background=1": 3} {
		w := httptest.NewRecorder()
		c.getTraces(w, httptest.NewRequest(http.MethodGet, "/api/traces"+query, http.NoBody))
		var answer struct{ Traces []json.RawMessage }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Traces) != want {
			t.Errorf("%q finds %d traces, want %d (%v)", query, len(answer.Traces), want, err)
		}
	}
}
