package bench

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if text := summary.String(); text != "" {
		fmt.Printf("\n%s\n", text)
	}
	if made != "" {
		_ = os.RemoveAll(made)
	}
	os.Exit(code)
}

// report gathers what the benchmarks found, for the table at the end.
type report struct {
	mu    sync.Mutex
	lines []string
}

var summary report

func (r *report) String() string { return strings.Join(r.lines, "\n") }

// section begins a part of the table.
func (r *report) section(title string) { r.text("\n" + title) }

// text adds lines as they are.
func (r *report) text(lines string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, strings.TrimRight(lines, "\n"))
}

// fact adds a number.
func (r *report) fact(what, format string, args ...any) {
	r.text(fmt.Sprintf("  %-44s %s", what, fmt.Sprintf(format, args...)))
}

// bar adds a number that is meant to reach something.
func (r *report) bar(what string, value string, bar string, reached bool) {
	verdict := "reached"
	if !reached {
		verdict = "MISSED"
	}
	r.text(fmt.Sprintf("  %-44s %-12s %-12s %s", what, value, bar, verdict))
}
