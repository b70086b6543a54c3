package conformance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sidecart.dev/acceptance/harness"
	"sidecart.dev/kit/sidecar"
	"sidecart.dev/kit/sidecar/statetest"
	"sidecart.dev/local/backends"
	"sidecart.dev/local/stack"
)

// store is a state store to try.
type store struct {
	name     string // its column of the table
	yaml     func(t *testing.T) string
	env      func(t *testing.T) map[string]string
	stop     func(t *testing.T) // ends the server; nil: the sidecar is all there is
	start    func(t *testing.T)
	volatile bool     // nothing outlives the sidecar
	deviates []string // names of the checks that it may not pass, which deviations tries in their place
}

const (
	updateOfAbsent = "an update of an absent key is refused"
	expiredInsert  = "an expired key is absent and can be inserted"
)

func stores() []store {
	return []store{
		{
			name: "SQLite",
			yaml: func(t *testing.T) string {
				return component("store", "state.sqlite", "v1", "connectionString",
					"file:"+t.TempDir()+"/state.db?_pragma=synchronous(NORMAL)", "timeout", "10s", "cleanupInterval", "10m")
			},
		},
		{
			name: "PostgreSQL v2",
			yaml: func(t *testing.T) string {
				servers(t)
				return component("store", "state.postgresql", "v2", "connectionString", "$SIDECART_ORDERS_DB", "timeout", "10s", "cleanupInterval", "10m")
			},
			env: func(t *testing.T) map[string]string {
				return map[string]string{"SIDECART_ORDERS_DB": servers(t).PostgreSQL.URL("orders")}
			},
			stop:  func(t *testing.T) { servers(t).PostgreSQL.Kill() },
			start: func(t *testing.T) { require.NoError(t, servers(t).PostgreSQL.Start(t.Context())) },
		},
		{
			name: "Redis",
			yaml: func(t *testing.T) string {
				servers(t)
				return component("store", "state.redis", "v1", "redisHost", "$SIDECART_BUS_HOST", "redisPassword", "$SIDECART_BUS_PASSWORD", "enableTLS", "true")
			},
			env: func(t *testing.T) map[string]string {
				syncAlways(t)
				return busEnv(servers(t))
			},
			stop: func(t *testing.T) { servers(t).Redis.Kill() },
			start: func(t *testing.T) {
				require.NoError(t, servers(t).Redis.Start(t.Context()))
				syncAlways(t)
			},
			deviates: []string{updateOfAbsent},
		},
		{
			name:     "in-memory",
			yaml:     func(*testing.T) string { return component("store", "state.in-memory", "v1") },
			volatile: true,
		},
		{
			name: "MongoDB",
			yaml: func(t *testing.T) string {
				uri := harness.MongoDBURI()
				if uri == "" {
					t.Skip("no MongoDB: $SIDECART_MONGODB_URI is not set")
				}
				m, err := harness.NewMongoDB(uri)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, m.Drop(context.WithoutCancel(t.Context()))) })
				return component("store", "state.mongodb", "v1", "connectionString", "$SIDECART_MONGODB_URI", "databaseName", m.Name,
					"collectionName", "state", "writeConcern", "majority", "readConcern", "majority", "operationTimeout", "10s")
			},
			deviates: []string{updateOfAbsent, expiredInsert},
		},
	}
}

// syncAlways makes Redis write what it acknowledges to disk first. With its default of once a
// second it may have nothing of that second when it is killed.
func syncAlways(t *testing.T) {
	t.Helper()
	_, err := servers(t).Redis.Do(t.Context(), "CONFIG", "SET", "appendfsync", "always")
	require.NoError(t, err)
}

func busEnv(b *backends.Backends) map[string]string {
	env := b.Env()
	return map[string]string{
		"SIDECART_BUS_HOST": env["SIDECART_BUS_HOST"], "SIDECART_BUS_PASSWORD": env["SIDECART_BUS_PASSWORD"], "SSL_CERT_FILE": env["SSL_CERT_FILE"],
	}
}

// TestStateStoresKeepTheContract runs the contract against every store through a sidecar, and fills
// the table.
func TestStateStoresKeepTheContract(t *testing.T) {
	found := newTable("state stores", "TestStateStores")
	for _, s := range stores() {
		found.columns = append(found.columns, s.name)
	}
	for _, check := range statetest.Checks {
		found.rows = append(found.rows, check.Name)
	}
	for _, probe := range probes {
		found.rows = append(found.rows, probe.name)
	}
	for _, s := range stores() {
		t.Run(s.name, func(t *testing.T) {
			opts := stack.Options{FreePorts: true}
			resources := s.yaml(t)
			if s.env != nil {
				opts.Env = s.env(t)
			}
			st := sidecarWith(t, []string{resources}, opts, map[string]int{"conformance": 0})
			state := client(t, st, "conformance").State("store")
			for _, check := range statetest.Checks {
				if slices.Contains(s.deviates, check.Name) {
					found.set(s.name, check.Name, deviations[check.Name](t, state))
					continue
				}
				if s.volatile && check.Name == durable {
					found.set(s.name, check.Name, "—")
					continue
				}
				t.Run(check.Name, func(t *testing.T) {
					check.Test(t, statetest.Store{State: state, Restart: s.restart(st)})
					found.set(s.name, check.Name, "yes")
				})
			}
			for _, probe := range probes {
				found.set(s.name, probe.name, probe.try(t, s, state))
			}
		})
	}
	found.compare(t)
}

