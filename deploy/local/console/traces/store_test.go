package traces

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func span(trace, id string) *Span {
	return &Span{
		TraceID:  trace,
		ID:       id,
		Service:  "orders",
		Name:     "POST /api/v1/orders",
		Kind:     "server",
		Start:    1_000,
		Duration: 500,
	}
}

func TestTheOldestTraceLeavesFirstWhenThereAreTooManySpans(t *testing.T) {
	s := New(Limits{Spans: 4})
	s.Add(span("a", "1"), span("b", "1"), span("a", "2"), span("b", "2"))
	s.Add(span("c", "1"))
	if s.Trace("a") != nil {
		t.Error("the oldest trace is still there")
	}
	if len(s.Trace("b")) != 2 || len(s.Trace("c")) != 1 {
		t.Error("a newer trace has left, or left in part")
	}
}

func TestTheOldestTraceLeavesFirstWhenTheSpansTakeTooManyBytes(t *testing.T) {
	s := New(Limits{Bytes: 100_000})
	for i := range 200 {
		big := span(fmt.Sprint("trace", i), "1")
		big.Attributes = map[string]string{
			"text":     strings.Repeat("x", 2_000),
			"order.id": fmt.Sprintf("ord_abcdefgh%d", i),
		}
		s.Add(big)
		if got := s.Stats().Bytes; got > 100_000 {
			t.Fatalf("%d bytes are kept after %d traces, not at most 100,000", got, i+1)
		}
	}
	if s.Trace("trace0") != nil || s.Trace("trace199") == nil {
		t.Error("not the newest traces are kept")
	}
	if len(s.OfOrder("ord_abcdefgh0")) != 0 || len(s.byOrder) != len(s.traces) {
		t.Error("orders of traces that left are still known")
	}
}

func TestOneEndlessTraceDoesNotPushOutTheOthers(t *testing.T) {
	s := New(Limits{Spans: 100, SpansPerTrace: 10})
	s.Add(span("other", "1"))
	for i := range 1_000 {
		s.Add(span("endless", fmt.Sprint(i)))
	}
	if s.Trace("other") == nil || len(s.Trace("endless")) != 10 {
		t.Errorf(
			"the other trace left, or the endless one has %d spans and not 10",
			len(s.Trace("endless")),
		)
	}
	if got := s.Stats().Dropped; got != 990 {
		t.Errorf("%d spans count as dropped, not 990", got)
	}
}

func TestTheBackgroundPushesOutItselfAndNoOrder(t *testing.T) {
	s := New(Limits{Spans: 1_000})
	for i := range 100 {
		placed := span(fmt.Sprint("order", i), "1")
		placed.Attributes = map[string]string{"order.id": fmt.Sprintf("ord_abcdefgh%d", i)}
		s.Add(placed)
	}
	late := span("late", "1")
	late.Kind = "client"
	s.Add(late)
	for i := range 50_000 {
		poll := span(fmt.Sprint("poll", i), "1")
		poll.Kind = "client"
		s.Add(poll)
		if i == 10 { // a trace is of the background until a span of it says otherwise
			failed := span("late", "2")
			failed.Error = true
			s.Add(failed)
		}
	}
	for i := range 100 {
		if s.Trace(fmt.Sprint("order", i)) == nil {
			t.Fatalf("the background pushed out order %d", i)
		}
	}
	if s.Trace("late") == nil || s.Trace("poll49999") == nil || s.Trace("poll0") != nil {
		t.Error("the newest of the background and what failed are not kept, or the oldest is")
	}
	for i := range 2_000 {
		failed := span(fmt.Sprint("failed", i), "1")
		failed.Error = true
		s.Add(failed)
	}
	if s.routine.spans > 100 || s.routine.arrival.Len() != s.routine.spans {
		t.Errorf("the background fills %d of 1,000 spans, not at most 100", s.routine.spans)
	}
}

func TestSearchFindsOneAmongThousands(t *testing.T) {
	s := New(Limits{})
	for i := range 6_000 {
		one := span(fmt.Sprintf("trace%d", i), "1")
		one.Start += int64(i)
		one.Attributes = map[string]string{
			"http.route": fmt.Sprintf("/api/v1/things%d", i),
			"order.id":   fmt.Sprintf("ord_abcdefgh%05d", i),
		}
		one.Error, one.Duration = i == 77, 500
		if i == 77 {
			one.Duration = 3_000_000
		}
		s.Add(one)
	}
	for name, q := range map[string]Query{
		"order": {Order: "ord_abcdefgh00077"}, "route": {Route: "things77"}, "error": {Errors: true},
		"duration": {Longer: time.Second}, "text": {Text: "ABCDEFGH00077"}, "id": {Text: "trace77"},
	} {
		found := s.Search(q)
		if !slices.ContainsFunc(found, func(sum Summary) bool { return sum.ID == "trace77" }) {
			t.Errorf("a search by %s does not find the trace among 6,000", name)
		}
	}
}

func TestASpanThatIsSentAgainIsKeptOnce(t *testing.T) {
	s := New(Limits{})
	s.Add(span("a", "1"), span("a", "1"))
	if got := s.Stats().Spans; got != 1 {
		t.Errorf("%d spans are kept, not 1", got)
	}
}

func TestAnOrderIsFoundInItsTracesAndThoseTheyGoBackTo(t *testing.T) {
	s := New(Limits{})
	began, resumed, other := span("began", "1"), span("resumed", "1"), span("other", "1")
	resumed.Attributes = map[string]string{"url.path": "/orders/ord_abcdefgh12"}
	resumed.Links = []Link{{TraceID: "began", SpanID: "1"}}
	s.Add(began, resumed, other)
	if got := len(s.OfOrder("ord_abcdefgh12")); got != 2 {
		t.Errorf("%d spans belong to the order, not 2", got)
	}
}

func TestSearchFindsByEachPartOfAQuery(t *testing.T) {
	s := New(Limits{})
	failed := span("failed", "1")
	failed.Error, failed.Message, failed.Duration = true, "no money", 2_000_000
	failed.Attributes = map[string]string{
		"http.route": "/api/v1/refunds",
		"order.id":   "ord_abcdefgh12",
	}
	plain := span("plain", "1")
	plain.Service, plain.Attributes = "users", map[string]string{"http.route": "/api/v1/users"}
	background := span("background", "1")
	background.Kind = "client"
	s.Add(failed, plain, background)
	for name, q := range map[string]Query{
		"order": {Order: "ord_abcdefgh12"}, "route": {Route: "REFUNDS"}, "error": {Errors: true},
		"text":     {Text: "no MONEY"},
		"duration": {Longer: time.Second}, "app": {Service: "orders"}, "id": {Text: "failed"},
	} {
		found := s.Search(q)
		if len(found) != 1 || found[0].ID != "failed" {
			t.Errorf("a search by %s finds %v, not the failed trace alone", name, found)
		}
	}
	if got := len(s.Search(Query{})); got != 2 {
		t.Errorf("%d traces are listed without the background's, not 2", got)
	}
	if got := len(s.Search(Query{Background: true})); got != 3 {
		t.Errorf("%d traces are listed with the background's, not 3", got)
	}
}

func TestSpansComeAndAreReadAtTheSameTime(*testing.T) {
	s := New(Limits{Spans: 50})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 200 {
				s.Add(span(fmt.Sprint(i, j), "1"))
				s.Search(Query{})
				s.OfOrder("ord_abcdefgh12")
			}
		})
	}
	all.Wait()
}
