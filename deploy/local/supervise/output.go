package supervise

import (
	"bytes"
	"io"
	"sync"
)

// maxLine bounds what is kept of a line without an end, in bytes.
const maxLine = 64 << 10

// Lines is a writer that hands on whole lines, without their newline. Overlong
// lines are cut into pieces. Safe for concurrent use; each call of emit is
// serialised.
type Lines struct {
	emit func(line []byte)

	mu   sync.Mutex
	rest []byte
}

var _ io.Writer = (*Lines)(nil)

// NewLines makes a writer that calls emit for each line. The slice is valid
// only during the call.
func NewLines(emit func(line []byte)) *Lines { return &Lines{emit: emit} }

// Write takes any piece of text; it never fails.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		l.rest = append(l.rest, p[:end]...)
		l.flush()
		p = p[end+1:]
	}
	l.rest = append(l.rest, p...)
	if len(l.rest) > maxLine {
		l.flush()
	}
	return n, nil
}

func (l *Lines) flush() {
	l.emit(bytes.TrimSuffix(l.rest, []byte("\r")))
	l.rest = l.rest[:0]
}

// Tail keeps the last lines of a process, to say why it ended. Safe for
// concurrent use.
type Tail struct {
	mu    sync.Mutex
	lines []string
	max   int
}

// NewTail keeps at most max lines.
func NewTail(max int) *Tail { return &Tail{max: max} }

// Add appends a line.
func (t *Tail) Add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == t.max {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, line)
}

// Lines returns the kept lines, oldest first.
func (t *Tail) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}
