package main

import (
	"context"

	"sidecart.dev/kit/sidecar"
)

// bindingCarrier reaches a carrier by an output binding of the sidecar.
type bindingCarrier struct{ binding sidecar.Binding }

// Ship implements [Carrier].
func (c bindingCarrier) Ship(ctx context.Context, orderID string) (bool, error) {
	answer, err := c.binding.Invoke(ctx, "carrier", "create", []byte(orderID), nil)
	return string(answer) != "refused", err
}
