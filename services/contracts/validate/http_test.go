package validate_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sidecart.dev/contracts/validate"
)

var newHTTP = sync.OnceValues(validate.NewHTTP)

const (
	product  = `{"id":"tea","name":"Tea","description":"","price":{"amount":499,"currency":"EUR"},"active":true}`
	notFound = `{"type":"about:blank","title":"Not found","status":404,"code":"not_found","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`
	problem  = "application/problem+json"
	letter   = `{"id":"orders.1","service":"orders","topic":"payments","event_type":"","event_id":"","reason":"x","attempts":1,` +
		`"first_failed_at":"2026-03-01T10:00:00Z","last_failed_at":"2026-03-01T10:00:00Z","headers":{"a":"b"},"payload":{"any":{"thing":[1]}}}`
)

// answer is what the server says in one exchange.
type answer struct {
	status int
	kind   string
	body   string
	header map[string]string // "" removes a default
}

// exchange sends a request through the validator to a server with a canned
// answer, and returns the violations and the body the client read.
func exchange(t *testing.T, req *http.Request, a answer) (violations []string, body string) {
	t.Helper()
	h, err := newHTTP()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(validate.ExpectInvalid) != "" {
			t.Errorf("%s reached the server", validate.ExpectInvalid)
		}
		if sent, _ := io.ReadAll(r.Body); r.ContentLength > 0 && int64(len(sent)) != r.ContentLength {
			t.Errorf("the server got %d bytes, want %d", len(sent), r.ContentLength)
		}
		w.Header().Set("X-Request-Id", "r1")
		w.Header().Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("RateLimit-Policy", `"default";q=100;w=60, "user";q=10;w=1`)
		if a.kind != "" {
			w.Header().Set("Content-Type", a.kind)
		}
		for k, v := range a.header {
			w.Header().Set(k, v)
			if v == "" {
				w.Header().Del(k)
			}
		}
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}))
	defer server.Close()
	req.URL.Host = strings.TrimPrefix(server.URL, "http://")
	client := &http.Client{Transport: h.RoundTripper(nil, func(err error) { violations = append(violations, err.Error()) })}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return violations, string(raw)
}

