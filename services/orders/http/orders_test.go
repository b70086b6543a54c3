package http_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/orders"
)

func TestPlacingAnOrderAnswersItAndWhereItIs(t *testing.T) {
	s := open(t)
	a := s.place(ada, "k1", oneMoka)
	s.want("placing", a, 201, "")
	if a.body["status"] != "pending" || a.body["user_id"] != "usr_ada" || a.header.Get("ETag") != `"1"` || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("placed: %v, ETag %s", a.body, a.header.Get("ETag"))
	}
	path := a.header.Get("Location")
	read := s.do(ada, "GET", path, "")
	s.want("reading it", read, 200, "")
	if fmt.Sprint(read.body) != fmt.Sprint(a.body) {
		t.Errorf("read %v, placed %v", read.body, a.body)
	}
	s.want("reading it again", s.do(ada, "GET", path, "", "If-None-Match", `"0", W/"1"`), 304, "")
	again := s.place(ada, "k1", oneMoka)
	s.want("placing it again", again, 201, "")
	if again.body["id"] != a.body["id"] || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("placed again: %v, replayed %q", again.body["id"], again.header.Get("Idempotency-Replayed"))
	}
	s.want("another body", s.place(ada, "k1", strings.Replace(oneMoka, "1}", "2}", 1)), 422, "idempotency_key_reused")
	s.want("another's order", s.do(bob, "GET", path, ""), 404, "not_found")
	s.want("cancelling another's order", s.do(bob, "POST", path+"/cancel", ""), 404, "not_found")
	s.want("an operator reading it", s.do(operator, "GET", path, ""), 200, "")
}

func TestOrdersThatCannotBePlaced(t *testing.T) {
	s := open(t)
	bad := []string{validate.ExpectInvalid, "true"}
	for name, test := range map[string]struct {
		key, body string
		status    int
		code      string
		headers   []string
	}{
		"no key":          {"", oneMoka, 400, "idempotency_key_required", bad},
		"no body":         {"k", "", 415, "unsupported_media_type", bad},
		"cut body":        {"k", `{"items":`, 400, "invalid_json", bad},
		"unknown field":   {"k", `{"items":[{"product_id":"moka-pot","quantity":1}],"payment_method":"tok_visa","total":1}`, 400, "unknown_field", bad},
		"price by client": {"k", `{"items":[{"product_id":"moka-pot","quantity":1,"unit_price":1}],"payment_method":"tok_visa"}`, 400, "unknown_field", bad},
		"no items":        {"k", `{"items":[],"payment_method":"tok_visa"}`, 400, "invalid_request", bad},
		"no quantity":     {"k", `{"items":[{"product_id":"moka-pot"}],"payment_method":"tok_visa"}`, 400, "invalid_request", bad},
		"half a pot":      {"k", `{"items":[{"product_id":"moka-pot","quantity":0.5}],"payment_method":"tok_visa"}`, 400, "invalid_request", bad},
		"a card number":   {"k", `{"items":[{"product_id":"moka-pot","quantity":1}],"payment_method":"4111111111111111"}`, 400, "invalid_request", bad},
		"free":            {"k", expecting(0, "EUR"), 400, "invalid_request", bad},
		"euros":           {"k", expecting(3490, "euro"), 400, "invalid_request", bad},
		"too cheap":       {"k", expecting(3489, "EUR"), 409, "total_changed", nil},
		"other money":     {"k", expecting(3490, "USD"), 409, "total_changed", nil},
		"null":            {"k", `null`, 400, "invalid_request", bad},
		"unknown product": {"k", `{"items":[{"product_id":"ghost","quantity":1}],"payment_method":"tok_visa"}`, 422, "unprocessable", nil},
		"twice":           {"k", `{"items":[{"product_id":"moka-pot","quantity":1},{"product_id":"moka-pot","quantity":1}],"payment_method":"tok_visa"}`, 422, "unprocessable", nil},
		"too much":        {"k", `{"items":[{"product_id":"espresso-machine","quantity":2}],"payment_method":"tok_visa"}`, 422, "unprocessable", nil},
		"too large":       {"k", `{"items":"` + strings.Repeat("x", 70_000) + `"}`, 413, "body_too_large", bad},
	} {
		s.want(name, s.place(ada, test.key, test.body, test.headers...), test.status, test.code)
	}
	s.want("no token", s.place("", "k", oneMoka), 401, "unauthenticated")
	if list := s.do(ada, "GET", "/api/v1/orders", ""); len(list.body["items"].([]any)) != 0 {
		t.Errorf("the list has %v, want nothing", list.body)
	}
}

// expecting is oneMoka by a customer who was shown that total.
func expecting(amount int64, currency string) string {
	return fmt.Sprintf(`{"items":[{"product_id":"moka-pot","quantity":1}],"payment_method":"tok_visa",`+
		`"expected_total":{"amount":%d,"currency":%q}}`, amount, currency)
}

