package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sidecart.dev/acceptance/harness"
)

// settleTime is how long the system may take to finish what was begun once nothing is broken any
// more.
const settleTime = 4 * time.Minute

// outcome is what a run came to.
type outcome struct {
	acknowledged, unanswered int
	ends                     map[string]int // orders by final status
	lost, untold, wrong      []string
	doubled                  []string // mails that came more than once
	late                     []string // orders of which "received" was told after their end
	ledgerDifference         int64
	drain                    time.Duration // from the end of the load until everything was finished
}

// mails are the subjects that tell a customer of an order's end.
var mails = map[string]string{
	"paid": "Your receipt for order ", "payment_failed": "Payment declined for order ", "cancelled": "Order cancelled: ", "refunded": "Refund of ",
}

// verify waits until every acknowledged order has ended, its customer was told and the books agree,
// and notes what did not come about.
func (r *run) verify(t *testing.T) outcome {
	t.Helper()
	r.mu.Lock()
	orders := r.orders
	out := outcome{acknowledged: len(orders), unanswered: r.failed, ends: map[string]int{}}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), settleTime)
	defer cancel()
	var captured, refunded int64
	operator := &harness.Customer{World: r.world, Login: r.world.Operator}
	if err := again(ctx, harness.Patience, func(ctx context.Context) error { return r.renew(ctx, operator) }); err != nil {
		t.Fatalf("operator: %v", err)
	}
	for _, o := range orders {
		final, err := r.ended(ctx, o)
		if err != nil {
			out.lost = append(out.lost, fmt.Sprintf("%s (%s): %v", o.id, o.method, err))
			continue
		}
		out.ends[final.Status]++
		if err := r.told(ctx, o, final.Status, &out); err != nil {
			out.untold = append(out.untold, fmt.Sprintf("%s (%s, %s): %v", o.id, o.method, final.Status, err))
		}
		err = again(ctx, harness.Patience, func(ctx context.Context) error {
			paid, back, err := r.charge(ctx, operator, o, final)
			if err == nil {
				captured, refunded = captured+paid, refunded+back
			}
			return err
		})
		if err != nil {
			out.wrong = append(out.wrong, fmt.Sprintf("%s (%s, %s): %v", o.id, o.method, final.Status, err))
		}
	}
	// A placed order whose POST was never answered may be paid for as well: the books have at least
	// the acknowledged ones.
	if err := again(ctx, harness.Patience, func(ctx context.Context) error {
		var err error
		out.ledgerDifference, err = r.ledger(ctx, operator, captured-refunded, out.unanswered == 0)
		return err
	}); err != nil {
		out.wrong = append(out.wrong, err.Error())
	}
	return out
}

// ended waits for an order's end.
func (r *run) ended(ctx context.Context, o *order) (harness.Order, error) {
	var final harness.Order
	err := again(ctx, settleTime, func(ctx context.Context) error {
		if err := r.call(ctx, o.customer, http.MethodGet, "/api/v1/orders/"+o.id, nil, &final, http.StatusOK); err != nil {
			return err
		}
		if mails[final.Status] == "" {
			return fmt.Errorf("is %s", final.Status)
		}
		if o.cancelled && final.Status == "paid" {
			return fmt.Errorf("is paid after its cancellation was acknowledged")
		}
		return nil
	})
	return final, err
}

// told waits for the mail about an order's end, and counts mails that came twice.
func (r *run) told(ctx context.Context, o *order, status string, out *outcome) error {
	return again(ctx, settleTime, func(ctx context.Context) error {
		found, err := r.world.Inbox.Find(ctx, o.id)
		if err != nil {
			return err
		}
		subjects, told := map[string][]string{}, false // times by subject
		var received, end time.Time
		for _, m := range found { // newest first
			if strings.HasPrefix(m.Subject, "Order received") {
				received = m.Created
			} else {
				end = m.Created
			}
			subjects[m.Subject] = append(subjects[m.Subject], m.Created.UTC().Format("15:04:05.000"))
			told = told || strings.HasPrefix(m.Subject, mails[status])
			if len(m.To) != 1 || m.To[0].Address != o.customer.Email || len(m.Cc) > 0 {
				return fmt.Errorf("mail %q went to %v", m.Subject, m.To)
			}
		}
		if !told {
			return fmt.Errorf("no mail %q among %v", mails[status], subjects)
		}
		if received.After(end) {
			out.late = append(out.late, o.id)
		}
		for subject, times := range subjects {
			if len(times) > 1 {
				out.doubled = append(out.doubled, fmt.Sprintf("%q to %s at %s", subject, o.customer.Email, strings.Join(times, " and ")))
			}
		}
		return nil
	})
}

