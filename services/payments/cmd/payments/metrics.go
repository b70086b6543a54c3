package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/payments"
)

// observer is what observes a call to the provider.
type observer func(operation, outcome string, took time.Duration)

// providerMetrics registers metrics of the provider and of the payments being driven, and returns
// what observes a call.
func providerMetrics(reg prometheus.Registerer, running func() int) observer {
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "payments_provider_call_duration_seconds",
		Help: "Time of one call to the payment provider, " +
			"by operation and by whether there was an answer.",
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

// attentionMetric registers the count of what operators should look at, and returns what counts it.
func attentionMetric(reg prometheus.Registerer) func(what string) {
	attention := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payments_attention_total",
		Help: "Charges, voids and refunds that an operator should look at, by why. " +
			"The log names the payment.",
	}, []string{"what"})
	reg.MustRegister(attention)
	for _, what := range []string{
		payments.AttentionGivenUp, payments.AttentionVoidOverdue,
		payments.AttentionRefundOverdue, payments.AttentionRefundRefused,
	} {
		attention.WithLabelValues(what) // there from the start, so that the first one is an increase
	}
	return func(what string) { attention.WithLabelValues(what).Inc() }
}

// outcomes are the labels of what is told of payments.
var outcomes = map[string]string{
	payments.TypeConfirmed: "captured", payments.TypeDeclined: "declined",
	payments.TypeVoided: "voided", payments.TypeRefunded: "refunded",
}

// outcomeMetric registers the count of how payments were decided, and returns what counts it.
func outcomeMetric(reg prometheus.Registerer) func(eventType string) {
	decided := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payments_outcomes_total",
		Help: "Payments by outcome (captured, declined, voided) " +
			"and refunds, in full or in part (refunded).",
	}, []string{"outcome"})
	reg.MustRegister(decided)
	for _, outcome := range outcomes {
		decided.WithLabelValues(outcome) // there from the start, so that the first one is an increase
	}
	return func(eventType string) {
		if outcome, ok := outcomes[eventType]; ok {
			decided.WithLabelValues(outcome).Inc()
		}
	}
}
