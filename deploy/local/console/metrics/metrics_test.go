package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestRatesErrorsAndQuantilesComeFromTwoReadings(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		k := n.Add(1) * 100
		fmt.Fprintf(w, "# TYPE go_threads gauge\ngo_threads 1\n# TYPE d histogram\n")
		for _, status := range []string{"200", "500"} {
			fmt.Fprintf(
				w,
				"d_bucket{status=%q,le=\"0.1\"} %d\nd_bucket{status=%q,le=\"+Inf\"} %d\n"+
					"d_sum{status=%q} 1\nd_count{status=%q} %d\n",
				status,
				k,
				status,
				k,
				status,
				status,
				k,
			)
		}
	}))
	defer server.Close()
	store := NewStore()
	s := NewScraper(store, nil)
	now := time.Now()
	for i, token := range []string{"secret", "wrong", "secret"} {
		_ = s.scrape(
			t.Context(),
			Target{App: "a", URL: server.URL, Token: token},
			now.Add(time.Duration(i)*5*time.Second),
		)
	}
	flow := store.Flows(Pick{
		Name: "d", Milliseconds: 1000, Points: true,
		Group:  func(app string, _ map[string]string) string { return app },
		Failed: func(labels map[string]string) bool { return labels["status"] == "500" },
	}, now.Add(10*time.Second))["a"]
	if flow.Rate != 20 || flow.Errors != 10 || flow.P50 != 50 || flow.P95 != 95 ||
		len(flow.Points) != 1 {
		t.Errorf("the flow is %+v", flow)
	}
	if series, _ := store.Stats(); series != 2 {
		t.Errorf("%d series are kept, not 2: the runtime's are not shown", series)
	}
	store.forget(now.Add(time.Hour))
	if series, _ := store.Stats(); series != 0 {
		t.Errorf("%d series are kept after an hour", series)
	}
}

func TestWhatIsCountedFirstBetweenTwoReadingsCounts(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE always counter\nalways 7\n")
		if n.Add(1) > 1 { // a counter has no series before its first event
			fmt.Fprint(w, "# TYPE placed counter\nplaced{what=\"order\"} 20\n")
		}
	}))
	defer server.Close()
	store := NewStore()
	s := NewScraper(store, nil)
	now := time.Now()
	for i := range 2 {
		at := now.Add(time.Duration(i) * 5 * time.Second)
		if err := s.scrape(t.Context(), Target{App: "a", URL: server.URL}, at); err != nil {
			t.Fatal(err)
		}
	}
	group := func(app string, _ map[string]string) string { return app }
	for name, want := range map[string]float64{"placed": 4, "always": 0} {
		flows := store.Flows(Pick{Name: name, Group: group}, now.Add(5*time.Second))
		if flows["a"].Rate != want {
			t.Errorf("%s has a rate of %v, not %v a second", name, flows["a"].Rate, want)
		}
	}
	gauges := store.Gauges(func(name, _ string) bool { return name == "placed" })
	if len(gauges) != 1 || len(gauges[0].Points) != 1 || gauges[0].Points[0][1] != 4 {
		t.Errorf("the course is %+v, not 4 a second", gauges)
	}
}

func TestACounterThatBeganAnewDoesNotFall(t *testing.T) {
	if got := increase(sample{value: 100}, sample{value: 3}); got != 3 {
		t.Errorf("the increase is %v, not 3", got)
	}
}

func TestTheSeriesAreBounded(t *testing.T) {
	store := NewStore()
	for i := range maxSeries + 10 {
		store.add("a", false, fmt.Sprint("m", i), "gauge", nil, nil, sample{at: time.Now()})
	}
	if series, refused := store.Stats(); series != maxSeries || refused != 10 {
		t.Errorf("%d series are kept and %d samples refused", series, refused)
	}
}
