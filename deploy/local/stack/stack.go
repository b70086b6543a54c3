package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"sidecart.dev/local/console"
	"sidecart.dev/local/plan"
	"sidecart.dev/local/redis"
	"sidecart.dev/local/secrets"
)

// gatewayID is the app that is the system's front door.
const gatewayID = "gateway"

// Stack is a running system. Its exported fields are set by Start and do not
// change. Its methods are safe for concurrent use.
type Stack struct {
	GatewayURL       string // of the app "gateway"; empty where there is none
	InboxURL         string // empty if no resource refers to the inbox
	SMTPAddr         string
	RedisAddr        string // empty if no resource refers to Redis
	StateDir         string
	LogsDir          string
	OperatorEmail    string
	OperatorPassword string
	MetricsToken     string // a bearer token for the apps' /metrics
	ConsoleURL       string // with its token; empty if there is no console

	opts    Options
	plan    plan.Plan
	redis   redis.Server
	inbox   *inboxServer
	console *console.Console
	ending  atomic.Bool
	apps    []*app
	lock    *dirLock

	statusMu sync.Mutex
	ready    bool

	stopOnce sync.Once
	stopErr  error
}

// Start builds and starts everything and returns when all is ready. On an error
// nothing is left running; the error is one sentence for people. The context
// bounds the start only: end the stack with Stop.
func Start(ctx context.Context, opts Options) (*Stack, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Stack{
		opts: opts, StateDir: opts.StateDir, LogsDir: filepath.Join(opts.StateDir, "logs"),
	}
	if err := s.start(ctx); err != nil {
		_ = s.Stop(context.WithoutCancel(ctx))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return s, nil
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.makePlan(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.startConsole(); err != nil {
		return err
	}
	if err := s.startBacking(ctx); err != nil {
		return err
	}
	if s.opts.BackingOnly {
		return s.markReady()
	}
	if err := s.writeFiles(); err != nil {
		return err
	}
	return s.startApps(ctx)
}

// makePlan decides everything that can be decided before anything is built or started.
func (s *Stack) makePlan(ctx context.Context) error {
	system, err := s.opts.read()
	if err != nil {
		return err
	}
	if err := s.prepareStateDir(); err != nil {
		return err
	}
	where, err := s.opts.allocate(system.File.Apps)
	if err != nil {
		return err
	}
	settings := plan.Settings{
		StateDir: s.StateDir, BinDir: s.opts.BinDir, NewToken: secrets.Token,
		JSONLogs: s.opts.JSONLogs, BackingOnly: s.opts.BackingOnly,
	}
	if !s.opts.BackingOnly {
		settings.Daprd, err = s.opts.findDaprd(ctx, system.File.Apps[0].RuntimePath)
		if err != nil {
			return err
		}
	}
	s.plan, err = plan.Make(system, where, settings)
	s.MetricsToken = s.plan.MetricsToken
	return err
}

// prepareStateDir takes the folder for this stack alone and makes what every
// start needs in it.
func (s *Stack) prepareStateDir() error {
	for _, dir := range []string{"logs", "data", "redis"} {
		if err := os.MkdirAll(filepath.Join(s.StateDir, dir), 0o755); err != nil {
			return fmt.Errorf("the state folder cannot be made: %w", err)
		}
	}
	var err error
	if s.lock, err = lockDir(s.StateDir); err != nil {
		return err
	}
	made, err := secrets.Ensure(filepath.Join(s.StateDir, "secrets.json"))
	if err != nil {
		return fmt.Errorf("the secrets cannot be made: %w", err)
	}
	s.OperatorEmail, s.OperatorPassword = made.OperatorEmail, made.OperatorPassword
	return nil
}

// writeFiles writes the plan's files anew, and forgets which sidecars an earlier run had.
func (s *Stack) writeFiles() error {
	stale := []string{s.plan.Resources}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		stale = append(stale, s.plan.Names+suffix)
	}
	for _, path := range stale {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	for _, file := range s.plan.Files {
		if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file.Path, file.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends everything in order and returns when no process is left. Only the
// first call acts; the others return its result.
func (s *Stack) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		s.ending.Store(true)
		s.stopApps()
		s.console.Close()
		var errs []error
		if s.redis != nil {
			errs = append(errs, s.redis.Stop(ctx))
		}
		if s.inbox != nil {
			errs = append(errs, s.inbox.stop())
		}
		if s.lock != nil {
			s.removeStatus()
			s.lock.release()
		}
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}
