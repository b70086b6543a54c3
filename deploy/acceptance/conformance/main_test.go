package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/local/backends"
	"sidecart.dev/local/stack"
)

var update = flag.Bool("update", false, "write the capability tables of components/README.md anew")

// patience bounds every wait; nothing waits for it to pass.
const patience = 60 * time.Second

const components = "../../../components"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil { // what runs in parallel waits for most of its time
		panic(err)
	}
	flag.Parse()
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var shared harness.Servers

// servers are the PostgreSQL and Redis that all tests share, which run one after the other.
func servers(t *testing.T) *backends.Backends {
	t.Helper()
	b := shared.Get(t)
	t.Cleanup(func() { // whatever a test stopped
		require.NoError(t, b.PostgreSQL.Start(context.Background()))
		require.NoError(t, b.Redis.Start(context.Background()))
	})
	return b
}

// component writes the YAML of a component with metadata given as name and value in turn. A value
// that begins with $ is a reference to that environment variable.
func component(name, kind, version string, metadata ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: %s\nspec:\n  type: %s\n  version: %s\n  metadata:\n", name, kind, version)
	for i := 0; i+1 < len(metadata); i += 2 {
		if ref, ok := strings.CutPrefix(metadata[i+1], "$"); ok {
			fmt.Fprintf(&b, "  - {name: %s, envRef: %s}\n", metadata[i], ref)
		} else {
			fmt.Fprintf(&b, "  - {name: %s, value: %q}\n", metadata[i], metadata[i+1])
		}
	}
	return b.String()
}

// sidecarWith runs daprds that load the resources, one for each app; an app's port may be 0, for a
// sidecar alone. Each text becomes a file: of several resources in one file, daprd would pass over
// a Resiliency that is not the first.
func sidecarWith(t *testing.T, resources []string, opts stack.Options, apps map[string]int) *stack.Stack {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "components")
	require.NoError(t, os.Mkdir(folder, 0o755))
	for i, text := range resources {
		require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.yaml", i)), []byte(text), 0o600))
	}
	configuration, err := filepath.Abs(components + "/configuration.yaml")
	require.NoError(t, err)
	file := fmt.Sprintf("version: 1\ncommon:\n  resourcesPaths: [./components]\n  configFilePath: %s\n  logLevel: error\n  maxBodySize: 8Mi\napps:\n", configuration)
	for app, port := range apps {
		file += fmt.Sprintf("- {appID: %s, appDirPath: ., appPort: %d}\n", app, port)
	}
	opts.File = filepath.Join(dir, "dapr.yaml")
	require.NoError(t, os.WriteFile(opts.File, []byte(file), 0o600))
	opts.StateDir = filepath.Join(dir, "state")
	st, err := stack.Start(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, st.Stop(context.Background()))
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(st.LogsDir, "*.daprd.log"))
			for _, path := range logs {
				t.Logf("%s of %s says:\n%s", filepath.Base(path), t.Name(), complaints(path))
			}
		}
	})
	return st
}

// complaints are the warnings and errors of a log, and what became a success after them: as many of
// the last as fit into a test's output.
func complaints(path string) string {
	const limit = 16 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	var lines strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, "level=info") || strings.Contains(line, "Recovered processing") {
			lines.WriteString(line)
		}
	}
	all := lines.String()
	return all[max(0, len(all)-limit):]
}

// client connects to the sidecar of the app.
func client(t *testing.T, st *stack.Stack, app string) *daprclient.Client {
	t.Helper()
	info, err := st.App(app)
	require.NoError(t, err)
	c, err := daprclient.Dial(daprclient.Ports(strconv.Itoa(info.SidecarGRPCPort), strconv.Itoa(info.SidecarHTTPPort), info.SidecarToken))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// oneCall bounds each call of a check that is made again and again, so that one which hangs is not
// the last.
const oneCall = 5 * time.Second

// eventually calls check until it returns nil.
func eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	within(t, patience, check)
}

// within calls check until it returns nil, which must be before the time is over. Each call gets a
// deadline of its own.
func within(t *testing.T, limit time.Duration, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error // that is not of the limit's own making
	for {
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, oneCall)
			defer cancel()
			return check(ctx)
		}()
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			require.NoError(t, last, "still not so after %s", limit)
		case <-tick.C:
		}
	}
}
