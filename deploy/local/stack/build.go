package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"sidecart.dev/local/daprd"
	"sidecart.dev/local/runfile"
)

// build finds or builds the sidecar and builds every app that the run file
// starts with `go run`.
func (s *Stack) build(ctx context.Context) error {
	if err := s.findDaprd(ctx, s.file.Apps[0].RuntimePath); err != nil {
		return err
	}
	if err := os.MkdirAll(s.opts.BinDir, 0o755); err != nil {
		return err
	}
	for i := range s.file.Apps {
		app := &s.file.Apps[i]
		if len(app.Command) == 0 {
			continue
		}
		run, ok := parseGoRun(app.Command)
		if !ok {
			continue
		}
		if err := s.buildApp(ctx, app, run); err != nil {
			return err
		}
	}
	return nil
}

// goRun is a `go run` command taken apart.
type goRun struct {
	flags []string
	pkg   string
	args  []string
}

// parseGoRun recognises `go run [-flag[=value]]… PKG [ARG]…`. A flag whose value
// is a word of its own is not recognised; such a command is run as it stands.
func parseGoRun(command []string) (goRun, bool) {
	if len(command) < 3 || command[0] != "go" || command[1] != "run" {
		return goRun{}, false
	}
	rest := command[2:]
	var run goRun
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		run.flags = append(run.flags, rest[0])
		rest = rest[1:]
	}
	if len(rest) == 0 || !strings.HasPrefix(rest[0], ".") && !filepath.IsAbs(rest[0]) && !strings.Contains(rest[0], "/") {
		return goRun{}, false
	}
	run.pkg, run.args = rest[0], rest[1:]
	return run, true
}

// buildApp builds the app's package and puts the binary into its command.
func (s *Stack) buildApp(ctx context.Context, app *runfile.App, run goRun) error {
	step := s.opts.Terminal.Step("build %s", app.AppID)
	target := filepath.Join(s.opts.BinDir, app.AppID)
	args := append([]string{"build"}, run.flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", target, run.pkg)...)
	cmd.Dir = app.AppDirPath
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		step.Fail()
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("the services are built with Go, and there is no `go` on PATH: install it from https://go.dev/dl")
		}
		return fmt.Errorf("%s does not build:\n%s", app.AppID, strings.TrimSpace(output.String()))
	}
	step.Done("")
	app.Command = append([]string{target}, run.args...)
	return nil
}

// Daprd finds a sidecar, or builds one, and returns its path. Only File and
// Terminal of the options matter.
func Daprd(ctx context.Context, opts Options) (string, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return "", err
	}
	s := &Stack{opts: opts}
	err = s.findDaprd(ctx, "")
	return s.daprdPath, err
}

func (s *Stack) findDaprd(ctx context.Context, runtimePath string) error {
	step := s.opts.Terminal.Step("find daprd")
	found, skipped, err := daprd.Search(ctx, runtimePath)
	if err != nil {
		step.Fail()
		return err
	}
	for _, reason := range skipped {
		s.opts.Terminal.Info("passed over %s", reason)
	}
	if found != nil {
		s.daprdPath = found.Path
		step.Done(fmt.Sprintf("%s in %s", found.Version, found.Where))
		return nil
	}
	module := s.sidecarModule()
	target, err := daprd.CachedPath(ctx, module)
	if err != nil {
		step.Fail()
		return fmt.Errorf("no daprd in $DAPRD, on PATH or in ~/.dapr/bin, and none can be built: %w", err)
	}
	s.daprdPath = target
	if _, err := os.Stat(target); err == nil {
		step.Done(daprd.Version + " built earlier")
		return nil
	}
	step.Done("none at hand")
	return s.buildDaprd(ctx, module, target)
}

func (s *Stack) buildDaprd(ctx context.Context, module, target string) error {
	s.opts.Terminal.Info("the first build of the sidecar takes several minutes and is then kept in %s", filepath.Dir(target))
	step := s.opts.Terminal.Step("build daprd %s", daprd.Version)
	if err := daprd.Build(ctx, module, target, step.Progress); err != nil {
		step.Fail()
		return err
	}
	step.Done("")
	return nil
}

// sidecarModule is the folder of the sidecar's module: beside the run file, as
// in this repository, else where this source was compiled.
func (s *Stack) sidecarModule() string {
	beside := filepath.Join(filepath.Dir(s.opts.File), "deploy", "local", "sidecar")
	if _, err := os.Stat(filepath.Join(beside, "go.mod")); err == nil {
		return beside
	}
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), "..", "sidecar")
}
