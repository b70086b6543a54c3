package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dirLock makes sure that one stack at a time uses a state folder. The kernel
// frees it when the process ends, however it ends.
type dirLock struct{ file *os.File }

func lockPath(dir string) string { return filepath.Join(dir, "launcher.pid") }

func lockDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(lockPath(dir), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid := pidIn(dir)
		file.Close()
		return nil, fmt.Errorf("a stack runs already in %s (process %d): "+
			"stop it with `make stop`, or give another --state-dir", dir, pid)
	}
	if err := file.Truncate(0); err != nil {
		file.Close()
		return nil, err
	}
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		file.Close()
		return nil, err
	}
	return &dirLock{file}, nil
}

func (l *dirLock) release() {
	_ = l.file.Truncate(0)
	l.file.Close()
}

func pidIn(dir string) int {
	text, err := os.ReadFile(lockPath(dir))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// RunningPID is the process id of the launcher whose stack uses the state
// folder, or 0 if none does.
func RunningPID(dir string) int {
	file, err := os.OpenFile(lockPath(dir), os.O_RDWR, 0)
	if err != nil {
		return 0
	}
	defer file.Close()
	if syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	return pidIn(dir)
}

// End ends the stack that uses the state folder, whichever process runs it, and
// waits until it is gone or the context is done. It returns the process id that
// it ended, 0 if there was none.
func End(ctx context.Context, dir string) (int, error) {
	pid := RunningPID(dir)
	if pid == 0 {
		return 0, nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return pid, fmt.Errorf("process %d cannot be stopped: %w", pid, err)
	}
	file, err := os.OpenFile(lockPath(dir), os.O_RDWR, 0)
	if err != nil {
		return pid, err
	}
	defer file.Close()
	free := make(chan error, 1)
	go func() { free <- syscall.Flock(int(file.Fd()), syscall.LOCK_SH) }()
	select {
	case err := <-free:
		return pid, err
	case <-ctx.Done():
		return pid, fmt.Errorf("process %d did not end in time", pid)
	}
}
