package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sidecart.dev/local/console"
)

// startConsole starts the web console, if it is asked for. With FreePorts it takes free ports.
func (s *Stack) startConsole() error {
	if !s.opts.Console {
		return nil
	}
	cfg := console.Config{System: shown{s}}
	if s.opts.FreePorts {
		cfg.Addr = loopback + ":0"
	}
	if s.opts.FreePorts || !s.opts.BackingOnly { // the apps are told where it is
		cfg.OTLPAddr = loopback + ":0"
	}
	var err error
	if s.console, err = console.Start(cfg); err != nil {
		return fmt.Errorf("%w: stop what listens there, or use --no-console or --free-ports", err)
	}
	s.ConsoleURL = s.console.Link()
	return nil
}

// Console is the web console, or nil.
func (s *Stack) Console() *console.Console { return s.console }

// otlpEnv points an app and its sidecar to the console's receiver, unless the environment names
// another.
func (s *Stack) otlpEnv() []string {
	if _, given := s.variable("OTEL_EXPORTER_OTLP_ENDPOINT"); given || s.console == nil {
		return nil
	}
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + s.console.OTLPAddr(),
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_INSECURE=true",
	}
}

// ForeignEnv is what apps that somebody else starts need in their environment for the console to
// see them.
func (s *Stack) ForeignEnv() string {
	if s.console == nil {
		return ""
	}
	return strings.Join(append(s.otlpEnv(), "METRICS_TOKEN="+s.MetricsToken), " ")
}

// shown is the stack as the console sees it: nothing, until it is ready.
type shown struct{ s *Stack }

// Apps implements [console.System].
func (v shown) Apps() []console.App {
	if !v.s.isReady() {
		return nil
	}
	var all []console.App
	if v.s.opts.BackingOnly {
		for _, cfg := range v.s.file.Apps {
			all = append(all, console.App{
				ID: cfg.AppID, Front: cfg.AppID == gatewayID, Foreign: true,
				Port: cfg.AppPort, URL: httpURL(cfg.AppPort),
				SidecarHTTPPort: cfg.DaprHTTPPort, SidecarGRPCPort: cfg.DaprGRPCPort,
				MetricsPort: cfg.MetricsPort, SidecarURL: httpURL(cfg.DaprHTTPPort),
			})
		}
		return all
	}
	for _, a := range v.s.apps {
		i := a.info()
		all = append(all, console.App{
			ID: i.ID, Front: i.ID == gatewayID, Stopped: a.stopping.Load(),
			PID: i.PID, Restarts: i.Restarts, Port: i.Port, URL: i.URL,
			SidecarPID: i.SidecarPID, SidecarRestarts: i.SidecarRestarts,
			SidecarHTTPPort: i.SidecarHTTPPort, SidecarGRPCPort: i.SidecarGRPCPort,
			MetricsPort: i.MetricsPort, SidecarURL: i.SidecarURL, SidecarToken: i.SidecarToken,
		})
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
			Name: "inbox", Kind: "of the launcher", Addr: hostOf(v.s.InboxURL), PID: os.Getpid(),
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
