package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAnOrdersJourneySaysWhyItWaits(t *testing.T) {
	c, _ := start(t)
	c.Log("payments", "level=WARN msg=refused order=ord_abcdefgh12")
	status, body, _ := send(t, c, http.MethodGet, "/api/orders/ord_abcdefgh12")
	if status != http.StatusOK || !strings.Contains(body, "refused") {
		t.Errorf("the journey answers %d: %s", status, body)
	}
	waits := order{Status: "pending", History: []step{{Status: "pending"}}}
	said := strings.Join(c.explain(t.Context(), waits, nil, nil, nil), " ")
	if !strings.Contains(said, "orders is down") {
		t.Errorf("why it is pending is not said: %s", said)
	}
	for path, want := range map[string]int{"ord_unknown0001": 404, "..%2Fjournal": 400} {
		if status, _, _ := send(t, c, http.MethodGet, "/api/orders/"+path); status != want {
			t.Errorf("%s answers %d, not %d", path, status, want)
		}
	}
}

func TestHowAnOrderStandsIsSaidInWordsAndWithoutAClock(t *testing.T) {
	at := time.Unix(1_000, 0)
	begun := step{Status: "pending", At: at}
	for want, o := range map[string]order{
		"The order has been pending for 2 min 5 s.": {History: []step{begun}},
		"The order is payment failed, 13 ms after it was placed: card declined.": {History: []step{
			begun, {Status: "payment_failed", At: at.Add(13 * time.Millisecond), Reason: "card_declined"},
		}},
		"The orders service's record of this order cannot be read now.": {},
	} {
		if got := stands(o, at.Add(125*time.Second)); got != want {
			t.Errorf("it is said %q, not %q", got, want)
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

func TestAnOrderWhoseTracesHaveLeftHasNoSpansAndNotNothing(t *testing.T) {
	c, _ := start(t)
	c.Log("orders", "level=INFO msg=placed order=ord_abcdefgh12")
	_, body, _ := send(t, c, http.MethodGet, "/api/orders/ord_abcdefgh12")
	for _, list := range []string{`"spans":[]`, `"moments":[]`} {
		if !strings.Contains(body, list) {
			t.Errorf("%s is not said: %s", list, body)
		}
	}
}
