package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

var smsWanted = map[string]any{"preferences": map[string]any{"sms": map[string]bool{"orders": true, "payments": true}}}

func TestANumberGetsNothingButItsCodeUntilItIsConfirmed(t *testing.T) {
	inContract(t)
	product, number := firstProduct(t), harness.NewNumber()
	customer := world.NewCustomer(t, func(form map[string]any) { form["phone"] = number })
	customer.Must(t, http.StatusOK, http.MethodPatch, "/api/v1/users/me", smsWanted, nil)
	before := customer.Place(t, product.ID, "tok_visa")
	var skipped harness.Notification
	harness.Eventually(t, func(context.Context) error {
		var list harness.List[harness.Notification]
		customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notifications", nil, &list)
		for _, n := range list.Items {
			if n.Channel == "sms" && n.OrderID == before.ID {
				skipped = n
				return nil
			}
		}
		return fmt.Errorf("the SMS that was not sent is not listed: %+v", list.Items)
	})
	assert.Equal(t, "suppressed", skipped.Status)
	assert.Contains(t, skipped.Reason, "not confirmed")

	confirm := func(status int, code string) {
		t.Helper()
		customer.Must(t, status, http.MethodPost, "/api/v1/users/me/phone/confirm", map[string]string{"code": code}, nil)
	}
	code := world.AwaitCode(t, number)
	confirm(http.StatusUnprocessableEntity, otherThan(code))
	other := world.NewCustomer(t, func(form map[string]any) { form["phone"] = number })
	other.Must(t, http.StatusUnprocessableEntity, http.MethodPost, "/api/v1/users/me/phone/confirm", map[string]string{"code": code}, nil)
	confirm(http.StatusNoContent, code)
	var me harness.User
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/users/me", nil, &me)
	assert.True(t, me.PhoneVerified)
	after := customer.Place(t, product.ID, "tok_visa")
	harness.Eventually(t, func(ctx context.Context) error {
		texts, err := world.Inbox.SMS(ctx, number)
		for _, text := range texts {
			require.NotContains(t, text.Body, before.ID, "an SMS went out before the number was confirmed")
			if strings.Contains(text.Body, after.ID) {
				return nil
			}
		}
		return fmt.Errorf("no SMS about an order to a confirmed number: %w", err)
	})
	customer.Must(t, http.StatusOK, http.MethodPatch, "/api/v1/users/me", map[string]any{"phone": harness.NewNumber()}, &me)
	assert.False(t, me.PhoneVerified, "a new number is confirmed by the old one's code")
}

func otherThan(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

func TestACustomerConfirmsANumberInTheBrowser(t *testing.T) {
	customer, number := world.NewCustomer(t), harness.NewNumber()
	s := openShop(t)
	s.logIn(customer.Login)
	s.do(chromedp.Navigate(s.base+"/#/account"), chromedp.WaitVisible(heading("Your account")),
		chromedp.SendKeys(`#field-phone`, number), chromedp.Click(button("Save")), chromedp.WaitVisible(button("Confirm number")), look("number"))
	code := world.AwaitCode(t, number)
	s.do(chromedp.SendKeys(`#field-code`, otherThan(code)), chromedp.Click(button("Confirm number")),
		chromedp.WaitVisible(`//input[@id="field-code" and @aria-invalid="true" and @aria-describedby="field-code-error"]`),
		chromedp.WaitVisible(`//span[@id="field-code-error" and string-length(.)>0]`),
		script(`document.getElementById("field-code").value = ""`),
		chromedp.SendKeys(`#field-code`, code), chromedp.Click(button("Confirm number")), says("Your number "+number+" is confirmed"))
	var me harness.User
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/users/me", nil, &me)
	assert.True(t, me.PhoneVerified)
	s.do(chromedp.Navigate(s.base+"/#/"), chromedp.WaitVisible(heading("Shop")), chromedp.Navigate(s.base+"/#/account"),
		says("Your number "+number+" is confirmed"))
}
