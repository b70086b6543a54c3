package acceptance

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

func firstProduct(t *testing.T) harness.Product {
	t.Helper()
	var products harness.List[harness.Product]
	harness.Must(t, world.API, http.StatusOK, http.MethodGet, "/api/v1/products", nil, &products)
	require.NotEmpty(t, products.Items, "there is nothing to buy")
	return products.Items[0]
}

func TestAnOrderIsPaidAndItsCustomerIsTold(t *testing.T) {
	inContract(t)
	customer, product := world.NewCustomer(t), firstProduct(t)
	order := customer.Place(t, product.ID, "tok_visa")
	assert.Equal(t, "pending", order.Status)
	assert.Equal(t, product.Price, order.Total, "the total is the server's price")

	order = customer.AwaitStatus(t, order.ID, "paid")
	require.Len(t, order.History, 2)
	assert.Equal(t, "pending", order.History[0].Status)
	assert.Equal(t, "paid", order.History[1].Status)

	var payments harness.List[harness.Payment]
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/payments?order_id="+order.ID, nil, &payments)
	require.Len(t, payments.Items, 1)
	assert.Equal(t, "captured", payments.Items[0].Status)
	assert.Equal(t, order.Total, payments.Items[0].Amount)

	mail := world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "receipt") })
	assert.Contains(t, mail.HTML, order.ID, "the receipt names the order")
	assert.Contains(t, mail.HTML, product.Name, "the receipt names what was bought")
}

func TestADeclinedPaymentEndsTheOrderAndItsCustomerIsTold(t *testing.T) {
	inContract(t)
	customer, product := world.NewCustomer(t), firstProduct(t)
	order := customer.Place(t, product.ID, "tok_declined")
	order = customer.AwaitStatus(t, order.ID, "payment_failed")
	assert.NotEmpty(t, order.History[len(order.History)-1].Reason, "the history says why")
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(strings.ToLower(m.Subject), "declined") })
}

func TestTheSameKeyIsTheSameOrder(t *testing.T) {
	inContract(t)
	customer, product := world.NewCustomer(t), firstProduct(t)
	key := uuid.NewString()
	first := customer.Place(t, product.ID, "tok_visa", harness.Key(key))
	again := customer.Place(t, product.ID, "tok_visa", harness.Key(key))
	assert.Equal(t, first.ID, again.ID)
	other := map[string]any{"items": []harness.Item{{ProductID: product.ID, Quantity: 2}}, "payment_method": "tok_visa"}
	answer := customer.Must(t, http.StatusUnprocessableEntity, http.MethodPost, "/api/v1/orders", other, nil, harness.Key(key))
	assert.Equal(t, "idempotency_key_reused", answer.Code())
}

func TestAnOrderCostsWhatTheCustomerWasShown(t *testing.T) {
	inContract(t)
	customer, operator := world.NewCustomer(t), world.LogIn(t, world.Operator)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"})
	order := map[string]any{
		"items": []harness.Item{{ProductID: product.ID, Quantity: 1}}, "payment_method": "tok_visa", "expected_total": product.Price,
	}
	key := harness.Key(uuid.NewString())
	dearer := harness.Money{Amount: 99900, Currency: "EUR"}
	world.SetPrice(t, operator, product, dearer)
	harness.Eventually(t, func(context.Context) error { // another replica may sell at the old price for a moment
		if got := customer.Product(t, product.ID).Price; got != dearer {
			return fmt.Errorf("the price is %v", got)
		}
		return nil
	})
	refused := customer.Must(t, http.StatusConflict, http.MethodPost, "/api/v1/orders", order, nil, key)
	assert.Equal(t, "total_changed", refused.Code())
	var problem struct {
		Quote struct{ Total harness.Money }
	}
	require.NoError(t, refused.Into(&problem))
	assert.Equal(t, dearer, problem.Quote.Total, "the problem says what it costs now")

	var placed harness.Order
	order["expected_total"] = dearer
	customer.Must(t, http.StatusCreated, http.MethodPost, "/api/v1/orders", order, &placed, key)
	assert.Equal(t, dearer, placed.Total)
}

