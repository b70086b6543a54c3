// Command daprd is Dapr's runtime with only the components that Sidecart uses.
//
// It takes the flags of the official daprd and behaves like it. The official
// main package links either all stable components or every component there is,
// which costs a download of three gigabytes and a binary of 180 MB; and neither
// choice has the SQLite name resolver that lets several stacks share a machine.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
	"go.uber.org/automaxprocs/maxprocs"
)

func main() {
	_, _ = maxprocs.Set()
	log := logger.NewLogger("dapr.runtime")

	opts, err := options.New(os.Args[1:])
	if err != nil {
		log.Fatalf("Failed to parse flags: %v", err)
	}
	if answered(opts) {
		return
	}

	opts.Logger.SetAppID(opts.AppID)
	if err := logger.ApplyOptionsToLoggers(&opts.Logger); err != nil {
		log.Fatal(err)
	}
	log.Infof("Starting Dapr Runtime -- version %s -- Sidecart build", buildinfo.Version())

	if err := runUntilSignalled(opts, log); err != nil {
		log.Fatalf("Fatal error from runtime: %s", err)
	}
	log.Info("Daprd shutdown gracefully")
}

// answered serves the flags that ask for one line and no runtime.
func answered(opts *options.Options) bool {
	switch {
	case opts.RuntimeVersion:
		fmt.Println(buildinfo.Version())
	case opts.BuildInfo:
		fmt.Printf("Version: %s\nGit Commit: %s\nGit Version: %s\n",
			buildinfo.Version(), buildinfo.Commit(), buildinfo.GitVersion())
	case opts.WaitCommand:
		runtime.WaitUntilDaprOutboundReady(opts.DaprHTTPPort)
	default:
		return false
	}
	return true
}

// runUntilSignalled runs the runtime, again after each SIGHUP, until SIGTERM or
// SIGINT, or until the runtime ends by itself (its shutdown API).
func runUntilSignalled(opts *options.Options, log logger.Logger) error {
	reg := newRegistry(log)
	for ctx := range signals.OnHUP(signals.Context()) {
		if err := run(ctx, opts, reg, log); err != nil {
			return err
		}
		if ctx.Err() == nil {
			return nil
		}
	}
	return nil
}

// run is one life of the runtime: the security provider beside it, both under
// one runner, so that the end of either ends the other.
func run(
	ctx context.Context, opts *options.Options, reg *registryOptions, log logger.Logger,
) error {
	health := healthz.New()
	provider, err := security.New(ctx, security.Options{
		SentryAddress:           opts.SentryAddress,
		ControlPlaneTrustDomain: opts.ControlPlaneTrustDomain,
		ControlPlaneNamespace:   opts.ControlPlaneNamespace,
		TrustAnchors:            opts.TrustAnchors,
		AppID:                   opts.AppID,
		MTLSEnabled:             opts.EnableMTLS,
		Mode:                    modes.DaprMode(opts.Mode),
		Healthz:                 health,
		JwtAudiences:            opts.SentryRequestJwtAudiences,
	})
	if err != nil {
		return err
	}
	return concurrency.NewRunnerManager(provider.Run, func(ctx context.Context) error {
		handler, err := provider.Handler(ctx)
		if err != nil {
			return err
		}
		cfg := runtimeConfig(opts, log)
		cfg.Registry, cfg.Security, cfg.Healthz, cfg.Metrics.Healthz = reg, handler, health, health
		rt, err := runtime.FromConfig(ctx, cfg)
		if err != nil {
			return err
		}
		return rt.Run(ctx)
	}).Run(ctx)
}
