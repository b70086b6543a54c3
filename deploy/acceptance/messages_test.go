package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
)

// wanted is what one message must say, in one language.
type wanted struct{ subject, text string }

func TestEveryMessageArrivesInTheCustomersLanguage(t *testing.T) {
	languages := map[string]map[string]wanted{
		"en": {
			"welcome": {"Welcome", "confirm"}, "received": {"Order received", "€"}, "receipt": {"Your receipt", "€"},
			"declined": {"Payment declined", "€"}, "cancelled": {"Order cancelled", "€"}, "refunded": {"Refund of", "€"},
			"reset": {"Reset your", "#/reset?token="}, "changed": {"password was changed", ""}, "deleted": {"was deleted", ""},
		},
		"de": {
			"welcome": {"Willkommen", "bestätig"}, "received": {"Bestellung eingegangen", "€"}, "receipt": {"Quittung", "€"},
			"declined": {"abgelehnt", "€"}, "cancelled": {"storniert", "€"}, "refunded": {"Erstattung", "€"},
			"reset": {"zurücksetzen", "#/reset?token="}, "changed": {"geändert", ""}, "deleted": {"gelöscht", ""},
		},
	}
	for language, messages := range languages {
		t.Run(language, func(t *testing.T) {
			inContract(t)
			product := firstProduct(t)
			customer := world.NewCustomer(t, func(form map[string]any) { form["locale"] = language })
			expect := func(message, also string) {
				t.Helper()
				want := messages[message]
				mail := world.AwaitMail(t, customer.Email, func(m harness.Mail) bool {
					return strings.Contains(m.Subject, want.subject)
				})
				assert.Contains(t, mail.Text, want.text, message)
				assert.Contains(t, mail.HTML, also, message)
				assert.Len(t, mail.To, 1, "nobody else sees it")
				assert.Empty(t, mail.Cc, "nobody else sees it")
			}
			expect("welcome", "")
			paid := customer.Place(t, product.ID, "tok_visa")
			customer.AwaitStatus(t, paid.ID, "paid")
			expect("receipt", paid.ID)
			late := customer.Place(t, product.ID, "tok_unanswered")
			expect("received", late.ID)
			customer.Must(t, http.StatusAccepted, http.MethodPost, "/api/v1/orders/"+paid.ID+"/cancel", nil, nil)
			customer.AwaitStatus(t, paid.ID, "refunded")
			expect("cancelled", paid.ID)
			expect("refunded", paid.ID)
			declined := customer.Place(t, product.ID, "tok_insufficient_funds")
			customer.AwaitStatus(t, declined.ID, "payment_failed")
			expect("declined", declined.ID)
			harness.Must(t, world.API, http.StatusAccepted, http.MethodPost, "/api/v1/password-resets", map[string]string{"email": customer.Email}, nil)
			expect("reset", "")
			customer.Must(t, http.StatusNoContent, http.MethodPut, "/api/v1/users/me/password",
				map[string]string{"current_password": customer.Password, "new_password": "another good password"}, nil)
			expect("changed", "")
			customer = world.LogIn(t, harness.Login{Email: customer.Email, Password: "another good password"})
			customer.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/users/me", nil, nil)
			expect("deleted", "")
		})
	}
}

// about returns the subjects of the mails about an order, oldest first.
func about(ctx context.Context, customer *harness.Customer, orderID string) ([]string, error) {
	mails, err := world.Inbox.To(ctx, customer.Email)
	slices.Reverse(mails)
	var subjects []string
	for _, m := range mails {
		if strings.Contains(m.Subject, orderID) {
			subjects = append(subjects, m.Subject)
		}
	}
	return subjects, err
}

// TestAnOrderIsToldOnce waits for the mail about a later order: nothing about the first can be on
// its way then but what is told of orders that wait, and the first does not.
func TestAnOrderIsToldOnce(t *testing.T) {
	inContract(t)
	product, customer := firstProduct(t), world.NewCustomer(t)
	paid, declined := customer.Place(t, product.ID, "tok_visa"), customer.Place(t, product.ID, "tok_declined")
	customer.AwaitStatus(t, paid.ID, "paid")
	customer.AwaitStatus(t, declined.ID, "payment_failed")
	waiting := customer.Place(t, product.ID, "tok_unanswered")
	harness.Eventually(t, func(ctx context.Context) error {
		subjects, err := about(ctx, customer, waiting.ID)
		if err == nil && len(subjects) == 0 {
			err = fmt.Errorf("nothing is told of an order whose payment takes long")
		}
		return err
	})
	for id, want := range map[string]string{
		paid.ID: "Your receipt", declined.ID: "Payment declined", waiting.ID: "Order received",
	} {
		subjects, err := about(t.Context(), customer, id)
		require.NoError(t, err)
		if assert.Len(t, subjects, 1, "one mail for one thing that happened") {
			assert.Contains(t, subjects[0], want)
		}
	}
}

