package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sidecart.dev/local/console"
)

// system is a small system in this process, which the console takes for a real one.
type system struct {
	began time.Time
	inbox string

	mu      sync.Mutex
	apps    []console.App
	records map[string]record // by order
	done    []string          // what was stopped, started and restarted
	hold    chan struct{}     // a restart lasts until this is closed; nil for none
}

// record is an order as the orders service keeps it.
type record struct {
	Status  string `json:"status"`
	Total   amount `json:"total"`
	History []step `json:"history"`
}

type amount struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type step struct {
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

var appIDs = []string{"gateway", "users", "orders", "payments", "notifications"}

// serve makes the apps, the sidecars and the inbox; close ends them.
func serve() (s *system, closeAll func()) {
	s = &system{began: time.Now().Add(-time.Minute), records: map[string]record{}}
	var servers []*httptest.Server
	listen := func(handler http.Handler) (address string, port int) {
		server := httptest.NewServer(handler)
		servers = append(servers, server)
		port, _ = strconv.Atoi(server.URL[strings.LastIndexByte(server.URL, ':')+1:])
		return server.URL, port
	}
	for i, id := range appIDs {
		app := console.App{
			ID:         id,
			Front:      id == "gateway",
			PID:        1_000_000_000 + i,
			SidecarPID: 1_000_000_100 + i,
		}
		app.URL, app.Port = listen(s.app(id))
		app.SidecarURL, app.SidecarHTTPPort = listen(s.sidecar(id))
		app.SidecarGRPCPort, app.MetricsPort = 24200+i, app.SidecarHTTPPort
		s.apps = append(s.apps, app)
	}
	s.inbox, _ = listen(http.HandlerFunc(s.mail))
	return s, func() {
		for _, server := range servers {
			server.Close()
		}
	}
}

func (s *system) app(id string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, measured(id, time.Since(s.began).Seconds()))
	})
	return mux
}

func (s *system) sidecar(id string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(
		"GET /v1.0/healthz",
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, sidecarMeasured(id, time.Since(s.began).Seconds()))
	})
	mux.HandleFunc(
		"GET /v1.0/state/orders-store/{key}",
		func(w http.ResponseWriter, r *http.Request) {
			key, _ := url.PathUnescape(r.PathValue("key"))
			s.mu.Lock()
			found, ok := s.records[strings.TrimPrefix(key, "order/")]
			s.mu.Unlock()
			if !ok {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			_ = json.NewEncoder(w).Encode(found)
		},
	)
	mux.HandleFunc(
		"POST /v1.0/state/orders-store/bulk",
		func(w http.ResponseWriter, r *http.Request) {
			var question struct{ Keys []string }
			_ = json.NewDecoder(r.Body).Decode(&question)
			answer := []map[string]any{}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, key := range question.Keys {
				item := map[string]any{"key": key}
				if found, ok := s.records[strings.TrimPrefix(key, "order/")]; ok {
					item["data"], item["etag"] = found, "1"
				}
				answer = append(answer, item)
			}
			_ = json.NewEncoder(w).Encode(answer)
		},
	)
	return mux
}

// mail answers as the inbox does. The mails are of the recorded orders.
func (s *system) mail(w http.ResponseWriter, r *http.Request) {
	type message struct {
		ID, Subject, Snippet string
		Created              time.Time
	}
	at := s.began.Add(58 * time.Second)
	list := []message{
		{
			"m3",
			"Your receipt for order " + paid.Order + ": €13.49",
			"Thank you.",
			at.Add(2 * time.Second),
		},
		{
			"m2",
			"Payment declined for order " + declined.Order + ": what to do next",
			"",
			at.Add(time.Second),
		},
		{"m1", "Confirm your e-mail address", "Welcome to the shop.", at},
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/sms"):
		texts := []map[string]any{
			{
				"ID": "s2", "Body": "Shop: the payment for order " + declined.Order + " was declined.",
				"Created": at.Add(time.Second),
			},
			{"ID": "s1", "Body": "123456 is your code.", "Created": at},
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"messages": texts})
		return
	case strings.HasSuffix(r.URL.Path, "/headers"):
		traces := map[string]string{
			"m3": paid.trace(),
			"m2": declined.trace(),
			"m1": "0af7651916cd43dd8448eb211c80319c",
		}
		id := strings.Split(r.URL.Path, "/")[4]
		fmt.Fprintf(w, `{"Traceparent":["00-%s-b7ad6b7169203331-01"]}`, traces[id])
		return
	case strings.HasSuffix(r.URL.Path, "/search"):
		var about []message
		for _, m := range list {
			if strings.Contains(m.Subject, strings.Trim(r.URL.Query().Get("query"), `"`)) {
				about = append(about, m)
			}
		}
		list = about
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"messages": list})
}

func (s *system) Apps() []console.App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]console.App(nil), s.apps...)
}

func (*system) Servers() []console.Server {
	return []console.Server{{Name: "redis", Kind: "redis-server", Addr: "127.0.0.1:6379"}}
}

func (s *system) InboxURL() string   { return s.inbox }
func (*system) MetricsToken() string { return "" }

func (s *system) Restart(_ context.Context, id string) error {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return s.change(id, "restart", func(a *console.App) { a.Restarts++ })
}

// holdRestarts makes restarts last until release is called.
func (s *system) holdRestarts() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hold = nil
		close(hold)
	}
}

func (s *system) StopApp(id string) error {
	return s.change(id, "stop", func(a *console.App) { a.Stopped = true })
}

func (s *system) StartApp(id string) error {
	return s.change(id, "start", func(a *console.App) { a.Stopped = false })
}

func (s *system) change(id, what string, do func(*console.App)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.apps {
		if s.apps[i].ID == id {
			do(&s.apps[i])
		}
	}
	s.done = append(s.done, what+" "+id)
	return nil
}

// wasDone returns what was stopped, started and restarted so far.
func (s *system) wasDone() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.done, ", ")
}
