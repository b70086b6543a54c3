package service_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	runtimev1pb "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/service"
)

// TestAServiceIsLiveAndSaysWhatItLacksUntilItHasItsSecrets goes from the first moment of a service
// to the one in which it is wired.
func TestAServiceIsLiveAndSaysWhatItLacksUntilItHasItsSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		refusal error
		reason  string
	}{
		"a missing secret":   {status.Error(codes.Internal, "no such key"), `The secret "service-key" cannot be read`},
		"no secret store":    {status.Error(codes.FailedPrecondition, "not configured"), `no secret store "secrets"`},
		"a wrong token":      {status.Error(codes.Unauthenticated, "mismatch"), "refuses the DAPR_API_TOKEN"},
		"no sidecar, so far": {status.Error(codes.Unavailable, "starting"), "The sidecar does not answer."},
	} {
		t.Run(name, func(t *testing.T) {
			sidecar := startDaprd(t)
			sidecar.set(func(d *daprd) { d.secret = c.refusal })
			url, _ := start(t, sidecar)
			waitFor(t, url+"/readyz", http.StatusServiceUnavailable, "The service is starting: ", c.reason)
			waitFor(t, url+"/healthz", http.StatusOK)
			waitFor(t, url+"/api/v1/parcels", http.StatusServiceUnavailable, "The service is starting: ", c.reason)

			asked := make(chan int, 1)
			go func() { asked <- ask(t, url+"/dapr/config", appToken) }()
			sidecar.set(func(d *daprd) { d.secret = nil })
			waitFor(t, url+"/api/v1/parcels", http.StatusNotFound)
			assert.Equal(t, http.StatusNotFound, <-asked, "the sidecar subscribes to topics when this is answered, as if nobody served it")
		})
	}
}

// TestTheSidecarIsNotAnsweredBeforeTheServiceIsWired and so delivers nothing that would be refused.
func TestTheSidecarIsNotAnsweredBeforeTheServiceIsWired(t *testing.T) {
	sidecar := startDaprd(t)
	sidecar.set(func(d *daprd) { d.secret = status.Error(codes.Internal, "no such key") })
	url, stop := start(t, sidecar)
	waitFor(t, url+"/healthz", http.StatusOK)
	asked := make(chan int, 1)
	go func() { asked <- ask(t, url+"/dapr/config", appToken) }()
	for range 3 { // as many answers of the others as prove that it could have been answered
		waitFor(t, url+"/readyz", http.StatusServiceUnavailable)
	}
	select {
	case answer := <-asked:
		t.Fatalf("answered %d before the service was wired", answer)
	default:
	}
	err := stop()
	require.ErrorContains(t, err, "secret service-key")
	assert.Zero(t, <-asked, "it was answered although the service never was wired")
}

// TestAReadinessThatIsOffSaysWhyInOneLine to whoever asks, and once in the log.
func TestAReadinessThatIsOffSaysWhyInOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		sidecar func(d *daprd)
		shown   string // the APP_API_TOKEN that the sidecar shows
		reason  string
	}{
		"a store that is down": {func(*daprd) {}, appToken, "The state store does not answer."},
		"an old Dapr":          {func(d *daprd) { d.version = "1.17.9" }, appToken, "The sidecar is Dapr 1.17.9; at least 1.18 is needed."},
		"a very old Dapr":      {func(d *daprd) { d.version = "0.11.3" }, appToken, "The sidecar is Dapr 0.11.3; at least 1.18 is needed."},
		"a build from source":  {func(d *daprd) { d.version = "edge" }, appToken, "The state store does not answer."},
		"a wrong app token":    {func(*daprd) {}, "another", "The sidecar shows another APP_API_TOKEN than this app was given, or none."},
		"no app token":         {func(*daprd) {}, "", "The sidecar shows another APP_API_TOKEN than this app was given, or none."},
		"a sidecar not ready":  {func(d *daprd) { d.health = http.StatusInternalServerError }, appToken, "The sidecar is not ready (500)."},
	} {
		t.Run(name, func(t *testing.T) {
			sidecar := startDaprd(t)
			sidecar.set(c.sidecar)
			url, _ := start(t, sidecar)
			waitFor(t, url+"/api/v1/parcels", http.StatusNotFound) // it is wired, and has its logger
			lines := captureLog(t)
			ask(t, url+"/dapr/config", c.shown)
			for range 3 {
				waitFor(t, url+"/readyz", http.StatusServiceUnavailable, `"The service is not ready: `+c.reason+`"`)
			}
			waitFor(t, url+"/healthz", http.StatusOK)
			assert.Equal(t, 1, strings.Count(lines(), fmt.Sprintf("reason=%q", c.reason)), "lines in the log:\n%s", lines())
		})
	}
}

