package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/auth"
	"sidecart.dev/kit/event"
	"sidecart.dev/kit/fault"
	"sidecart.dev/kit/service/servicetest"
	"sidecart.dev/kit/sidecar/sidecartest"
)

// TestTheGuideShowsCodeThatIsCompiled holds every piece of Go in the guide against the files of
// this package.
func TestTheGuideShowsCodeThatIsCompiled(t *testing.T) {
	guide, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var code strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		code.Write(raw)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.Contains(t, code.String(), block[1])
	}
}

func TestWhatIsPaidIsShippedAndTold(t *testing.T) {
	sidecar := servicetest.NewSidecar(t)
	var asked atomic.Int32
	sidecar.Binding.Before = func(context.Context, sidecartest.Invocation) error {
		if asked.Add(1) == 1 {
			return fault.New(fault.Unavailable, "unavailable", "The carrier does not answer.")
		}
		return nil
	}
	s := servicetest.Fake(t, "parcels", sidecar, nil)
	require.NoError(t, wire(s, nil))
	url, stop := servicetest.Start(t, s)

	e, err := event.New("payments", "payment.confirmed.v1", "pay_1", 2, time.Now(), Paid{OrderID: "ord_1", UserID: "usr_ada"})
	require.NoError(t, err)
	raw, err := e.Encode()
	require.NoError(t, err)
	for range 2 { // a bus may deliver twice
		resp, err := http.Post(url+"/events/payments", "application/cloudevents+json", bytes.NewReader(raw))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	get := func(user string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/parcels/ord_1", nil)
		require.NoError(t, err)
		sidecar.SignIn(t, r, user, auth.Customer)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	assert.Equal(t, http.StatusOK, get("usr_ada").StatusCode)
	assert.Equal(t, http.StatusNotFound, get("usr_eve").StatusCode)
	require.Eventually(t, func() bool { return len(sidecar.Bus.All("parcels")) > 0 }, 20*time.Second, 10*time.Millisecond,
		"the settler ships it when the carrier answers again")
	require.NoError(t, stop())
}
