package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidecart.dev/local/console/logs"
	"sidecart.dev/local/console/traces"
)

func TestAnOrdersJourneyIsMadeOfItsHistoryItsHopsItsWarningsAndItsMails(t *testing.T) {
	at := time.Unix(1_000, 0)
	n := int64(0)
	did := func(id, parent, service, kind, name string, attributes ...string) *traces.Span {
		n += 1000
		s := &traces.Span{
			TraceID: "t", ID: id, Parent: parent, Service: service, Kind: kind, Name: name,
			Start: at.UnixMicro() + n, Attributes: map[string]string{},
		}
		for i := 0; i < len(attributes); i += 2 {
			s.Attributes[attributes[i]] = attributes[i+1]
		}
		return s
	}
	const topic, with = "messaging.destination.name", "sidecart.component"
	const what = "cloudevents.event_type"
	const placed = "order.placed.v1"
	between := did("3", "2", "gateway", "client", "CallLocal/orders")
	between.Sidecar = true
	spans := []*traces.Span{
		did("1", "", "gateway", "server", "POST /api/v1/orders", "http.route", "/api/v1/orders"),
		did("2", "1", "gateway", "client", "POST", "service.peer.name", "orders"),
		between,
		did("4", "3", "orders", "server", "POST /api/v1/orders", "http.route", "/api/v1/orders"),
		did("5", "4", "orders", "client", "x.Dapr/SaveState", with, "orders-store"),
		did("6", "5", "orders", "client", "x.Dapr/SaveState", with, "orders-store"),
		did("7", "4", "orders", "client", "x.Dapr/GetBulkState", with, "orders-store"),
		did("8", "4", "orders", "producer", "send orders", topic, "orders", what, placed),
		did("9", "8", "orders", "client", "x.Dapr/PublishEvent", with, "stream", topic, "orders"),
		did("a", "9", "payments", "server", "POST /events/orders", "http.route", "/events/orders"),
		did("b", "a", "payments", "consumer", "process orders", topic, "orders", what, placed),
		did("c", "b", "payments", "client", "x.Dapr/InvokeBinding", with, "email"),
	}
	o := order{History: []step{
		{Status: "pending", At: at},
		{Status: "payment_failed", At: at.Add(time.Minute), Reason: "declined"},
	}}
	lines := []logs.Record{
		{At: at.Add(time.Second), Level: "info", Message: "usual"},
		{At: at.Add(2 * time.Second), Level: "warn", Source: "payments", Message: "odd"},
	}
	var told []string
	for _, m := range journey(o, spans, lines, []message{{At: at.Add(time.Hour), Subject: "Sorry"}}) {
		told = append(told, fmt.Sprint(m.Kind, " ", m.From, ">", m.To, " ", m.What))
	}
	want := []string{
		"status orders> pending",
		"request clients>gateway ask POST /api/v1/orders",
		"call gateway>orders asks orders: POST /api/v1/orders",
		"state orders>orders-store writes orders-store",
		"state orders>orders-store reads orders-store",
		"publish orders>stream publishes order.placed.v1",
		"deliver stream>payments tells payments order.placed.v1",
		"binding payments>email sends by email",
		"log payments> says: odd",
		"status orders> payment_failed",
		"mail the inbox> has “Sorry”",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("the journey is\n%s\nnot\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
