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
	Host         string        `env:"APP_HOST"            envDefault:"127.0.0.1"` // address to listen on
	Port         int           `env:"APP_PORT,required"`                          // port to listen on
	DaprHTTPPort string        `env:"DAPR_HTTP_PORT"      envDefault:"3500"`      // the sidecar's HTTP API
	DaprGRPCPort string        `env:"DAPR_GRPC_PORT"      envDefault:"50001"`     // the sidecar's gRPC API
	DaprAPIToken string        `env:"DAPR_API_TOKEN"`                             // what this app shows its sidecar
	AppAPIToken  string        `env:"APP_API_TOKEN"`                              // what the sidecar shows this app
	MetricsToken string        `env:"METRICS_TOKEN"`                              // bearer token of whoever may read /metrics; empty: nobody
	LogLevel     string        `env:"LOG_LEVEL"           envDefault:"info"`      // debug, info, warn or error
	LogFormat    string        `env:"LOG_FORMAT"          envDefault:"text"`      // text or json
	DrainDelay   time.Duration `env:"DRAIN_DELAY"         envDefault:"0s"`        // between readiness off and refusing connections
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT"       envDefault:"10s"`       // bound of finishing what is in flight
	Timeout      time.Duration `env:"REQUEST_TIMEOUT"     envDefault:"10s"`       // bound of the work on one request
	BatchWindow  time.Duration `env:"BATCH_WINDOW"        envDefault:"40ms"`      // how long dense calls wait for each other; 0: not at all

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
