package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/freeport"
	"sidecart.dev/local/redis"
	"sidecart.dev/local/runfile"
	"sidecart.dev/local/stack"
)

// patience is how long anything may take on a machine that is very busy.
const (
	patience = 2 * time.Minute
	tick     = 20 * time.Millisecond
)

// namespace is where the overlays put everything.
const namespace = "sidecart"

// app is an app with its sidecar. It answers whatever its sidecar passes on to it, and remembers
// it.
type app struct {
	id, namespace string
	sidecar       runfile.App

	mutex sync.Mutex
	seen  map[string]string // the path, by the mark of the request
	heard map[string]int    // events, by the path that they came to
}

// mark is the header by which a request is known again at the app that it reaches.
const mark = "x-test-mark"

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if id := r.Header.Get(mark); id != "" {
		a.seen[id] = r.URL.EscapedPath()
		w.Header().Set(mark, id)
		return
	}
	a.heard[r.URL.Path]++
}

// reached is the path at which the request with the mark has come to the app, if it has.
func (a *app) reached(id string) (path string, has bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	path, has = a.seen[id]
	return path, has
}

// events is how many of them have come to the path.
func (a *app) events(path string) int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.heard[path]
}

// call asks another app for something, by the caller's own sidecar. The path may be one that no
// client would send.
func (a *app) call(t *testing.T, to *app, method, path string) (status int, text, id string) {
	t.Helper()
	id = uuid.NewString()
	header := map[string]string{"dapr-app-id": to.id + "." + to.namespace, mark: id}
	status, answer, text := a.ask(t, method, path, header, "")
	if status == http.StatusOK {
		assert.Equal(t, id, answer.Get(mark), "%s answers %s %s for %s", a.id, method, path, to.id)
	}
	return status, text, id
}

// ask sends a request to the app's own sidecar.
func (a *app) ask(
	t *testing.T, method, path string, header map[string]string, body string,
) (status int, answer http.Header, text string) {
	t.Helper()
	address := fmt.Sprintf("http://127.0.0.1:%d/", a.sidecar.DaprHTTPPort)
	content := strings.NewReader(body)
	request, err := http.NewRequestWithContext(t.Context(), method, address, content)
	require.NoError(t, err)
	request.URL.Opaque = "//" + request.URL.Host + path
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(said)
}

// mesh is sidecars that trust one authority and find each other by name.
type mesh struct {
	dir, daprd, names string
	ports             map[int]bool
	objects           []object
	env               []string
}

// newMesh reads the objects of the demo, and starts a bus.
func newMesh(t *testing.T, anchors []byte) *mesh {
	t.Helper()
	path, err := stack.Daprd(t.Context(), stack.Options{File: "../../dapr.yaml"})
	require.NoError(t, err)
	m := &mesh{
		dir:     t.TempDir(),
		daprd:   path,
		ports:   map[int]bool{},
		objects: render(t, "demo"),
	}
	m.names = filepath.Join(m.dir, "names.yaml")
	names := daprd.Names(filepath.Join(m.dir, "names.db"))
	require.NoError(t, os.WriteFile(m.names, names, 0o600))
	secrets := filepath.Join(m.dir, "secrets.json")
	require.NoError(t, os.WriteFile(secrets, []byte(`{"service-key": "value"}`), 0o600))
	bus := m.startBus(t)
	m.writeComponents(t, bus)
	m.env = append(
		os.Environ(),
		"DAPR_HOST_IP=127.0.0.1",
		"SIDECART_SECRETS_FILE="+secrets,
		"SIDECART_SMS_URL=http://127.0.0.1:1",
		"SIDECART_SMTP_HOST=127.0.0.1",
		"SIDECART_SMTP_PORT=1",
		"SIDECART_SMTP_FROM=shop@example.com",
		"DAPR_TRUST_ANCHORS="+string(anchors),
	)
	return m
}

func (m *mesh) startBus(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(m.dir, "bus")
	require.NoError(t, os.Mkdir(dir, 0o700))
	server, err := redis.Open(
		t.Context(),
		redis.Config{Addr: fmt.Sprintf("127.0.0.1:%d", m.port(t)), Dir: dir, Own: true},
	)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop(context.WithoutCancel(t.Context()))) })
	return server.Addr()
}

