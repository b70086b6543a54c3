package harness

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// World is a running system as a test sees it.
type World struct {
	API      *API
	Inbox    Inbox
	Operator Login
}

// Login is who to log in as.
type Login struct{ Email, Password string }

// Customer is a registered and logged-in user.
type Customer struct {
	World *World
	User  User
	Login
	Session
}

// Password is what harness customers use.
const Password = "correct horse battery staple"

// NewCustomer registers a user with a fresh address and logs in.
func (w *World) NewCustomer(t testing.TB, change ...func(map[string]any)) *Customer {
	t.Helper()
	email := "c-" + uuid.NewString() + "@example.com"
	form := map[string]any{"email": email, "password": Password, "name": "Ada Example"}
	for _, f := range change {
		f(form)
	}
	c := &Customer{World: w, Login: Login{form["email"].(string), form["password"].(string)}}
	Must(t, w.API, http.StatusCreated, http.MethodPost, "/api/v1/users", form, &c.User)
	c.logIn(t)
	return c
}

// NewReachableCustomer is NewCustomer with a phone number of its own, which the customer has
// confirmed.
func (w *World) NewReachableCustomer(t testing.TB) (c *Customer, number string) {
	t.Helper()
	number = NewNumber()
	c = w.NewCustomer(t, func(form map[string]any) { form["phone"] = number })
	code := map[string]string{"code": w.AwaitCode(t, number)}
	c.Must(t, http.StatusNoContent, http.MethodPost, "/api/v1/users/me/phone/confirm", code, nil)
	return c, number
}

// NewNumber returns a phone number that no other test has.
func NewNumber() string { return fmt.Sprintf("+49151%08d", uuid.New().ID()%100_000_000) }

var smsCode = regexp.MustCompile(`^[0-9]{6}\b`)

// AwaitCode waits for a code that was sent to the number, and returns the latest.
func (w *World) AwaitCode(t testing.TB, number string) (code string) {
	t.Helper()
	Eventually(t, func(ctx context.Context) error {
		texts, err := w.Inbox.SMS(ctx, number)
		for _, text := range texts {
			if code = smsCode.FindString(text.Body); code != "" {
				return nil
			}
		}
		return fmt.Errorf("no code among %d messages to a number: %w", len(texts), err)
	})
	return code
}

// LogIn returns a session of a login.
func (w *World) LogIn(t testing.TB, login Login) *Customer {
	t.Helper()
	c := &Customer{World: w, Login: login}
	c.logIn(t)
	return c
}

func (c *Customer) logIn(t testing.TB) {
	t.Helper()
	body := map[string]string{"email": c.Email, "password": c.Password}
	Must(t, c.World.API, http.StatusCreated, http.MethodPost, "/api/v1/sessions", body, &c.Session)
}

// Must sends a request, fails the test unless the status is the expected one, and decodes the
// answer into out unless that is nil.
func Must(
	t testing.TB, api *API, status int, method, path string, body, out any, opts ...Option,
) Answer {
	t.Helper()
	answer, err := api.Do(t.Context(), method, path, body, opts...)
	require.NoError(t, err, "%s %s", method, path)
	require.Equal(t, status, answer.Status, "%s %s answered %s", method, path, answer.Body)
	if out != nil {
		require.NoError(t, answer.Into(out))
	}
	return answer
}

// Must is the package's Must as this customer.
func (c *Customer) Must(
	t testing.TB, status int, method, path string, body, out any, opts ...Option,
) Answer {
	t.Helper()
	opts = append([]Option{Token(c.AccessToken)}, opts...)
	return Must(t, c.World.API, status, method, path, body, out, opts...)
}

// Place orders one of the product.
func (c *Customer) Place(t testing.TB, product, method string, opts ...Option) Order {
	t.Helper()
	var order Order
	items := []Item{{ProductID: product, Quantity: 1}}
	body := map[string]any{"items": items, "payment_method": method}
	opts = append([]Option{Key(uuid.NewString())}, opts...)
	c.Must(t, http.StatusCreated, http.MethodPost, "/api/v1/orders", body, &order, opts...)
	return order
}

// Order reads an order.
func (c *Customer) Order(t testing.TB, id string) Order {
	t.Helper()
	var order Order
	c.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders/"+id, nil, &order)
	return order
}

// Patience is how long an eventual effect may take before a test fails: long, because nothing waits
// for it to pass, and machines are slow.
const Patience = 3 * time.Minute

// AwaitStatus waits until an order has the status.
func (c *Customer) AwaitStatus(t testing.TB, id, status string) Order {
	t.Helper()
	var order Order
	Eventually(t, func(ctx context.Context) error {
		path, token := "/api/v1/orders/"+id, Token(c.AccessToken)
		answer, err := c.World.API.Do(ctx, http.MethodGet, path, nil, token)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusOK {
			return fmt.Errorf("GET order answered %d", answer.Status)
		}
		if err := answer.Into(&order); err != nil {
			return err
		}
		if order.Status != status {
			return fmt.Errorf("order %s is %s, not %s", id, order.Status, status)
		}
		return nil
	})
	return order
}

// AwaitMail waits for a mail to the address for which match returns true.
func (w *World) AwaitMail(t testing.TB, address string, match func(Mail) bool) Body {
	t.Helper()
	var body Body
	Eventually(t, func(ctx context.Context) error {
		mails, err := w.Inbox.To(ctx, address)
		if err != nil {
			return err
		}
		var subjects []string
		for _, m := range mails {
			if match(m) {
				body, err = w.Inbox.Read(ctx, m.ID)
				return err
			}
			subjects = append(subjects, m.Subject)
		}
		return fmt.Errorf("no such mail to %s among %q", address, subjects)
	})
	return body
}

// Eventually calls check until it returns nil, and fails the test with its last error when patience
// runs out.
func Eventually(t testing.TB, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.NoError(t, err, "still not so after %s", Patience)
		case <-tick.C:
		}
	}
}
