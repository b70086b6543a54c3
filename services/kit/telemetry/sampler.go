package telemetry

import (
	"fmt"
	"strconv"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// parseSampler reads OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. An empty name is
// parentbased_always_on. share is the part of the traces, from 0 to 1, that it samples where no
// parent has decided.
func parseSampler(name, arg string) (sampler sdktrace.Sampler, share float64, err error) {
	switch name {
	case "", "parentbased_always_on":
		return parentBased(sdktrace.AlwaysSample()), 1, nil
	case "parentbased_always_off":
		return parentBased(sdktrace.NeverSample()), 0, nil
	case "always_on":
		return sdktrace.AlwaysSample(), 1, nil
	case "always_off":
		return sdktrace.NeverSample(), 0, nil
	case "parentbased_traceidratio":
		ratio, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, 0, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not %q",
				arg)
		}
		return parentBased(sdktrace.TraceIDRatioBased(ratio)), ratio, nil
	}
	return nil, 0, fmt.Errorf("OTEL_TRACES_SAMPLER must be always_on, always_off, "+
		"parentbased_always_on, parentbased_always_off or parentbased_traceidratio, not %q", name)
}

// parentBased follows the parent. What has none follows the links: work that is resumed is sampled
// if what began it was.
func parentBased(root sdktrace.Sampler) sdktrace.Sampler {
	return sdktrace.ParentBased(linked{root})
}

// linked samples what has a sampled link, and leaves the rest to another sampler.
type linked struct{ sdktrace.Sampler }

// ShouldSample implements [sdktrace.Sampler].
func (l linked) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, link := range p.Links {
		if link.SpanContext.IsSampled() {
			return sdktrace.AlwaysSample().ShouldSample(p)
		}
	}
	return l.Sampler.ShouldSample(p)
}
