package dapr

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ProviderMetrics registers metrics of the provider and of the payments being driven, and returns what observes a call.
func ProviderMetrics(reg prometheus.Registerer, running func() int) func(operation, outcome string, took time.Duration) {
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "payments_provider_call_duration_seconds",
		Help:    "Time of one call to the payment provider, by operation and by whether there was an answer.",
		Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"operation", "outcome"})
	driving := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "payments_driving", Help: "Payments that are being driven on right now.",
	}, func() float64 { return float64(running()) })
	reg.MustRegister(calls, driving)
	return func(operation, outcome string, took time.Duration) {
		calls.WithLabelValues(operation, outcome).Observe(took.Seconds())
	}
}
