package chassis

import (
	"fmt"
	"time"

	"sidecart.dev/kit/config"
	"sidecart.dev/kit/telemetry"
)

// Config is what every service reads from the environment. The Dapr variables are set by whatever
// starts the sidecar.
type Config struct {
	// Host and Port are the address to listen on.
	Host string `env:"APP_HOST" envDefault:"127.0.0.1"`
	Port int    `env:"APP_PORT,required"`

	// The ports of the sidecar's APIs.
	DaprHTTPPort string `env:"DAPR_HTTP_PORT" envDefault:"3500"`
	DaprGRPCPort string `env:"DAPR_GRPC_PORT" envDefault:"50001"`
	// DaprAPIToken is what this app shows its sidecar, and AppAPIToken what the sidecar shows it.
	DaprAPIToken string `env:"DAPR_API_TOKEN"`
	AppAPIToken  string `env:"APP_API_TOKEN"`

	// MetricsToken is the bearer token of whoever may read /metrics. Empty, nobody may.
	MetricsToken string `env:"METRICS_TOKEN"`
	LogLevel     string `env:"LOG_LEVEL"  envDefault:"info"` // debug, info, warn or error
	LogFormat    string `env:"LOG_FORMAT" envDefault:"text"` // text or json

	// DrainDelay is between readiness off and refusing connections.
	DrainDelay time.Duration `env:"DRAIN_DELAY" envDefault:"0s"`
	// DrainTimeout bounds finishing what is in flight.
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"10s"`
	// Timeout bounds the work on one request.
	Timeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"10s"`
	// BatchWindow is how long calls that come densely wait for each other; 0 is not at all.
	BatchWindow time.Duration `env:"BATCH_WINDOW" envDefault:"40ms"`

	Tracing telemetry.Tracing
}

// Validate implements [config.Validator].
func (c *Config) Validate() error {
	var format error
	if c.LogFormat != "text" && c.LogFormat != "json" {
		format = fmt.Errorf("LOG_FORMAT must be text or json, not %q", c.LogFormat)
	}
	return config.All(format, c.Tracing.Validate(),
		config.Positive("APP_PORT", c.Port),
		config.Positive("DRAIN_TIMEOUT", c.DrainTimeout),
		config.Positive("REQUEST_TIMEOUT", c.Timeout))
}
