package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/money"
)

func TestEveryPaymentMethodEndsAsItShould(t *testing.T) {
	s := start(t)
	for method, status := range map[string]string{
		"tok_visa": "captured", "tok_slow": "captured", "tok_flaky": "captured",
		"tok_declined": "declined", "tok_insufficient_funds": "declined", "tok_other": "declined",
	} {
		orderID := "ord_" + method[4:6]
		s.deliver("order.placed.v1", orderID, method)
		s.await(orderID, status)
	}
	if err := s.bus.CheckError(); err != nil {
		t.Errorf("published: %v", err)
	}
}

// TestOnlyThePaymentThatWasReadIsRefunded holds If-Match against a payment of which another
// operator has given a part back since.
func TestOnlyThePaymentThatWasReadIsRefunded(t *testing.T) {
	s := start(t)
	s.deliver("order.placed.v1", "ord_1", "tok_visa")
	path, operator := "/api/v1/payments/"+s.await("ord_1", "captured").ID, s.token("usr_op", auth.Operator)
	read := func() string {
		return s.do(s.checked, http.MethodGet, path, operator, nil, nil).Header.Get("ETag")
	}
	refund := func(what, key, match string, status int, replayed string) {
		t.Helper()
		body := map[string]any{"amount": money.New(500, "EUR"), "reason": "damaged"}
		resp := s.do(s.checked, http.MethodPost, path+"/refunds", operator, body, nil,
			"Idempotency-Key", key, "If-Match", match)
		if resp.StatusCode != status || resp.Header.Get("Idempotency-Replayed") != replayed {
			t.Errorf("%s: %d, replayed %q; want %d, %q", what, resp.StatusCode,
				resp.Header.Get("Idempotency-Replayed"), status, replayed)
		}
	}
	stale := read()
	refund("what was read", "a", stale, 201, "")
	refund("what another refund has changed since", "b", stale, 412, "")
	refund("the first again, its answer being lost", "a", stale, 201, "true")
	s.await("ord_1", "partially_refunded")
	refund("what was read again", "b", read(), 201, "")
	refund("whatever is there", "c", "*", 201, "")
}

func TestRefundsAreForOperatorsAndIdempotent(t *testing.T) {
	s := start(t)
	s.deliver("order.placed.v1", "ord_1", "tok_visa")
	p := s.await("ord_1", "captured")
	path, operator := "/api/v1/payments/"+p.ID+"/refunds", s.token("usr_op", auth.Operator)
	body := func(amount int64) any {
		return map[string]any{"amount": money.New(amount, "EUR"), "reason": "damaged"}
	}
	steps := []struct {
		name, token, key string
		body             any
		status           int
		replayed         string
	}{
		{"by its owner", s.token("usr_ada", auth.Customer), "a", body(500), 403, ""},
		{"in part", operator, "a", body(500), 201, ""},
		{"again", operator, "a", body(500), 201, "true"},
		{"another amount with the same key", operator, "a", body(501), 422, ""},
		{"too much", operator, "b", body(2099), 422, ""},
		{"in another currency", operator, "b", map[string]any{"amount": money.New(1, "USD"), "reason": "x"}, 422, ""},
		{"the rest", operator, "c", map[string]any{"reason": "all of it"}, 201, ""},
		{"beyond the rest", operator, "d", body(1), 409, ""},
		{"the first again, at the end", operator, "a", body(500), 201, "true"},
	}
	for _, step := range steps {
		resp := s.do(s.checked, http.MethodPost, path, step.token, step.body, nil, "Idempotency-Key", step.key)
		if resp.StatusCode != step.status || resp.Header.Get("Idempotency-Replayed") != step.replayed {
			t.Errorf("refund %s: %d, replayed %q; want %d, %q",
				step.name, resp.StatusCode, resp.Header.Get("Idempotency-Replayed"), step.status, step.replayed)
		}
	}
	for name, in := range map[string]any{"no reason": map[string]any{}, "no amount, which is not the rest": map[string]any{"amount": nil, "reason": "x"}, "unknown field": map[string]any{"reason": "x", "note": "y"}, "zero": body(0)} {
		resp := s.do(s.checked, http.MethodPost, path, operator, in, nil, "Idempotency-Key", "e", validate.ExpectInvalid, "true")
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("refund with %s: %d, want 400", name, resp.StatusCode)
		}
	}
	if resp := s.do(s.checked, http.MethodPost, path, operator, body(1), nil, validate.ExpectInvalid, "true"); resp.StatusCode != 400 {
		t.Errorf("refund without a key: %d, want 400", resp.StatusCode)
	}
	if got := s.await("ord_1", "refunded").RefundedAmount.Amount; got != 2598 {
		t.Errorf("refunded %d, want 2598", got)
	}
}

