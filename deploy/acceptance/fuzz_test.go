package acceptance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attempts is how many malformed requests are sent; the seed is printed so that a failure can be
// repeated.
const attempts = 1500

// TestNoInputIsAServersFault sends malformed and random requests to every route, as nobody, as a
// customer and as an operator. Whatever a client sends, the answer is the client's to act on: below
// 500.
func TestNoInputIsAServersFault(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	customer, operator := world.NewCustomer(t), world.LogIn(t, world.Operator)
	order := customer.Place(t, firstProduct(t).ID, "tok_visa")
	tokens := []string{"", "garbage", customer.AccessToken, operator.AccessToken}
	for range attempts {
		req := malformed(rnd, order.ID)
		if token := tokens[rnd.IntN(len(tokens))]; token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if req.Method == http.MethodDelete && strings.HasSuffix(req.URL.Path, "/users/me") {
			continue // the customer is still needed
		}
		resp, err := http.DefaultClient.Do(req.WithContext(t.Context()))
		require.NoError(t, err, "%s %s", req.Method, req.URL)
		resp.Body.Close()
		assert.Less(t, resp.StatusCode, 500, "%s %s", req.Method, req.URL)
	}
	customer.AwaitStatus(t, order.ID, "paid")
}

var (
	fuzzMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	fuzzPaths   = []string{
		"/users", "/users/me", "/users/me/password", "/users/me/verification", "/users/me/phone/code", "/users/me/phone/confirm", "/users/verify", "/password-resets", "/password-resets/confirm",
		"/sessions", "/sessions/refresh", "/products", "/products/%s", "/admin/products/%s", "/orders", "/orders/%s", "/orders/%s/cancel",
		"/payments", "/payments/%s", "/payments/%s/refunds", "/admin/ledger", "/notifications", "/admin/dead-letters",
		"/admin/dead-letters/payments.%s", "/admin/dead-letters/orders.%s/replay",
	}
	fuzzIDs    = []string{"x", "ord_x", "%2e%2e", "..%2f..%2fv1.0%2fmetadata", "%00", "é", strings.Repeat("a", 300), "-1", "null", "%25"}
	fuzzFields = []string{
		"email", "password", "name", "code", "phone", "locale", "preferences", "token", "new_password", "refresh_token", "current_password",
		"items", "product_id", "quantity", "payment_method", "reason", "amount", "currency", "price", "active", "description", "",
	}
	fuzzStrings = []string{
		"", " ", "a@b", "a@example.com", "\x00", "\u202e", "🛒", strings.Repeat("x", 5000), "+4915112345678", "tok_visa", "' OR 1=1 --", "<script>", "\xff\xfe", "{{.}}",
		"a@xn--", "a@example.com\r\nBcc: b@example.com", "9999999999999999999999",
	}
	fuzzQueries = []string{
		"", "limit=0", "limit=-1", "limit=1e9", "limit=99999999999999999999", "cursor=x", "cursor=AAAA", "cursor=%00", "cursor=" + url.QueryEscape("{}"),
		"status=none", "status=paid&status=paid", "order_id=", "order_id=%2e", "%zz", "a=b;c=d", "service=x", "currency=eur", "all=maybe",
	}
)

func pick(rnd *rand.Rand, list []string) string { return list[rnd.IntN(len(list))] }

func malformed(rnd *rand.Rand, orderID string) *http.Request {
	path := pick(rnd, fuzzPaths)
	if strings.Contains(path, "%s") {
		path = fmt.Sprintf(path, pick(rnd, append(fuzzIDs, orderID)))
	}
	body := ""
	switch rnd.IntN(6) {
	case 0:
		body = pick(rnd, []string{"", "null", "[]", "{", "true", "\xff", `"x"`, strings.Repeat("[", 10_000), `{"a":` + strings.Repeat("1", 400) + `}`})
	default:
		body = value(rnd, 3)
	}
	u, err := url.Parse(world.API.Base + "/api/v1" + path)
	if err != nil {
		u, _ = url.Parse(world.API.Base + "/api/v1/" + url.PathEscape(path))
	}
	u.RawQuery = pick(rnd, fuzzQueries)
	req := &http.Request{Method: pick(rnd, fuzzMethods), URL: u, Header: http.Header{}, Host: u.Host}
	if req.Method != http.MethodGet {
		r, _ := http.NewRequest(req.Method, u.String(), strings.NewReader(body))
		req = r
	}
	req.Header.Set("Content-Type", pick(rnd, []string{"application/json", "application/merge-patch+json", "text/plain", "", "application/json; charset=x", "multipart/form-data"}))
	req.Header.Set("Idempotency-Key", pick(rnd, []string{"", "k", "k k", strings.Repeat("k", 500), "ключ"}))
	req.Header.Set("Accept-Language", pick(rnd, []string{"de", "", "*;q=x", strings.Repeat("a", 2000)}))
	req.Header.Set("If-None-Match", pick(rnd, []string{"", "*", `"1"`, "x"}))
	req.Header.Set("traceparent", pick(rnd, []string{"", "00-x", "00-00000000000000000000000000000000-0000000000000000-00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}))
	return req
}

// value returns random JSON of the shapes the API knows, mostly wrong.
func value(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(9); {
	case n == 0:
		return pick(rnd, []string{"null", "true", "-1", "0", "1.5", "1e400", "9223372036854775808", "-9223372036854775809", "99999999999999999999999999"})
	case n <= 3 || depth == 0:
		return fmt.Sprintf("%q", strings.ToValidUTF8(pick(rnd, fuzzStrings), "?"))
	case n == 4:
		return "[" + value(rnd, depth-1) + "," + value(rnd, depth-1) + "]"
	}
	var fields []string
	for range 1 + rnd.IntN(4) {
		fields = append(fields, fmt.Sprintf("%q:%s", pick(rnd, fuzzFields), value(rnd, depth-1)))
	}
	return "{" + strings.Join(fields, ",") + "}"
}
