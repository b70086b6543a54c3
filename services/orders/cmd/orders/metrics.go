package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/orders"
)

// transitionMetric registers the count of what the state machine says, and returns what counts it.
func transitionMetric(reg prometheus.Registerer) func(orders.Trigger, orders.Verdict) {
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orders_transitions_total",
		Help: "What the state machine said to each trigger.",
	}, []string{"trigger", "verdict"})
	reg.MustRegister(decisions)
	return func(t orders.Trigger, v orders.Verdict) {
		decisions.WithLabelValues(string(t), v.String()).Inc()
	}
}

// finishMetric registers how long orders take, and returns what observes the end of one. The
// objective is at 10 seconds, so there is a bucket that ends there.
func finishMetric(reg prometheus.Registerer) func(orders.Status, time.Duration) {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "orders_finish_duration_seconds",
		Help:    "Time from placing an order to its first final status, by that status.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
	}, []string{"status"})
	reg.MustRegister(took)
	for _, status := range orders.Statuses {
		if status.Terminal() { // there from the start, so that the first order is an increase
			took.WithLabelValues(string(status))
		}
	}
	return func(s orders.Status, d time.Duration) {
		took.WithLabelValues(string(s)).Observe(d.Seconds())
	}
}
