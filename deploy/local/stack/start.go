package stack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/supervise"
)

// probeEvery is the pause between two looks at whether something is ready.
const probeEvery = 50 * time.Millisecond

// startApps starts all apps and sidecars at once and waits until all are ready.
func (s *Stack) startApps(ctx context.Context) error {
	step := s.opts.Terminal.Step("start %d apps and their sidecars", len(s.plan.Apps))
	for _, planned := range s.plan.Apps {
		s.opts.Terminal.Reserve(planned.AppID + "/daprd")
		a, err := s.newApp(planned)
		if err != nil {
			step.Fail()
			return err
		}
		s.apps = append(s.apps, a)
	}
	if err := s.launch(ctx, step.Progress); err != nil {
		step.Fail()
		return err
	}
	for _, a := range s.apps {
		a.each((*supervise.Unit).MarkReady)
		if a.plan.AppID == gatewayID {
			s.GatewayURL = a.plan.URL()
		}
	}
	step.Done("")
	return s.markReady()
}

func (s *Stack) launch(ctx context.Context, progress func(string)) error {
	for _, a := range s.apps {
		if err := a.sidecar.Start(); err != nil {
			return err
		}
		if a.app == nil {
			continue
		}
		if err := a.app.Start(); err != nil {
			return fmt.Errorf("%s: %w", a.plan.AppID, err)
		}
	}
	return s.awaitAll(ctx, progress)
}

// awaitAll waits for every app, and ends with the first that gives up.
func (s *Stack) awaitAll(ctx context.Context, progress func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.ReadyTimeout)
	defer cancel()
	results := make(chan error, len(s.apps))
	var waiting sync.Map
	for _, a := range s.apps {
		waiting.Store(a.plan.AppID, true)
		go func() {
			err := s.await(ctx, a)
			waiting.Delete(a.plan.AppID)
			results <- err
		}()
	}
	var first error
	for range s.apps {
		if err := <-results; err != nil && first == nil {
			first = err
			cancel()
		}
		var names []string
		waiting.Range(func(name, _ any) bool { names = append(names, name.(string)); return true })
		progress("waiting for " + strings.Join(names, ", "))
	}
	return first
}

// await waits until the app and its sidecar answer that they are ready.
func (s *Stack) await(ctx context.Context, a *app) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var appFailed <-chan error
	if a.app != nil {
		appFailed = a.app.Failed()
	}
	for {
		reason := a.notReady(ctx)
		if reason == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-a.sidecar.Failed():
			reason := daprd.Reason(a.sidecarTail.Lines())
			return fmt.Errorf("%w at its start: %s (log: %s)",
				err, reason, s.logPath(a.plan.AppID+".daprd"))
		case err := <-appFailed:
			return fmt.Errorf("%w at its start, %d times: %s (log: %s)",
				err, earlyExits, lastLine(a.appTail), s.logPath(a.plan.AppID))
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ctx.Err()
			}
			return fmt.Errorf("%s is not ready after %s: %w (logs: %s)",
				a.plan.AppID, s.opts.ReadyTimeout, reason, s.LogsDir)
		}
	}
}

func (s *Stack) logPath(name string) string { return filepath.Join(s.LogsDir, name+".log") }

func lastLine(tail *supervise.Tail) string {
	lines := tail.Lines()
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" {
			return line
		}
	}
	return "it printed nothing"
}

// notReady says why the app or its sidecar is not ready, or nil. An app without
// a /readyz of its own is ready when it answers.
func (a *app) notReady(ctx context.Context) error {
	if a.app != nil && a.plan.AppPort > 0 && isHTTP(a.plan.AppProtocol) {
		status, err := get(ctx, a.plan.URL()+"/readyz", a.plan.AppToken)
		if err != nil {
			return err
		}
		if status >= 500 {
			return fmt.Errorf("its /readyz answers %d", status)
		}
	}
	status, err := get(ctx, a.plan.SidecarURL()+"/v1.0/healthz", a.plan.SidecarToken)
	if err != nil {
		return err
	}
	if status >= 300 {
		return fmt.Errorf("its sidecar's health is %d", status)
	}
	return nil
}

func isHTTP(protocol string) bool { return protocol == "" || protocol == "http" }

func get(ctx context.Context, url, token string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("dapr-api-token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

func (a *app) each(do func(*supervise.Unit)) {
	if a.app != nil {
		do(a.app)
	}
	do(a.sidecar)
}
