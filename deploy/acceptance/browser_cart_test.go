package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

func called(name string) func(map[string]any) {
	return func(form map[string]any) { form["name"] = name }
}

func TestACartBelongsToItsCustomer(t *testing.T) {
	operator := world.LogIn(t, world.Operator)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called("Private "+uuid.NewString()))
	first, second := world.NewCustomer(t), world.NewCustomer(t)
	s := openShop(t)
	s.put(product)
	s.logIn(first.Login)
	s.do(chromedp.Navigate(s.base+"/#/cart"), says(product.Name)) // what was put in before the login is the user's now
	other := s.tab()
	s.in(other, says(product.Name))
	s.do(chromedp.Click(`//nav/button[.="Log out"]`), chromedp.WaitVisible(`//nav/a[.="Log in"]`))
	s.in(other, chromedp.WaitVisible(`//nav/a[.="Log in"]`), says("Your cart is empty"))
	s.logIn(second.Login)
	s.in(other, chromedp.WaitVisible(`//nav/button[.="Log out"]`), says("Your cart is empty"))
	kept, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`JSON.stringify({...localStorage, ...sessionStorage})`))
	require.NoError(t, err)
	assert.NotContains(t, kept, product.ID, "the browser still keeps what the first customer wanted")
	assert.NotContains(t, kept, first.User.ID, "the browser still keeps who was logged in")
}

func TestAnEndedSessionShowsTheNextCustomerNothing(t *testing.T) {
	operator := world.LogIn(t, world.Operator)
	product := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called("Hidden "+uuid.NewString()))
	customer := world.NewCustomer(t)
	s := openShop(t)
	s.logIn(customer.Login)
	s.put(product)
	s.through(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("Authorization") != "" || strings.HasSuffix(r.URL.Path, "/refresh") {
			problem(w, http.StatusUnauthorized, "unauthenticated")
			return
		}
		next.ServeHTTP(w, r)
	})
	s.do(chromedp.Navigate(s.base+"/#/orders"), chromedp.WaitVisible(heading("Log in")), chromedp.WaitVisible(`//nav/a[.="Cart"]`))
	s.through(nil)
	s.logIn(customer.Login)
	s.do(chromedp.WaitVisible(`//nav/a[.="Cart (1)"]`))
}

func TestEveryProductCanBeReachedAndOneThatIsGoneIsSaid(t *testing.T) {
	operator := world.LogIn(t, world.Operator)
	run := uuid.NewString()
	var last harness.Product
	for i := range 30 {
		p := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called(fmt.Sprintf("Many %02d %s", i, run)))
		if p.ID > last.ID {
			last = p
		}
	}
	s := openShop(t)
	more := button("Show more")
	s.do(chromedp.Navigate(s.base+"/"), chromedp.WaitVisible(more), chromedp.Click(more),
		chromedp.WaitVisible(`[aria-label="Add `+last.Name+` to the cart"]`), look("more"),
		chromedp.Click(`[aria-label="Add `+last.Name+` to the cart"]`), chromedp.WaitVisible(`//nav/a[.="Cart (1)"]`))
	operator.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/admin/products/"+last.ID, nil, nil)
	harness.Eventually(t, gone(last.ID))
	s.do(chromedp.Navigate(s.base+"/#/cart"),
		says("Not sold any more"), says(last.Name), look("gone"), chromedp.Click(button("Remove")), says("Your cart is empty"))
}

func TestTwoCurrenciesInACartAreTwoTotalsAndTwoOrders(t *testing.T) {
	operator, customer := world.LogIn(t, world.Operator), world.NewCustomer(t)
	euros := world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called("Euro "+uuid.NewString()))
	yen := world.NewProduct(t, operator, harness.Money{Amount: 1500, Currency: "JPY"}, called("Yen "+uuid.NewString()))
	s := openShop(t)
	s.logIn(customer.Login)
	s.put(euros, yen)
	s.do(says("Your cart has prices in several currencies"), says("Total €10.00"), says("Total ¥1,500"), look("currencies"),
		chromedp.Click(`(//main//button[.="Order and pay"])[1]`), chromedp.WaitVisible(heading("Order")),
		chromedp.Navigate(s.base+"/#/cart"), chromedp.WaitVisible(button("Order and pay")))
	var orders harness.List[harness.Order]
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders", nil, &orders)
	require.Len(t, orders.Items, 1)
	require.Len(t, orders.Items[0].Items, 1, "one order has one currency")
}

