package journal

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/sidecar/sidecartest"
)

func TestOneByOneGivesEveryBeginAnAppendOfItsOwn(t *testing.T) {
	grouped := Config{}.withDefaults()
	assert.Equal(t, 1, grouped.writers)
	assert.Greater(t, grouped.maxBatch, 1)

	single := Config{OneByOne: true, maxBatch: 256}.withDefaults()
	assert.Equal(t, 1, single.maxBatch)
	assert.Equal(t, 8, single.writers)
	assert.Equal(t, 2, Config{OneByOne: true, writers: 2}.withDefaults().writers)

	narrow := Config{Name: "n", State: sidecartest.NewState(), lanes: 4, OneByOne: true}
	assert.ErrorContains(t, narrow.Validate(), "8 writers", "eight writers need eight lanes")
}
