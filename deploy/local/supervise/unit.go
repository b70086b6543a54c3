package supervise

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// Backoff is the delay before a restart: Min after the first failure, doubled
// with each further one up to Max, and Min again after a life of Reset.
type Backoff struct{ Min, Max, Reset time.Duration }

func (b Backoff) delay(failures int) time.Duration {
	delay := b.Min
	for range failures - 1 {
		delay *= 2
		if delay >= b.Max {
			return b.Max
		}
	}
	return delay
}

// Config describes a unit. All fields but Name and Command may be left zero.
type Config struct {
	Name string
	// Command is asked for before each start.
	Command func() Command
	// Restart says whether an ended process is started again.
	Restart bool
	Backoff Backoff
	// EarlyExits is how many ends before MarkReady are too many; zero means one.
	EarlyExits int
	// OnExit is told of each end that was not asked for, before the restart. A
	// negative delay means that there is none. Called from one goroutine.
	OnExit func(err error, delay time.Duration)
	// OnStart is told of each start.
	OnStart func(pid int)
}

// Unit keeps one command running until it is stopped. It is safe for
// concurrent use.
type Unit struct {
	cfg Config

	mu       sync.Mutex
	proc     *Process
	ready    bool
	renewing bool // the next end is Renew's
	restarts int
	stopping chan struct{} // closed by Stop
	finished chan struct{} // closed when nothing runs and nothing will
	failed   chan error
}

// NewUnit makes a unit that does not run yet.
func NewUnit(cfg Config) *Unit {
	if cfg.Backoff.Min <= 0 {
		cfg.Backoff = Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second, Reset: 20 * time.Second}
	}
	if cfg.EarlyExits < 1 {
		cfg.EarlyExits = 1
	}
	return &Unit{cfg: cfg, failed: make(chan error, 1)}
}

// Start starts the process and keeps it running. The error is that of the
// first start; a unit that runs already is left alone.
func (u *Unit) Start() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.finished != nil && !closed(u.finished) {
		return nil
	}
	select {
	case <-u.failed: //nolint:errcheck // of an earlier life
	default:
	}
	proc, err := Start(u.cfg.Command())
	if err != nil {
		return err
	}
	u.proc, u.stopping, u.finished = proc, make(chan struct{}), make(chan struct{})
	u.started(proc)
	go u.watch(u.stopping, u.finished)
	return nil
}

func (u *Unit) started(proc *Process) {
	if u.cfg.OnStart != nil {
		u.cfg.OnStart(proc.PID())
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// watch waits for ends and starts anew, until stopping is closed or the unit
// is not to be restarted any more.
func (u *Unit) watch(stopping <-chan struct{}, finished chan<- struct{}) {
	for failures := 0; ; {
		born := time.Now()
		u.mu.Lock()
		proc := u.proc
		u.mu.Unlock()
		err := proc.Err()
		if closed(stopping) {
			u.finish(finished, nil)
			return
		}
		if time.Since(born) >= u.cfg.Backoff.Reset && u.cfg.Backoff.Reset > 0 {
			failures = 0
		}
		failures++
		if again, failure := u.again(err, failures, stopping); !again {
			u.finish(finished, failure)
			return
		}
	}
}

// finish says that nothing runs and nothing will, and why. It is one step to
// others: who has been told of the failure can start the unit by hand.
func (u *Unit) finish(finished chan<- struct{}, failure error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(finished)
	if failure == nil {
		return
	}
	select {
	case u.failed <- failure:
	default:
	}
}

// again decides after an end, waits, and starts the next process. A failure says
// that the unit gives up.
func (u *Unit) again(
	err error, failures int, stopping <-chan struct{},
) (started bool, failure error) {
	u.mu.Lock()
	early := !u.ready && failures >= u.cfg.EarlyExits && !u.renewing
	u.renewing = false
	u.mu.Unlock()
	if early || !u.cfg.Restart {
		if u.cfg.OnExit != nil {
			u.cfg.OnExit(err, -1)
		}
		return false, fmt.Errorf("%s %s", u.cfg.Name, Describe(err))
	}
	delay := u.cfg.Backoff.delay(failures)
	if u.cfg.OnExit != nil {
		u.cfg.OnExit(err, delay)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-stopping:
		return false, nil
	case <-timer.C:
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if closed(stopping) {
		return false, nil
	}
	proc, startErr := Start(u.cfg.Command())
	if startErr != nil {
		return false, startErr
	}
	u.proc = proc
	u.restarts++
	u.started(proc)
	return true, nil
}

// MarkReady ends the phase in which repeated exits are a failure to start.
func (u *Unit) MarkReady() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ready = true
}

// Failed delivers one error when the unit has given up.
func (u *Unit) Failed() <-chan error { return u.failed }

// PID is the running process's id, or 0.
func (u *Unit) PID() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proc == nil || closed(u.proc.Done()) {
		return 0
	}
	return u.proc.PID()
}

// Restarts counts the restarts after unasked ends.
func (u *Unit) Restarts() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.restarts
}

// Signal signals the process's group, if it runs.
func (u *Unit) Signal(sig syscall.Signal) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proc == nil || closed(u.proc.Done()) {
		return nil
	}
	return u.proc.Signal(sig)
}

// Renew kills the process's group, to be started again like one that died; it does
// not count as an end before MarkReady.
func (u *Unit) Renew() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.proc == nil || closed(u.proc.Done()) || closed(u.stopping) {
		return
	}
	u.renewing = true
	_ = u.proc.Signal(syscall.SIGKILL)
}

// Quiesce says that the next end is wanted and sends the first SIGTERM; it does
// not wait. Stop or Await must follow.
func (u *Unit) Quiesce() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopping == nil || closed(u.stopping) {
		return
	}
	close(u.stopping)
	_ = u.proc.Signal(syscall.SIGTERM)
}

// Stop ends the process (SIGTERM, after grace SIGKILL to its group) and returns
// when it is gone. It tells whether it had to be killed.
func (u *Unit) Stop(grace time.Duration) (killed bool) {
	u.Quiesce()
	return u.Await(grace)
}

// Await waits for a quiesced process and kills its group after grace.
func (u *Unit) Await(grace time.Duration) (killed bool) {
	u.mu.Lock()
	proc, finished := u.proc, u.finished
	u.mu.Unlock()
	if finished == nil {
		return false
	}
	killed = proc.Await(grace)
	<-finished
	return killed
}
