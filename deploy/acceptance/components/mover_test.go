package components

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // database driver

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/kit/sidecar/daprclient"
	"sidecart.dev/local/backends"
	"sidecart.dev/local/freeport"
	"sidecart.dev/local/stack"
)

// keysOfSQLite lists the app's keys in the embedded set's file, by the guide's statement.
func keysOfSQLite(t *testing.T, stateDir, app string) (keys []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(stateDir, "data", app+".db")+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT key FROM state WHERE key LIKE '"+app+
		"||%' AND (expiration_time IS NULL OR expiration_time > CURRENT_TIMESTAMP)")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var key string
		require.NoError(t, rows.Scan(&key))
		keys = append(keys, key)
	}
	require.NoError(t, rows.Err())
	return keys
}

// mover is a sidecar that has both stores of orders, and the program that copies through it.
type mover struct {
	daprd, program, resources string
	database                  string
	http, grpc                int
	sidecar                   *exec.Cmd
}

// newMover writes the two components: the embedded set's, and the variant's under another name.
func newMover(t *testing.T, opts stack.Options, b *backends.Backends) *mover {
	t.Helper()
	dir := t.TempDir()
	m := &mover{resources: filepath.Join(dir, "move"), program: filepath.Join(dir, "copystate"), database: b.PostgreSQL.URL("orders")}
	require.NoError(t, os.Mkdir(m.resources, 0o755))
	component := func(from, to, text, replacement string) {
		content, err := os.ReadFile(filepath.Join(root, from))
		require.NoError(t, err)
		require.Contains(t, string(content), text)
		content = []byte(strings.ReplaceAll(string(content), text, replacement))
		require.NoError(t, os.WriteFile(filepath.Join(m.resources, to), content, 0o600))
	}
	component("components/embedded/state.yaml", "from.yaml", "../../.sidecart", opts.StateDir)
	component("components/variants/orders-postgresql.yaml", "to.yaml", "name: orders-store\n", "name: orders-store-new\n")

	build := exec.CommandContext(t.Context(), "go", "build", "-o", m.program, "./cmd/copystate")
	build.Dir = root + "/services/kit"
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	m.daprd, err = stack.Daprd(t.Context(), opts)
	require.NoError(t, err)
	return m
}

// startSidecar starts it as the guide does, but on free ports, and returns when its stores can be
// used.
func (m *mover) startSidecar(t *testing.T) {
	t.Helper()
	used := map[int]bool{}
	port := func() int {
		p, err := freeport.Find(used)
		require.NoError(t, err)
		return p
	}
	m.http, m.grpc = port(), port()
	m.sidecar = exec.CommandContext(t.Context(), m.daprd, "--app-id", "orders", "--resources-path", m.resources,
		"--dapr-http-port", strconv.Itoa(m.http), "--dapr-grpc-port", strconv.Itoa(m.grpc), "--dapr-internal-grpc-port", strconv.Itoa(port()),
		"--dapr-listen-addresses", "127.0.0.1", "--dapr-internal-grpc-listen-address", "127.0.0.1",
		"--enable-metrics=false", "--max-body-size", "16Mi")
	m.sidecar.Env = append(os.Environ(), "DAPR_HOST_IP=127.0.0.1", "SIDECART_ORDERS_DB="+m.database)
	log := &strings.Builder{}
	m.sidecar.Stdout, m.sidecar.Stderr = log, log
	require.NoError(t, m.sidecar.Start())
	t.Cleanup(func() {
		m.stopSidecar()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	harness.Eventually(t, func(ctx context.Context) error {
		status, err := harness.Status(ctx, fmt.Sprintf("http://127.0.0.1:%d/v1.0/healthz/outbound", m.http))
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("the sidecar answers %d", status)
		}
		return err
	})
}

// stopSidecar returns when it has ended. Stopping twice is no error.
func (m *mover) stopSidecar() {
	if m.sidecar == nil {
		return
	}
	_ = m.sidecar.Process.Signal(syscall.SIGTERM)
	_ = m.sidecar.Wait()
	m.sidecar = nil
}

// copystate runs the program with the keys as its input.
func (m *mover) copystate(t *testing.T, keys []string) (output, problems string, err error) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.CommandContext(t.Context(), m.program, "--from", "orders-store", "--to", "orders-store-new")
	cmd.Env = append(os.Environ(), fmt.Sprintf("DAPR_GRPC_PORT=%d", m.grpc), fmt.Sprintf("DAPR_HTTP_PORT=%d", m.http), "DAPR_API_TOKEN=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(keys, "\n")), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// keepsExpiry compares the fence in both stores, which tell its time to the second.
func (m *mover) keepsExpiry(t *testing.T) {
	t.Helper()
	client, err := daprclient.Dial(daprclient.Ports(strconv.Itoa(m.grpc), strconv.Itoa(m.http), ""))
	require.NoError(t, err)
	defer client.Close()
	old, err := client.State("orders-store").Get(t.Context(), fence)
	require.NoError(t, err)
	moved, err := client.State("orders-store-new").Get(t.Context(), fence)
	require.NoError(t, err)
	assert.Equal(t, string(old.Value), string(moved.Value))
	require.NotZero(t, old.Expires)
	assert.WithinDuration(t, old.Expires, moved.Expires, 2*time.Second, "when a fence goes away")
}