func TestTwoCurrenciesAreTwoOrders(t *testing.T) {
	inContract(t)
	customer, operator := world.NewCustomer(t), world.LogIn(t, world.Operator)
	euros := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"})
	forints := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "HUF"})
	order := map[string]any{
		"items": []harness.Item{{ProductID: euros.ID, Quantity: 1}, {ProductID: forints.ID, Quantity: 1}}, "payment_method": "tok_visa",
	}
	answer := customer.Must(t, http.StatusUnprocessableEntity, http.MethodPost, "/api/v1/orders", order, nil, harness.Key(uuid.NewString()))
	assert.Contains(t, string(answer.Body), "items[1].product_id", "the answer names the product that does not go with the others")
}

func TestACancelledOrderIsNeverPaidFor(t *testing.T) {
	inContract(t)
	customer, product := world.NewCustomer(t), firstProduct(t)
	order := customer.Place(t, product.ID, "tok_slow")
	customer.Must(t, http.StatusOK, http.MethodPost, "/api/v1/orders/"+order.ID+"/cancel", map[string]string{"reason": "changed my mind"}, nil)
	customer.AwaitStatus(t, order.ID, "cancelled")
	harness.Eventually(t, func(ctx context.Context) error {
		answer, err := world.API.Do(ctx, http.MethodGet, "/api/v1/payments?order_id="+order.ID, nil, harness.Token(customer.AccessToken))
		if err != nil {
			return err
		}
		var payments harness.List[harness.Payment]
		if err := answer.Into(&payments); err != nil {
			return err
		}
		if len(payments.Items) != 1 || payments.Items[0].Status != "voided" && payments.Items[0].Status != "refunded" {
			return fmt.Errorf("payments of the cancelled order: %s", answer.Body)
		}
		return nil
	})
}

func TestAPaidOrderThatIsCancelledIsRefunded(t *testing.T) {
	inContract(t)
	customer, product := world.NewCustomer(t), firstProduct(t)
	order := customer.Place(t, product.ID, "tok_visa")
	customer.AwaitStatus(t, order.ID, "paid")
	customer.Must(t, http.StatusAccepted, http.MethodPost, "/api/v1/orders/"+order.ID+"/cancel", nil, nil)
	customer.AwaitStatus(t, order.ID, "refunded")
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(strings.ToLower(m.Subject), "refund") })
}

func TestStatusIsStreamed(t *testing.T) {
	customer, product := world.NewCustomer(t), firstProduct(t)
	order := customer.Place(t, product.ID, "tok_visa")
	events := stream(t, customer, order.ID, "")
	assert.Equal(t, []string{"status 1 pending", "status 2 paid", "end  paid"}, events)
	assert.Equal(t, []string{"status 2 paid", "end  paid"}, stream(t, customer, order.ID, "1"), "a stream resumes where it ended")
}

// stream reads an order's event stream to its end, one "<event> <id> <status>" per event.
func stream(t *testing.T, c *harness.Customer, id, last string) []string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, world.API.Base+"/api/v1/orders/"+id+"/events", nil)
	require.NoError(t, err)
	harness.Token(c.AccessToken)(req)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var events []string
	var event, eventID string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "id":
			eventID = value
		case "event":
			event = value
		case "data":
			_, status, _ := strings.Cut(value, `"status":"`)
			status, _, _ = strings.Cut(status, `"`)
			events = append(events, event+" "+eventID+" "+status)
			event, eventID = "", ""
		}
	}
	return events
}

func TestAnothersOrderDoesNotExist(t *testing.T) {
	inContract(t)
	owner, stranger, product := world.NewCustomer(t), world.NewCustomer(t), firstProduct(t)
	order := owner.Place(t, product.ID, "tok_visa")
	stranger.Must(t, http.StatusNotFound, http.MethodGet, "/api/v1/orders/"+order.ID, nil, nil)
	stranger.Must(t, http.StatusNotFound, http.MethodPost, "/api/v1/orders/"+order.ID+"/cancel", nil, nil)
}
