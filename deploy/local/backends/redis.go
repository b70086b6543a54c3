package backends

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sidecart.dev/local/supervise"
)

// Redis is a redis-server of our own, with an append-only file. Its methods are safe for concurrent
// use.
type Redis struct {
	path, dir string
	keys      *keys
	output    func(string)

	mu      sync.Mutex
	process *supervise.Process
	tail    *supervise.Tail
	changed atomic.Value // a string: the password that the server wants now; empty: Password
}

func newRedis(dir string, k *keys, output func(string)) (*Redis, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, &MissingError{"Redis", "no redis-server on PATH"}
	}
	return &Redis{path: path, dir: dir, keys: k, output: output, tail: supervise.NewTail(20)}, nil
}

// Addr is host:port, of TLS.
func (r *Redis) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.keys.Ports["redis"]))
}

// Password is what clients must know.
func (r *Redis) Password() string { return r.keys.Passwords["redis"] }

// Start starts a stopped server with the data it has and returns when it answers.
func (r *Redis) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if running(r.process) {
		return nil
	}
	conf, err := r.configure()
	if err != nil {
		return err
	}
	lines := supervise.NewLines(func(line []byte) {
		r.tail.Add(string(line))
		r.output(string(line))
	})
	process, err := supervise.Start(supervise.Command{
		Path: r.path, Args: []string{conf}, Dir: r.dir, Env: os.Environ(), Stdout: lines, Stderr: lines,
	})
	if err != nil {
		return err
	}
	r.process = process
	r.changed.Store("")
	err = awaitUp(ctx, "Redis", process, r.tail, func(ctx context.Context) error {
		_, err := r.Do(ctx, "PING")
		return err
	})
	if err != nil {
		process.Stop(time.Second)
		r.process = nil
	}
	return err
}

// redisConf wants port, certificate, key, password and folder.
const redisConf = `bind 127.0.0.1
port 0
tls-port %d
tls-cert-file %q
tls-key-file %q
tls-auth-clients no
requirepass %s
dir %q
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
`

// configure writes the configuration: the password belongs into a file, not on the command line.
func (r *Redis) configure() (path string, err error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return "", err
	}
	certificate, key, err := r.keys.write(r.dir)
	if err != nil {
		return "", err
	}
	path = filepath.Join(r.dir, "redis.conf")
	text := fmt.Sprintf(redisConf,
		r.keys.Ports["redis"], certificate, key, r.Password(), r.dir)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// Stop ends the server in order, with all it was given on disk.
func (r *Redis) Stop() { r.end(syscall.SIGTERM) }

// Kill ends the server at once.
func (r *Redis) Kill() { r.end(syscall.SIGKILL) }

func (r *Redis) end(signal syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return
	}
	_ = r.process.Signal(signal)
	r.process.Await(10 * time.Second)
	r.process = nil
}

// ChangePassword makes the server want another password until it is started again, and ends all
// connections, as an administrator does who has not told the services yet; an empty one gives it
// back the password that clients know.
func (r *Redis) ChangePassword(ctx context.Context, password string) error {
	set := cmp.Or(password, r.Password())
	if _, err := r.Do(ctx, "CONFIG", "SET", "requirepass", set); err != nil {
		return err
	}
	r.changed.Store(password)
	_, err := r.Do(ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	return err
}

// Do sends one command as the administrator and returns its answer as text; an array's elements are
// joined by newlines.
func (r *Redis) Do(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(r.keys.CA))
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	answers := bufio.NewReader(conn)
	password, _ := r.changed.Load().(string)
	password = cmp.Or(password, r.Password())
	for _, c := range [][]string{{"AUTH", password}, command} {
		if err := send(conn, c); err != nil {
			return "", err
		}
		answer, err := receive(answers)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c[0], err)
		}
		if c[0] != "AUTH" {
			return answer, nil
		}
	}
	return "", nil
}

func send(w io.Writer, command []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// receive reads one RESP2 answer.
func receive(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty answer")
	}
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '-':
		return "", errors.New(line[1:])
	case '$':
		if n < 0 {
			return "", nil
		}
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	case '*':
		var all []string
		for range n {
			one, err := receive(r)
			if err != nil {
				return "", err
			}
			all = append(all, one)
		}
		return strings.Join(all, "\n"), nil
	}
	return line[1:], nil
}
