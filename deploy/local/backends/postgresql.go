package backends

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sidecart.dev/local/supervise"
)

// PostgreSQL is a server of our own. Its methods are safe for concurrent use.
type PostgreSQL struct {
	bin, dir string
	keys     *keys
	output   func(string)
	owner    *syscall.Credential // nil: this process's own user

	mu      sync.Mutex
	process *supervise.Process
	tail    *supervise.Tail
}

func newPostgreSQL(dir string, k *keys, output func(string)) (*PostgreSQL, error) {
	bin := postgresBin()
	if bin == "" {
		return nil, &MissingError{
			"PostgreSQL", "no initdb in $SIDECART_POSTGRES_BIN, on PATH or in the usual places",
		}
	}
	p := &PostgreSQL{bin: bin, dir: dir, keys: k, output: output, tail: supervise.NewTail(20)}
	if os.Geteuid() == 0 {
		var err error
		if p.owner, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// postgresBin is the folder of the newest PostgreSQL of this machine, or empty.
func postgresBin() string {
	if dir := os.Getenv("SIDECART_POSTGRES_BIN"); dir != "" {
		return dir
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		return filepath.Dir(path)
	}
	version := func(path string) int {
		digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
		n, _ := strconv.Atoi(slices.Max(append(digits, "0")))
		return n
	}
	var all []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	} {
		found, _ := filepath.Glob(filepath.Join(pattern, "initdb"))
		all = append(all, found...)
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortFunc(all, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(all[len(all)-1])
}

// Addr is host:port.
func (p *PostgreSQL) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.keys.Ports["postgresql"]))
}

// URL is the connection string of a service's own login and database.
func (p *PostgreSQL) URL(service string) string {
	return p.URLWith(service, p.keys.Passwords[service])
}

// URLWith is the same with another password.
func (p *PostgreSQL) URLWith(service, password string) string {
	return p.urlTo(service, password, service)
}

func (p *PostgreSQL) urlTo(login, password, database string) string {
	ca := filepath.Join(filepath.Dir(p.dir), "ca.pem")
	query := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {ca}}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(login, password),
		Host: p.Addr(), Path: "/" + database, RawQuery: query.Encode(),
	}
	return u.String()
}

// Start starts a stopped server with the data it has, or sets it up, and returns when it accepts
// connections.
func (p *PostgreSQL) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if running(p.process) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(p.dir, "data", "ready")); err != nil {
		if err := p.setUp(ctx); err != nil {
			return fmt.Errorf("PostgreSQL cannot be set up: %w", err)
		}
	}
	lines := supervise.NewLines(func(line []byte) {
		p.tail.Add(string(line))
		p.output(string(line))
	})
	process, err := supervise.Start(supervise.Command{
		Path: filepath.Join(p.bin, "postgres"), Args: []string{"-D", filepath.Join(p.dir, "data")},
		Dir: p.dir, Env: p.environment(), Stdout: lines, Stderr: lines, Credential: p.owner,
	})
	if err != nil {
		return err
	}
	p.process = process
	err = awaitUp(ctx, "PostgreSQL", process, p.tail, p.accepts)
	if err != nil {
		process.Stop(time.Second)
		p.process = nil
	}
	return err
}

// accepts fails until connections are accepted, which the server says in the last line of its pid
// file.
func (p *PostgreSQL) accepts(context.Context) error {
	text, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if lines[0] != strconv.Itoa(p.process.PID()) || strings.TrimSpace(lines[len(lines)-1]) != "ready" {
		return errors.New("it is starting")
	}
	return nil
}

func (p *PostgreSQL) environment() []string {
	return []string{"PATH=" + p.bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}

// Stop ends the server as a restart of its machine would, in order; clients are cut off.
func (p *PostgreSQL) Stop() { p.end(syscall.SIGINT) }

// Kill ends the server as a power cut would.
func (p *PostgreSQL) Kill() { p.end(syscall.SIGKILL) }

func (p *PostgreSQL) end(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return
	}
	_ = p.process.Signal(signal)
	p.process.Await(20 * time.Second)
	p.process = nil
}

// ReadOnly makes every database read-only, or writable again, for the connections that are open as
// well.
func (p *PostgreSQL) ReadOnly(on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	value := "off"
	if on {
		value = "on"
	}
	setting := "default_transaction_read_only = " + value + "\n"
	if err := p.write(filepath.Join("data", "sidecart.conf"), setting); err != nil {
		return err
	}
	if p.process == nil {
		return nil
	}
	return syscall.Kill(p.process.PID(), syscall.SIGHUP)
}

// ChangePassword gives a service's login another password and ends its connections, as an
// administrator does who has not told the service yet; an empty one gives it back the password that
// URL has.
func (p *PostgreSQL) ChangePassword(ctx context.Context, service, password string) error {
	if password == "" {
		password = p.keys.Passwords[service]
	}
	const statements = "ALTER ROLE %s PASSWORD '%s'; " +
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%s'"
	quoted := strings.ReplaceAll(password, "'", "''")
	return p.administer(ctx, fmt.Sprintf(statements, service, quoted, service))
}

// administer runs statements as the administrator.
func (p *PostgreSQL) administer(ctx context.Context, sql string) error {
	admin := p.urlTo("admin", p.keys.Passwords["admin"], "postgres")
	return p.run(ctx, sql, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", admin)
}
