package harness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"sidecart.dev/local/backends"
	"sidecart.dev/local/stack"
)

// System is a system that a suite has started for itself, with the servers behind its component
// set. Its methods are safe for concurrent use.
type System struct {
	*stack.Stack
	// Backends are the PostgreSQL and Redis of the production set; nil where the launcher's own
	// servers do.
	Backends *backends.Backends
	// Databases and Bus stand before them, for every client but this process.
	Databases, Bus *Relay
	// MongoDB is what orders are on, where the environment names a server; nil where they are on
	// PostgreSQL.
	MongoDB *MongoDB

	backendsDir string            // empty: a temporary one
	env         map[string]string // of the stack, besides this process's
}

// StartSystem starts the stack on the component set that SIDECART_COMPONENTS, SIDECART_REDIS and
// SIDECART_BIN ask for, as far as opts does not say otherwise. The production set gets a PostgreSQL
// and a Redis of this machine's own binaries, unless the environment says where the set's servers
// are; if this machine has none, [backends.IsMissing] is true of the error. What is to be different
// from that, options of this package say.
func StartSystem(
	ctx context.Context, opts stack.Options, change ...func(*System),
) (*System, error) {
	if opts.Components == "" {
		opts.Components = os.Getenv("SIDECART_COMPONENTS")
	}
	if opts.BinDir == "" {
		opts.BinDir = os.Getenv("SIDECART_BIN")
	}
	opts.InProcessRedis = opts.InProcessRedis || os.Getenv("SIDECART_REDIS") == "in-process"
	s := &System{}
	for _, f := range change {
		f(s)
	}
	if _, given := os.LookupEnv("SIDECART_USERS_DB"); opts.Components == "production" && !given {
		env, err := s.startBackends(ctx, opts)
		if err != nil {
			return nil, errors.Join(err, s.stopBackends())
		}
		maps.Copy(env, opts.Env)
		opts.Env = env
	}
	s.env = opts.Env
	var err error
	if s.Stack, err = stack.Start(ctx, opts); err != nil {
		err = fmt.Errorf("the stack did not start: %w (logs in %s)", err, opts.StateDir)
		return nil, errors.Join(err, s.stopBackends())
	}
	return s, nil
}

// BackendsIn keeps the servers' data in a folder.
func BackendsIn(dir string) func(*System) { return func(s *System) { s.backendsDir = dir } }

// Stop ends the stack and then the servers.
func (s *System) Stop(ctx context.Context) error {
	return errors.Join(s.Stack.Stop(ctx), s.stopBackends())
}

// startBackends starts the servers and the relays before them, and returns the environment that
// leads to those.
func (s *System) startBackends(
	ctx context.Context, opts stack.Options,
) (env map[string]string, err error) {
	if s.Backends, err = backends.Start(ctx, backends.Config{Dir: s.backendsDir}); err != nil {
		return nil, err
	}
	if s.Databases, err = NewRelay(s.Backends.PostgreSQL.Addr()); err != nil {
		return nil, err
	}
	if s.Bus, err = NewRelay(s.Backends.Redis.Addr()); err != nil {
		return nil, err
	}
	env = s.Backends.Env()
	for name, value := range env {
		value = strings.ReplaceAll(value, s.Backends.PostgreSQL.Addr(), s.Databases.Addr())
		env[name] = strings.ReplaceAll(value, s.Backends.Redis.Addr(), s.Bus.Addr())
	}
	if uri := MongoDBURI(); uri != "" {
		if s.MongoDB, err = NewMongoDB(uri); err != nil {
			return nil, err
		}
		env["SIDECART_ORDERS_DB"] = s.MongoDB.URI
		env["SIDECART_REPLACE"], err = s.MongoDB.Component(filepath.Dir(opts.File), opts.StateDir)
	}
	return env, err
}

func (s *System) stopBackends() error {
	var errs []error
	for _, relay := range []*Relay{s.Databases, s.Bus} {
		if relay != nil {
			errs = append(errs, relay.Close())
		}
	}
	if s.MongoDB != nil {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		errs = append(errs, s.MongoDB.Drop(ctx))
	}
	if s.Backends != nil {
		errs = append(errs, s.Backends.Stop())
	}
	return errors.Join(errs...)
}

// StopRedis ends the message bus.
func (s *System) StopRedis(ctx context.Context) error {
	if s.Backends == nil {
		return s.Stack.StopRedis(ctx)
	}
	s.Backends.Redis.Stop()
	return nil
}

// StartRedis starts the message bus again, with what it had written down.
func (s *System) StartRedis(ctx context.Context) error {
	if s.Backends == nil {
		return s.Stack.StartRedis(ctx)
	}
	return s.Backends.Redis.Start(ctx)
}

// FlushRedis removes everything from the message bus.
func (s *System) FlushRedis(ctx context.Context) error {
	if s.Backends == nil {
		return s.Stack.FlushRedis(ctx)
	}
	_, err := s.Backends.Redis.Do(ctx, "FLUSHALL")
	return err
}

// BusClient is a client of the message bus, for tests that go past the sidecars. The caller closes
// it.
func (s *System) BusClient() (*redis.Client, error) {
	opts := &redis.Options{Addr: s.RedisAddr, DisableIdentity: true}
	if s.RedisAddr == "" { // the bus of the production set: TLS and a password
		opts.Addr, opts.Password = s.variable("SIDECART_BUS_HOST"), s.variable("SIDECART_BUS_PASSWORD")
		opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if path := s.variable("SSL_CERT_FILE"); path != "" {
			pem, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			opts.TLSConfig.RootCAs = x509.NewCertPool()
			opts.TLSConfig.RootCAs.AppendCertsFromPEM(pem)
		}
	}
	return redis.NewClient(opts), nil
}

// Secrets are the values that the components refer to and that nobody but their sidecars may see.
func (s *System) Secrets() []string {
	var all []string
	for _, name := range []string{
		"SIDECART_BUS_PASSWORD", "SIDECART_SMTP_PASSWORD", "SIDECART_SMS_AUTHORIZATION",
	} {
		all = append(all, s.variable(name))
	}
	for _, name := range []string{
		"SIDECART_USERS_DB", "SIDECART_ORDERS_DB", "SIDECART_PAYMENTS_DB", "SIDECART_NOTIFICATIONS_DB",
	} {
		if u, err := url.Parse(s.variable(name)); err == nil && u.User != nil {
			password, _ := u.User.Password()
			all = append(all, password)
		}
	}
	return slices.DeleteFunc(all, func(secret string) bool { return secret == "" })
}

func (s *System) variable(name string) string {
	if value, ok := s.env[name]; ok {
		return value
	}
	return os.Getenv(name)
}