// TestAnOrderThatWaitedIsToldTwiceInOrder keeps payments from doing anything until the customer has
// been told that the order has come in.
func TestAnOrderThatWaitedIsToldTwiceInOrder(t *testing.T) {
	if own == nil {
		t.Skip("only processes this suite started are stopped")
	}
	product, customer := firstProduct(t), world.NewCustomer(t)
	payments, err := own.App("payments")
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(payments.PID, syscall.SIGSTOP))
	goOn := sync.OnceValue(func() error { return syscall.Kill(payments.PID, syscall.SIGCONT) })
	defer func() { assert.NoError(t, goOn()) }()
	order := customer.Place(t, product.ID, "tok_visa")
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "Order received") })
	require.NoError(t, goOn())
	customer.AwaitStatus(t, order.ID, "paid")
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "Your receipt") })
	subjects, err := about(t.Context(), customer, order.ID)
	require.NoError(t, err)
	if assert.Len(t, subjects, 2) {
		assert.Contains(t, subjects[0], "Order received")
		assert.Contains(t, subjects[1], "Your receipt")
	}
	awaitAll(t, customer)
}

func TestPreferencesAreRespected(t *testing.T) {
	inContract(t)
	product := firstProduct(t)
	customer, phone := world.NewReachableCustomer(t)
	preferences := map[string]any{"preferences": map[string]any{
		"email": map[string]bool{"orders": false, "payments": true}, "sms": map[string]bool{"orders": false, "payments": true},
	}}
	customer.Must(t, http.StatusOK, http.MethodPatch, "/api/v1/users/me", preferences, nil)
	order := customer.Place(t, product.ID, "tok_visa")
	customer.AwaitStatus(t, order.ID, "paid")
	world.AwaitMail(t, customer.Email, func(m harness.Mail) bool { return strings.Contains(m.Subject, "receipt") })
	waiting := customer.Place(t, product.ID, "tok_unanswered")
	customer.Must(t, http.StatusOK, http.MethodPost, "/api/v1/orders/"+waiting.ID+"/cancel", nil, nil)
	harness.Eventually(t, func(ctx context.Context) error {
		messages, err := world.Inbox.SMS(ctx, phone)
		if err == nil && (len(messages) != 2 || !strings.Contains(messages[0].Body, order.ID)) { // the code came first
			err = fmt.Errorf("text messages to the customer: %+v", messages)
		}
		return err
	})
	var list harness.List[harness.Notification]
	harness.Eventually(t, func(context.Context) error {
		customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notifications", nil, &list)
		for _, n := range list.Items {
			if n.EventType == "order.cancelled.v1" && n.Channel == "email" && n.Status == "suppressed" {
				return nil
			}
		}
		return fmt.Errorf("the unwanted mail is not listed as suppressed: %+v", list.Items)
	})
	mails, err := world.Inbox.To(t.Context(), customer.Email)
	require.NoError(t, err)
	for _, m := range mails {
		assert.NotContains(t, m.Subject, "Order cancelled", "mail that is not wanted is not sent")
	}
}

func TestNotificationsAreListedNewestFirst(t *testing.T) {
	inContract(t)
	product, customer := firstProduct(t), world.NewCustomer(t)
	for range 3 {
		customer.AwaitStatus(t, customer.Place(t, product.ID, "tok_visa").ID, "paid")
	}
	seen := map[string]bool{}
	harness.Eventually(t, func(context.Context) error {
		clear(seen)
		for cursor := ""; ; {
			var page harness.List[harness.Notification]
			customer.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notifications?limit=2"+cursor, nil, &page)
			for _, n := range page.Items {
				if seen[n.ID] {
					return fmt.Errorf("%s is listed twice", n.ID)
				}
				seen[n.ID] = true
			}
			if page.Next == nil {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(*page.Next)
		}
		if len(seen) != 4 {
			return fmt.Errorf("%d messages are listed, not a welcome and three receipts", len(seen))
		}
		return nil
	})
}
