package daprd

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"sidecart.dev/local/supervise"
)

const linkerFlags = "-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=" + Version

// CacheDir is where built sidecars are kept: $SIDECART_CACHE, or "sidecart" in
// the user's cache folder.
func CacheDir() (string, error) {
	if dir := os.Getenv("SIDECART_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no cache folder (set SIDECART_CACHE): %w", err)
	}
	return filepath.Join(dir, "sidecart"), nil
}

// CachedPath is where the sidecar built from the module in moduleDir belongs.
// The name carries a hash of everything that goes into it.
func CachedPath(ctx context.Context, moduleDir string) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	hash, err := inputsHash(ctx, moduleDir)
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "daprd-"+hash, "daprd"), nil
}

func inputsHash(ctx context.Context, moduleDir string) (string, error) {
	sources, err := goFiles(moduleDir)
	if err != nil {
		return "", fmt.Errorf("the sidecar's module is not in %s: %w", moduleDir, err)
	}
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", missingGo(err)
	}
	sources = append(sources, "go.mod", "go.sum")
	sum := sha256.New()
	fmt.Fprintln(sum, strings.TrimSpace(string(version)), runtime.GOOS, runtime.GOARCH, linkerFlags)
	for _, name := range sources {
		text, err := os.ReadFile(filepath.Join(moduleDir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, name, len(text))
		sum.Write(text)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:16], nil
}

// goFiles returns the module's sources but its tests, relative to dir, sorted.
func goFiles(dir string) ([]string, error) {
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		isSource := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
		if err == nil && !entry.IsDir() && isSource {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there is no Go file")
	}
	return files, err
}

func missingGo(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		//nolint:staticcheck // Go is a name
		return errors.New("Go is needed and there is no `go` on PATH: " +
			"install it from https://go.dev/dl")
	}
	return err
}

// Build builds the sidecar from the module in moduleDir into target, unless it
// is there already, and tells progress a short text now and then. Two builds of
// the same target wait for each other. The first build on a machine downloads
// about a gigabyte of modules and takes minutes.
func Build(ctx context.Context, moduleDir, target string, progress func(string)) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(filepath.Dir(target), "lock"), progress)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	total, err := countPackages(ctx, moduleDir, progress)
	if err != nil {
		return err
	}
	fresh := target + ".new"
	done := 0
	err = runGo(ctx, moduleDir, func(string) {}, func(string) {
		done++
		progress(fmt.Sprintf("compiled %d of %d packages", done, total))
	}, "build", "-v", "-ldflags", linkerFlags, "-o", fresh, ".")
	if err != nil {
		return fmt.Errorf("the sidecar cannot be built: %w", err)
	}
	return os.Rename(fresh, target)
}

// countPackages also makes go download what is missing.
func countPackages(ctx context.Context, moduleDir string, progress func(string)) (int, error) {
	downloads := 0
	packages := 0
	err := runGo(ctx, moduleDir, func(string) { packages++ }, func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			downloads++
			progress(fmt.Sprintf("downloaded %d modules", downloads))
		}
	}, "list", "-deps", ".")
	if err != nil {
		return 0, fmt.Errorf("the sidecar's modules cannot be downloaded: %w", err)
	}
	return packages, nil
}

// runGo runs the go command in the module and hands on its lines. The error
// carries the last line that is not progress.
func runGo(ctx context.Context, dir string, stdout, stderr func(string), args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdout = supervise.NewLines(func(line []byte) { stdout(string(line)) })
	last := ""
	cmd.Stderr = supervise.NewLines(func(text []byte) {
		line := string(text)
		if strings.Contains(line, " ") && !strings.HasPrefix(line, "go: downloading ") {
			last = strings.TrimSpace(line)
		}
		stderr(line)
	})
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case last != "":
		return errors.New(last)
	}
	return missingGo(err)
}

// lock takes the file's lock, which the kernel frees when the program ends.
func lock(path string, progress func(string)) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		progress("waiting for another build of the same sidecar")
		if err := syscall.Flock(fd, syscall.LOCK_EX); err != nil {
			file.Close()
			return nil, err
		}
	}
	return func() { file.Close() }, nil
}
