package components

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/local/backends"
	"sidecart.dev/local/stack"
)

// TestAServiceMovesToAnotherStore does what the operators' guide says to move orders from SQLite to
// PostgreSQL, and finds nothing changed.
func TestAServiceMovesToAnotherStore(t *testing.T) {
	b, err := backends.Start(t.Context(), backends.Config{}) // a database that has nothing of other tests'
	if backends.IsMissing(err) {
		t.Skip(err)
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Stop()) }()
	opts := options(t, b)
	opts.Env["RATE_LIMIT_ADDRESS"], opts.Env["RATE_LIMIT_USER"] = "5000", "5000"
	opts.Env["FLOOD_ORDERS_PER_HOUR"], opts.Env["FLOOD_UNVERIFIED_PER_HOUR"] = "0", "0"

	st, err := stack.Start(t.Context(), opts)
	require.NoError(t, err)
	shop := newShop(t, st)
	before := shop.seen(t)
	stop(t, st)
	shop.startsAnOrder(t, opts)

	keys := keysOfSQLite(t, opts.StateDir, "orders")
	t.Logf("%d keys", len(keys))
	m := newMover(t, opts, b)
	m.startSidecar(t)
	copied, problems, err := m.copystate(t, keys)
	require.NoError(t, err, problems)
	assert.Equal(t, summary(len(keys), 0), copied)
	again, problems, err := m.copystate(t, keys)
	require.NoError(t, err, problems)
	assert.Equal(t, summary(0, len(keys)), again, "a repetition")
	_, problems, err = m.copystate(t, []string{"payments||payment/pay_1"})
	require.Error(t, err)
	assert.Contains(t, problems, "--app-id payments", "another app's keys")
	m.keepsExpiry(t)
	m.stopSidecar()

	opts.Replace = []string{"components/variants/orders-postgresql.yaml"}
	st, err = stack.Start(t.Context(), opts)
	require.NoError(t, err)
	defer stop(t, st)
	require.Equal(t, "state.postgresql", loaded(t, st, "orders", "orders-store"))
	shop.use(st)
	assert.Equal(t, before, shop.seen(t), "the same orders, list pages and cursors")
	shop.goesOn(t)
	carriesAnOrder(t, st)
}

// summary is what copystate says of keys that all have come over.
func summary(copied, there int) string {
	return fmt.Sprintf("%d copied, %d already there, 0 missing at the source because expired, 0 different\n", copied, there)
}

// shop is a system with orders in every state.
type shop struct {
	*harness.World
	product    string
	regular    *harness.Customer // has more orders than one page of a list holds
	key, keyed string            // an idempotency key of the regular's, and its order
	changeable *harness.Customer // has orders that were refunded, declined, cancelled
	patient    *harness.Customer // has one order, and nobody has heard of it yet
	started    string
}

const fence = "order/ord_fence"

// newShop places orders and lets all of them come to their end, and fences off one that never was.
func newShop(t *testing.T, st *stack.Stack) *shop {
	t.Helper()
	s := &shop{World: &harness.World{API: harness.NewAPI(st.GatewayURL, nil), Inbox: harness.Inbox{Base: st.InboxURL}}, key: uuid.NewString()}
	var products harness.List[harness.Product]
	harness.Must(t, s.API, http.StatusOK, http.MethodGet, "/api/v1/products", nil, &products)
	s.product = products.Items[0].ID
	s.regular, s.changeable, s.patient = s.NewCustomer(t), s.NewCustomer(t), s.NewCustomer(t)

	s.keyed = s.regular.Place(t, s.product, "tok_visa", harness.Key(s.key)).ID
	ids := []string{s.keyed}
	for range 139 { // two sealed pages of the list, and a part of one
		ids = append(ids, s.regular.Place(t, s.product, "tok_visa").ID)
	}
	for _, id := range ids {
		s.regular.AwaitStatus(t, id, "paid")
	}
	c := s.changeable
	refunded := c.Place(t, s.product, "tok_visa").ID
	c.AwaitStatus(t, refunded, "paid")
	c.Must(t, http.StatusAccepted, http.MethodPost, "/api/v1/orders/"+refunded+"/cancel", nil, nil)
	c.AwaitStatus(t, refunded, "refunded")
	c.AwaitStatus(t, c.Place(t, s.product, "tok_declined").ID, "payment_failed")
	cancelled := c.Place(t, s.product, "tok_slow").ID
	c.Must(t, http.StatusOK, http.MethodPost, "/api/v1/orders/"+cancelled+"/cancel", map[string]string{"reason": "„$price“ 🙈"}, nil)
	atRest(t, c, cancelled)

	app, err := st.App("orders")
	require.NoError(t, err)
	client, err := daprclient.Dial(daprclient.Ports(strconv.Itoa(app.SidecarGRPCPort), strconv.Itoa(app.SidecarHTTPPort), app.SidecarToken))
	require.NoError(t, err)
	defer client.Close()
	state := client.State("orders-store")
	require.NoError(t, state.Insert(t.Context(), fence, []byte(`{"tombstone":true}`), sidecar.WithTTL(24*time.Hour)))
	return s
}

