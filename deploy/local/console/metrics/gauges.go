package metrics

import (
	"maps"
	"slices"
)

// Gauge is a value as it is now and was.
type Gauge struct {
	App    string            `json:"app"`
	Name   string            `json:"name"`
	Kind   string            `json:"kind"` // gauge, counter or histogram
	Labels map[string]string `json:"labels,omitempty"`
	Value  float64           `json:"value"`
	Points [][2]float64      `json:"points"`
}

// Gauges returns the series of the apps, not of the sidecars, whose name is wanted, sorted by app,
// name and labels. A counter's value is what it says, and its points are how much it rose a second.
func (s *Store) Gauges(wanted func(name, kind string) bool) []Gauge {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Gauge
	for _, id := range slices.Sorted(maps.Keys(s.series)) {
		of := s.series[id]
		if of.sidecar || !wanted(of.name, of.kind) {
			continue
		}
		g := Gauge{App: of.app, Name: of.name, Kind: of.kind, Labels: of.labels}
		for i, at := range of.samples {
			g.Value = at.value
			if of.kind == "gauge" {
				g.Points = append(g.Points, [2]float64{float64(at.at.Unix()), at.value})
			} else if i > 0 {
				before := of.samples[i-1]
				rate := increase(before, at) / max(at.at.Sub(before.at).Seconds(), 0.001)
				g.Points = append(g.Points, [2]float64{float64(at.at.Unix()), rate})
			}
		}
		found = append(found, g)
	}
	return found
}
