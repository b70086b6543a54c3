// Package redis gives the stack a server that speaks the Redis protocol: one
// that listens already, a redis-server from PATH, or an in-process one.
package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// DefaultAddr is where a Redis is looked for and, by default, started.
const DefaultAddr = "127.0.0.1:6379"

// Server is a running server. Flush and Addr work for all; Stop and Start do
// nothing to a server that this program did not start.
type Server interface {
	// Addr is host:port; it stays the same over Stop and Start.
	Addr() string
	// Kind says for people what it is.
	Kind() string
	// Start starts a stopped server again, with the data it kept, if any.
	Start(ctx context.Context) error
	// Stop ends the server. Stopping a stopped server is no error.
	Stop(ctx context.Context) error
}

// Config says what to start. Dir is the folder for the append-only file and
// must exist. Output is given the server's log lines (may be nil).
type Config struct {
	Addr   string
	Dir    string
	Output func(line string)
	// Notice is told when a server of our own died and is started again.
	Notice func(format string, args ...any)
	// Own says not to use a server that listens already.
	Own bool
	// InProcess says not to look for a redis-server on PATH.
	InProcess bool
}

// Open uses or starts a server, which answers when it returns.
func Open(ctx context.Context, cfg Config) (Server, error) {
	if !cfg.Own && Ping(ctx, cfg.Addr) == nil {
		return external(cfg.Addr), nil
	}
	if listening(cfg.Addr) {
		return nil, fmt.Errorf("port %s is taken by something that is not a Redis", cfg.Addr)
	}
	var server Server
	if path := serverOnPath(); path != "" && !cfg.InProcess {
		server = newProcess(path, cfg)
	} else {
		server = &inProcess{addr: cfg.Addr}
	}
	if err := server.Start(ctx); err != nil {
		return nil, err
	}
	return server, nil
}

type external string

func (e external) Addr() string                { return string(e) }
func (e external) Kind() string                { return "the one that listens already" }
func (e external) Start(context.Context) error { return nil }
func (e external) Stop(context.Context) error  { return nil }

func listening(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Ping asks the server at addr for a sign of life.
func Ping(ctx context.Context, addr string) error {
	return simple(ctx, addr, "PING", "PONG")
}

// Flush removes everything from the server at addr.
func Flush(ctx context.Context, addr string) error {
	return simple(ctx, addr, "FLUSHALL", "OK")
}

// simple sends one command without arguments and expects one status line.
func simple(ctx context.Context, addr, command, want string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := fmt.Fprintf(conn, "*1\r\n$%d\r\n%s\r\n", len(command), command); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("%s does not answer like a Redis: %w", addr, err)
	}
	answer = strings.TrimSpace(answer)
	if answer != "+"+want {
		return errors.New(addr + " answers " + answer)
	}
	return nil
}
