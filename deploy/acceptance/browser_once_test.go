package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

func placing(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/api/v1/orders"
}

// lose lets a request have its effect and drops the connection instead of answering.
func lose(r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

func problem(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"type":"about:blank","title":"Refused","status":%d,"code":%q,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`, status, code)
}

// gone is nil once a product cannot be read any more.
func gone(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		answer, err := world.API.Do(ctx, http.MethodGet, "/api/v1/products/"+id, nil)
		if err == nil && answer.Status != http.StatusNotFound {
			err = fmt.Errorf("the product is still there: %d", answer.Status)
		}
		return err
	}
}

// ordered checks how many orders the customer has.
func ordered(t *testing.T, customer *harness.Customer, want int) []harness.Order {
	t.Helper()
	var orders harness.List[harness.Order]
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders", nil, &orders)
	require.Len(t, orders.Items, want, "orders of the customer")
	return orders.Items
}

func TestAnOrderWithoutAnAnswerIsPlacedOnceWhateverBecomesOfThePage(t *testing.T) {
	operator, customer := world.LogIn(t, world.Operator), world.NewCustomer(t)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called("Once "+uuid.NewString()))
	s := openShop(t)
	s.logIn(customer.Login)
	s.put(product)
	var tries atomic.Int32
	keys := make(chan string, 100)
	s.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if placing(r) {
			tries.Add(1)
			keys <- r.Header.Get("Idempotency-Key")
			lose(r, next)
		}
		next.ServeHTTP(w, r)
	})
	s.do(chromedp.Click(button("Order and pay")), says("It cannot be placed twice"), look("unanswered"))
	ordered(t, customer, 1)
	before := tries.Load()
	s.do(chromedp.Reload(), says("It cannot be placed twice"))
	assert.Greater(t, tries.Load(), before, "the order was not asked for again after the reload")
	second := s.tab()
	s.in(second, chromedp.WaitVisible(button("Ask again now")), chromedp.WaitNotPresent(button("Order and pay")))
	s.through(nil)
	s.do(askAgain(), chromedp.WaitVisible(heading("Order")))
	s.in(second, chromedp.WaitVisible(heading("Order")), chromedp.WaitVisible(`//nav/a[.="Cart"]`))
	ordered(t, customer, 1)
	close(keys)
	key := <-keys
	for other := range keys {
		assert.Equal(t, key, other, "the order was asked for under another key")
	}
}

func TestTwoTabsAndTwoClicksAreOneOrder(t *testing.T) {
	operator, customer := world.LogIn(t, world.Operator), world.NewCustomer(t)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called("Two tabs "+uuid.NewString()))
	s := openShop(t)
	s.logIn(customer.Login)
	s.put(product)
	second := s.tab()
	s.in(second, chromedp.WaitVisible(button("Order and pay")))
	click := script(`(() => { const b = [...document.querySelectorAll("main button")].find((b) => b.textContent === "Order and pay"); b?.click(); b?.click(); })()`)
	clicked := make(chan error, 2)
	for _, tab := range []context.Context{s.ctx, second} {
		go func() { clicked <- chromedp.Do(tab, click) }()
	}
	require.NoError(t, <-clicked)
	require.NoError(t, <-clicked)
	s.do(chromedp.WaitVisible(`//nav/a[.="Cart"]`))
	s.in(second, chromedp.WaitVisible(`//nav/a[.="Cart"]`))
	ordered(t, customer, 1)
}

func TestAPriceThatRoseWhileTheCartWasOpenIsShownAndAskedAbout(t *testing.T) {
	operator, customer := world.LogIn(t, world.Operator), world.NewCustomer(t)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called("Rising "+uuid.NewString()))
	s := openShop(t)
	s.logIn(customer.Login)
	s.put(product)
	dearer := harness.Money{Amount: 99900, Currency: "EUR"}
	world.SetPrice(t, operator, product, dearer)
	harness.Eventually(t, func(context.Context) error {
		if got := customer.Product(t, product.ID).Price; got != dearer {
			return fmt.Errorf("the price is %v", got)
		}
		return nil
	})
	s.do(chromedp.Click(button("Order and pay")), says("The price has changed"), says("was €10.00"), says("Total €999.00"), look("dearer"))
	ordered(t, customer, 0)
	s.do(chromedp.Click(button("Order and pay")), chromedp.WaitVisible(heading("Order")))
	assert.Equal(t, dearer, ordered(t, customer, 1)[0].Total)
}

