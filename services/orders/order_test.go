package orders_test

import (
	"testing"

	"pgregory.net/rapid"

	_ "sidecart.dev/contracts/validate"
)

func TestPlaceholder(t *testing.T) { rapid.Check(t, func(*rapid.T) {}) }