func TestAPriceThatRoseIsToldAndAskedAgain(t *testing.T) {
	s := open(t)
	const path, dearer = "/api/v1/admin/products/moka-pot", `{"name":"Moka pot","description":"","price":{"amount":99900,"currency":"EUR"},"active":true}`
	shown := expecting(3490, "EUR")
	placed := s.place(ada, "before", shown)
	s.want("at the price shown", placed, 201, "")
	s.want("raising the price", s.do(operator, "PUT", path, dearer), 200, "")

	refused := s.place(ada, "after", shown)
	s.want("at the old price", refused, 409, "total_changed")
	quote, _ := refused.body["quote"].(map[string]any)
	if got := fmt.Sprint(quote["total"]); got != "map[amount:99900 currency:EUR]" {
		t.Errorf("the problem quotes %v, want 999.00 EUR", quote)
	}
	if items, _ := quote["items"].([]any); len(items) != 1 {
		t.Errorf("the problem quotes %v, want the price of each item", quote)
	}
	if list := s.do(ada, "GET", "/api/v1/orders", ""); len(list.body["items"].([]any)) != 1 {
		t.Errorf("the customer has %v, want the first order alone", list.body)
	}
	s.want("the same key with the new total", s.place(ada, "after", expecting(99900, "EUR")), 201, "")
	again := s.place(ada, "before", shown)
	s.want("the answer lost before the price rose, asked for again", again, 201, "")
	if again.body["id"] != placed.body["id"] {
		t.Errorf("placed %v, then %v: want the same order", placed.body["id"], again.body["id"])
	}
	s.want("the same key with another total", s.place(ada, "before", expecting(99900, "EUR")), 422, "idempotency_key_reused")
	s.want("the same key without a total", s.place(ada, "before", oneMoka), 422, "idempotency_key_reused")
}

func TestCancellingTellsWhetherItIsDone(t *testing.T) {
	s := open(t)
	pending := s.place(ada, "1", oneMoka)
	paid := s.place(ada, "2", oneMoka)
	failed := s.place(ada, "3", oneMoka)
	s.tell(paid, orders.PaymentConfirmed)
	s.tell(failed, orders.PaymentDeclined)
	cancel := func(a answer, body string, headers ...string) answer {
		return s.do(ada, "POST", a.header.Get("Location")+"/cancel", body, headers...)
	}
	for range 2 {
		a := cancel(pending, `{"reason":"ordered twice"}`)
		s.want("cancelling a pending order", a, 200, "")
		if a.body["status"] != "cancelled" {
			t.Errorf("a pending order becomes %v", a.body["status"])
		}
		a = cancel(paid, "")
		s.want("cancelling a paid order", a, 202, "")
		if a.body["status"] != "refunding" {
			t.Errorf("a paid order becomes %v", a.body["status"])
		}
	}
	s.want("cancelling a failed order", cancel(failed, "{}"), 409, "order_state")
	s.want("an empty reason", cancel(pending, `{"reason":""}`, validate.ExpectInvalid, "true"), 400, "invalid_request")
	s.want("a reason that runs backwards", cancel(pending, `{"reason":"\u202eabc"}`), 400, "invalid_request")
	s.want("a malformed id", s.do(ada, "POST", "/api/v1/orders/nothing/cancel", ""), 404, "not_found")
	s.tell(paid, orders.PaymentRefunded)
	s.want("cancelling when the money is back", cancel(paid, ""), 200, "")

	list := s.do(ada, "GET", "/api/v1/orders?status=cancelled&limit=1", "")
	if items := list.body["items"].([]any); list.status != 200 || len(items) != 1 {
		t.Errorf("cancelled orders: %v", list.body)
	}
	s.want("an unknown status", s.do(ada, "GET", "/api/v1/orders?status=lost", "", validate.ExpectInvalid, "true"), 400, "invalid_request")
	s.want("a bad cursor", s.do(ada, "GET", "/api/v1/orders?cursor=x", ""), 400, "invalid_cursor")
	s.want("a bad limit", s.do(ada, "GET", "/api/v1/orders?limit=101", "", validate.ExpectInvalid, "true"), 400, "invalid_request")
}

func (s *shop) tell(a answer, trigger orders.Trigger) {
	s.t.Helper()
	id := a.body["id"].(string)
	if _, _, err := s.service.Apply(s.t.Context(), id, orders.Change{Trigger: trigger, At: time.Now()}); err != nil {
		s.t.Fatal(err)
	}
}

// TestOnlyTheOrderThatWasReadIsCancelled holds If-Match against an order that was paid since it was
// read: to cancel it then would start a refund that nobody has asked for.
func TestOnlyTheOrderThatWasReadIsCancelled(t *testing.T) {
	s := open(t)
	placed := s.place(ada, "1", oneMoka)
	path, stale := placed.header.Get("Location"), placed.header.Get("ETag")
	s.tell(placed, orders.PaymentConfirmed)
	cancel := func(match string) answer { return s.do(ada, "POST", path+"/cancel", "", "If-Match", match) }
	s.want("cancelling what has been paid since", cancel(stale), 412, "precondition_failed")
	read := s.do(ada, "GET", path, "")
	if read.body["status"] != "paid" {
		t.Errorf("the order is %v, want it paid as before", read.body["status"])
	}
	s.want("a weak tag", cancel("W/"+read.header.Get("ETag")), 412, "precondition_failed")
	cancelled := cancel(`"7", ` + read.header.Get("ETag"))
	s.want("cancelling what was read", cancelled, 202, "")
	s.want("asking again, the answer being lost", cancel(read.header.Get("ETag")), 202, "")

	failed := s.place(ada, "2", oneMoka)
	s.tell(failed, orders.PaymentDeclined)
	path = failed.header.Get("Location")
	s.want("cancelling what has failed since", cancel(failed.header.Get("ETag")), 412, "precondition_failed")
	s.want("cancelling whatever is there", cancel("*"), 409, "order_state")
}
