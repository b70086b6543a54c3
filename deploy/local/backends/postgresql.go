package backends

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
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
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		found, _ := filepath.Glob(filepath.Join(pattern, "initdb"))
		all = append(all, found...)
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortFunc(all, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(all[len(all)-1])
}

// unprivileged is who runs PostgreSQL for root, whom it refuses.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, &MissingError{"user to run PostgreSQL", "it does not run as root, and there is neither a user postgres nor nobody"}
}

// Addr is host:port.
func (p *PostgreSQL) Addr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.keys.Ports["postgresql"]))
}

// URL is the connection string of a service's own login and database.
func (p *PostgreSQL) URL(service string) string { return p.URLWith(service, p.keys.Passwords[service]) }

// URLWith is the same with another password.
func (p *PostgreSQL) URLWith(service, password string) string {
	return p.urlTo(service, password, service)
}

func (p *PostgreSQL) urlTo(login, password, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(login, password), Host: p.Addr(), Path: "/" + database,
		RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {filepath.Join(filepath.Dir(p.dir), "ca.pem")}}.Encode(),
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
	err = awaitUp(ctx, "PostgreSQL", process.Done(), p.last, p.accepts)
	if err != nil {
		process.Stop(time.Second)
		p.process = nil
	}
	return err
}

func (p *PostgreSQL) last() string { return strings.Join(p.tail.Lines(), "; ") }

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
	if err := p.write(filepath.Join("data", "sidecart.conf"), "default_transaction_read_only = "+value+"\n"); err != nil {
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
	return p.administer(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '%s'",
		service, strings.ReplaceAll(password, "'", "''"), service))
}

// administer runs statements as the administrator.
func (p *PostgreSQL) administer(ctx context.Context, sql string) error {
	return p.run(ctx, sql, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", p.urlTo("admin", p.keys.Passwords["admin"], "postgres"))
}

// setUp makes a new cluster: one login and database per service, closed to the others; besides them
// only the administrator may log in.
func (p *PostgreSQL) setUp(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(p.dir), os.MkdirAll(p.dir, 0o700), p.own(p.dir)); err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	if err := p.run(ctx, "", "initdb", "-D", data, "-U", "admin", "-E", "UTF8", "--locale=C", "-A", "reject", "--no-sync"); err != nil {
		return err
	}
	certificate, key, err := p.keys.write(p.dir)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"pg_hba.conf":   "hostssl all all 127.0.0.1/32 scram-sha-256\n",
		"sidecart.conf": "",
		"postgresql.conf": fmt.Sprintf("listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = ''\n"+
			"max_connections = 200\nlog_min_messages = warning\npassword_encryption = 'scram-sha-256'\ndynamic_shared_memory_type = mmap\n"+
			"ssl = on\nssl_cert_file = '%s'\nssl_key_file = '%s'\ninclude = 'sidecart.conf'\n",
			p.keys.Ports["postgresql"], certificate, key),
	} {
		if err := p.write(filepath.Join("data", name), text); err != nil {
			return err
		}
	}
	if err := errors.Join(p.own(certificate), p.own(key)); err != nil {
		return err
	}
	if err := p.run(ctx, p.statements(), "postgres", "--single", "-D", data, "postgres"); err != nil {
		return err
	}
	return p.write(filepath.Join("data", "ready"), "")
}

// statements are run by the server alone, before it listens. Each line is one.
func (p *PostgreSQL) statements() string {
	var sql strings.Builder
	fmt.Fprintf(&sql, "ALTER ROLE admin PASSWORD '%s'\n", p.keys.Passwords["admin"])
	fmt.Fprintln(&sql, `REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC`)
	for _, name := range Databases {
		fmt.Fprintf(&sql, "CREATE ROLE %s LOGIN PASSWORD '%s'\n", name, p.keys.Passwords[name])
		fmt.Fprintf(&sql, "CREATE DATABASE %s OWNER %s\n", name, name)
		fmt.Fprintf(&sql, "REVOKE ALL ON DATABASE %s FROM PUBLIC\n", name)
	}
	return sql.String()
}

func (p *PostgreSQL) run(ctx context.Context, input, tool string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, tool), args...)
	cmd.Dir, cmd.Env, cmd.Stdin = p.dir, p.environment(), strings.NewReader(input)
	if p.owner != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner}
	}
	out, err := cmd.CombinedOutput()
	if err == nil && strings.Contains(string(out), "ERROR:") {
		err = errors.New("a statement failed")
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", tool, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// write puts a file of the server's owner into its folder.
func (p *PostgreSQL) write(name, text string) error {
	path := filepath.Join(p.dir, name)
	return errors.Join(os.WriteFile(path, []byte(text), 0o600), p.own(path))
}

func (p *PostgreSQL) own(path string) error {
	if p.owner == nil {
		return nil
	}
	err := os.Chown(path, int(p.owner.Uid), int(p.owner.Gid))
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("PostgreSQL must own %s: %w", path, err)
	}
	return err
}
