// Package stack runs the whole system on this machine: the apps of a run file
// with their sidecars, a Redis, an inbox and the secrets, all on loopback.
//
//	opts := stack.Options{File: "dapr.yaml", StateDir: t.TempDir(), FreePorts: true}
//	st, err := stack.Start(ctx, opts)
//	defer st.Stop(ctx)
//	http.Get(st.GatewayURL + "/api/v1/products")
//
// Start reads what the options name, has package plan say what that comes to, and carries it out.
package stack

import (
	"path/filepath"
	"time"

	"sidecart.dev/local/terminal"
)

// Options says what to run. Only File is needed.
type Options struct {
	// File is the run file, in the Dapr CLI's multi-app format.
	File string
	// Components is the component set that takes the place of the run file's:
	// the name of a folder beside it ("production") or a folder's path. Empty
	// leaves the run file's.
	Components string
	// Replace are resource files whose resources take the place of those of the
	// same kind and name: one component is swapped by one file. Paths are
	// relative to the run file. With none, $SIDECART_REPLACE has them, if
	// Components is set.
	Replace []string
	// Apps are the ids of the apps to run; empty means all.
	Apps []string
	// StateDir is the folder for everything that is written; empty means
	// .sidecart beside the run file. One stack at a time can use it.
	StateDir string
	// FreePorts gives every listener a free port, and starts a Redis and an
	// inbox of its own, so that any number of stacks share a machine.
	FreePorts bool
	// NoRestart leaves a process that died dead.
	NoRestart bool
	// EnvFile has lines KEY=VALUE for apps and sidecars; Env is laid over it.
	EnvFile string
	Env     map[string]string
	// BackingOnly starts no app: only what `dapr run -f .` needs beside it.
	BackingOnly bool
	// InProcessRedis ignores a redis-server on PATH.
	InProcessRedis bool
	// BinDir is where the apps' binaries are built; empty means in StateDir.
	// Stacks of the same sources may share one.
	BinDir string
	// ReadyTimeout bounds the time from the start of the processes until all
	// are ready; zero means three minutes.
	ReadyTimeout time.Duration
	// Terminal shows progress and logs; nil shows nothing.
	Terminal *terminal.Terminal
	// Console brings the web console: see package console.
	Console bool
	// JSONLogs makes the sidecars log JSON.
	JSONLogs bool
}

func (o Options) withDefaults() (Options, error) {
	if o.File == "" {
		o.File = "dapr.yaml"
	}
	file, err := filepath.Abs(o.File)
	if err != nil {
		return o, err
	}
	if o.StateDir == "" {
		o.StateDir = filepath.Join(filepath.Dir(file), ".sidecart")
	}
	if o.StateDir, err = filepath.Abs(o.StateDir); err != nil {
		return o, err
	}
	if o.BinDir == "" {
		o.BinDir = filepath.Join(o.StateDir, "bin")
	}
	if o.BinDir, err = filepath.Abs(o.BinDir); err != nil {
		return o, err
	}
	if o.ReadyTimeout <= 0 {
		o.ReadyTimeout = 3 * time.Minute
	}
	return o, nil
}