// A double click is one refund, two clicks on different buttons are two, and neither ends the
// process.
func TestRefundsAtTheSameInstantAreEachMadeOnce(t *testing.T) {
	s := start(t)
	operator := s.token("usr_op", auth.Operator)
	for name, keys := range map[string][]string{"same": {"a", "a"}, "different": {"b", "c"}} {
		for n := range 10 {
			order := fmt.Sprint("ord_", name, n)
			s.deliver("order.placed.v1", order, "tok_visa")
			p := s.await(order, "captured")
			var clicks sync.WaitGroup
			replayed := make([]string, len(keys))
			for i, key := range keys {
				clicks.Go(func() {
					body := map[string]any{"amount": money.New(500, "EUR"), "reason": "damaged"}
					resp := s.do(s.checked, http.MethodPost, "/api/v1/payments/"+p.ID+"/refunds", operator, body, nil, "Idempotency-Key", key)
					replayed[i] = resp.Header.Get("Idempotency-Replayed")
					if resp.StatusCode != http.StatusCreated {
						t.Errorf("%s keys: %d, want 201", name, resp.StatusCode)
					}
				})
			}
			clicks.Wait()
			slices.Sort(replayed)
			want, refunds := []string{"", "true"}, int64(1)
			if name == "different" {
				want, refunds = []string{"", ""}, 2
			}
			if !slices.Equal(replayed, want) {
				t.Errorf("%s keys: replayed %q, want %q", name, replayed, want)
			}
			refunded := func() bool { return s.await(order, "partially_refunded").RefundedAmount.Amount == refunds*500 }
			for deadline := time.Now().Add(10 * time.Second); !refunded(); {
				if time.Now().After(deadline) {
					t.Fatalf("%s keys: want %d refunds of 5.00 EUR", name, refunds)
				}
			}
		}
	}
}

func TestOthersPaymentsDoNotExist(t *testing.T) {
	s := start(t)
	s.deliver("order.placed.v1", "ord_1", "tok_visa")
	p := s.await("ord_1", "captured")
	stranger, operator := s.token("usr_eve", auth.Customer), s.token("usr_op", auth.Operator)
	for token, status := range map[string]int{stranger: 404, operator: 200, "": 401, s.token("usr_ada", auth.Customer): 200} {
		if resp := s.do(s.checked, http.MethodGet, "/api/v1/payments/"+p.ID, token, nil, nil); resp.StatusCode != status {
			t.Errorf("status %d, want %d", resp.StatusCode, status)
		}
	}
	for _, id := range []string{"pay_unknown", "nonsense", "pay_%2F.."} {
		if resp := s.do(s.checked, http.MethodGet, "/api/v1/payments/"+id, operator, nil, nil); resp.StatusCode != 404 {
			t.Errorf("payment %q: %d, want 404", id, resp.StatusCode)
		}
	}
	var page struct{ Items []payment }
	if s.do(s.checked, http.MethodGet, "/api/v1/payments?order_id=ord_1", stranger, nil, &page); len(page.Items) != 0 {
		t.Errorf("a stranger sees %+v", page.Items)
	}
	resp := s.do(s.checked, http.MethodGet, "/api/v1/payments", operator, nil, nil, validate.ExpectInvalid, "true")
	if resp.StatusCode != 400 {
		t.Errorf("no order named: %d, want 400", resp.StatusCode)
	}
}

func TestOrdersLooksPaymentsUpAndTheBooksAgree(t *testing.T) {
	s := start(t)
	for n := range 5 {
		s.deliver("order.placed.v1", fmt.Sprint("ord_", n), "tok_visa")
		s.await(fmt.Sprint("ord_", n), "captured")
	}
	s.deliver("order.cancelled.v1", "ord_0", "tok_visa")
	s.await("ord_0", "refunded")
	s.deliver("order.cancelled.v1", "ord_9", "tok_visa")
	s.await("ord_9", "voided")
	token, err := s.orders.Authorize("payments")
	if err != nil {
		t.Fatal(err)
	}
	var found struct {
		Payments []struct {
			OrderID string `json:"order_id"`
			Status  string
		}
	}
	in := map[string]any{"order_ids": []string{"ord_0", "ord_1", "ord_9", "ord_unknown"}}
	s.do(http.DefaultClient, http.MethodPost, "/internal/payments/lookup", token, in, &found)
	got := map[string]string{}
	for _, p := range found.Payments {
		got[p.OrderID] = p.Status
	}
	if len(got) != 3 || got["ord_0"] != "refunded" || got["ord_1"] != "captured" || got["ord_9"] != "voided" {
		t.Errorf("orders was told %v", got)
	}
	if resp := s.do(http.DefaultClient, http.MethodPost, "/internal/payments/lookup", s.token("usr_op", auth.Operator), in, nil); resp.StatusCode != 401 {
		t.Errorf("a user may look up: %d", resp.StatusCode)
	}
	var ledger struct {
		Balanced bool
		Balances []struct {
			Account string
			Balance int64
		}
	}
	s.do(s.checked, http.MethodGet, "/api/v1/admin/ledger?currency=EUR", s.token("usr_op", auth.Operator), nil, &ledger)
	sums := map[string]int64{}
	for _, b := range ledger.Balances {
		sums[b.Account] = b.Balance
	}
	if !ledger.Balanced || sums["provider:clearing"] != 4*2598 || sums["revenue:orders"] != -5*2598 || sums["refunds"] != 2598 {
		t.Errorf("the ledger: %+v", ledger)
	}
	var charges struct {
		Items []struct {
			Status         string
			RefundedAmount int64 `json:"refunded_amount"`
		}
	}
	s.do(http.DefaultClient, http.MethodGet, "/internal/provider/charges?order_id=ord_0&order_id=ord_9", token, nil, &charges)
	if len(charges.Items) != 2 || charges.Items[0].Status != "captured" || charges.Items[0].RefundedAmount != 2598 ||
		charges.Items[1].Status != "voided" {
		t.Errorf("the provider has %+v", charges.Items)
	}
}
