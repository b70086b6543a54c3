package daprclient

import (
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// maxMessage is the size of the largest message either way, in bytes.
const maxMessage = 16 << 20

// Config says where the sidecar is. The zero value of a field means its default.
type Config struct {
	GRPCAddr string        // host:port of the sidecar's gRPC API; default 127.0.0.1:50001
	HTTPAddr string        // host:port of the sidecar's HTTP API; default 127.0.0.1:3500
	APIToken string        // the sidecar's (DAPR_API_TOKEN); empty: it asks for none
	Timeout  time.Duration // bound of a call whose context has no deadline; default 10 s
	// Window is how long reads and messages wait for others at most while they come densely: see
	// package batch. Zero: never.
	Window time.Duration
}

// Ports returns the configuration for a sidecar on this host.
func Ports(grpcPort, httpPort, apiToken string) Config {
	return Config{
		GRPCAddr: net.JoinHostPort("127.0.0.1", grpcPort),
		HTTPAddr: net.JoinHostPort("127.0.0.1", httpPort),
		APIToken: apiToken,
	}
}

func (cfg Config) withDefaults() Config {
	if cfg.GRPCAddr == "" {
		cfg.GRPCAddr = "127.0.0.1:50001"
	}
	if cfg.HTTPAddr == "" {
		cfg.HTTPAddr = "127.0.0.1:3500"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	return cfg
}

// connectParams lets a restarted sidecar be found again within a second; gRPC's default backs off
// to two minutes.
func (Config) connectParams() grpc.ConnectParams {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	return grpc.ConnectParams{Backoff: b, MinConnectTimeout: 2 * time.Second}
}
