package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"sidecart.dev/local/backends"
	"sidecart.dev/local/terminal"
)

// runBackends runs PostgreSQL and Redis until a signal. Their addresses and passwords are in the
// file that `sidecart run --components production` reads by default.
func runBackends(set settings) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	out := terminal.New(os.Stdout, set.json)
	step := out.Step("start PostgreSQL and Redis")
	dir := filepath.Join(set.options.StateDir, "backends")
	b, err := backends.Start(ctx, backends.Config{
		Dir: dir, Output: func(server, line string) { out.Log(server, []byte(line)) },
	})
	if err != nil {
		step.Fail()
		return err
	}
	step.Done("")
	file := filepath.Join(set.options.StateDir, "production.env")
	if err := b.WriteEnv(file); err != nil {
		return errors.Join(err, b.Stop())
	}
	out.Table("Backends are ready", [][2]string{
		{"PostgreSQL", b.PostgreSQL.Addr()},
		{"Redis", b.Redis.Addr() + " (TLS)"},
		{"environment", file},
		{"then", "make run COMPONENTS=production"},
	})
	<-ctx.Done()
	return b.Stop()
}
