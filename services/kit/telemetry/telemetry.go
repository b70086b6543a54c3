package telemetry

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/tracing"
)

// Tracing says which traces are sampled and where they go. Its fields are OpenTelemetry's standard
// variables.
type Tracing struct {
	// Endpoint is the address of an OTLP receiver. If it is empty no span is recorded.
	Endpoint string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	// Protocol is grpc; there is no other.
	Protocol string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"grpc"`
	// Sampler is that of requests from outside. The default is parentbased_always_on.
	Sampler string `env:"OTEL_TRACES_SAMPLER"`
	// SamplerArg is the share of traces, 0 to 1, of parentbased_traceidratio.
	SamplerArg string `env:"OTEL_TRACES_SAMPLER_ARG"`
}

// Validate says which variable is wrong.
func (t Tracing) Validate() error {
	if t.Protocol != "" && t.Protocol != "grpc" {
		return fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL must be grpc, not %q", t.Protocol)
	}
	_, _, err := parseSampler(t.Sampler, t.SamplerArg)
	return err
}

// StartTracing installs the tracer provider and propagator of the named service, and returns what
// flushes them.
//
// Trace ids are made and passed on in any case, so that logs and problems can name them. Without an
// endpoint no span is recorded. With one, spans wait in a bounded queue and are sent in batches;
// what the receiver does not take is dropped, and never holds up the work that it tells of.
// OTEL_EXPORTER_OTLP_* and OTEL_BSP_* change the details.
func StartTracing(
	ctx context.Context, service string, cfg Tracing,
) (shutdown func(context.Context) error, err error) {
	sampler, own, err := parseSampler(cfg.Sampler, cfg.SamplerArg)
	if err != nil {
		return nil, err
	}
	otel.SetTextMapPropagator(propagation.TraceContext{})
	var opts []sdktrace.TracerProviderOption
	if cfg.Endpoint == "" {
		sampler, own = sdktrace.NeverSample(), 0
	} else {
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(cfg.Endpoint))
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
		}
		identity, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(),
			resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(Version()),
				semconv.ServiceInstanceID(uuid.NewString())))
		if err != nil {
			return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
		}
		opts = append(opts, sdktrace.WithBatcher(exporter), sdktrace.WithResource(identity))
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
			slog.Warn("spans are lost", "error", err.Error())
		}))
	}
	tp := sdktrace.NewTracerProvider(append(opts, sdktrace.WithSampler(sampler))...)
	otel.SetTracerProvider(tp)
	tracing.SampleShare(own)
	return tp.Shutdown, nil
}

// NewRegistry returns a registry with the metrics of the process and the Go runtime, and which
// build this is.
func NewRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	reg.MustRegister(collectors.NewGoCollector(), process, buildInfo())
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "panics_total",
		Help: "Panics that failed one request or one piece of background work. " +
			"Each is a defect; the log has its stack.",
	}, func() float64 { return float64(fault.Panics()) }))
	return reg
}
