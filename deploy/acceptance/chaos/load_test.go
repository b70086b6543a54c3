package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"

	"sidecart.dev/acceptance/harness"
)

// methods are the payment methods in the proportions of the load.
var methods = []string{
	"tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_flaky", "tok_flaky", "tok_declined", "tok_insufficient_funds", "tok_slow",
}

// patience is how long a client tries again with the same key.
const patience = 2 * time.Minute

// shop is what a customer does over and over: order, until there is an answer; sometimes cancel;
// look at the list.
func (r *run) shop(ctx context.Context, rnd *rand.Rand, c *harness.Customer) {
	wait(ctx, time.Duration(rnd.IntN(800))*time.Millisecond)
	body := map[string]any{
		"items":          []harness.Item{{ProductID: r.products[rnd.IntN(len(r.products))], Quantity: 1 + rnd.IntN(3)}},
		"payment_method": methods[rnd.IntN(len(methods))],
	}
	key := uuid.NewString()
	var placed harness.Order
	err := again(ctx, patience, func(ctx context.Context) error {
		return r.call(ctx, c, http.MethodPost, "/api/v1/orders", body, &placed, http.StatusCreated, harness.Key(key))
	})
	if err != nil {
		r.mu.Lock()
		r.failed++
		r.mu.Unlock()
		return
	}
	o := &order{id: placed.ID, method: body["payment_method"].(string), customer: c}
	r.note(o)
	if rnd.IntN(6) == 0 {
		wait(ctx, time.Duration(rnd.IntN(500))*time.Millisecond) // before, while or after it is paid
		r.cancel(ctx, o)
	}
}

// note remembers an order that was acknowledged.
func (r *run) note(o *order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orders = append(r.orders, o)
}

// cancel asks for a cancellation until there is an answer. Whether it came too late is for the
// system to say.
func (r *run) cancel(ctx context.Context, o *order) {
	_ = again(ctx, patience, func(ctx context.Context) error {
		answer, err := r.world.API.Do(ctx, http.MethodPost, "/api/v1/orders/"+o.id+"/cancel", nil, harness.Token(o.customer.AccessToken))
		if err != nil {
			return err
		}
		switch answer.Status {
		case http.StatusOK, http.StatusAccepted:
			r.mu.Lock()
			o.cancelled = true
			r.mu.Unlock()
			return nil
		case http.StatusConflict:
			return nil
		}
		return fmt.Errorf("cancel answered %d: %s", answer.Status, answer.Body)
	})
}

// call sends a request and decodes an answer of the expected status. An expired access token is
// renewed by logging in.
func (r *run) call(ctx context.Context, c *harness.Customer, method, path string, body, out any, status int, opts ...harness.Option) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	answer, err := r.world.API.Do(ctx, method, path, body, append(opts, harness.Token(c.AccessToken))...)
	if err != nil {
		return err
	}
	if answer.Status == http.StatusUnauthorized {
		if err := r.renew(ctx, c); err != nil {
			return err
		}
	}
	if answer.Status != status {
		return fmt.Errorf("%s %s answered %d: %s", method, path, answer.Status, answer.Body)
	}
	return answer.Into(out)
}

func (r *run) renew(ctx context.Context, c *harness.Customer) error {
	answer, err := r.world.API.Do(ctx, http.MethodPost, "/api/v1/sessions", map[string]string{"email": c.Email, "password": c.Password})
	if err != nil {
		return err
	}
	if answer.Status != http.StatusCreated {
		return fmt.Errorf("login answered %d", answer.Status)
	}
	return answer.Into(&c.Session)
}