func request(method, path, body string, headers ...string) *http.Request {
	req, err := http.NewRequest(method, "http://gateway"+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

func TestRoundTripperChecksBothSides(t *testing.T) {
	const order = `{"items":[{"product_id":"tea","quantity":1}],"payment_method":"tok_visa"}`
	invalid := func(r *http.Request) *http.Request { r.Header.Set(validate.ExpectInvalid, "true"); return r }
	found := answer{status: 200, kind: "application/json", body: product}
	refused := answer{status: 400, kind: problem, body: strings.NewReplacer("404", "400", "not_found", "invalid_request").Replace(notFound)}
	unauthenticated := answer{status: 401, kind: problem, body: strings.NewReplacer("404", "401", "not_found", "unauthenticated").Replace(notFound)}
	missing := answer{status: 404, kind: problem, body: notFound}

	for name, c := range map[string]struct {
		req    *http.Request
		answer answer
		want   string // a part of the one violation; "" for none
	}{
		"valid exchange":                 {request("GET", "/api/v1/products/tea", ""), found, ""},
		"valid with charset":             {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json; charset=utf-8", product, nil}, ""},
		"no token, 401":                  {request("POST", "/api/v1/orders", order, "Idempotency-Key", "k"), unauthenticated, ""},
		"no content":                     {request("DELETE", "/api/v1/sessions?all=true", ""), answer{status: 204}, ""},
		"not modified":                   {request("GET", "/api/v1/products/tea", "", "If-None-Match", `"1"`), answer{status: 304}, ""},
		"merge patch":                    {request("PATCH", "/api/v1/users/me", `{"phone":null}`, "Content-Type", "application/merge-patch+json"), unauthenticated, ""},
		"any payload of a dead letter":   {request("GET", "/api/v1/admin/dead-letters/orders.1", ""), answer{200, "application/json", letter, nil}, ""},
		"dead letters in a list":         {request("GET", "/api/v1/admin/dead-letters", ""), answer{200, "application/json", `{"items":[` + letter + `],"next_cursor":null,"unavailable":[]}`, nil}, ""},
		"yaml":                           {request("GET", "/openapi.yaml", ""), answer{200, "application/yaml", "openapi: 3.1.0", nil}, ""},
		"page":                           {request("GET", "/", ""), answer{200, "text/html; charset=utf-8", "<p>", nil}, ""},
		"metrics":                        {request("GET", "/metrics", ""), answer{200, "text/plain; version=0.0.4; charset=utf-8", "a 1\n", nil}, ""},
		"unknown request field":          {request("POST", "/api/v1/orders", `{"x":1,`+order[1:], "Idempotency-Key", "k"), refused, "request POST"},
		"too many of an item":            {request("POST", "/api/v1/orders", strings.Replace(order, ":1}", ":100}", 1), "Idempotency-Key", "k"), refused, "request POST"},
		"no idempotency key":             {request("POST", "/api/v1/orders", order), refused, "Idempotency-Key"},
		"idempotency key too long":       {request("POST", "/api/v1/orders", order, "Idempotency-Key", strings.Repeat("k", 129)), refused, "Idempotency-Key"},
		"limit too large":                {request("GET", "/api/v1/orders?limit=101", ""), refused, "limit"},
		"unknown status":                 {request("GET", "/api/v1/orders?status=lost", ""), refused, "status"},
		"wrong content type":             {request("POST", "/api/v1/orders", order, "Idempotency-Key", "k", "Content-Type", "text/plain"), refused, "text/plain"},
		"password too short":             {request("POST", "/api/v1/users", `{"email":"a@b.de","password":"short","name":"A"}`), refused, "request POST"},
		"password of ten characters":     {request("POST", "/api/v1/users", `{"email":"a@b.de","password":"ßßßßßßßßßß","name":"A"}`), refused, ""},
		"no e-mail address":              {request("POST", "/api/v1/users", `{"email":"ab.de","password":"long enough","name":"A"}`), refused, "request POST"},
		"no order_id":                    {request("GET", "/api/v1/payments", ""), refused, "order_id"},
		"malformed path on purpose":      {invalid(request("GET", "/api/v1/products/A%20B", "")), missing, ""},
		"no JSON on purpose":             {invalid(request("POST", "/api/v1/orders", `{`, "Idempotency-Key", "k")), refused, ""},
		"wrong on purpose, bad answer":   {invalid(request("GET", "/api/v1/orders?limit=0", "")), found, "answer 200"},
		"unknown path on purpose":        {invalid(request("GET", "/api/v1/nothing", "")), missing, ""},
		"unknown path answered":          {invalid(request("GET", "/api/v1/nothing", "")), found, "want an error"},
		"unknown path, plain error":      {invalid(request("GET", "/api/v1/nothing", "")), answer{404, "text/plain", "404", nil}, "problem+json"},
		"unknown method on purpose":      {invalid(request("PUT", "/api/v1/orders", "")), answer{status: 405, kind: problem, body: notFound}, ""},
		"answer lacks a field":           {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", `{"id":"tea"}`, nil}, "answer 200"},
		"answer has a field too many":    {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", `{"cost":1,` + product[1:], nil}, "cost"},
		"answer has a nested one":        {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", strings.Replace(product, `"amount"`, `"vat":1,"amount"`, 1), nil}, "vat"},
		"answer with float amount":       {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", strings.Replace(product, "499", "4.99", 1), nil}, "amount"},
		"answer is not JSON":             {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", `{`, nil}, "answer 200"},
		"answer of another type":         {request("GET", "/api/v1/products/tea", ""), answer{200, "text/html", product, nil}, "text/html"},
		"answer with undeclared status":  {request("GET", "/api/v1/products/tea", ""), answer{418, problem, notFound, nil}, "418"},
		"error that is no problem":       {request("GET", "/api/v1/products/tea", ""), answer{404, problem, `{"error":"x"}`, nil}, "answer 404"},
		"error with an unknown code":     {request("GET", "/api/v1/products/tea", ""), answer{404, problem, strings.Replace(notFound, "not_found", "gone_away", 1), nil}, "code"},
		"no request id":                  {request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", product, map[string]string{"X-Request-Id": ""}}, "X-Request-Id"},
		"no request id without content":  {request("DELETE", "/api/v1/sessions", ""), answer{204, "", "", map[string]string{"X-Request-Id": ""}}, "X-Request-Id"},
		"503 without Retry-After":        {request("GET", "/readyz", ""), answer{503, problem, strings.NewReplacer("404", "503", "not_found", "unavailable").Replace(notFound), nil}, "Retry-After"},
		"503 with Retry-After":           {request("GET", "/readyz", ""), answer{503, problem, strings.NewReplacer("404", "503", "not_found", "unavailable").Replace(notFound), map[string]string{"Retry-After": "5"}}, ""},
		"Retry-After that is no integer": {request("GET", "/readyz", ""), answer{503, problem, strings.NewReplacer("404", "503", "not_found", "unavailable").Replace(notFound), map[string]string{"Retry-After": "soon"}}, "want integer"},
	} {
		t.Run(name, func(t *testing.T) {
			violations, body := exchange(t, c.req, c.answer)
			if c.answer.status != 204 && c.answer.status != 304 && body != c.answer.body {
				t.Errorf("the client read %q, want %q", body, c.answer.body)
			}
			if c.want == "" && len(violations) > 0 {
				t.Errorf("violations: %v, want none", violations)
			}
			if c.want != "" && (len(violations) != 1 || !strings.Contains(violations[0], c.want)) {
				t.Errorf("violations: %q, want one that names %q", violations, c.want)
			}
		})
	}
}

func TestRoundTripperChecksEventStreams(t *testing.T) {
	const (
		first = "id: 1\nevent: status\ndata: {\"order_id\":\"ord_1\",\"status\":\"pending\",\"version\":1,\"at\":\"2026-03-01T10:00:00Z\"}\n\n"
		end   = "event: end\ndata: {\"order_id\":\"ord_1\",\"status\":\"paid\",\"version\":2}\n\n"
	)
	for name, c := range map[string]struct{ stream, want string }{
		"status, heartbeat, end":    {first + ": heartbeat\n\nretry: 1000\n\n" + end, ""},
		"carriage returns":          {strings.ReplaceAll(first+end, "\n", "\r\n"), ""},
		"id is not the version":     {strings.Replace(first, "id: 1", "id: 7", 1), "want the version 1"},
		"unknown status":            {strings.Replace(first, "pending", "lost", 1), "/status"},
		"unknown event":             {strings.Replace(first, "event: status", "event: news", 1), "not in the contract"},
		"data is not JSON":          {"event: end\ndata: {\n\n", "not JSON"},
		"end of an unsettled order": {strings.Replace(end, "paid", "pending", 1), "/status"},
		"something after end":       {end + first, "after the event"},
		"something that is no SSE":  {"{\"status\":1}\n\n", "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			violations, body := exchange(t, request("GET", "/api/v1/orders/ord_1/events", ""), answer{200, "text/event-stream", c.stream, nil})
			if body != c.stream {
				t.Errorf("the client read %q, want %q", body, c.stream)
			}
			if got := strings.Join(violations, "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("violations: %q, want one that names %q", violations, c.want)
			}
		})
	}
}

func TestRoundTripperLeavesCompressedBodiesAlone(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, product)
	w.Close()
	req := request("GET", "/api/v1/products/tea", "", "Accept-Encoding", "gzip")
	violations, body := exchange(t, req, answer{200, "application/json", packed.String(), map[string]string{"Content-Encoding": "gzip"}})
	if len(violations) > 0 || body != packed.String() {
		t.Errorf("violations: %v, %d bytes read, want none and %d", violations, len(body), packed.Len())
	}
}

func TestRoundTripperIsSafeForConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			violations, _ := exchange(t, request("GET", "/api/v1/products/tea", ""), answer{200, "application/json", product, nil})
			if len(violations) > 0 {
				t.Errorf("violations: %v, want none", violations)
			}
		})
	}
	wg.Wait()
}