func TestTheNameOfAProductIsTextAndNothingElse(t *testing.T) {
	operator := world.LogIn(t, world.Operator)
	name := `<img src=x onerror="document.title='taken'"> ` + uuid.NewString()
	world.NewProduct(t, operator, harness.Money{Amount: 1000, Currency: "EUR"}, called(name), func(form map[string]any) {
		form["description"] = `<script>document.title='taken'</script>`
	})
	s := openShop(t)
	s.do(chromedp.Navigate(s.base+"/"), chromedp.WaitVisible(button("Add")))
	shown, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](
		`[...document.querySelectorAll("main h2")].some((h) => h.textContent.startsWith("<img src=x")) && !document.querySelector("main img, main script")`))
	require.NoError(t, err)
	assert.True(t, shown, "the name is shown as it is")
	s.do(script(`document.addEventListener("securitypolicyviolation", () => document.body.classList.add("refused"));
		document.querySelector("main").insertAdjacentHTML("beforeend", "<img src=x onerror=\"document.title='taken'\" alt=''>")`),
		chromedp.WaitReady(`body.refused`))
	title, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`document.title`))
	require.NoError(t, err)
	assert.Equal(t, "Shop · Sidecart", title, "the page's policy lets no inline script run")
}

// TestThePageAndTheMailAgreeOnEveryAmount orders in currencies in which browsers' tables, ISO 4217
// and habit differ.
func TestThePageAndTheMailAgreeOnEveryAmount(t *testing.T) {
	operator, customer := world.LogIn(t, world.Operator), world.NewCustomer(t)
	amounts := []struct {
		currency string
		minor    int64
		text     string
	}{
		{"EUR", 1500_00, "€1,500.00"},
		{"HUF", 1500_00, "HUF 1,500.00"},
		{"IDR", 1500_00, "IDR 1,500.00"},
		{"COP", 1500_00, "COP 1,500.00"},
		{"PKR", 1500_00, "PKR 1,500.00"},
		{"RWF", 1500, "RWF 1,500"},
		{"CLF", 1500_0000, "CLF 1,500.0000"},
		{"UYW", 1500_0000, "UYW 1,500.0000"},
		{"IQD", 1500_000, "IQD 1,500.000"},
		{"BHD", 1500_000, "BHD 1,500.000"},
		{"JPY", 1500, "¥1,500"},
	}
	for _, a := range amounts {
		product := world.NewProduct(t, operator, harness.Money{Amount: a.minor, Currency: a.currency})
		order := customer.Place(t, product.ID, "tok_visa")
		customer.AwaitStatus(t, order.ID, "paid")
	}
	harness.Eventually(t, func(ctx context.Context) error {
		mails, err := world.Inbox.To(ctx, customer.Email)
		if err != nil {
			return err
		}
		var all strings.Builder
		for _, m := range mails {
			body, err := world.Inbox.Read(ctx, m.ID)
			if err != nil {
				return err
			}
			all.WriteString(strings.ReplaceAll(strings.ReplaceAll(body.HTML, "&nbsp;", " "), "\u00a0", " "))
		}
		for _, a := range amounts {
			if !strings.Contains(all.String(), a.text) {
				return fmt.Errorf("no mail says %q", a.text)
			}
		}
		return nil
	})
	s := openShop(t)
	s.logIn(customer.Login)
	s.do(chromedp.Navigate(s.base+"/#/orders"), chromedp.WaitVisible(heading("Orders")))
	for _, a := range amounts {
		s.do(says(a.text))
	}
}
