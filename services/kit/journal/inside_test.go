package journal

import (
	"testing"

	"sidecart.dev/kit/walls"
)

func TestEachPartUsesOnlyThoseBelowIt(t *testing.T) { walls.Inside(t) }
