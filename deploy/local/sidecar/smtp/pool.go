package smtp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// mailsPerConnection stays below the limit of common servers.
const mailsPerConnection = 100

// pool keeps connections for use by later mails and bounds how many are open.
// Safe for concurrent use.
type pool struct {
	metadata Metadata
	slots    chan struct{} // one for each connection in use

	mu     sync.Mutex
	idle   []*connection
	closed bool
}

func newPool(m Metadata) *pool {
	return &pool{metadata: m, slots: make(chan struct{}, m.MaxConnections)}
}

var errClosed = errors.New("the binding is closed")

// send sends one mail on a kept connection or a new one.
func (p *pool) send(ctx context.Context, m *message) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return unreachable("waiting for a free connection", context.Cause(ctx))
	}
	defer func() { <-p.slots }()

	for c := p.take(); c != nil; c = p.take() {
		err := c.send(ctx, m)
		p.give(c)
		if !errors.Is(err, errStale) {
			return err
		}
	}
	if p.isClosed() {
		return unreachable("connecting", errClosed)
	}
	c, err := dial(ctx, p.metadata)
	if err != nil {
		return err
	}
	defer p.give(c)
	return c.send(ctx, m)
}

// take returns the connection used last, which is the least likely to be stale,
// or nil.
func (p *pool) take() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	c.expiry.Stop()
	c.reused = true
	return c
}

// give keeps a connection that can be used again and closes any other.
func (p *pool) give(c *connection) {
	if c.broken {
		_ = c.net.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.mails >= mailsPerConnection {
		c.quit()
		return
	}
	c.expiry = time.AfterFunc(p.metadata.IdleTimeout, func() { p.expire(c) })
	p.idle = append(p.idle, c)
}

// expire closes a connection that is still idle.
func (p *pool) expire(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		c.quit()
	}
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// close closes the idle connections now and the others after their mail.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.expiry.Stop()
		c.quit()
	}
	p.idle = nil
}
