package journal

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sidecart.dev/kit/sidecar/sidecartest"
)

// TestEverNewInstancesLeaveNothingBehind has pods come and go as a Deployment makes them, each with
// a name that never comes back. Every other one is killed. All share the lanes that there are: what
// a pod began is finished by those after it, and in the end nothing of it stays in the store.
func TestEverNewInstancesLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pods = 50
		state, rec := sidecartest.NewState(), newRecorder()
		end := func() {}
		for i := range pods {
			l := &link{State: state}
			cfg := Config{State: l, Instance: fmt.Sprintf("orders-%d", i)}
			pod, stop := run(t, cfg, rec)
			begin(t, pod, fmt.Sprintf("order-%d", i)).Wrote()
			end() // of the pod before, as in a rolling update
			end = func() {
				l.cut.Store(i%2 == 0)
				stop()
			}
			time.Sleep(10 * time.Second)
		}
		_, stop := run(t, Config{State: state, Instance: "orders-last"}, rec)
		end()
		time.Sleep(time.Minute)
		stop()

		for i := range pods {
			if offers, _ := rec.offered(fmt.Sprintf("order-%d", i)); len(offers) == 0 {
				t.Errorf("nobody went on with the order of pod %d", i)
			}
		}
		w := &world{state: state, lanes: 16}
		if left := w.liveIDs(); len(left) > 0 || len(w.broken) > 0 {
			t.Errorf("the log still holds %v %v", left, w.broken)
		}
		time.Sleep(fenceTTL) // the claims of the pods, which fence what they wrote, are kept for so long
		if keys := state.Keys(); len(keys) > 2*16 {
			t.Errorf("the store holds %d keys, more than a head and a claim for each lane", len(keys))
		}
	})
}
