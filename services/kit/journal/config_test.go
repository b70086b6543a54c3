package journal

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestOneByOneGivesEveryBeginAnAppendOfItsOwn(t *testing.T) {
	grouped := Config{}.withDefaults()
	assert.Equal(t, 1, grouped.Writers)
	assert.Greater(t, grouped.MaxBatch, 1)

	single := Config{OneByOne: true, MaxBatch: 256}.withDefaults()
	assert.Equal(t, 1, single.MaxBatch)
	assert.Equal(t, 8, single.Writers)
	assert.Equal(t, 2, Config{OneByOne: true, Writers: 2}.withDefaults().Writers)

	narrow := Config{Name: "n", State: sidecartest.NewState(), Lanes: 4, OneByOne: true}
	assert.ErrorContains(t, narrow.Validate(), "Writers is 8", "eight writers need eight lanes")
}
