package stack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// logFile is a file that several writers may share.
type logFile struct {
	mu   sync.Mutex
	file *os.File
}

// openLog starts the log <name>.log anew; that of the run before is kept as
// <name>.log.1.
func openLog(dir, name string) (*logFile, error) {
	path := filepath.Join(dir, name+".log")
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &logFile{file: file}, nil
}

// Write appends p as it is.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

func (l *logFile) writeLine(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.file.Write(line)
	_, _ = l.file.Write([]byte("\n"))
}
