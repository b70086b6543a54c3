package consumer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
)

// metrics are of the events of the topics and types that have a handler; a nil one counts nothing.
type metrics struct {
	duration *prometheus.HistogramVec
	lag      *prometheus.HistogramVec
	letters  *prometheus.CounterVec
}

// Measure registers the consumer's metrics. It is called once, before serving.
func (c *Consumer) Measure(reg prometheus.Registerer) {
	c.metrics = &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sidecart_event_handling_duration_seconds",
			Help:    "Time of handling one event, by topic, type and outcome (ok, retry, dead).",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"topic", "type", "outcome"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sidecart_event_lag_seconds",
			Help: "Age of an event when its handling begins, by topic. " +
				"Events that are told again are older.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 900, 3600},
		}, []string{"topic"}),
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidecart_dead_letters_total",
			Help: "Messages that were put among the dead letters, by topic.",
		}, []string{"topic"}),
	}
	reg.MustRegister(c.metrics.duration, c.metrics.lag, c.metrics.letters)
	for topic := range c.handlers { // a rate begins at the first one, not at the second
		c.metrics.letters.WithLabelValues(topic)
	}
}

// handled counts one attempt at an event that began at start. The type is a label only because it
// has a handler.
func (m *metrics) handled(topic string, e event.Event, start time.Time, err error) {
	if m == nil {
		return
	}
	outcome := "ok"
	if err != nil {
		outcome = "dead"
		if fault.KindOf(err).Transient() {
			outcome = "retry"
		}
	}
	m.duration.WithLabelValues(topic, e.Type, outcome).Observe(time.Since(start).Seconds())
	m.lag.WithLabelValues(topic).Observe(max(0, start.Sub(e.Time).Seconds()))
}

// kept counts a dead letter. What is no event of a topic that is heard here counts under one label,
// whatever it calls itself.
func (c *Consumer) kept(topic string) {
	if c.metrics == nil {
		return
	}
	if c.handlers[topic] == nil {
		topic = "unknown"
	}
	c.metrics.letters.WithLabelValues(topic).Inc()
}
