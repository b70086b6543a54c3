package main

import (
	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/metrics"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/kit/logger"
	"go.opencensus.io/stats/view"
)

// runtimeConfig maps the command line to the runtime's configuration, each flag
// to the field of its name. What the flags cannot know (registry, security,
// health) is left for the caller.
func runtimeConfig(opts *options.Options, log logger.Logger) *runtime.Config {
	return &runtime.Config{
		AppID:             opts.AppID,
		ApplicationPort:   opts.AppPort,
		AppProtocol:       opts.AppProtocol,
		AppSSL:            opts.AppSSL,
		AppChannelAddress: opts.AppChannelAddress,
		AppMaxConcurrency: opts.AppMaxConcurrency,

		AppBindingOptionsTimeout: opts.AppBindingOptionsTimeout,

		EnableAppHealthCheck:   opts.EnableAppHealthCheck,
		AppHealthCheckPath:     opts.AppHealthCheckPath,
		AppHealthProbeInterval: opts.AppHealthProbeInterval,
		AppHealthProbeTimeout:  opts.AppHealthProbeTimeout,
		AppHealthThreshold:     opts.AppHealthThreshold,

		Mode:                         opts.Mode,
		Config:                       opts.Config,
		ResourcesPath:                opts.ResourcesPath,
		ComponentsPath:               opts.ComponentsPath,
		DisableInitEndpoints:         opts.DisableInitEndpoints,
		DisableBuiltinK8sSecretStore: opts.DisableBuiltinK8sSecretStore,
		HotReloadReconcileInterval:   opts.HotReloadReconcileInterval,

		DaprHTTPPort:                  opts.DaprHTTPPort,
		DaprAPIGRPCPort:               opts.DaprAPIGRPCPort,
		DaprAPIListenAddresses:        opts.DaprAPIListenAddresses,
		DaprInternalGRPCPort:          opts.DaprInternalGRPCPort,
		DaprInternalGRPCListenAddress: opts.DaprInternalGRPCListenAddress,
		DaprPublicPort:                opts.DaprPublicPort,
		DaprPublicListenAddress:       opts.DaprPublicListenAddress,
		UnixDomainSocket:              opts.UnixDomainSocket,
		AllowedOrigins:                opts.AllowedOrigins,
		MaxRequestSize:                opts.MaxRequestSize,
		ReadBufferSize:                opts.ReadBufferSize,
		EnableAPILogging:              opts.EnableAPILogging,
		EnableProfiling:               opts.EnableProfiling,
		ProfilePort:                   opts.ProfilePort,

		DaprGracefulShutdownSeconds: opts.DaprGracefulShutdownSeconds,
		DaprBlockShutdownDuration:   opts.DaprBlockShutdownDuration,

		ControlPlaneAddress:        opts.ControlPlaneAddress,
		SentryAddress:              opts.SentryAddress,
		EnableMTLS:                 opts.EnableMTLS,
		ActorsService:              opts.ActorsService,
		ActorsDisseminationTimeout: opts.ActorsDisseminationTimeout,
		RemindersService:           opts.RemindersService,
		SchedulerAddress:           opts.SchedulerAddress,
		SchedulerStreams:           opts.SchedulerJobStreams,

		Metrics: metrics.Options{
			Enabled:       opts.Metrics.Enabled(),
			Port:          opts.Metrics.Port(),
			ListenAddress: opts.Metrics.ListenAddress(),
			Namespace:     metrics.DefaultMetricNamespace,
			Log:           log,
			Meter:         view.NewMeter(),
		},
	}
}
