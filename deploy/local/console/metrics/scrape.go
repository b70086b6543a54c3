package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const (
	often  = 2 * time.Second  // between scrapes while somebody looks
	seldom = 10 * time.Second // otherwise
	looked = 15 * time.Second // how long a look lasts
	// maxAnswer bounds one answer, in bytes.
	maxAnswer = 8 << 20
)

// Target is one listener to read.
type Target struct {
	App     string
	Sidecar bool
	URL     string
	Token   string // bearer token; may be empty
}

// Scraper reads its targets again and again. Its methods are safe for concurrent use.
type Scraper struct {
	store   *Store
	targets func() []Target
	client  *http.Client
	watched atomic.Int64 // unix nanoseconds of the last look
	wake    chan struct{}
}

// NewScraper makes a scraper; targets is asked before each round.
func NewScraper(store *Store, targets func() []Target) *Scraper {
	return &Scraper{
		store: store, targets: targets, wake: make(chan struct{}, 1),
		client: &http.Client{
			Timeout:   often,
			Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		},
	}
}

// Look says that somebody looks: the next rounds come sooner.
func (s *Scraper) Look() {
	before := s.watched.Swap(time.Now().UnixNano())
	if time.Since(time.Unix(0, before)) > looked {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// Run reads until ctx ends.
func (s *Scraper) Run(ctx context.Context) {
	for {
		s.Round(ctx)
		pause := seldom
		if time.Since(time.Unix(0, s.watched.Load())) < looked {
			pause = often
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			s.client.CloseIdleConnections()
			return
		}
	}
}

// Round reads every target once, all at the same time. A target that does not answer adds nothing.
func (s *Scraper) Round(ctx context.Context) {
	now := time.Now()
	var all sync.WaitGroup
	for _, target := range s.targets() {
		all.Go(func() { _ = s.scrape(ctx, target, now) })
	}
	all.Wait()
	s.store.forget(now)
}

func (s *Scraper) scrape(ctx context.Context, from Target, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.URL, nil)
	if err != nil {
		return err
	}
	if from.Token != "" {
		req.Header.Set("Authorization", "Bearer "+from.Token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d", from.URL, resp.StatusCode)
	}
	return s.read(io.LimitReader(resp.Body, maxAnswer), from, now)
}

// keep adds the samples of a family.
func (s *Store) keep(family *dto.MetricFamily, from Target, now time.Time) {
	name := family.GetName()
	for _, m := range family.GetMetric() {
		labels := map[string]string{}
		for _, pair := range m.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		at := sample{at: now}
		switch family.GetType() {
		case dto.MetricType_COUNTER:
			at.value = m.GetCounter().GetValue()
			s.add(from.App, from.Sidecar, name, "counter", labels, nil, at)
		case dto.MetricType_GAUGE:
			at.value = m.GetGauge().GetValue()
			s.add(from.App, from.Sidecar, name, "gauge", labels, nil, at)
		case dto.MetricType_UNTYPED:
			at.value = m.GetUntyped().GetValue()
			s.add(from.App, from.Sidecar, name, "gauge", labels, nil, at)
		case dto.MetricType_HISTOGRAM:
			h := m.GetHistogram()
			at.value, at.sum = float64(h.GetSampleCount()), h.GetSampleSum()
			bounds := make([]float64, 0, len(h.GetBucket()))
			for _, bucket := range h.GetBucket() {
				bounds = append(bounds, bucket.GetUpperBound())
				at.buckets = append(at.buckets, float64(bucket.GetCumulativeCount()))
			}
			s.add(from.App, from.Sidecar, name, "histogram", labels, bounds, at)
		default: // summaries are not shown
		}
	}
}

func (s *Scraper) read(body io.Reader, from Target, now time.Time) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(
		strings.NewReader(only(string(text), from.Sidecar)),
	)
	if err != nil {
		return fmt.Errorf("%s: %w", from.URL, err)
	}
	for _, family := range families {
		s.store.keep(family, from, now)
	}
	s.store.wasRead(from.App, from.Sidecar, now)
	return nil
}

// only leaves out the lines of families that are not shown, which are most, before they are parsed.
func only(text string, sidecar bool) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE ")
		if shown(name, sidecar) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func shown(name string, sidecar bool) bool {
	if sidecar {
		return strings.HasPrefix(name, "dapr_component_") &&
			!strings.HasPrefix(name, "dapr_component_secret") ||
			strings.HasPrefix(name, "dapr_runtime_service_invocation_")
	}
	for _, runtime := range []string{"go_", "process_", "promhttp_"} {
		if strings.HasPrefix(name, runtime) {
			return false
		}
	}
	return true
}
