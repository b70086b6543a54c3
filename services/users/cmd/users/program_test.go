package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"sidecart.dev/contracts/validate"
	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/service"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/sidecar/sidecartest"
	"sidecart.dev/users/internal/userstest"
)

// running is the assembled service with its journal, keys and first operator, on a fake sidecar,
// behind an HTTP client that checks every exchange against the contract.
type running struct {
	t        *testing.T
	url      string
	client   *http.Client
	services *auth.ServiceKey // of notifications
	bus      *sidecartest.Bus
	state    *sidecartest.State
	service  *service.Service
	logs     *lockedBuffer

	mu       sync.Mutex
	accepted map[string]bool
}

const operatorPassword = "the operator's password"

func start(t *testing.T) *running {
	t.Helper()
	otel.SetTracerProvider(sdktrace.NewTracerProvider())
	otel.SetTextMapPropagator(propagation.TraceContext{})
	r := &running{t: t, bus: &sidecartest.Bus{Check: validate.Event}, state: sidecartest.NewState(), logs: &lockedBuffer{}, accepted: map[string]bool{}}
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })

	key := bytes.Repeat([]byte{7}, 32)
	own, err1 := auth.NewServiceKey("users", key, nil)
	other, err2 := auth.NewServiceKey("notifications", key, nil)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	r.services = other
	secrets := sidecartest.Secrets{
		"token-signing-keys": `{"current":"k1","keys":[{"kid":"k1","seed":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}]}`,
		"operator-email":     "operator@sidecart.local", "operator-password": operatorPassword,
	}
	cfg := settings{HashMemory: 64, HashTime: 1, HashAtOnce: 2, HashWaiting: 100, Config: service.Config{
		Instance: "test", GroupCommit: true, Config: chassis.Config{
			Host: "127.0.0.1", DrainTimeout: 10 * time.Second, Timeout: 10 * time.Second, LogLevel: "error",
			LogFormat:    "text",
			DaprGRPCPort: "1", DaprHTTPPort: "1",
		},
	}}
	c, err := chassis.New(t.Context(), "users", cfg.Config.Config)
	if err != nil {
		t.Fatal(err)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if r.service, err = service.Assemble(c, "users", cfg.Config, service.Outside{
		State: r.state, Bus: r.bus, Secret: secrets.Secret, Key: own,
		Peers: &sidecartest.Caller{Handle: r.peers},
	}); err != nil {
		t.Fatal(err)
	}
	if err := wire(r.service, &cfg); err != nil {
		t.Fatal(err)
	}
	contract, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	r.client = &http.Client{Transport: contract.RoundTripper(nil, func(err error) { t.Errorf("contract: %v", err) })}
	r.url, _ = servicetest.Start(t, r.service)
	r.eventually("the operator can log in", func() bool {
		return r.send("POST", "/api/v1/sessions", "", operatorCredentials).status == http.StatusCreated
	})
	return r
}

const operatorCredentials = `{"email":"operator@sidecart.local","password":"` + operatorPassword + `"}`

// contract is built once: that takes a while.
var contract = sync.OnceValues(validate.NewHTTP)

// peers answers for the other services: they have accepted what deliver took from the bus.
func (r *running) peers(_ context.Context, app, _, path string, in []byte) (any, error) {
	var question struct {
		EventIDs []string `json:"event_ids"`
	}
	if !slices.Contains(userstest.Listeners, app) || path != "/internal/"+app+"/accepted" || json.Unmarshal(in, &question) != nil {
		r.t.Errorf("an unexpected call of %s%s: %s", app, path, in)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	accepted := []string{}
	for _, id := range question.EventIDs {
		if r.accepted[id] {
			accepted = append(accepted, id)
		}
	}
	return map[string]any{"accepted": accepted}, nil
}

func (r *running) deliver() {
	for r.bus.Waiting() > 0 {
		var e struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(r.bus.Take(0).Body, &e); err != nil {
			r.t.Fatal(err)
		}
		r.mu.Lock()
		r.accepted[e.ID] = true
		r.mu.Unlock()
	}
}

// answer is an HTTP answer, with its JSON body if it has one.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// text returns a member of the body.
func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// send makes a request; more are header names and values in turn. Bodies that break the contract on
// purpose are marked by "invalid: ".
func (r *running) send(method, path, token, body string, more ...string) answer {
	r.t.Helper()
	body, invalid := strings.CutPrefix(body, "invalid: ")
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	if invalid {
		req.Header.Set(validate.ExpectInvalid, "true")
	}
	client := r.client
	if strings.HasPrefix(path, "/internal/") {
		client = http.DefaultClient // not part of the public contract
	}
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			r.t.Fatalf("%s %s answered %s", method, path, raw)
		}
	}
	return a
}

// want fails the test unless the status is as expected.
func (r *running) want(a answer, status int, what string) answer {
	r.t.Helper()
	if a.status != status {
		r.t.Fatalf("%s: %d %v, want %d", what, a.status, a.body, status)
	}
	return a
}

// ask calls an internal endpoint as notifications.
func (r *running) ask(path, body string) answer {
	r.t.Helper()
	header, err := r.services.Authorize("users")
	if err != nil {
		r.t.Fatal(err)
	}
	return r.send(http.MethodPost, path, strings.TrimPrefix(header, "Bearer "), body)
}

func (r *running) eventually(what string, done func() bool) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-deadline:
			r.t.Fatalf("not within 20 s: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
