// Package backends starts private servers from this machine's own binaries: a PostgreSQL with a
// database and a login for each service, and a Redis with a password, both with TLS only and on
// loopback. They are what the production component set needs, for development and for tests.
//
//	b, err := backends.Start(ctx, backends.Config{})
//	defer b.Stop()
//	opts.Components, opts.Env = "production", b.Env()
package backends

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sidecart.dev/local/supervise"
)

// Databases are the services that have a database each.
var Databases = []string{"users", "orders", "payments", "notifications"}

// MissingError says that a server cannot be started because this machine does not have it. A test
// is skipped with it.
type MissingError struct{ What, Hint string }

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("there is no %s here: %s", e.What, e.Hint)
}

// IsMissing reports whether err says that a server is not installed.
func IsMissing(err error) bool {
	var missing *MissingError
	return errors.As(err, &missing)
}

// Config says where data is kept. The zero value keeps it in a new temporary folder, until Stop.
type Config struct {
	// Dir is the folder for data and keys; passwords, ports and data in it are used again by the next
	// Start. The user that runs PostgreSQL must be able to reach it: for root that is the user
	// postgres or nobody.
	Dir string
	// Output is given the servers' log lines; it may be nil.
	Output func(server, line string)
}

// Backends are running servers. Methods are safe for concurrent use.
type Backends struct {
	PostgreSQL *PostgreSQL
	Redis      *Redis
	Dir        string
	// CAFile is the certificate of the authority that signed the servers' certificates.
	CAFile string

	temporary bool
}

// Start starts PostgreSQL and Redis and returns when both answer. On an error nothing is left
// running.
func Start(ctx context.Context, cfg Config) (*Backends, error) {
	dir, temporary, err := folder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	b := &Backends{Dir: dir, CAFile: filepath.Join(dir, "ca.pem"), temporary: temporary}
	if err := b.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

func (b *Backends) start(ctx context.Context, cfg Config) error {
	keys, err := loadKeys(b.Dir)
	if err != nil {
		return err
	}
	output := func(server string) func(string) {
		return func(line string) {
			if cfg.Output != nil {
				cfg.Output(server, line)
			}
		}
	}
	b.PostgreSQL, err = newPostgreSQL(filepath.Join(b.Dir, "postgresql"), keys, output("postgresql"))
	if err != nil {
		return err
	}
	if b.Redis, err = newRedis(filepath.Join(b.Dir, "redis"), keys, output("redis")); err != nil {
		return err
	}
	if err := b.PostgreSQL.Start(ctx); err != nil {
		return err
	}
	return b.Redis.Start(ctx)
}

// Stop ends the servers, and removes a temporary folder. Stopping twice is no error.
func (b *Backends) Stop() error {
	if b.Redis != nil {
		b.Redis.Stop()
	}
	if b.PostgreSQL != nil {
		b.PostgreSQL.Stop()
	}
	if b.temporary {
		return os.RemoveAll(b.Dir)
	}
	return nil
}

// running tells whether a server that was started has not ended, by itself or otherwise.
func running(p *supervise.Process) bool {
	if p == nil {
		return false
	}
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// folder makes the folder. It is open to be passed through, not to be listed: PostgreSQL may run as
// another user.
func folder(dir string) (path string, temporary bool, err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "sidecart-backends-")
		temporary = true
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o711)
	}
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	return dir, temporary, err
}

// awaitUp calls up until it succeeds, the process dies or two minutes are over.
func awaitUp(
	ctx context.Context, name string, process *supervise.Process, tail *supervise.Tail,
	up func(context.Context) error,
) error {
	last := func() string { return strings.Join(tail.Lines(), "; ") }
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := up(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-process.Done():
			return fmt.Errorf("%s ended at its start: %s", name, last())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w: %s", name, err, last())
		case <-tick.C:
		}
	}
}
