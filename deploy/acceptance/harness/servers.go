package harness

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sidecart.dev/local/backends"
)

// Servers are a PostgreSQL and a Redis that the tests of a package share. They are started for the
// first test that asks. The zero value is ready; its methods are safe for concurrent use.
type Servers struct {
	once    sync.Once
	running *backends.Backends
	err     error
}

// Get returns the servers. A test is skipped where this machine has none.
func (s *Servers) Get(t testing.TB) *backends.Backends {
	t.Helper()
	s.once.Do(func() { s.running, s.err = backends.Start(context.Background(), backends.Config{}) })
	if backends.IsMissing(s.err) {
		t.Skip(s.err)
	}
	require.NoError(t, s.err)
	return s.running
}

// Stop ends what was started, when no test runs any more.
func (s *Servers) Stop() error {
	if s.running == nil {
		return nil
	}
	return s.running.Stop()
}
