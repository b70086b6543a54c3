package notifications

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/fault"
)

// Metrics are the metrics of a service. A nil Metrics counts nothing. It is safe for concurrent
// use.
type Metrics struct {
	reg        prometheus.Registerer
	deliveries *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	overspent  prometheus.Counter
	age        *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		reg: reg,
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifications_deliveries_total",
			Help: "Deliveries that reached a status, by channel, kind and status " +
				"(queued, sent, failed, suppressed).",
		}, []string{"channel", "kind", "status"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifications_attempts_total",
			Help: "Attempts to hand a message to a provider, by channel and result " +
				"(taken, refused, rejected).",
		}, []string{"channel", "result"}),
		overspent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "notifications_sms_over_budget_total",
			Help: "SMS messages that were not sent because the budget of the hour was used up.",
		}),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "notifications_delivery_age_seconds",
			Help:    "Time from what an event tells of to its message being taken by the provider.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400},
		}, []string{"channel"}),
	}
	reg.MustRegister(m.deliveries, m.attempts, m.overspent, m.age)
	return m
}

func (m *Metrics) observe(queues map[Channel]*queue) {
	if m == nil {
		return
	}
	for c, q := range queues {
		gauge := func(name, help string, value func() float64) {
			m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: name, Help: help, ConstLabels: prometheus.Labels{"channel": string(c)},
			}, value))
		}
		gauge("notifications_queue_waiting",
			"Deliveries in this process's queue, those being sent included.",
			func() float64 {
				n, _, _ := q.state()
				return float64(n)
			})
		gauge("notifications_queue_oldest_seconds",
			"How long the delivery at the head of the queue has waited.",
			func() float64 {
				_, oldest, _ := q.state()
				if oldest.IsZero() {
					return 0
				}
				return time.Since(oldest).Seconds()
			})
		gauge("notifications_queue_open",
			"1 while the provider fails and one message at a time is tried.",
			func() float64 {
				if _, _, open := q.state(); open {
					return 1
				}
				return 0
			})
	}
}

func (m *Metrics) accepted(r Record) {
	if m == nil {
		return
	}
	for _, d := range r.Deliveries {
		m.deliveries.WithLabelValues(string(d.Channel), string(r.Kind), string(d.Status)).Inc()
	}
}

func (m *Metrics) attempted(c Channel, err error) {
	if m == nil {
		return
	}
	result := "taken"
	if err != nil {
		result = "rejected"
		if fault.KindOf(err).Transient() {
			result = "refused"
		}
	}
	m.attempts.WithLabelValues(string(c), result).Inc()
}

func (m *Metrics) overBudget() {
	if m != nil {
		m.overspent.Inc()
	}
}

func (m *Metrics) ended(r Record, d Delivery) {
	if m == nil || d.Status == Queued {
		return
	}
	m.deliveries.WithLabelValues(string(d.Channel), string(r.Kind), string(d.Status)).Inc()
	if d.Status == Sent {
		happened := r.EventTime
		if happened.IsZero() {
			happened = r.CreatedAt
		}
		m.age.WithLabelValues(string(d.Channel)).Observe(max(0, d.SentAt.Sub(happened).Seconds()))
	}
}
