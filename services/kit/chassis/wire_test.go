package chassis

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASecretMayHoldTheServiceKeyAndTheOneBeforeIt(t *testing.T) {
	before := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("before! ", 4)))
	after := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("after!! ", 4)))
	for _, asks := range []string{before, after, after + "\n" + before + "\n"} {
		orders, err := parseServiceKey("orders", asks)
		require.NoError(t, err)
		header, err := orders.Authorize("payments")
		require.NoError(t, err)
		payments, err := parseServiceKey("payments", " "+before+" "+after)
		require.NoError(t, err)
		_, err = payments.Verify(strings.TrimPrefix(header, "Bearer "), "orders")
		assert.NoError(t, err)
	}
	for _, secret := range []string{"", " ", "not base64", before + " c2hvcnQ="} {
		_, err := parseServiceKey("orders", secret)
		require.Error(t, err, secret)
		assert.NotContains(t, err.Error(), "not base64", "what the secret is")
	}
}
