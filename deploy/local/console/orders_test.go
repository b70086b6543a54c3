package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnOrdersJourneySaysWhyItWaits(t *testing.T) {
	c, _ := start(t)
	c.Log("payments", "level=WARN msg=refused order=ord_abcdefgh12")
	status, body, _ := send(t, c, http.MethodGet, "/api/orders/ord_abcdefgh12")
	if status != http.StatusOK || !strings.Contains(body, "refused") {
		t.Errorf("the journey answers %d: %s", status, body)
	}
	said := strings.Join(
		c.explain(
			t.Context(),
			order{Status: "pending", History: []step{{Status: "pending"}}},
			nil,
			nil,
			nil,
		),
		" ",
	)
	if !strings.Contains(said, "orders is down") {
		t.Errorf("why it is pending is not said: %s", said)
	}
	for path, want := range map[string]int{"ord_unknown0001": 404, "..%2Fjournal": 400} {
		if status, _, _ := send(t, c, http.MethodGet, "/api/orders/"+path); status != want {
			t.Errorf("%s answers %d, not %d", path, status, want)
		}
	}
}

func TestAnOrdersRecordIsReadThroughTheSidecarUnderItsWholeKey(t *testing.T) {
	asked := ""
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath() + " " + r.Header.Get("dapr-api-token")
		trace := r.Header.Get("traceparent")
		if len(trace) != 55 || !strings.HasSuffix(trace, "-00") {
			t.Errorf("the sidecar would record the question as a trace: traceparent is %q", trace)
		}
		_, _ = io.WriteString(w, `{"status":"paid","history":[{"status":"paid"}]}`)
	}))
	defer sidecar.Close()
	c := &Console{
		system: one{&fake{}, App{ID: ordersApp, SidecarURL: sidecar.URL, SidecarToken: "secret"}},
	}
	o, err := c.order(t.Context(), "ord_abcdefgh12")
	if err != nil || o.Status != "paid" ||
		asked != "/v1.0/state/orders-store/order%2Ford_abcdefgh12 secret" {
		t.Errorf("the record is %+v, %v; asked was %q", o, err, asked)
	}
}
