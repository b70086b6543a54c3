package redis

import (
	"context"
	"fmt"
	"sync"

	"github.com/alicebob/miniredis/v2"
)

// inProcess is a miniredis. It keeps its data over Stop and Start, but not over
// the end of this program.
type inProcess struct {
	addr string

	mu      sync.Mutex
	server  *miniredis.Miniredis
	running bool
}

func (m *inProcess) Addr() string { return m.addr }
func (m *inProcess) Kind() string { return "in-process (no redis-server on PATH)" }

func (m *inProcess) Start(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return nil
	}
	var err error
	if m.server == nil {
		m.server = miniredis.NewMiniRedis()
		err = m.server.StartAddr(m.addr)
	} else {
		// Close ended the context that blocking commands wait under, and Restart does not make another:
		// without a new one a blocked XREADGROUP would never be answered again.
		m.server.Ctx, m.server.CtxCancel = context.WithCancel(context.Background())
		err = m.server.Restart()
	}
	if err != nil {
		return fmt.Errorf("the in-process Redis cannot listen on %s: %w", m.addr, err)
	}
	m.running = true
	return nil
}

func (m *inProcess) Stop(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		m.server.Close()
		m.running = false
	}
	return nil
}
