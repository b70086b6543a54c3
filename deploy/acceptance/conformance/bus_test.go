package conformance

import (
	"testing"
)

// The rows of the bus's table.
const (
	rowDelivered   = "every event arrives, as it was published"
	rowTraceparent = "its traceparent"
	rowTraceFields = "messages whose trace fields are no text harm no sidecar"
	rowOffline     = "what is published while no member of a group runs arrives later"
	rowBroadcast   = "every group gets every event"
	rowShared      = "the members of a group share the events"
	rowFailing     = "an event that fails is tried as often as the resiliency says, then dead-lettered"
	rowRecovers    = "a success within those attempts ends them, with no dead letter"
	rowHangs       = "a handler that hangs is given up after the resiliency's timeout, and tried again"
	rowDropped     = "an event that its handler drops is not delivered again"
	rowDropLetter  = "what is dropped goes to the dead letters"
	rowAppGone     = "an event whose app is gone for longer than all attempts"
	rowCrash       = "a sidecar killed in the middle of a delivery: delivered again in time"
	rowOnce        = "what was acknowledged is not delivered again after that time"
	rowBounded     = "a stream does not outgrow maxLenApprox"
	rowSlow        = "what is trimmed before a slow group read it"
	rowEmptied     = "works again after the bus was emptied, with the same sidecars"
	rowStopped     = "works again after the bus was stopped and started, with the same sidecars"
)

var busRows = []string{
	rowDelivered, rowTraceparent, rowTraceFields, rowOffline, rowBroadcast, rowShared, rowFailing, rowRecovers, rowHangs, rowDropped, rowDropLetter,
	rowAppGone, rowCrash, rowOnce, rowBounded, rowSlow, rowEmptied, rowStopped,
}

// TestBus finds out what the bus of each component set does, on each server that it may run on, and
// fills the table. The columns run side by side: most of their time they wait for the component's
// processingTimeout.
func TestBus(t *testing.T) {
	found := newTable("buses", "TestBus")
	found.rows = busRows
	t.Cleanup(func() { found.compare(t) }) // after the columns
	for _, s := range busServers {
		found.columns = append(found.columns, s.name)
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			newBus(t, s).try(t, func(row, answer string) { found.set(s.name, row, answer) })
		})
	}
}

// try runs all parts. Emptying and stopping come first, because they would take away the message
// that a killed sidecar leaves behind; while that one waits to be delivered again, the rest is
// tried.
func (b *bus) try(t *testing.T, set func(row, answer string)) {
	part := func(row string, do func(t *testing.T) string) {
		t.Run(row, func(t *testing.T) { set(row, do(t)) })
	}
	part(rowOffline, b.offline)
	part(rowEmptied, b.emptied)
	part(rowStopped, b.stopped)
	redelivered := b.crash(t)
	part(rowDelivered, b.delivered)
	part(rowTraceparent, b.traceparent)
	part(rowTraceFields, b.traceFields)
	part(rowBroadcast, b.broadcast)
	part(rowShared, b.shared)
	part(rowFailing, b.failing)
	part(rowRecovers, b.recovers)
	part(rowHangs, b.hangs)
	part(rowDropped, b.dropped)
	part(rowDropLetter, b.dropLetter)
	part(rowAppGone, b.appGone)
	part(rowBounded, b.bounded)
	part(rowSlow, b.slow)
	part(rowCrash, redelivered)
	part(rowOnce, b.once)
}
