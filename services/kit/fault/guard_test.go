package fault_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/fault"
)

func TestAPanicIsAFaultLikeAnyOther(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })

	survived := fault.Panics()
	err := fault.Guard(t.Context(), func() error { panic("index out of range") })
	assert.Equal(t, fault.Internal, fault.KindOf(err))
	assert.ErrorContains(t, err, "index out of range")
	assert.Equal(t, survived+1, fault.Panics())
	assert.Equal(t, assert.AnError, fault.Guard(t.Context(), func() error { return assert.AnError }))
	assert.NoError(t, fault.Guard(t.Context(), func() error { return nil }))
}