const durable = "a restart loses nothing that was acknowledged"

// restart kills the store and its sidecar, as a power cut would.
func (s store) restart(st *stack.Stack) func(t *testing.T) {
	if s.volatile {
		return nil
	}
	return func(t *testing.T) {
		if s.stop != nil {
			s.stop(t)
			s.start(t)
		}
		require.NoError(t, st.KillSidecar("conformance"))
	}
}

// probe finds out something that the contract leaves open.
type probe struct {
	name string
	try  func(t *testing.T, s store, state sidecar.State) string
}

var probes = []probe{
	{"the update of a deleted key", probeUpdateOfDeleted},
	{"an ETag from before a delete and a new insert", probeOldETag},
	{"an update while the store is down", probeDown},
}

// deviations find out whether a store keeps a part of the contract that it may not keep. What is
// neither kept nor broken in the one way that the services are prepared for fails the test.
var deviations = map[string]func(t *testing.T, state sidecar.State) string{
	updateOfAbsent: func(t *testing.T, state sidecar.State) string {
		if probeUpdateOfDeleted(t, store{}, state) == "refused" {
			return yes
		}
		return "**no**"
	},
	expiredInsert: func(t *testing.T, state sidecar.State) string {
		key := "probe/" + t.Name() + "/" + unique()
		require.NoError(t, state.Insert(t.Context(), key, []byte(`{"n":1}`), sidecar.WithTTL(time.Second)))
		eventually(t, func(ctx context.Context) error {
			if _, err := state.Get(ctx, key); !sidecar.IsMissing(err) {
				return errors.Join(errors.New("the key has not expired"), err)
			}
			return nil
		})
		err := state.Insert(t.Context(), key, []byte(`{"n":2}`))
		if err == nil {
			return yes
		}
		within(t, 3*patience, func(ctx context.Context) error { // MongoDB's monitor looks once a minute
			return state.Insert(ctx, key, []byte(`{"n":2}`))
		})
		return "**no**"
	},
}

func probeUpdateOfDeleted(t *testing.T, _ store, state sidecar.State) string {
	k, etag := inserted(t, state)
	require.NoError(t, state.Delete(t.Context(), k, etag))
	err := state.Update(t.Context(), k, []byte(`{"n":2}`), etag)
	if err == nil {
		return "**inserts it**"
	}
	require.True(t, sidecar.IsConflict(err), "got %v", err)
	return "refused"
}

func probeOldETag(t *testing.T, _ store, state sidecar.State) string {
	k, etag := inserted(t, state)
	require.NoError(t, state.Delete(t.Context(), k, etag))
	require.NoError(t, state.Insert(t.Context(), k, []byte(`{"n":1}`)))
	err := state.Update(t.Context(), k, []byte(`{"n":2}`), etag)
	if err == nil {
		return "**may be good again**"
	}
	require.True(t, sidecar.IsConflict(err), "got %v", err)
	return "useless"
}

// probeDown matters because a conflict sends the caller to read the key again, which is harmless,
// but must not be taken for the word of the store.
func probeDown(t *testing.T, s store, state sidecar.State) string {
	if s.stop == nil {
		return "—"
	}
	k, etag := inserted(t, state)
	s.stop(t)
	defer func() {
		s.start(t)
		eventually(t, func(ctx context.Context) error {
			if _, err := state.Get(ctx, k); !sidecar.IsMissing(err) {
				return err
			}
			return nil // it answers; whether it keeps what it has acknowledged is a check of its own
		})
	}()
	err := state.Update(t.Context(), k, []byte(`{"n":2}`), etag)
	require.Error(t, err, "nothing is acknowledged while the store is down")
	if sidecar.IsConflict(err) {
		return "**says conflict**"
	}
	return "fails"
}

func inserted(t *testing.T, state sidecar.State) (key, etag string) {
	t.Helper()
	key = "probe/" + t.Name() + "/" + unique()
	require.NoError(t, state.Insert(t.Context(), key, []byte(`{"n":1}`)))
	item, err := state.Get(t.Context(), key)
	require.NoError(t, err)
	return key, item.ETag
}
