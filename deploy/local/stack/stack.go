package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"sidecart.dev/local/console"
	"sidecart.dev/local/daprd"
	"sidecart.dev/local/redis"
	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
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

	opts      Options
	file      *runfile.File
	daprdPath string
	redis     redis.Server
	inbox     *inboxServer
	console   *console.Console
	ending    atomic.Bool
	apps      []*app
	lock      *dirLock
	extra     []string              // of the env file and the options, KEY=VALUE
	refs      []resources.Reference // variables that components refer to
	sets      map[string]*resources.Set

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
		opts: opts, StateDir: opts.StateDir, LogsDir: filepath.Join(opts.StateDir, "logs"), MetricsToken: secrets.Token(),
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
	var err error
	if s.file, err = runfile.Load(s.opts.File); err != nil {
		return err
	}
	if s.extra, err = s.opts.extraEnv(); err != nil {
		return err
	}
	sets, err := s.selectResources()
	if err != nil {
		return err
	}
	if err := s.bindVariables(sets); err != nil {
		return err
	}
	if err := s.prepareStateDir(); err != nil {
		return err
	}
	ports, err := s.assignPorts()
	if err != nil {
		return err
	}
	if !s.opts.BackingOnly {
		if err := s.build(ctx); err != nil {
			return err
		}
	}
	if err := s.startConsole(); err != nil {
		return err
	}
	if err := s.startBacking(ctx, sets); err != nil {
		return err
	}
	if s.opts.BackingOnly {
		return s.markReady()
	}
	addresses := resources.Addresses{
		Redis: s.RedisAddr, SMTP: s.SMTPAddr, InboxHTTP: hostOf(s.InboxURL), StateDir: s.StateDir, Ports: ports,
	}
	if err := s.renderResources(sets, addresses); err != nil {
		return err
	}
	return s.startApps(ctx, addresses)
}

// selectResources keeps the chosen apps, puts the chosen component set in place
// and reads every resource folder once.
func (s *Stack) selectResources() (map[string]*resources.Set, error) {
	if err := s.selectApps(); err != nil {
		return nil, err
	}
	sets := map[string]*resources.Set{}
	for i := range s.file.Apps {
		app := &s.file.Apps[i]
		paths := make([]string, len(app.ResourcesPaths))
		for j, path := range app.ResourcesPaths {
			chosen, err := s.componentSet(path)
			if err != nil {
				return nil, err
			}
			paths[j] = chosen
			if sets[chosen] == nil {
				if sets[chosen], err = resources.Load(chosen); err != nil {
					return nil, err
				}
			}
		}
		app.ResourcesPaths = paths
	}
	return sets, s.replaceResources(sets)
}

func (s *Stack) selectApps() error {
	if len(s.opts.Apps) == 0 {
		return nil
	}
	var ids []string
	for _, app := range s.file.Apps {
		ids = append(ids, app.AppID)
	}
	for _, id := range s.opts.Apps {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("there is no app %q in %s, only %v", id, s.opts.File, ids)
		}
	}
	s.file.Apps = slices.DeleteFunc(s.file.Apps, func(a runfile.App) bool {
		return !slices.Contains(s.opts.Apps, a.AppID)
	})
	return nil
}

// componentSet replaces the folder of a component set by the chosen one.
func (s *Stack) componentSet(path string) (string, error) {
	isSet := filepath.Base(path) == "embedded" || filepath.Base(path) == "production"
	if s.opts.Components == "" || !isSet {
		return path, nil
	}
	beside := filepath.Join(filepath.Dir(path), s.opts.Components)
	if info, err := os.Stat(beside); err == nil && info.IsDir() && filepath.Base(s.opts.Components) == s.opts.Components {
		return beside, nil
	}
	info, err := os.Stat(s.opts.Components)
	if err != nil || !info.IsDir() {
		return "", fmt.Errorf("the component set %q is neither a folder nor one beside %s", s.opts.Components, path)
	}
	return filepath.Abs(s.opts.Components)
}

// prepareStateDir takes the folder for this stack alone and makes what every
// start needs in it.
func (s *Stack) prepareStateDir() error {
	for _, dir := range []string{s.StateDir, s.LogsDir, filepath.Join(s.StateDir, "data"), filepath.Join(s.StateDir, "redis")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
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

// renderResources writes each resource folder anew for this stack, and the name
// resolution of its own that keeps stacks on one machine apart.
func (s *Stack) renderResources(sets map[string]*resources.Set, addresses resources.Addresses) error {
	root := filepath.Join(s.StateDir, "resources")
	if err := errors.Join(os.RemoveAll(root), os.MkdirAll(root, 0o755)); err != nil {
		return err
	}
	rendered := map[string]string{}
	for i := range s.file.Apps {
		app := &s.file.Apps[i]
		for j, path := range app.ResourcesPaths {
			if rendered[path] == "" {
				rendered[path] = filepath.Join(root, fmt.Sprintf("%d-%s", len(rendered), filepath.Base(path)))
				if err := sets[path].Write(rendered[path], addresses); err != nil {
					return fmt.Errorf("the resources of %s cannot be written: %w", path, err)
				}
			}
			app.ResourcesPaths[j] = rendered[path]
		}
	}
	return daprd.WriteNames(s.namesConfig(), filepath.Join(s.StateDir, "names.db"))
}

func (s *Stack) namesConfig() string { return filepath.Join(s.StateDir, "resources", "names.yaml") }

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
