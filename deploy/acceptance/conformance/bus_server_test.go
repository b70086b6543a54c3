package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"sidecart.dev/local/freeport"
	"sidecart.dev/local/redis"
	"sidecart.dev/local/resources"
)

// busServer is a column: a component set on a server.
type busServer struct {
	name string
	set  string // folder of the component
	open func(t *testing.T) *runningBus
}

// runningBus is a server that can be stopped and started.
type runningBus struct {
	addr        string // for a component with the default address
	env         map[string]string
	client      *goredis.Client
	stop, start func(ctx context.Context) error
}

var busServers = []busServer{
	{name: "embedded on redis-server", set: "embedded", open: func(t *testing.T) *runningBus {
		if _, err := exec.LookPath("redis-server"); err != nil {
			t.Skip("there is no redis-server on PATH")
		}
		return openEmbedded(t, false)
	}},
	{name: "embedded on the in-process Redis", set: "embedded", open: func(t *testing.T) *runningBus { return openEmbedded(t, true) }},
	{name: "production on redis-server with TLS", set: "production", open: openProduction},
}

func openEmbedded(t *testing.T, inProcess bool) *runningBus {
	port, err := freeport.Find(map[int]bool{})
	require.NoError(t, err)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	server, err := redis.Open(t.Context(), redis.Config{Addr: addr, Dir: t.TempDir(), Own: true, InProcess: inProcess})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	return &runningBus{addr: addr, client: newClient(t, &goredis.Options{Addr: addr}), stop: server.Stop, start: server.Start}
}

func openProduction(t *testing.T) *runningBus {
	b := servers(t)
	ca, err := os.ReadFile(b.CAFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	client := newClient(t, &goredis.Options{
		Addr: b.Redis.Addr(), Password: b.Redis.Password(), TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
	require.NoError(t, client.FlushAll(t.Context()).Err())
	return &runningBus{
		env: busEnv(b), client: client, start: b.Redis.Start,
		stop: func(context.Context) error { b.Redis.Stop(); return nil },
	}
}

func newClient(t *testing.T, opts *goredis.Options) *goredis.Client {
	opts.DisableIdentity = true
	client := goredis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// busSettings are what the component and the resiliency promise.
type busSettings struct {
	processingTimeout, redeliverInterval time.Duration
	maxLen                               int64
	attempts                             int
	timeout                              time.Duration // of one attempt
}

// redeliveredWithin is how long the component may take to deliver again what a member of a group
// took and did not finish.
func (s busSettings) redeliveredWithin() time.Duration {
	return s.processingTimeout + s.redeliverInterval
}

// busResources returns the set's own bus component, at the address, with the subscriptions and the
// resiliency of all sets.
func busResources(t *testing.T, set, addr string) (busSettings, []string) {
	t.Helper()
	var texts []string
	for _, path := range []string{set + "/bus.yaml", "shared/subscriptions.yaml", "shared/resiliency.yaml"} {
		text, err := os.ReadFile(components + "/" + path)
		require.NoError(t, err)
		texts = append(texts, strings.ReplaceAll(string(text), resources.DefaultRedis, addr))
	}
	return readSettings(t, texts[0], texts[2]), texts
}

func readSettings(t *testing.T, component, resiliency string) (s busSettings) {
	t.Helper()
	var bus struct {
		Spec struct {
			Metadata []struct{ Name, Value string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(component), &bus))
	number := func(name string) int64 {
		for _, item := range bus.Spec.Metadata {
			if item.Name == name {
				n, err := strconv.ParseInt(item.Value, 10, 64)
				require.NoError(t, err, "%s of the bus", name)
				return n
			}
		}
		t.Fatalf("the bus has no %s", name)
		return 0
	}
	s.processingTimeout = time.Duration(number("processingTimeout")) * time.Millisecond
	s.redeliverInterval = time.Duration(number("redeliverInterval")) * time.Millisecond
	s.maxLen = number("maxLenApprox")

	var policy struct {
		Spec struct {
			Policies struct {
				Timeouts map[string]time.Duration
				Retries  map[string]struct {
					MaxRetries *int `yaml:"maxRetries"`
				}
			}
			Targets struct {
				Components map[string]struct {
					Inbound struct{ Timeout, Retry string }
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(resiliency), &policy))
	inbound := policy.Spec.Targets.Components["bus"].Inbound
	retries := policy.Spec.Policies.Retries[inbound.Retry].MaxRetries
	require.NotNil(t, retries, "the retries of deliveries are not bounded")
	s.attempts, s.timeout = *retries+1, policy.Spec.Policies.Timeouts[inbound.Timeout]
	require.Positive(t, s.timeout, "deliveries have no timeout")
	return s
}

func readAll(r *http.Request) ([]byte, error) { return io.ReadAll(io.LimitReader(r.Body, 1<<20)) }
