package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
	"sidecart.dev/local/terminal"
)

const (
	// detachedEnv marks the program that runs in the background.
	detachedEnv = "SIDECART_DETACHED"
	// readyMark is its last line to the one that started it.
	readyMark = "\x00ready"
)

func isDetached() bool { return os.Getenv(detachedEnv) != "" }

// detach runs this program again in a session of its own, shows what it prints
// until it is ready, and leaves it.
func detach(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), detachedEnv+"=1")
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.Close()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	lines := bufio.NewScanner(r)
	last := ""
	for lines.Scan() {
		if lines.Text() == readyMark {
			fmt.Printf("It runs in the background as process %d; `sidecart stop` ends it.\n",
				cmd.Process.Pid)
			return cmd.Process.Release()
		}
		if last != "" {
			fmt.Println(last)
		}
		last = lines.Text()
	}
	_ = cmd.Wait()
	if last == "" {
		last = "the stack ended before it was ready"
	}
	return errors.New(trimName(last))
}

// trimName takes this program's name from a message that it will get again.
func trimName(message string) string {
	const name = "sidecart: "
	if len(message) > len(name) && message[:len(name)] == name {
		return message[len(name):]
	}
	return message
}

// announceReady tells the program that waits, and writes to a log from now on.
func announceReady(out *terminal.Terminal, logs string) {
	file, err := os.Create(filepath.Join(logs, "launcher.log"))
	if err != nil {
		out.Notice("no launcher.log: %v", err)
		file, _ = os.Open(os.DevNull)
	}
	fmt.Fprintln(os.Stdout, readyMark)
	out.Redirect(file)
	for _, std := range []*os.File{os.Stdout, os.Stderr} {
		_ = unix.Dup2(int(file.Fd()), int(std.Fd()))
	}
}
