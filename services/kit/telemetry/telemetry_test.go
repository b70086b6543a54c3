package telemetry_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"sidecart.dev/kit/telemetry"
	"sidecart.dev/kit/tracing"
)

func TestEveryLineOfATraceNamesItsTraceAndSpan(t *testing.T) {
	_, err := telemetry.StartTracing(t.Context(), "test", telemetry.Tracing{})
	require.NoError(t, err)
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, "test", "info", "text")
	require.NoError(t, err)
	ctx, span := otel.Tracer("test").Start(t.Context(), "work")
	log.With(slog.String("a", "b")).InfoContext(ctx, "line")
	assert.Contains(t, out.String(), "trace_id="+span.SpanContext().TraceID().String())
	assert.Contains(t, out.String(), "span_id="+span.SpanContext().SpanID().String())
	assert.False(t, span.IsRecording(), "there is nowhere to send it to")
}

func TestAWrongSettingIsNamed(t *testing.T) {
	for _, c := range []struct {
		cfg  telemetry.Tracing
		want string
	}{
		{telemetry.Tracing{}, ""},
		{telemetry.Tracing{Protocol: "grpc", Sampler: "parentbased_traceidratio", SamplerArg: "0.1"}, ""},
		{telemetry.Tracing{Protocol: "http/protobuf"}, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{telemetry.Tracing{Sampler: "parentbased_traceidratio"}, "OTEL_TRACES_SAMPLER_ARG"},
		{telemetry.Tracing{Sampler: "parentbased_traceidratio", SamplerArg: "10"}, "OTEL_TRACES_SAMPLER_ARG"},
		{telemetry.Tracing{Sampler: "parentbased_traceidratio", SamplerArg: "NaN"}, "OTEL_TRACES_SAMPLER_ARG"},
		// The decision of a trace id's ratio is that of whoever chose the id.
		{telemetry.Tracing{Sampler: "traceidratio", SamplerArg: "0.1"}, "OTEL_TRACES_SAMPLER"},
	} {
		err := c.cfg.Validate()
		if c.want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, c.want)
		}
	}
}

func TestTheSamplerIsTheConfiguredOne(t *testing.T) {
	const sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, want := range map[string]struct{ root, below, resumed bool }{
		"":                         {true, true, true},
		"parentbased_always_off":   {false, true, true},
		"parentbased_traceidratio": {false, true, true},
		"always_off":               {false, false, false},
		"always_on":                {true, true, true},
	} {
		// Nothing listens there, which holds up nobody.
		cfg := telemetry.Tracing{Endpoint: "http://127.0.0.1:1", Sampler: name, SamplerArg: "0"}
		_, err := telemetry.StartTracing(t.Context(), "test", cfg)
		require.NoError(t, err)
		_, root := otel.Tracer("test").Start(t.Context(), "root")
		assert.Equal(t, want.root, root.IsRecording(), name)
		from := tracing.From(t.Context(), propagation.MapCarrier{"traceparent": sampled})
		_, below := otel.Tracer("test").Start(from, "below")
		assert.Equal(t, want.below, below.IsRecording(), name)
		resumed, _ := tracing.Resume(t.Context(), "resumed", []string{sampled})
		assert.Equal(t, want.resumed, tracing.Recording(resumed), name)
	}
}
