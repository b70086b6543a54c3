package harness

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Disk is a small file system of a test's own, which can be filled up. It is not safe for
// concurrent use.
type Disk struct{ Dir string }

// NewDisk mounts a file system of so many bytes in memory on dir, which it makes, until the test
// ends. The test is skipped where that is not allowed.
func NewDisk(t testing.TB, dir string, size int64) Disk {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o711)) //nolint:gosec // PostgreSQL runs as another user
	if err := mount(dir, size); err != nil {
		t.Skip("a small disk cannot be mounted here: ", err)
	}
	t.Cleanup(func() { require.NoError(t, unmount(dir)) })
	return Disk{dir}
}

func (d Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill leaves no room.
func (d Disk) Fill() error {
	file, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Free gives the room back.
func (d Disk) Free() error { return os.Remove(d.ballast()) }
