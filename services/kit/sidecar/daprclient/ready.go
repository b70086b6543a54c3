package daprclient

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sidecart.dev/kit/fault"
)

// The oldest Dapr that has everything the services ask of a sidecar.
const oldestMajor, oldestMinor = 1, 18

// AppID asks the sidecar for the id of the app that it stands beside. State keys begin with it
// where they are stored.
func (c *Client) AppID(ctx context.Context) (string, error) {
	answer, err := c.sdk.GetMetadata(ctx)
	if err != nil {
		return "", transient(err, "The sidecar does not answer.")
	}
	return answer.ID, nil
}

// Ready fails while the sidecar cannot be used for outgoing calls. It does not depend on this
// process listening, so it may be asked while starting.
func (c *Client) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	url := "http://" + c.cfg.HTTPAddr + "/v1.0/healthz/outbound"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := readiness.Do(req)
	if err != nil {
		return notAnswered("sidecar", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fault.Newf(fault.Unavailable, "unavailable",
			"The sidecar is not ready (%d).", resp.StatusCode)
	}
	return c.checkVersion(ctx)
}

// checkVersion refuses a sidecar that is too old, or that refuses this app. It asks until it was
// satisfied once: an app's sidecar is not replaced by another one during the app's life. A version
// that is no number, as of a build from source, is taken as it is.
func (c *Client) checkVersion(ctx context.Context) error {
	if c.known.Load() {
		return nil
	}
	answer, err := c.sdk.GetMetadata(ctx)
	if status.Code(err) == codes.Unauthenticated {
		return transient(err, tokenRefused)
	}
	if err != nil {
		return transient(err, "The sidecar does not answer.")
	}
	version := answer.ExtendedMetadata["daprRuntimeVersion"]
	if tooOld(version) {
		return fault.Newf(fault.Unavailable, "unavailable",
			"The sidecar is Dapr %s; at least %d.%d is needed.", version, oldestMajor, oldestMinor)
	}
	c.known.Store(true)
	return nil
}

func tooOld(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major < oldestMajor || major == oldestMajor && minor < oldestMinor
}

var readiness = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
}
