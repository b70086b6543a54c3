package components

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/local/backends"
	"sidecart.dev/local/stack"
)

// broken is a production set of which one thing is wrong.
type broken struct {
	name  string
	wrong func(env map[string]string, b *backends.Backends)
	says  []string // what the one sentence must contain
}

const nobody = "127.0.0.1:1" // where nothing listens

var brokenSets = []broken{
	{
		"a wrong database password",
		func(env map[string]string, b *backends.Backends) {
			env["SIDECART_ORDERS_DB"] = b.PostgreSQL.URLWith("orders", "sesame-seed")
		},
		[]string{"orders", "orders-store", "password authentication failed"},
	},
	{
		"a database that is not there",
		func(env map[string]string, b *backends.Backends) {
			env["SIDECART_ORDERS_DB"] = strings.ReplaceAll(b.PostgreSQL.URL("orders"), b.PostgreSQL.Addr(), nobody)
		},
		[]string{"orders", "orders-store", "connection refused"},
	},
	{
		"another service's database",
		func(env map[string]string, b *backends.Backends) {
			env["SIDECART_ORDERS_DB"] = strings.Replace(b.PostgreSQL.URL("orders"), "/orders?", "/users?", 1)
		},
		[]string{"orders", "orders-store", "permission denied for database"},
	},
	{
		"a wrong bus password",
		func(env map[string]string, _ *backends.Backends) { env["SIDECART_BUS_PASSWORD"] = "sesame-seed" },
		[]string{"orders", "bus", "WRONGPASS"},
	},
	{
		"a bus that is not there",
		func(env map[string]string, _ *backends.Backends) { env["SIDECART_BUS_HOST"] = nobody },
		[]string{"orders", "bus", "connection refused"},
	},
	{
		"a bus whose certificate nobody vouches for",
		func(env map[string]string, _ *backends.Backends) { env["SSL_CERT_FILE"] = os.DevNull },
		[]string{"orders", "bus", "certificate signed by unknown authority"},
	},
	{
		"secrets that are not there",
		func(env map[string]string, _ *backends.Backends) {
			env["SIDECART_SECRETS_FILE"] = "/nowhere/secrets.json"
		},
		[]string{"orders", "secrets", "/nowhere/secrets.json"},
	},
}

// TestWhatCannotWorkAtTheStartIsOneClearSentence and nothing is left running.
func TestWhatCannotWorkAtTheStartIsOneClearSentence(t *testing.T) {
	b := shared.Get(t)
	for _, c := range brokenSets {
		t.Run(c.name, func(t *testing.T) {
			opts := options(t, b)
			opts.Components, opts.Apps = "production", []string{"orders"}
			opts.Replace = []string{"components/variants/orders-postgresql.yaml"}
			c.wrong(opts.Env, b)
			st, err := stack.Start(t.Context(), opts)
			if err == nil {
				stop(t, st)
			}
			require.Error(t, err)
			t.Log(err)
			for _, part := range c.says {
				assert.Contains(t, err.Error(), part)
			}
			assert.NotContains(t, err.Error(), "sesame-seed", "a password")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// TestADatabaseThatIsReadOnlyAtTheStart is said to be so, and is used once it can be written.
func TestADatabaseThatIsReadOnlyAtTheStart(t *testing.T) {
	b := shared.Get(t)
	opts := options(t, b)
	opts.Components, opts.Replace = "production", []string{"components/variants/orders-postgresql.yaml"}
	require.NoError(t, b.PostgreSQL.ReadOnly(true))
	defer func() { require.NoError(t, b.PostgreSQL.ReadOnly(false)) }()
	st, err := stack.Start(t.Context(), opts)
	if err == nil {
		stop(t, st)
	}
	require.ErrorContains(t, err, "read-only transaction")
	t.Log(err)
	require.NoError(t, b.PostgreSQL.ReadOnly(false))
	st, err = stack.Start(t.Context(), opts)
	require.NoError(t, err, "writable again")
	defer stop(t, st)
	carriesAnOrder(t, st)
}

// TestAFolderThatCannotBeWrittenAtTheStart is said to be so.
func TestAFolderThatCannotBeWrittenAtTheStart(t *testing.T) {
	dir := t.TempDir()
	disk := harness.NewDisk(t, filepath.Join(dir, "data"), 1<<20)
	opts := stack.Options{
		File: root + "/dapr.yaml", StateDir: dir, FreePorts: true, BinDir: os.Getenv("SIDECART_BIN"), Apps: []string{"orders"},
	}
	fails := func(t *testing.T, parts ...string) {
		t.Helper()
		st, err := stack.Start(t.Context(), opts)
		if err == nil {
			stop(t, st)
		}
		require.Error(t, err)
		t.Log(err)
		for _, part := range parts {
			assert.Contains(t, err.Error(), part)
		}
	}
	t.Run("because the disk is full", func(t *testing.T) {
		require.NoError(t, disk.Fill())
		defer func() { require.NoError(t, disk.Free()) }()
		fails(t, "orders-store", "full")
	})
	t.Run("because it is read-only", func(t *testing.T) {
		remount := func(flags uintptr) error { return syscall.Mount("", disk.Dir, "", syscall.MS_REMOUNT|flags, "") }
		require.NoError(t, remount(syscall.MS_RDONLY))
		defer func() { require.NoError(t, remount(0)) }()
		fails(t, "orders-store")
	})
}
