package supervise_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sidecart.dev/local/supervise"
)

const deadline = 3 * time.Minute

func shell(script string) func() supervise.Command {
	return func() supervise.Command {
		return supervise.Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ()}
	}
}

var quick = supervise.Backoff{Min: time.Millisecond, Max: 4 * time.Millisecond, Reset: time.Hour}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	timeout := time.After(deadline)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-timeout:
			t.Fatalf("not within %s: %s", deadline, what)
		case <-tick.C:
		}
	}
}

func TestADeadProcessIsStartedAgainWithBackoff(t *testing.T) {
	delays := make(chan time.Duration, 100)
	unit := supervise.NewUnit(supervise.Config{
		Name: "x", Restart: true, EarlyExits: 100, Backoff: quick, Command: shell("exit 1"),
		OnExit: func(_ error, delay time.Duration) { delays <- delay },
	})
	if err := unit.Start(); err != nil {
		t.Fatal(err)
	}
	defer unit.Stop(time.Second)
	for _, want := range []time.Duration{1, 2, 4, 4} {
		if got := <-delays; got != want*time.Millisecond {
			t.Errorf("the delay is %s, want %s", got, want*time.Millisecond)
		}
	}
}

func TestAnAppThatKeepsEndingAtItsStartIsGivenUp(t *testing.T) {
	unit := supervise.NewUnit(supervise.Config{
		Name: "x", Restart: true, EarlyExits: 3, Backoff: quick, Command: shell("exit 7"),
	})
	if err := unit.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-unit.Failed(); err.Error() != "x exited with status 7" {
		t.Errorf("the error is %q", err)
	}
	if got := unit.Restarts(); got != 2 {
		t.Errorf("it was started again %d times, want 2", got)
	}
	unit.Stop(time.Second)
}

func TestARenewedProcessIsNotGivenUp(t *testing.T) {
	unit := supervise.NewUnit(supervise.Config{Name: "x", Restart: true, EarlyExits: 1, Backoff: quick, Command: shell("exec sleep 60")})
	if err := unit.Start(); err != nil {
		t.Fatal(err)
	}
	defer unit.Stop(time.Second)
	for n := 1; n <= 2; n++ {
		before := unit.PID()
		unit.Renew()
		eventually(t, "another process", func() bool { pid := unit.PID(); return pid != 0 && pid != before && unit.Restarts() == n })
	}
	select {
	case err := <-unit.Failed():
		t.Errorf("the unit has given up: %v", err)
	default:
	}
}

func TestWithoutRestartADeadProcessStaysDead(t *testing.T) {
	unit := supervise.NewUnit(supervise.Config{Name: "x", Command: shell("exec sleep 1000")})
	if err := unit.Start(); err != nil {
		t.Fatal(err)
	}
	unit.MarkReady()
	if err := unit.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-unit.Failed(); !strings.Contains(err.Error(), "SIGKILL") {
		t.Errorf("the error is %v", err)
	}
	if err := unit.Start(); err != nil {
		t.Fatalf("it cannot be started by hand: %v", err)
	}
	if unit.PID() == 0 {
		t.Error("it does not run after a start by hand")
	}
	unit.Stop(deadline)
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	dir := t.TempDir()
	unit := supervise.NewUnit(supervise.Config{
		Name: "x", Restart: true,
		Command: shell(fmt.Sprintf("sleep 1000 & echo $! > %[1]s/c; mv %[1]s/c %[1]s/child; wait", dir)),
	})
	if err := unit.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child runs", func() bool { _, err := os.Stat(filepath.Join(dir, "child")); return err == nil })
	text, _ := os.ReadFile(filepath.Join(dir, "child"))
	child, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if unit.Stop(deadline) {
		t.Error("it had to be killed")
	}
	if unit.PID() != 0 {
		t.Error("it still runs")
	}
	eventually(t, "the child is gone", func() bool { return gone(child) })
}

func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(state), ") Z ")
}

func TestAStubbornProcessIsKilled(t *testing.T) {
	ready := make(chan struct{})
	var once sync.Once
	command := shell("trap '' TERM; echo ready; while :; do sleep 1000; done")()
	command.Stdout = supervise.NewLines(func([]byte) { once.Do(func() { close(ready) }) })
	proc, err := supervise.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	<-ready
	if !proc.Stop(10 * time.Millisecond) {
		t.Error("Stop does not say that it had to kill")
	}
}

// TestMain lets the test below run this program as a launcher that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("SUPERVISE_AS_PARENT") != "" {
		proc, err := supervise.Start(shell("exec sleep 1000")())
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(proc.PID())
		<-proc.Done()
		return
	}
	os.Exit(m.Run())
}

func TestKillingTheParentKillsTheChild(t *testing.T) {
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("there is no parent-death signal on this system")
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "SUPERVISE_AS_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatalf("the parent does not say its child: %v", err)
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	eventually(t, "the child is gone", func() bool { return gone(child) })
}

func TestLinesAreWhole(t *testing.T) {
	var got []string
	lines := supervise.NewLines(func(line []byte) { got = append(got, string(line)) })
	for _, piece := range []string{"a", "b\r\nc\n\nd", "e\n", "rest"} {
		if n, err := lines.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("Write says %d, %v", n, err)
		}
	}
	if want := "ab|c||de"; strings.Join(got, "|") != want {
		t.Errorf("lines are %q, want %q", got, want)
	}
	got = nil
	_, _ = lines.Write(bytes.Repeat([]byte("x"), 100<<10))
	if len(got) != 1 {
		t.Errorf("an overlong line gives %d pieces, want 1", len(got))
	}
}

func TestTailKeepsTheLast(t *testing.T) {
	tail := supervise.NewTail(2)
	for _, line := range []string{"a", "b", "c"} {
		tail.Add(line)
	}
	if got := strings.Join(tail.Lines(), ""); got != "bc" {
		t.Errorf("it keeps %q, want bc", got)
	}
}