func TestTwoTabsRenewOneSessionOnceAndALostAnswerLogsNobodyOut(t *testing.T) {
	customer := world.NewCustomer(t)
	s := openShop(t)
	s.logIn(customer.Login)
	second := s.tab()
	token, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`JSON.parse(localStorage.getItem("sidecart/session")).access_token`))
	require.NoError(t, err)
	var renewals, expired atomic.Int32
	both := make(chan struct{}) // closed when both tabs have been there with the old token
	s.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/sessions/refresh"):
			if renewals.Add(1) == 1 {
				panic(http.ErrAbortHandler) // lost on its way
			}
		case r.Header.Get("Authorization") == "Bearer "+token:
			if expired.Add(1) == 2 {
				close(both)
			}
			select {
			case <-both:
			case <-r.Context().Done():
			}
			problem(w, http.StatusUnauthorized, "token_expired")
			return
		}
		next.ServeHTTP(w, r)
	})
	moved := make(chan error, 2) // to different pages: a browser asks for one address once at a time
	go func() { moved <- chromedp.Do(s.ctx, script(`location.hash = "#/messages"`)) }()
	go func() { moved <- chromedp.Do(second, script(`location.hash = "#/orders"`)) }()
	require.NoError(t, <-moved)
	require.NoError(t, <-moved)
	s.do(chromedp.WaitVisible(heading("Messages")), chromedp.WaitVisible(`//nav/button[.="Log out"]`))
	s.in(second, chromedp.WaitVisible(heading("Orders")), chromedp.WaitVisible(`//nav/button[.="Log out"]`))
	assert.Equal(t, int32(2), renewals.Load(), "one renewal whose answer was lost, and one for both tabs")
}

func TestARefundWithoutAnAnswerIsMadeOnce(t *testing.T) {
	operator, customer := world.LogIn(t, world.Operator), world.NewCustomer(t)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1500, Currency: "JPY"})
	order := customer.AwaitStatus(t, customer.Place(t, product.ID, "tok_visa").ID, "paid")
	s := openShop(t)
	s.logIn(world.Operator)
	s.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, "/refunds") {
			lose(r, next)
		}
		next.ServeHTTP(w, r)
	})
	s.do(chromedp.Navigate(s.base+"/#/operator"), chromedp.WaitVisible(`#field-order_id`), script(`window.confirm = () => true`),
		chromedp.SendKeys(`#field-order_id`, order.ID), chromedp.SendKeys(`#field-amount`, "5.00"), chromedp.SendKeys(`#field-reason`, "one was broken"),
		chromedp.Click(button("Refund")), says("Write the amount in JPY with no decimals"),
		chromedp.SetValue(`#field-amount`, "500"), chromedp.Click(button("Refund")), says("It cannot be made twice"),
		chromedp.Reload(), says("It cannot be made twice"))
	s.through(nil)
	s.do(askAgain(), chromedp.WaitVisible(`#field-order_id`))
	var payments harness.List[harness.Payment]
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/payments?order_id="+order.ID, nil, &payments)
	require.Len(t, payments.Items, 1)
	assert.Equal(t, harness.Money{Amount: 500, Currency: "JPY"}, payments.Items[0].RefundedAmount)
}

// askAgain clicks the button that repeats a request, if it is there: the page repeats the request
// by itself too, and the button is gone as soon as there is an answer.
func askAgain() chromedp.Action[chromedp.Void] {
	return script(`[...document.querySelectorAll("button")].find((b) => b.textContent === "Ask again now")?.click()`)
}

// What the shop sends with a login tells the browser from a stranger who guesses. It outlives the
// session and names nobody.
func TestTheBrowserShowsAtALoginThatItHasLoggedInBefore(t *testing.T) {
	customer := world.NewCustomer(t)
	s := openShop(t)
	sent := make(chan string, 2)
	s.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/sessions") {
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			var form struct {
				DeviceToken string `json:"device_token"`
			}
			assert.NoError(t, json.Unmarshal(body, &form))
			sent <- form.DeviceToken
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next.ServeHTTP(w, r)
	})
	s.logIn(customer.Login)
	assert.Empty(t, <-sent, "a browser that nobody has logged in from")
	kept, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`JSON.parse(localStorage.getItem("sidecart/device"))`))
	require.NoError(t, err)
	require.NotEmpty(t, kept)
	s.do(chromedp.Click(`//nav/button[.="Log out"]`), chromedp.WaitVisible(`//nav/a[.="Log in"]`))
	s.logIn(customer.Login)
	assert.Equal(t, kept, <-sent)
}
