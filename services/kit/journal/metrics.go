package journal

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Stats is a snapshot of a replica's share of a journal.
type Stats struct {
	Backlog  int           // unfinished ids
	InFlight int           // those that a handler holds a ticket of
	Waiting  int           // Begins that are not yet written
	Oldest   time.Duration // age of the oldest unfinished id
	Segments int           // segments in the lanes held, from low on or kept
	Lanes    int           // lanes held
}

// metrics are the journal's collectors, each with the label journal.
type metrics struct {
	batch     prometheus.Histogram   // ids per append
	appends   *prometheus.CounterVec // by outcome: written, unknown, conflict
	settles   *prometheus.CounterVec // calls to the settler by result: ok, error
	takeovers prometheus.Counter     // lanes taken over from others
	lost      prometheus.Counter     // lanes taken over by others
	shed      prometheus.Counter     // Begins refused because the backlog is full
}

// newMetrics makes and registers them. stats is asked whenever they are collected.
func newMetrics(cfg Config, stats func() Stats) (*metrics, error) {
	labels := prometheus.Labels{"journal": cfg.Name}
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{
			Namespace: "sidecart", Subsystem: "journal", Name: name, Help: help, ConstLabels: labels,
		}
	}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts(opts(name, help))
	}
	m := &metrics{
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "sidecart", Subsystem: "journal", Name: "batch_ids", ConstLabels: labels,
			Help: "Ids written in one append.", Buckets: prometheus.ExponentialBuckets(1, 2, 10),
		}),
		appends: prometheus.NewCounterVec(
			counter("appends_total", "Segments appended, by outcome."), []string{"outcome"}),
		settles: prometheus.NewCounterVec(
			counter("settles_total", "Calls to the settler, by result."), []string{"result"}),
		takeovers: prometheus.NewCounter(
			counter("takeovers_total", "Lanes with work that were taken over from another process.")),
		lost: prometheus.NewCounter(
			counter("lost_total", "Lanes that another process took over.")),
		shed: prometheus.NewCounter(
			counter("shed_total", "Begins refused because the backlog was full.")),
	}
	all := []prometheus.Collector{m.batch, m.appends, m.settles, m.takeovers, m.lost, m.shed}
	gauge := func(name, help string, read func(Stats) float64) {
		value := func() float64 { return read(stats()) }
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), value))
	}
	gauge("backlog_ids", "Unfinished ids.",
		func(s Stats) float64 { return float64(s.Backlog) })
	gauge("in_flight_ids", "Unfinished ids that a handler is at work on.",
		func(s Stats) float64 { return float64(s.InFlight) })
	gauge("oldest_seconds", "Age of the oldest unfinished id.",
		func(s Stats) float64 { return s.Oldest.Seconds() })
	gauge("segments", "Segments in the lanes held.",
		func(s Stats) float64 { return float64(s.Segments) })
	gauge("lanes", "Lanes held.",
		func(s Stats) float64 { return float64(s.Lanes) })
	if cfg.Registerer == nil {
		return m, nil
	}
	for _, c := range all {
		if err := cfg.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("journal: registering metrics: %w", err)
		}
	}
	return m, nil
}
