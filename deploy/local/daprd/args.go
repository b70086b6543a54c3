package daprd

import (
	"strconv"
	"strings"
	"time"

	"sidecart.dev/local/runfile"
)

// Times of a sidecar's end. From SIGTERM its subscriptions are stopped while
// its API keeps serving for DrainTime at most, so that the app can finish what
// it has in hand; then it has CloseTime to close its components.
const (
	DrainTime = 30 * time.Second
	CloseTime = 5 * time.Second
)

const loopback = "127.0.0.1"

// Args is the command line of the app's sidecar: what the Dapr CLI would pass
// for the same run file, all listeners bound to loopback, no control plane.
// Resource and configuration paths come from the app's fields; further
// configurations are laid over the app's own.
func Args(app *runfile.App, configs ...string) []string {
	args := []string{
		"--app-id", app.AppID,
		"--mode", "standalone",
		"--app-protocol", or(app.AppProtocol, "http"),
		"--app-channel-address", or(app.AppChannelAddress, loopback),
		"--dapr-http-port", strconv.Itoa(app.DaprHTTPPort),
		"--dapr-grpc-port", strconv.Itoa(app.DaprGRPCPort),
		"--dapr-internal-grpc-port", strconv.Itoa(app.DaprInternalGRPCPort),
		"--metrics-port", strconv.Itoa(app.MetricsPort),
		"--dapr-listen-addresses", or(app.APIListenAddresses, loopback),
		"--dapr-internal-grpc-listen-address", loopback,
		"--metrics-listen-address", loopback,
		"--log-level", logLevel(app.LogLevel),
		"--dapr-graceful-shutdown-seconds", strconv.Itoa(int(CloseTime / time.Second)),
		"--dapr-block-shutdown-duration", DrainTime.String(),
	}
	if app.AppPort > 0 {
		args = append(args, "--app-port", strconv.Itoa(app.AppPort))
	}
	for _, dir := range app.ResourcesPaths {
		args = append(args, "--resources-path", dir)
	}
	if app.ConfigFilePath != "" {
		configs = append([]string{app.ConfigFilePath}, configs...)
	}
	for _, config := range configs {
		args = append(args, "--config", config)
	}
	return append(args, optionalArgs(app)...)
}

func optionalArgs(app *runfile.App) []string {
	var args []string
	text := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	number := func(flag string, value int) {
		if value != 0 {
			args = append(args, flag, strconv.Itoa(value))
		}
	}
	on := func(flag string, value bool) {
		if value {
			args = append(args, flag)
		}
	}
	text("--max-body-size", app.MaxBodySize)
	text("--read-buffer-size", app.ReadBufferSize)
	text("--unix-domain-socket", app.UnixDomainSocket)
	// A blank is how a run file tells the Dapr CLI that there is no such service. A sidecar is told by
	// leaving the flag out.
	text("--placement-host-address", strings.TrimSpace(app.PlacementHostAddress))
	text("--scheduler-host-address", strings.TrimSpace(app.SchedulerHostAddress))
	text("--app-health-check-path", app.AppHealthCheckPath)
	number("--app-health-probe-interval", app.AppHealthProbeInterval)
	number("--app-health-probe-timeout", app.AppHealthProbeTimeout)
	number("--app-health-threshold", app.AppHealthThreshold)
	number("--app-max-concurrency", app.AppMaxConcurrency)
	on("--app-ssl", app.AppSSL)
	on("--enable-api-logging", app.EnableAPILogging)
	on("--enable-app-health-check", app.EnableAppHealthCheck)
	if app.EnableProfiling {
		args = append(args, "--enable-profiling", "--profile-port", strconv.Itoa(app.ProfilePort))
	}
	return args
}

// logLevel never goes below info: the log file has everything, and the screen
// is filtered by the launcher.
func logLevel(level string) string {
	switch level {
	case "debug", "info":
		return level
	default:
		return "info"
	}
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
