package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"sidecart.dev/local/supervise"
)

// stopGrace is how long redis-server has to write what it holds.
const stopGrace = 5 * time.Second

func serverOnPath() string {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return ""
	}
	return path
}

// process is a redis-server of our own, with an append-only file.
type process struct {
	addr string
	tail *supervise.Tail
	unit *supervise.Unit
}

func newProcess(path string, cfg Config) *process {
	host, port, _ := net.SplitHostPort(cfg.Addr)
	tail := supervise.NewTail(20)
	lines := supervise.NewLines(func(line []byte) {
		tail.Add(string(line))
		if cfg.Output != nil {
			cfg.Output(string(line))
		}
	})
	command := supervise.Command{
		Path: path, Dir: cfg.Dir, Env: os.Environ(), Stdout: lines, Stderr: lines,
		Args: []string{
			"--bind", host, "--port", port, "--daemonize", "no", "--dir", cfg.Dir,
			"--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		},
	}
	return &process{addr: cfg.Addr, tail: tail, unit: supervise.NewUnit(supervise.Config{
		Name: "redis-server", Restart: true, Command: func() supervise.Command { return command },
		OnExit: func(err error, delay time.Duration) {
			if delay >= 0 && cfg.Notice != nil {
				cfg.Notice("redis-server %s; starting it again in %s", supervise.Describe(err), delay)
			}
		},
	})}
}

func (p *process) Addr() string { return p.addr }
func (p *process) Kind() string { return "redis-server" }

// Start waits until the server answers. One that exits meanwhile is an error.
func (p *process) Start(ctx context.Context) error {
	if err := p.unit.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for Ping(ctx, p.addr) != nil {
		select {
		case err := <-p.unit.Failed():
			return p.explain(err)
		case <-ctx.Done():
			p.unit.Stop(0)
			return p.explain(errors.New("redis-server did not answer in time"))
		case <-tick.C:
		}
	}
	p.unit.MarkReady()
	return nil
}

func (p *process) explain(err error) error {
	if lines := p.tail.Lines(); len(lines) > 0 {
		return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return err
}

func (p *process) Stop(context.Context) error {
	p.unit.Stop(stopGrace)
	return nil
}