// writeComponents writes what the demo's sidecars load, but with stores in memory and the bus at
// the address. All sidecars are given all of it: which of them may use what, the scopes decide.
func (m *mesh) writeComponents(t *testing.T, bus string) {
	t.Helper()
	for i, o := range m.objects {
		if o.kind != "dapr.io/v1alpha1/Component" && o.kind != "dapr.io/v2alpha1/Subscription" {
			continue
		}
		var c map[string]any
		require.NoError(t, yaml.Unmarshal(o.text, &c))
		spec := c["spec"].(map[string]any)
		switch kind, _ := spec["type"].(string); {
		case strings.HasPrefix(kind, "state."):
			spec["type"], spec["version"], spec["metadata"] = "state.in-memory", "v1", []any{}
		case kind == "pubsub.redis":
			spec["metadata"] = append(
				keep(spec["metadata"], "publishingScopes", "subscriptionScopes"),
				map[string]any{"name": "redisHost", "value": bus},
			)
		}
		text, err := yaml.Marshal(c)
		require.NoError(t, err)
		m.write(t, "resources", fmt.Sprintf("%d.yaml", i), text)
	}
}

// keep is those of a component's fields that have one of the names.
func keep(metadata any, names ...string) (kept []any) {
	for _, item := range metadata.([]any) {
		if slices.Contains(names, item.(map[string]any)["name"].(string)) {
			kept = append(kept, item)
		}
	}
	return kept
}

func (m *mesh) write(t *testing.T, folder, name string, text []byte) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(m.dir, folder), 0o755))
	path := filepath.Join(m.dir, folder, name)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func (m *mesh) port(t *testing.T) int {
	t.Helper()
	port, err := freeport.Find(m.ports)
	require.NoError(t, err)
	return port
}

// start starts an app and its sidecar with the identity that the sentry at the address gives it,
// and the access control that the demo has for its id, if any. It does not wait for them.
func (m *mesh) start(t *testing.T, id, namespace, sentry string) *app {
	t.Helper()
	a := &app{id: id, namespace: namespace, seen: map[string]string{}, heard: map[string]int{}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.sidecar = runfile.App{
		AppID: id, AppPort: port(t, server.URL),
		DaprHTTPPort: m.port(t), DaprGRPCPort: m.port(t), DaprInternalGRPCPort: m.port(t),
		MetricsPort: m.port(t),
		Shared:      runfile.Shared{ResourcesPaths: []string{filepath.Join(m.dir, "resources")}},
	}
	configs := []string{m.names}
	for _, o := range m.objects {
		if o.kind == "dapr.io/v1alpha1/Configuration" && o.name == id && namespace == "sidecart" {
			configs = append(configs, m.write(t, "configurations", id+".yaml", o.text))
		}
	}
	args := append(daprd.Args(&a.sidecar, configs...), "--enable-mtls",
		"--sentry-address", sentry, "--control-plane-trust-domain", controlTrustDomain,
		"--control-plane-namespace", controlNamespace)
	runWith(t, append(slices.Clone(m.env), "NAMESPACE="+namespace), m.daprd, args...)
	return a
}

// port is that of a URL.
func port(t *testing.T, address string) int {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	number, err := strconv.Atoi(parsed.Port())
	require.NoError(t, err)
	return number
}

// ready waits for the sidecars.
func ready(t *testing.T, all ...*app) {
	t.Helper()
	for _, a := range all {
		address := fmt.Sprintf("http://127.0.0.1:%d/v1.0/healthz", a.sidecar.DaprHTTPPort)
		healthy := func() bool {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return false
			}
			response.Body.Close()
			return response.StatusCode == http.StatusNoContent
		}
		require.Eventually(t, healthy, patience, tick, "the sidecar of %s in %s", a.id, a.namespace)
	}
}

// table prints rows under their heads, with columns as wide as they need.
func table(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	var out bytes.Buffer
	for _, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&out, "%-*s  ", width[i], cell)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
