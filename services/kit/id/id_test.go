package id_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"sidecart.dev/kit/id"
)

// Stored documents are found under these ids for ever.
func TestTheSameTextAlwaysGivesTheSameID(t *testing.T) {
	assert.Equal(t, "ord_7asx2xajcpuradtsuxihlmedhj", id.Of("ord_", "usr_1|key"))
	assert.NotEqual(t, id.Of("ord_", "usr_1|key"), id.Of("ord_", "usr_1|kex"))
	assert.True(t, id.Valid("ord_", id.Of("ord_", "")))
}

func TestOnlyWhatHasTheFormOfAnIDIsOne(t *testing.T) {
	for _, good := range []string{"ord_a", "ord_2f1c6a5e-4b0f-4f0e-9d0a-1c2b3d4e5f60"} {
		assert.True(t, id.Valid("ord_", good), good)
	}
	long := "ord_" + strings.Repeat("a", 37)
	for _, bad := range []string{"", "ord_", "pay_a", "ord_A", "ord_a/b", "ord_a\n", "xord_a", long} {
		assert.False(t, id.Valid("ord_", bad), bad)
	}
}
