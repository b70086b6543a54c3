package harness

import (
	"io"
	"net"
	"sync"
)

// Relay stands between clients and a server on this machine, so that a test can take the server
// away from them: refuse connections, as a machine does whose server is gone, or let them hang, as
// a network does that loses packets. Its methods are safe for concurrent use.
type Relay struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	held    chan struct{}         // while nothing gets through: closed when it does again
	open    map[net.Conn]struct{} // both ends of every connection
	refuses bool                  // while connections are ended as soon as they are made
	closed  bool
}

// NewRelay starts a relay to the server at host:port. The caller closes it.
func NewRelay(server string) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: listener, server: server, open: map[net.Conn]struct{}{}}
	go r.serve()
	return r, nil
}

// Addr is where clients connect to.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Hang lets nothing through in either direction until [Relay.Pass]; connections stay open, and new
// ones are accepted.
func (r *Relay) Hang() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = make(chan struct{})
	}
}

// Pass lets everything through again, that which was held up included.
func (r *Relay) Pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held != nil {
		close(r.held)
		r.held = nil
	}
}

// Refuse ends every connection, and each new one as well until [Relay.Accept], as if the server had
// stopped.
func (r *Relay) Refuse() {
	r.mu.Lock()
	r.refuses = true
	r.mu.Unlock()
	r.Cut()
}

// Accept lets new connections through again.
func (r *Relay) Accept() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = false
}

// Cut ends every connection. New ones get through.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		conn.Close()
	}
}

// Close ends every connection and takes no more.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Pass()
	r.Cut()
	return r.listener.Close()
}

func (r *Relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.relay(client)
	}
}

func (r *Relay) relay(client net.Conn) {
	defer client.Close()
	r.wait()
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer server.Close()
	if !r.note(client, server) {
		return
	}
	done := make(chan struct{}, 2)
	go func() { r.copy(server, client); done <- struct{}{} }()
	go func() { r.copy(client, server); done <- struct{}{} }()
	<-done // one direction over is both over: neither PostgreSQL nor Redis half-closes
	client.Close()
	server.Close()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, client)
	delete(r.open, server)
}

func (r *Relay) note(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range conns {
		r.open[conn] = struct{}{}
	}
	return !r.closed && !r.refuses
}

func (r *Relay) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		r.wait()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait returns when things get through.
func (r *Relay) wait() {
	r.mu.Lock()
	held := r.held
	r.mu.Unlock()
	if held != nil {
		<-held
	}
}
