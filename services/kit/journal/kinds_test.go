package journal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// An older version is one whose settler knows fewer kinds.
func TestAnOlderVersionKeepsWhatItDoesNotKnowForANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const foreign = 5
		state := sidecartest.NewState()
		cfg := Config{
			State: state, lease: time.Second, grace: time.Second, SettleAfter: time.Millisecond,
			maxSegments: 4,
		}
		newer, stop := run(t, cfg, SettlerFunc(nobody))
		for n := range foreign {
			begin(t, newer, KindID("voucher", fmt.Sprint(n))).Wrote()
		}
		stop()

		var log bytes.Buffer
		parcels := newRecorder()
		old := NewKinds("parcel", map[string]Settler{"parcel": parcels})
		old.log = slog.New(slog.NewTextHandler(&log, nil))
		old.Measure(prometheus.NewRegistry(), "test")
		older, stop := run(t, cfg, old)
		// Its own business goes on, and what is older is written again to keep the log short.
		for n := range 40 {
			begin(t, older, KindID("parcel", fmt.Sprint(n))).Wrote()
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		if n := older.Stats().Backlog; n != foreign {
			t.Errorf("%d ids are unfinished, want the %d of the kind that nobody knows", n, foreign)
		}
		if n := len(parcels.offers); n != 40 {
			t.Errorf("ids of the known kind were offered %d times, want 40", n)
		}
		if n := strings.Count(log.String(), "voucher"); n != 1 {
			t.Errorf("the log names the kind %d times, want once:\n%s", n, log.String())
		}
		if n := testutil.ToFloat64(old.foreign); n != foreign {
			t.Errorf("%v ids were counted, want %d", n, foreign)
		}
		stop()

		vouchers := newRecorder()
		both := map[string]Settler{"parcel": parcels, "voucher": vouchers}
		newest, stop := run(t, cfg, NewKinds("parcel", both))
		defer stop()
		time.Sleep(10 * time.Second)
		for n := range foreign {
			if entries, _ := vouchers.offered(fmt.Sprint(n)); len(entries) != 1 {
				t.Errorf("the newer version was offered voucher %d %d times, want once", n, len(entries))
			}
		}
		if n := newest.Stats().Backlog; n != 0 {
			t.Errorf("%d ids are unfinished", n)
		}
	})
}

func TestEachKindIsSettledByItsOwn(t *testing.T) {
	var parcels, erasures []string
	kinds := NewKinds("parcel", map[string]Settler{
		"parcel": SettlerFunc(func(_ context.Context, entries []Entry) ([]string, error) {
			for _, e := range entries {
				parcels = append(parcels, e.ID)
			}
			return parcels, nil
		}),
		"erase": SettlerFunc(func(_ context.Context, entries []Entry) ([]string, error) {
			for _, e := range entries {
				erasures = append(erasures, e.ID)
			}
			return nil, fmt.Errorf("not now")
		}),
	})
	finished, err := kinds.Settle(t.Context(), []Entry{
		{ID: "parcel/1"}, {ID: "2"}, {ID: "erase:ada"}, {ID: "erase/bob"}, {ID: "new/3"},
	})
	got := fmt.Sprint(parcels, erasures, finished)
	if got != "[1 2] [ada bob] [parcel/1 2]" || err == nil {
		t.Errorf("settled and finished: %s, error %v", got, err)
	}
}