// atRest waits until a cancelled order has heard from payments what became of its charge: the last
// of its three versions.
func atRest(t *testing.T, c *harness.Customer, id string) {
	t.Helper()
	harness.Eventually(t, func(ctx context.Context) error {
		answer, err := c.World.API.Do(ctx, http.MethodGet, "/api/v1/orders/"+id, nil, harness.Token(c.AccessToken))
		if err != nil {
			return err
		}
		var order harness.Order
		if err := answer.Into(&order); err != nil {
			return err
		}
		if order.Status != "cancelled" || order.Version < 3 {
			return fmt.Errorf("order %s is %s, version %d: payments has not settled it", id, order.Status, order.Version)
		}
		return nil
	})
}

// seen is everything that the customers are shown, to the byte: list pages with their cursors, and
// every order in them.
func (s *shop) seen(t *testing.T) (answers []string) {
	t.Helper()
	for _, c := range []*harness.Customer{s.regular, s.changeable} {
		for next := "?limit=30"; next != ""; {
			var page harness.List[json.RawMessage]
			answer := c.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders"+next, nil, &page)
			answers = append(answers, string(answer.Body))
			next = ""
			if page.Next != nil {
				next = "?limit=30&cursor=" + url.QueryEscape(*page.Next)
			}
			for _, item := range page.Items {
				var order harness.Order
				require.NoError(t, json.Unmarshal(item, &order))
				answers = append(answers, string(c.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders/"+order.ID, nil, nil).Body))
			}
		}
	}
	assert.Greater(t, len(answers), 143, "143 orders and the pages of two lists")
	return answers
}

// use talks to another stack on the same data.
func (s *shop) use(st *stack.Stack) { s.API.Base, s.Inbox.Base = st.GatewayURL, st.InboxURL }

// startsAnOrder leaves the journal something to do, for there is nobody to be paid by.
func (s *shop) startsAnOrder(t *testing.T, opts stack.Options) {
	t.Helper()
	opts.Apps = []string{"gateway", "users", "orders"}
	st, err := stack.Start(t.Context(), opts)
	require.NoError(t, err)
	defer stop(t, st)
	s.use(st)
	s.started = s.patient.Place(t, s.product, "tok_visa").ID
}

// goesOn checks that what came over is not only readable.
func (s *shop) goesOn(t *testing.T) {
	t.Helper()
	assert.Equal(t, s.keyed, s.regular.Place(t, s.product, "tok_visa", harness.Key(s.key)).ID, "an old request repeated")
	s.patient.AwaitStatus(t, s.started, "paid")
	s.AwaitMail(t, s.patient.Email, func(m harness.Mail) bool { return strings.HasPrefix(m.Subject, "Your receipt for order "+s.started) })

	var old, now harness.List[harness.Order]
	s.regular.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders?limit=29", nil, &old)
	order := s.regular.Place(t, s.product, "tok_visa")
	s.regular.AwaitStatus(t, order.ID, "paid")
	s.regular.Must(t, http.StatusOK, http.MethodGet, "/api/v1/orders?limit=30", nil, &now)
	require.Len(t, now.Items, 30)
	assert.Equal(t, order.ID, now.Items[0].ID, "the newest comes first")
	assert.Equal(t, old.Items, now.Items[1:])
}
