package journal

import (
	"strings"
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

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	state := sidecartest.NewState()
	for want, cfg := range map[string]Config{
		"Name":     {State: state},
		"State":    {Name: "x"},
		"number":   {Name: "x", State: state, maxBatch: -1},
		"duration": {Name: "x", State: state, lease: -1},
		"lanes":    {Name: "x", State: state, lanes: 2, writers: 3},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New returned %v, want an error about %s", err, want)
		}
	}
}
