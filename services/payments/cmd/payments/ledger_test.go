package main

import (
	"net/http"
	"testing"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/money"
	"sidecart.dev/payments"
)

type ledger struct {
	Balanced bool
	Balances []struct {
		Account, Currency string
		Balance           int64
	}
}

func (l ledger) of(account payments.Account, currency string) (sum int64) {
	for _, b := range l.Balances {
		if b.Account == string(account) && b.Currency == currency {
			sum += b.Balance
		}
	}
	return sum
}

func TestOperatorsReadTheBalancesPerAccountAndCurrency(t *testing.T) {
	s := start(t)
	s.deliverTotal("order.placed.v1", "ord_1", "tok_visa", money.New(2598, "EUR"))
	s.deliverTotal("order.placed.v1", "ord_2", "tok_visa", money.New(5000, "JPY"))
	s.deliverTotal("order.placed.v1", "ord_3", "tok_declined", money.New(700, "CHF"))
	s.await("ord_1", "captured")
	s.await("ord_3", "declined")
	refund := map[string]any{"amount": money.New(2000, "JPY"), "reason": "damaged"}
	operator := s.token("usr_op", auth.Operator)
	s.do(s.checked, http.MethodPost, "/api/v1/payments/"+s.await("ord_2", "captured").ID+"/refunds", operator, refund, nil, "Idempotency-Key", "a")
	s.await("ord_2", "partially_refunded")

	var all, yen ledger
	s.do(s.checked, http.MethodGet, "/api/v1/admin/ledger", operator, nil, &all)
	s.do(s.checked, http.MethodGet, "/api/v1/admin/ledger?currency=JPY", operator, nil, &yen)
	for account, want := range map[payments.Account]struct{ eur, jpy int64 }{
		payments.ProviderClearing: {2598, 3000}, payments.Revenue: {-2598, -5000}, payments.Refunds: {0, 2000}, payments.CustomerPayable: {0, 0},
	} {
		if eur, jpy := all.of(account, "EUR"), all.of(account, "JPY"); eur != want.eur || jpy != want.jpy {
			t.Errorf("%s has %d EUR and %d JPY, want %+v", account, eur, jpy, want)
		}
		if got := yen.of(account, "JPY"); got != want.jpy || yen.of(account, "EUR") != 0 {
			t.Errorf("asked for JPY alone, %s has %d, want %d", account, got, want.jpy)
		}
	}
	if !all.Balanced || !yen.Balanced {
		t.Error("the books do not balance")
	}
	for token, status := range map[string]int{"": 401, s.token("usr_ada", auth.Customer): 403} {
		if resp := s.do(s.checked, http.MethodGet, "/api/v1/admin/ledger", token, nil, nil); resp.StatusCode != status {
			t.Errorf("a caller who is no operator gets %d, want %d", resp.StatusCode, status)
		}
	}
	resp := s.do(s.checked, http.MethodGet, "/api/v1/admin/ledger?currency=euro", operator, nil, nil, validate.ExpectInvalid, "true")
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a currency that is none: %d, want 400", resp.StatusCode)
	}
}
