package backends

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// postgresqlConf wants port, certificate and key.
const postgresqlConf = `listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = ''
max_connections = 200
log_min_messages = warning
password_encryption = 'scram-sha-256'
dynamic_shared_memory_type = mmap
ssl = on
ssl_cert_file = '%s'
ssl_key_file = '%s'
include = 'sidecart.conf'
`

// setUp makes a new cluster: one login and database per service, closed to the others; besides them
// only the administrator may log in.
func (p *PostgreSQL) setUp(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(p.dir), os.MkdirAll(p.dir, 0o700), p.own(p.dir)); err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	if err := p.run(ctx, "", "initdb", "-D", data, "-U", "admin", "-E", "UTF8",
		"--locale=C", "-A", "reject", "--no-sync"); err != nil {
		return err
	}
	certificate, key, err := p.keys.write(p.dir)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"pg_hba.conf":   "hostssl all all 127.0.0.1/32 scram-sha-256\n",
		"sidecart.conf": "",
		"postgresql.conf": fmt.Sprintf(
			postgresqlConf, p.keys.Ports["postgresql"], certificate, key),
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
	return nil, &MissingError{
		"user to run PostgreSQL",
		"it does not run as root, and there is neither a user postgres nor nobody",
	}
}
