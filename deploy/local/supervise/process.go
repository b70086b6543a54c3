// Package supervise runs child processes that leave nothing behind: each in a
// process group of its own, restarted with back-off when it dies, ended as a
// whole group, and (on Linux) killed by the kernel if this program is killed.
package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to run. Env is the whole environment of the process. Stdout
// and Stderr are written to from one goroutine each.
type Command struct {
	Path           string
	Args           []string
	Dir            string
	Env            []string
	Stdout, Stderr io.Writer
	// Credential is the user to run it as; nil is this program's own.
	Credential *syscall.Credential
}

// Process is a started command. Its methods are safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// outputGrace is how long output is still awaited from descendants that
// outlive the process and hold its pipes.
const outputGrace = 500 * time.Millisecond

// Start starts the command in a new process group.
func Start(c Command) (*Process, error) {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Env, c.Stdout, c.Stderr
	cmd.SysProcAttr = groupAttributes()
	cmd.SysProcAttr.Credential = c.Credential
	cmd.WaitDelay = outputGrace
	if err := onParentThread(cmd.Start); err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", c.Path, err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	err := p.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	p.err = err
	_ = p.Signal(syscall.SIGKILL) // whatever it left in its group
	close(p.done)
}

// PID is the process's id, which is also its group's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its output was read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for the end and tells how it came: nil for exit status 0.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Signal signals the whole group. A group that has ended is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	if closed(p.done) {
		return nil // its id may belong to another process by now
	}
	err := syscall.Kill(-p.PID(), sig)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Stop asks the process to end with SIGTERM, and after grace kills its group.
// It returns when the process is gone, and tells whether it had to be killed.
func (p *Process) Stop(grace time.Duration) (killed bool) {
	_ = p.Signal(syscall.SIGTERM)
	return p.Await(grace)
}

// Await waits for the process to end by itself and kills its group after grace.
func (p *Process) Await(grace time.Duration) (killed bool) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return false
	case <-timer.C:
		_ = p.Signal(syscall.SIGKILL)
		<-p.done
		return true
	}
}

// Describe says in a few words how a process ended.
func Describe(err error) string {
	var exit *exec.ExitError
	if err == nil {
		return "exited with status 0"
	}
	if !errors.As(err, &exit) {
		return err.Error()
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "was ended by " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("exited with status %d", exit.ExitCode())
}
