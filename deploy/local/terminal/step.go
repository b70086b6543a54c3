package terminal

import (
	"fmt"
	"time"
)

// plainProgress is how often progress is shown where lines cannot be redrawn.
const plainProgress = 10 * time.Second

// Step is one thing that takes time. It must be ended with Done or Fail.
type Step struct {
	c     *Terminal
	name  string
	start time.Time
	shown time.Time
}

// Step begins a step; on a terminal its line stays at the bottom until the end.
func (c *Terminal) Step(format string, args ...any) *Step {
	now := time.Now()
	s := &Step{c: c, name: fmt.Sprintf(format, args...), start: now, shown: now}
	s.redraw("")
	return s
}

// Progress says how far the step is.
func (s *Step) Progress(text string) {
	if s.c == nil {
		return
	}
	if s.c.tty {
		s.redraw(": " + text)
		return
	}
	if time.Since(s.shown) >= plainProgress {
		s.shown = time.Now()
		s.c.say("info", "…", "2", s.name+": "+text)
	}
}

func (s *Step) redraw(suffix string) {
	c := s.c
	if c == nil || !c.tty {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = fmt.Sprintf("… %s%s (%.0f s)", s.name, suffix, time.Since(s.start).Seconds())
	fmt.Fprint(c.out, "\r\x1b[K", c.live)
}

// Done ends the step well. The detail may be empty.
func (s *Step) Done(detail string) {
	if detail != "" {
		detail = ": " + detail
	}
	took := time.Since(s.start).Seconds()
	s.end("info", "✓", "32", fmt.Sprintf("%s%s (%.1f s)", s.name, detail, took))
}

// Fail ends the step badly; the reason is the caller's to report.
func (s *Step) Fail() { s.end("error", "✗", "31", s.name) }

func (s *Step) end(level, mark, color, text string) {
	if s.c == nil {
		return
	}
	s.c.mu.Lock()
	if s.c.live != "" {
		s.c.live = ""
		fmt.Fprint(s.c.out, "\r\x1b[K")
	}
	s.c.mu.Unlock()
	s.c.say(level, mark, color, text)
}
