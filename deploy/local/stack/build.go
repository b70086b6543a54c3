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
	"sidecart.dev/local/plan"
)

// build builds every app that the run file starts with `go run`.
func (s *Stack) build(ctx context.Context) error {
	for _, b := range s.plan.Builds {
		step := s.opts.Terminal.Step("build %s", b.App)
		if err := runBuild(ctx, b); err != nil {
			step.Fail()
			return err
		}
		step.Done("")
	}
	return nil
}

func runBuild(ctx context.Context, b plan.Build) error {
	if err := os.MkdirAll(filepath.Dir(b.Target), 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", b.Args...)
	cmd.Dir = b.Dir
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("the services are built with Go, and there is no `go` on PATH: " +
			"install it from https://go.dev/dl")
	}
	if err != nil {
		return fmt.Errorf("%s does not build:\n%s", b.App, strings.TrimSpace(output.String()))
	}
	return nil
}

// Daprd finds a sidecar, or builds one, and returns its path. Only File and
// Terminal of the options matter.
func Daprd(ctx context.Context, opts Options) (string, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return "", err
	}
	return opts.findDaprd(ctx, "")
}

func (o Options) findDaprd(ctx context.Context, runtimePath string) (string, error) {
	step := o.Terminal.Step("find daprd")
	found, skipped, err := daprd.Search(ctx, runtimePath)
	if err != nil {
		step.Fail()
		return "", err
	}
	for _, reason := range skipped {
		o.Terminal.Info("passed over %s", reason)
	}
	if found != nil {
		step.Done(fmt.Sprintf("%s in %s", found.Version, found.Where))
		return found.Path, nil
	}
	module := o.sidecarModule()
	target, err := daprd.CachedPath(ctx, module)
	if err != nil {
		step.Fail()
		return "", fmt.Errorf(
			"no daprd in $DAPRD, on PATH or in ~/.dapr/bin, and none can be built: %w", err)
	}
	if _, err := os.Stat(target); err == nil {
		step.Done(daprd.Version + " built earlier")
		return target, nil
	}
	step.Done("none at hand")
	return target, o.buildDaprd(ctx, module, target)
}

func (o Options) buildDaprd(ctx context.Context, module, target string) error {
	o.Terminal.Info("the first build of the sidecar takes several minutes and is then kept in %s",
		filepath.Dir(target))
	step := o.Terminal.Step("build daprd %s", daprd.Version)
	if err := daprd.Build(ctx, module, target, step.Progress); err != nil {
		step.Fail()
		return err
	}
	step.Done("")
	return nil
}

// sidecarModule is the folder of the sidecar's module: beside the run file, as
// in this repository, else where this source was compiled.
func (o Options) sidecarModule() string {
	beside := filepath.Join(filepath.Dir(o.File), "deploy", "local", "sidecar")
	if _, err := os.Stat(filepath.Join(beside, "go.mod")); err == nil {
		return beside
	}
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), "..", "sidecar")
}
