package acceptance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// Somebody registers an address that is not his, with his own number. Its owner takes the account
// over, and the first learns nothing more of it.
func TestWhoRegistersAnothersAddressIsOutWithItsFirstProof(t *testing.T) {
	inContract(t)
	product := firstProduct(t)
	const fresh = "entirely different words"
	for name, takeOver := range map[string]func(t *testing.T, email string) *harness.Customer{
		"by a reset": func(t *testing.T, email string) *harness.Customer {
			return resetPassword(t, email, fresh)
		},
		"by the verification link, and a reset later": func(t *testing.T, email string) *harness.Customer {
			token := mailedToken(t, email, "confirm your e-mail")
			harness.Must(t, world.API, http.StatusNoContent, http.MethodPost, "/api/v1/users/verify", map[string]string{"token": token}, nil)
			return world.LogIn(t, harness.Login{Email: email, Password: harness.Password})
		},
	} {
		t.Run(name, func(t *testing.T) {
			first, phone := world.NewReachableCustomer(t)
			first.Must(t, http.StatusOK, http.MethodPatch, "/api/v1/users/me", map[string]any{"preferences": map[string]any{
				"sms": map[string]bool{"orders": true, "payments": true},
			}}, nil)
			owner := takeOver(t, first.Email)
			var me harness.User
			owner.Must(t, http.StatusOK, http.MethodGet, "/api/v1/users/me", nil, &me)
			assert.Empty(t, me.Phone)
			assert.True(t, me.EmailVerified)
			assert.False(t, me.Preferences["sms"]["orders"] || me.Preferences["sms"]["payments"])
			first.Must(t, http.StatusUnauthorized, http.MethodPatch, "/api/v1/users/me", map[string]any{"phone": phone}, nil)
			harness.Must(t, world.API, http.StatusUnauthorized, http.MethodPost, "/api/v1/sessions/refresh",
				map[string]string{"refresh_token": first.RefreshToken}, nil)

			order := owner.Place(t, product.ID, "tok_visa")
			owner.AwaitStatus(t, order.ID, "paid")
			world.AwaitMail(t, owner.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "receipt") })
			texts, err := world.Inbox.SMS(t.Context(), phone)
			require.NoError(t, err)
			for _, text := range texts {
				assert.NotContains(t, text.Body, order.ID, "the first is told of the owner's order")
			}
		})
	}
}

// resetPassword sets a new password with a mailed link, as the owner of the address, and logs in
// with it.
func resetPassword(t *testing.T, email, password string) *harness.Customer {
	t.Helper()
	harness.Must(t, world.API, http.StatusAccepted, http.MethodPost, "/api/v1/password-resets", map[string]string{"email": email}, nil)
	form := map[string]string{"token": mailedToken(t, email, "Reset your"), "new_password": password}
	harness.Must(t, world.API, http.StatusNoContent, http.MethodPost, "/api/v1/password-resets/confirm", form, nil)
	return world.LogIn(t, harness.Login{Email: email, Password: password})
}

// Whoever registered with the address himself loses nothing by its link, wherever he opens it.
func TestTheMailedLinkInTheBrowserEndsNothingOfItsUser(t *testing.T) {
	customer, phone := world.NewReachableCustomer(t)
	other := world.NewCustomer(t)
	link := func(c *harness.Customer) string {
		return "/#/verify?token=" + mailedToken(t, c.Email, "confirm your e-mail")
	}
	s := openShop(t)
	s.logIn(other.Login)
	s.do(chromedp.Navigate(s.base+link(customer)), chromedp.WaitVisible(button("Confirm")), look("verify"), // another is logged in here
		chromedp.SendKeys(`#field-password`, "not the password"), chromedp.Click(button("Confirm")),
		chromedp.WaitVisible(`//span[@id="field-password-error" and string-length(.)>0]`),
		script(`document.getElementById("field-password").value = ""`),
		chromedp.SendKeys(`#field-password`, customer.Password), chromedp.Click(button("Confirm")), says("Your address is confirmed"))
	s.do(chromedp.Navigate(s.base+link(other)), says("Your address is confirmed"), chromedp.WaitVisible(`//nav/button[.="Log out"]`))
	for _, c := range []*harness.Customer{customer, other} {
		var me harness.User
		c.Must(t, http.StatusOK, http.MethodGet, "/api/v1/users/me", nil, &me)
		assert.True(t, me.EmailVerified)
		harness.Must(t, world.API, http.StatusOK, http.MethodPost, "/api/v1/sessions/refresh", map[string]string{"refresh_token": c.RefreshToken}, nil)
	}
	var me harness.User
	customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/users/me", nil, &me)
	assert.Equal(t, phone, me.Phone)
}

// A browser in which nobody is logged in, where somebody did not register: the way out is a new
// password.
func TestTheMailedLinkOffersWhoDidNotRegisterANewPassword(t *testing.T) {
	customer := world.NewCustomer(t)
	s := openShop(t)
	s.do(chromedp.Navigate(s.base+"/#/verify?token="+mailedToken(t, customer.Email, "confirm your e-mail")),
		chromedp.WaitVisible(button("Confirm")),
		chromedp.Click(`//main//a[contains(.,"This was not me")]`), chromedp.WaitVisible(heading("Forgotten password")),
		chromedp.SendKeys(`#field-email`, customer.Email), chromedp.Click(button("Send me a link")))
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "Reset your") })
}