// charge compares the provider's own record with the order: captured at most once, and given back
// if the order was not kept.
func (r *run) charge(ctx context.Context, operator *harness.Customer, o *order, final harness.Order) (captured, refunded int64, err error) {
	var charges harness.List[struct {
		Status   string `json:"status"`
		ChargeID string `json:"charge_id"`
		Refunded int64  `json:"refunded_amount"`
	}]
	path := "/api/v1/admin/provider/charges?order_id=" + url.QueryEscape(o.id)
	if err := r.direct(ctx, "payments", operator, path, &charges); err != nil {
		return 0, 0, err
	}
	for _, c := range charges.Items {
		if c.Status == "captured" || c.Refunded > 0 {
			captured += final.Total.Amount
			refunded += c.Refunded
		}
	}
	kept := captured - refunded
	switch {
	case captured > final.Total.Amount:
		return captured, refunded, fmt.Errorf("charged %d for %d", captured, final.Total.Amount)
	case final.Status == "paid" && kept != final.Total.Amount:
		return captured, refunded, fmt.Errorf("paid, but the provider keeps %d of %d", kept, final.Total.Amount)
	case final.Status != "paid" && kept != 0:
		return captured, refunded, fmt.Errorf("not kept, but the provider keeps %d of it", kept)
	}
	return captured, refunded, nil
}

// ledger returns by how much the ledger's revenue differs from what the provider keeps.
func (r *run) ledger(ctx context.Context, operator *harness.Customer, kept int64, exact bool) (int64, error) {
	var report struct {
		Balanced bool `json:"balanced"`
		Balances []struct {
			Account string `json:"account"`
			Balance int64  `json:"balance"`
		} `json:"balances"`
	}
	if err := r.call(ctx, operator, http.MethodGet, "/api/v1/admin/ledger", nil, &report, http.StatusOK); err != nil {
		return 0, err
	}
	if !report.Balanced {
		return 0, fmt.Errorf("the ledger does not balance: %+v", report.Balances)
	}
	var clearing int64
	for _, b := range report.Balances {
		if b.Account == "provider:clearing" {
			clearing = b.Balance
		}
	}
	if difference := clearing - kept; exact && difference != 0 || difference < 0 {
		return difference, fmt.Errorf("the ledger has %d with the provider, who keeps %d", clearing, kept)
	}
	return 0, nil
}

// direct calls an app through its own sidecar: a route that the gateway does not have.
func (r *run) direct(ctx context.Context, app string, c *harness.Customer, path string, out any) error {
	info, err := r.stack.App(app)
	if err != nil {
		return err
	}
	api := harness.NewAPI(info.URL, nil)
	answer, err := api.Do(ctx, http.MethodGet, path, nil, harness.Token(c.AccessToken), harness.Header("dapr-api-token", info.AppToken))
	if err != nil {
		return err
	}
	if answer.Status == http.StatusUnauthorized {
		return fmt.Errorf("unauthorized: %w", r.renew(ctx, c))
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("%s answered %d: %s", path, answer.Status, answer.Body)
	}
	return answer.Into(out)
}

// String returns a line for each thing counted.
func (o outcome) String() string {
	return fmt.Sprintf(`orders acknowledged  %d (%v)
never answered       %d
lost                 %d
customer not told    %d
wrongly charged      %d
told twice           %d
told in wrong order  %d
ledger difference    %d
finished after       %s
`, o.acknowledged, o.ends, o.unanswered, len(o.lost), len(o.untold), len(o.wrong), len(o.doubled), len(o.late), o.ledgerDifference, o.drain.Round(time.Millisecond))
}
