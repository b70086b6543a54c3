package journal

import (
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestMetricsAreRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, reg, rec := sidecartest.NewState(), prometheus.NewPedanticRegistry(), newRecorder()
		rec.finish = never
		j, stop := run(t, Config{State: state, Registerer: reg}, rec)
		defer stop()
		begin(t, j, "a").Wrote()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "sidecart_journal_backlog_ids" && f.Metric[0].Gauge.GetValue() == 1 {
				return
			}
		}
		t.Errorf("no backlog of 1 among %d metrics", len(families))
	})
}
