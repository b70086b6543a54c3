package stack

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/supervise"
)

const (
	// stopGrace is how long an app has to finish what it has in hand: more than
	// the drain timeout that the services set themselves (10 s).
	stopGrace = 12 * time.Second
	// drainedWithin bounds the wait for a sidecar's word that it drains.
	drainedWithin = 2 * time.Second
)

// stopApps ends the apps so that no work is lost: first no sidecar takes new
// messages any more (their APIs keep serving), then the front door closes, then
// the other apps finish and end, and last the sidecars.
func (s *Stack) stopApps() {
	if len(s.apps) == 0 {
		return
	}
	step := s.opts.Terminal.Step("stop %d apps and their sidecars", len(s.apps))
	for _, a := range s.apps {
		a.control.Lock() // whoever stops or starts it has finished
		a.quiesceSidecar()
		a.control.Unlock()
	}
	for _, a := range s.apps {
		a.awaitDrained()
	}
	s.stopWhere(func(a *app) bool { return a.plan.AppID == gatewayID })
	s.stopWhere(func(a *app) bool { return a.plan.AppID != gatewayID })
	for _, a := range s.apps {
		a.endSidecar()
	}
	step.Done("")
}

func (s *Stack) stopWhere(chosen func(*app) bool) {
	var stopped sync.WaitGroup
	for _, a := range s.apps {
		if a.app == nil || !chosen(a) {
			continue
		}
		stopped.Go(func() {
			if a.app.Stop(stopGrace) {
				s.opts.Terminal.Notice("%s did not end within %s and was killed", a.plan.AppID, stopGrace)
			}
		})
	}
	stopped.Wait()
}

// endSidecar ends a quiesced sidecar whose app is gone. It would hold its API
// open for the app until DrainTime; a second signal says not to wait.
func (a *app) endSidecar() {
	_ = a.sidecar.Signal(syscall.SIGTERM)
	a.sidecar.Await(daprd.CloseTime)
}

// quiesceSidecar asks the sidecar to take no more messages. Its API keeps
// serving until endSidecar, or for daprd.DrainTime.
func (a *app) quiesceSidecar() {
	a.stopping.Store(true)
	select {
	case <-a.drained: // of an earlier life
	default:
	}
	a.sidecar.Quiesce()
}

// awaitDrained waits until a quiesced sidecar has said that it takes no more
// messages; an app that ended before would leave deliveries to fail.
func (a *app) awaitDrained() {
	if a.sidecar.PID() == 0 {
		return
	}
	timer := time.NewTimer(drainedWithin)
	defer timer.Stop()
	select {
	case <-a.drained:
	case <-timer.C:
	}
}

// KillApp kills the app's process group with SIGKILL, as a crash would; the
// supervisor starts it again.
func (s *Stack) KillApp(id string) error {
	return s.kill(id, func(a *app) *supervise.Unit { return a.app })
}

// KillSidecar does the same to its sidecar.
func (s *Stack) KillSidecar(id string) error {
	return s.kill(id, func(a *app) *supervise.Unit { return a.sidecar })
}

func (s *Stack) kill(id string, which func(*app) *supervise.Unit) error {
	a, err := s.find(id)
	if err != nil {
		return err
	}
	unit := which(a)
	if unit == nil || unit.PID() == 0 {
		return fmt.Errorf("nothing runs for %s to be killed", id)
	}
	return unit.Signal(syscall.SIGKILL)
}

// Restart ends the app and its sidecar in order, starts them again, and returns
// when they are ready.
func (s *Stack) Restart(ctx context.Context, id string) error {
	err := s.control(id, func(a *app) error {
		a.stop()
		return a.start()
	})
	if err != nil {
		return err
	}
	return s.AwaitReady(ctx, id)
}

// StopApp ends the app and its sidecar in order; they stay down until StartApp or Restart.
func (s *Stack) StopApp(id string) error {
	return s.control(id, func(a *app) error {
		a.stop()
		s.refreshStatus()
		return nil
	})
}

// StartApp starts an app that StopApp has ended, with its sidecar; it does not wait until they are
// ready.
func (s *Stack) StartApp(id string) error {
	return s.control(id, (*app).start)
}

// control does something to an app that nothing else may be done to meanwhile, unless the stack is
// ending.
func (s *Stack) control(id string, do func(*app) error) error {
	a, err := s.find(id)
	if err != nil {
		return err
	}
	a.control.Lock()
	defer a.control.Unlock()
	if s.ending.Load() {
		return errEnding
	}
	return do(a)
}

// stop ends the app and its sidecar in order. The caller holds a.control.
func (a *app) stop() {
	a.quiesceSidecar()
	a.awaitDrained()
	if a.app != nil {
		a.app.Stop(stopGrace)
	}
	a.endSidecar()
}

// start starts them again. The caller holds a.control.
func (a *app) start() error {
	a.stopping.Store(false)
	if err := a.sidecar.Start(); err != nil {
		return err
	}
	if a.app == nil {
		return nil
	}
	return a.app.Start()
}

// AwaitReady waits until the app and its sidecar answer that they are ready, for
// example after a kill.
func (s *Stack) AwaitReady(ctx context.Context, id string) error {
	a, err := s.find(id)
	if err != nil {
		return err
	}
	return s.await(ctx, a)
}
