// Command bare is every app of the benchmark's yardstick: started under an app's id, its handlers
// do nothing but call the sidecar, as often as the real app was seen to. With BARE_OUTBOX it is the
// order flow as Dapr's built-in outbox suggests it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"sidecart.dev/acceptance/bench/plan"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/kit/web"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg := daprclient.Ports(
		os.Getenv("DAPR_GRPC_PORT"), os.Getenv("DAPR_HTTP_PORT"), os.Getenv("DAPR_API_TOKEN"))
	cfg.Window = 40 * time.Millisecond // as the services have it: events share calls
	client, err := daprclient.Dial(cfg)
	if err != nil {
		return err
	}
	id := os.Getenv("APP_ID")
	var handlers map[string]handler
	if os.Getenv("BARE_OUTBOX") != "" {
		handlers = newOutbox(id, client).handlers()
	} else {
		all, err := plan.Load(os.Getenv("BARE_PLAN"))
		if err != nil {
			return err
		}
		a := newApp(id, all[id], client)
		for a.fill(ctx) != nil { // until the sidecar is there
			time.Sleep(20 * time.Millisecond)
		}
		handlers = a.handlers()
	}
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.Handle("POST "+path, h)
	}
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("APP_PORT"), mux)
}

// message is all that is said of an order: in a request, in an event and in an answer.
type message struct {
	ID      string `json:"id"`
	Padding string `json:"padding,omitempty"` // to the size of the real thing
}

// decode reads the data of an event: JSON, or JSON in a string, which is what the outbox publishes.
func (m *message) decode(data json.RawMessage) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		data = json.RawMessage(text)
	}
	return json.Unmarshal(data, m)
}

// handler answers a request or a delivery.
type handler func(ctx context.Context, m message) error

// ServeHTTP implements [http.Handler].
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(web.RequestIDHeader, "bare") // callers believe no answer without one
	var body struct {
		message
		Data json.RawMessage `json:"data"` // of a CloudEvent
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil && body.Data != nil {
		err = body.decode(body.Data)
	}
	if err == nil {
		err = h(r.Context(), body.message)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, r.URL.Path, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if r.URL.Path == ordersPath {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(message{ID: body.ID})
	}
}

const ordersPath = "/orders"

// receiptFor is the mail that ends an order.
func receiptFor(m message) string { return "Your receipt for order " + m.ID + ": 1" }

// slots lets through as many mails at once as notifications does, which reads the same variable:
// Dapr's own binding mixes up mails that are sent at the same time.
var slots = sync.OnceValue(func() chan struct{} {
	n, err := strconv.Atoi(os.Getenv("EMAIL_CONCURRENCY"))
	if err != nil {
		n = 1
	}
	return make(chan struct{}, n)
})

// send sends a mail through the sidecar's binding, as notifications does.
func send(ctx context.Context, client *daprclient.Client, subject string, body []byte) error {
	slots() <- struct{}{}
	defer func() { <-slots() }()
	_, err := client.Invoke(ctx, "email", "create", body, map[string]string{
		"emailTo": "bare@example.com", "emailCC": "", "emailBCC": "", "subject": subject,
	})
	return err
}
