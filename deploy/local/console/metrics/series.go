// Package metrics reads what apps and sidecars measure, keeps the last minutes in memory, and turns
// counters and histograms into rates and quantiles.
package metrics

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	kept      = 5 * time.Minute // how long samples are kept
	maxSeries = 4_000
)

// Series are all samples of one measurement with one set of labels.
type series struct {
	app     string
	sidecar bool
	name    string
	labels  map[string]string
	kind    string // counter, gauge or histogram
	bounds  []float64
	samples []sample // oldest first
}

// sample is what a series said at a time: a value, or a histogram's count, sum and cumulative
// buckets.
type sample struct {
	at      time.Time
	value   float64 // of a histogram, its count
	sum     float64
	buckets []float64
}

// Store keeps the samples of the last minutes. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex
	series  map[string]*series
	read    map[string]time.Time // when each listener was last read
	refused int                  // samples of series beyond maxSeries
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{series: map[string]*series{}, read: map[string]time.Time{}}
}

// wasRead notes that a listener was read, after its samples were added.
func (s *Store) wasRead(app string, sidecar bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[listener(app, sidecar)] = now
}

func listener(app string, sidecar bool) string {
	if sidecar {
		return app + "/daprd"
	}
	return app
}

func key(app, name string, labels map[string]string) string {
	var b strings.Builder
	b.WriteString(app + "\x00" + name)
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString("\x00" + label + "\x00" + labels[label])
	}
	return b.String()
}

func (s *Store) add(
	app string, sidecar bool, name, kind string, labels map[string]string, bounds []float64,
	at sample,
) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := key(app, name, labels)
	of := s.series[id]
	if of == nil || !slices.Equal(of.bounds, bounds) {
		if of == nil && len(s.series) >= maxSeries {
			s.refused++
			return
		}
		of = &series{
			app: app, sidecar: sidecar, name: name, labels: labels, kind: kind, bounds: bounds,
		}
		s.series[id] = of
		// Whoever counts names a series at its first event, so that it was 0 when it was not there.
		if before, ok := s.read[listener(app, sidecar)]; ok && kind != "gauge" {
			zero := sample{at: before, buckets: make([]float64, len(bounds))}
			of.samples = append(of.samples, zero)
		}
	}
	of.samples = append(of.samples, at)
}

// forget removes what is older than is kept, and series without samples.
func (s *Store) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, of := range s.series {
		old := 0
		for old < len(of.samples) && now.Sub(of.samples[old].at) > kept {
			old++
		}
		of.samples = slices.Delete(of.samples, 0, old)
		if len(of.samples) == 0 {
			delete(s.series, id)
		}
	}
}

// Flow is what happened along something in the last window, from a histogram or a counter.
type Flow struct {
	Rate   float64      `json:"rate"`   // a second
	Errors float64      `json:"errors"` // a second
	P50    float64      `json:"p50"`    // milliseconds; negative where it was not measured
	P95    float64      `json:"p95"`
	Points [][2]float64 `json:"points,omitempty"` // seconds since 1970, a second
}

// Pick says which series make up a flow.
type Pick struct {
	Name   string
	Window time.Duration // zero means 30 seconds
	Keep   func(labels map[string]string) bool
	// Failed tells the errors among them; nil means that there are none.
	Failed func(labels map[string]string) bool
	// Group names the flow that a series belongs to.
	Group func(app string, labels map[string]string) string
	// Milliseconds is what one unit of the histogram is: 1000 where it counts seconds.
	Milliseconds float64
	// Points also returns how the rate was over all that is kept.
	Points bool
}

// Flows sums the chosen series by group.
func (s *Store) Flows(p Pick, now time.Time) map[string]Flow {
	if p.Window == 0 {
		p.Window = 30 * time.Second
	}
	groups := map[string]*sums{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.series {
		if of.name != p.Name || p.Keep != nil && !p.Keep(of.labels) {
			continue
		}
		name := p.Group(of.app, of.labels)
		if groups[name] == nil {
			groups[name] = &sums{rates: map[int64]float64{}}
		}
		groups[name].add(of, p, now)
	}
	flows := map[string]Flow{}
	for name, g := range groups {
		flows[name] = g.flow(p)
	}
	return flows
}

type sums struct {
	rate, errors float64
	bounds       []float64
	buckets      []float64
	rates        map[int64]float64 // by second
}

func (g *sums) add(of *series, p Pick, now time.Time) {
	first, last := window(of.samples, now.Add(-p.Window))
	if last > first {
		a, b := of.samples[first], of.samples[last]
		rate := increase(a, b) / b.at.Sub(a.at).Seconds()
		g.rate += rate
		if p.Failed != nil && p.Failed(of.labels) {
			g.errors += rate
		}
		g.addBuckets(of.bounds, a, b)
	}
	if !p.Points {
		return
	}
	for i := 1; i < len(of.samples); i++ {
		a, b := of.samples[i-1], of.samples[i]
		if took := b.at.Sub(a.at).Seconds(); took > 0 {
			g.rates[b.at.Unix()] += increase(a, b) / took
		}
	}
}

// window finds the first and last sample after a time, with the one before it where there is one.
func window(samples []sample, since time.Time) (first, last int) {
	last = len(samples) - 1
	for first = last; first > 0 && samples[first].at.After(since); {
		first--
	}
	return max(first, 0), last
}

// increase is by how much a counter rose. A counter that fell was begun anew, with its process.
func increase(a, b sample) float64 {
	if b.value < a.value {
		return b.value
	}
	return b.value - a.value
}

func (g *sums) addBuckets(bounds []float64, a, b sample) {
	if len(bounds) == 0 {
		return
	}
	if g.bounds == nil {
		g.bounds, g.buckets = bounds, make([]float64, len(bounds))
	}
	if !slices.Equal(g.bounds, bounds) {
		return
	}
	for i := range bounds {
		if b.value < a.value {
			g.buckets[i] += b.buckets[i]
		} else {
			g.buckets[i] += max(0, b.buckets[i]-a.buckets[i])
		}
	}
}

func (g *sums) flow(p Pick) Flow {
	f := Flow{Rate: g.rate, Errors: g.errors, P50: -1, P95: -1}
	if len(g.buckets) > 0 {
		f.P50, f.P95 = g.quantile(.5, p.Milliseconds), g.quantile(.95, p.Milliseconds)
	}
	for _, at := range slices.Sorted(maps.Keys(g.rates)) {
		f.Points = append(f.Points, [2]float64{float64(at), g.rates[at]})
	}
	return f
}

// quantile estimates within the bucket, as Prometheus does. Above the last finite bound it is that
// bound.
func (g *sums) quantile(q, unit float64) float64 {
	total := g.buckets[len(g.buckets)-1]
	if total <= 0 {
		return -1
	}
	rank, below, low := q*total, 0.0, 0.0
	for i, count := range g.buckets {
		if count < rank {
			below, low = count, g.bounds[i]
			continue
		}
		if math.IsInf(g.bounds[i], 1) {
			return low * unit
		}
		return (low + (g.bounds[i]-low)*(rank-below)/(count-below)) * unit
	}
	return low * unit
}

// Stats says how many series are kept, and how many samples found no room.
func (s *Store) Stats() (series, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.series), s.refused
}
