package stack

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sidecart.dev/local/console"
)

// startConsole starts the web console, if it is planned.
func (s *Stack) startConsole() error {
	if s.plan.Console == "" {
		return nil
	}
	var err error
	s.console, err = console.Start(console.Config{
		Addr: s.plan.Console, OTLPAddr: s.plan.OTLP, System: shown{s},
	})
	if err != nil {
		return fmt.Errorf("%w: stop what listens there, or use --no-console or --free-ports", err)
	}
	s.ConsoleURL = s.console.Link()
	return nil
}

// Console is the web console, or nil.
func (s *Stack) Console() *console.Console { return s.console }

// ForeignEnv is what apps that somebody else starts need in their environment for the console to
// see them.
func (s *Stack) ForeignEnv() string { return s.plan.ForeignEnv() }

// shown is the stack as the console sees it: nothing, until it is ready.
type shown struct{ s *Stack }

// Apps implements [console.System].
func (v shown) Apps() []console.App {
	if !v.s.isReady() {
		return nil
	}
	var all []console.App
	for i, planned := range v.s.plan.Apps {
		app := console.App{
			ID: planned.AppID, Front: planned.AppID == gatewayID, Foreign: v.s.opts.BackingOnly,
			Port: planned.AppPort, URL: planned.URL(),
			SidecarHTTPPort: planned.DaprHTTPPort, SidecarGRPCPort: planned.DaprGRPCPort,
			MetricsPort: planned.MetricsPort, SidecarURL: planned.SidecarURL(),
			SidecarToken: planned.SidecarToken,
		}
		if !app.Foreign {
			a := v.s.apps[i]
			now := a.info()
			app.Stopped = a.stopping.Load()
			app.PID, app.Restarts = now.PID, now.Restarts
			app.SidecarPID, app.SidecarRestarts = now.SidecarPID, now.SidecarRestarts
		}
		all = append(all, app)
	}
	return all
}

// Servers implements [console.System].
func (v shown) Servers() []console.Server {
	if !v.s.isReady() {
		return nil
	}
	var all []console.Server
	if v.s.redis != nil {
		server := console.Server{Name: "redis", Kind: v.s.redis.Kind(), Addr: v.s.RedisAddr}
		all = append(all, server)
	}
	if v.s.inbox != nil {
		all = append(all, console.Server{
			Name: "inbox", Kind: "of the launcher", Addr: v.s.plan.Inbox, PID: os.Getpid(),
		})
	}
	return all
}

// InboxURL implements [console.System].
func (v shown) InboxURL() string {
	if !v.s.isReady() {
		return ""
	}
	return v.s.InboxURL
}

// MetricsToken implements [console.System].
func (v shown) MetricsToken() string { return v.s.MetricsToken }

// Restart implements [console.System].
func (v shown) Restart(ctx context.Context, id string) error { return v.s.Restart(ctx, id) }

// StopApp implements [console.System].
func (v shown) StopApp(id string) error { return v.s.StopApp(id) }

// StartApp implements [console.System].
func (v shown) StartApp(id string) error { return v.s.StartApp(id) }

var errEnding = errors.New("the system is being stopped")