const appToken = "the app's token"

// start runs a service beside the sidecar, from its first moment. stop ends it and returns how it
// ended.
func start(t *testing.T, sidecar *daprd) (url string, stop func() error) {
	t.Helper()
	port := freePort(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- func() error {
			s, err := service.New(ctx, "parcels", service.Config{Config: chassis.Config{
				Host: "127.0.0.1", Port: port, DaprGRPCPort: sidecar.grpcPort, DaprHTTPPort: sidecar.httpPort, AppAPIToken: appToken,
				LogLevel: "error", LogFormat: "text", DrainTimeout: 5 * time.Second, Timeout: 5 * time.Second,
			}})
			if err != nil {
				return err
			}
			return s.Run(ctx)
		}()
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return fmt.Sprintf("http://127.0.0.1:%d", port), stop
}

// ask returns how an address answers a caller that shows an app token, or 0 if it does not.
func ask(t *testing.T, url, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, url, nil)
	if !assert.NoError(t, err) {
		return 0
	}
	if token != "" {
		r.Header.Set("dapr-api-token", token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// waitFor asks until the answer has the status, and its problem's detail holds all the texts.
func waitFor(t *testing.T, url string, want int, texts ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		resp, err := http.Get(url)
		if !assert.NoError(c, err) {
			return
		}
		defer resp.Body.Close()
		var problem struct {
			Detail json.RawMessage `json:"detail"`
		}
		assert.NoError(c, json.NewDecoder(resp.Body).Decode(&problem))
		assert.Equal(c, want, resp.StatusCode)
		var detail bytes.Buffer
		unescaped := json.NewEncoder(&detail)
		unescaped.SetEscapeHTML(false)
		assert.NoError(c, unescaped.Encode(problem.Detail))
		for _, text := range texts {
			assert.Contains(c, strings.ReplaceAll(detail.String(), `\"`, `"`), text)
		}
	}, 30*time.Second, 10*time.Millisecond)
}

// captureLog returns what is logged from now on at the level of warnings.
func captureLog(t *testing.T) (lines func() string) {
	t.Helper()
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	var log syncBuffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	return log.String
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// daprd is a sidecar with one secret, whose state store is down.
type daprd struct {
	runtimev1pb.UnimplementedDaprServer

	grpcPort, httpPort string

	mu      sync.Mutex
	secret  error // what reading a secret fails with
	version string
	health  int // of outgoing calls
}

func startDaprd(t *testing.T) *daprd {
	t.Helper()
	d := &daprd{version: "1.18.3", health: http.StatusNoContent}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	runtimev1pb.RegisterDaprServer(server, d)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		w.WriteHeader(d.health)
	}))
	t.Cleanup(web.Close)
	_, d.grpcPort, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	_, d.httpPort, err = net.SplitHostPort(web.Listener.Addr().String())
	require.NoError(t, err)
	return d
}

func (d *daprd) set(change func(d *daprd)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *daprd) GetSecret(_ context.Context, in *runtimev1pb.GetSecretRequest) (*runtimev1pb.GetSecretResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.secret != nil {
		return nil, d.secret
	}
	key := base64.StdEncoding.EncodeToString([]byte("a key of at least 32 bytes, for tests"))
	return &runtimev1pb.GetSecretResponse{Data: map[string]string{in.GetKey(): key}}, nil
}

func (d *daprd) GetMetadata(context.Context, *runtimev1pb.GetMetadataRequest) (*runtimev1pb.GetMetadataResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &runtimev1pb.GetMetadataResponse{ExtendedMetadata: map[string]string{"daprRuntimeVersion": d.version}}, nil
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
