package acceptance

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

func TestAnOperatorRefundsInParts(t *testing.T) {
	inContract(t)
	customer, operator, product := world.NewCustomer(t), world.LogIn(t, world.Operator), firstProduct(t)
	order := customer.Place(t, product.ID, "tok_visa")
	customer.AwaitStatus(t, order.ID, "paid")
	var payments harness.List[harness.Payment]
	operator.Must(t, http.StatusOK, http.MethodGet, "/api/v1/payments?order_id="+order.ID, nil, &payments)
	require.Len(t, payments.Items, 1)
	refunds := "/api/v1/payments/" + payments.Items[0].ID + "/refunds"
	part := map[string]any{"amount": harness.Money{Amount: 100, Currency: order.Total.Currency}, "reason": "a scratch"}
	key := uuid.NewString()

	customer.Must(t, http.StatusForbidden, http.MethodPost, refunds, part, nil, harness.Key(key))
	first := operator.Must(t, http.StatusCreated, http.MethodPost, refunds, part, nil, harness.Key(key))
	again := operator.Must(t, http.StatusCreated, http.MethodPost, refunds, part, nil, harness.Key(key))
	assert.JSONEq(t, string(first.Body), string(again.Body), "the same key is the same refund")
	part["reason"] = "another"
	operator.Must(t, http.StatusUnprocessableEntity, http.MethodPost, refunds, part, nil, harness.Key(key))
	tooMuch := map[string]any{"amount": order.Total, "reason": "everything, again"}
	operator.Must(t, http.StatusUnprocessableEntity, http.MethodPost, refunds, tooMuch, nil, harness.Key(uuid.NewString()))
	operator.Must(t, http.StatusCreated, http.MethodPost, refunds, map[string]any{"reason": "the rest"}, nil, harness.Key(uuid.NewString()))
	customer.AwaitStatus(t, order.ID, "refunded")
}

func TestTheBooksBalance(t *testing.T) {
	inContract(t)
	operator := world.LogIn(t, world.Operator)
	var report struct {
		Balanced bool `json:"balanced"`
		Balances []struct {
			Currency string `json:"currency"`
			Balance  int64  `json:"balance"`
		} `json:"balances"`
	}
	operator.Must(t, http.StatusOK, http.MethodGet, "/api/v1/admin/ledger", nil, &report)
	assert.True(t, report.Balanced)
	sums := map[string]int64{}
	for _, b := range report.Balances {
		sums[b.Currency] += b.Balance
	}
	for currency, sum := range sums {
		assert.Zero(t, sum, currency)
	}
}

func TestPricesChangeForNewOrdersOnly(t *testing.T) {
	inContract(t)
	customer, operator := world.NewCustomer(t), world.LogIn(t, world.Operator)
	id := "test-" + uuid.NewString()[:8]
	path := "/api/v1/admin/products/" + id
	product := func(amount int64) map[string]any {
		return map[string]any{"name": "Test", "description": "For a test.", "active": true, "price": harness.Money{Amount: amount, Currency: "EUR"}}
	}
	customer.Must(t, http.StatusForbidden, http.MethodPut, path, product(100), nil)
	operator.Must(t, http.StatusCreated, http.MethodPut, path, product(100), nil)
	before := customer.Place(t, id, "tok_visa")
	operator.Must(t, http.StatusOK, http.MethodPut, path, product(250), nil)
	after := customer.Place(t, id, "tok_visa")
	assert.Equal(t, int64(100), customer.Order(t, before.ID).Total.Amount)
	assert.Equal(t, int64(250), after.Total.Amount)
	operator.Must(t, http.StatusNoContent, http.MethodDelete, path, nil, nil)
}
