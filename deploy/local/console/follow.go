package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sidecart.dev/local/console/logs"
)

const (
	// beat finds out that a reader is gone.
	beat = 15 * time.Second
	// pace is how often lines are sent, so that a flood of them reaches a page in few pieces. What
	// does not fit between is missed, and counted.
	pace = 150 * time.Millisecond
)

func logQuery(values url.Values) logs.Query {
	limit, _ := strconv.Atoi(values.Get("limit"))
	return logs.Query{
		Source: values.Get("app"), Level: values.Get("level"),
		Text: values.Get("text"), Trace: values.Get("trace"),
		Limit: min(max(limit, 0), 5_000),
	}
}

func (c *Console) getLogs(w http.ResponseWriter, r *http.Request) {
	foreign := slices.ContainsFunc(c.system.Apps(), func(a App) bool { return a.Foreign })
	write(w, map[string]any{
		"lines": c.logs.Search(logQuery(r.URL.Query())), "sources": c.logs.Sources(),
		"foreign": foreign, // somebody else has the log lines of the apps
	})
}

// followLogs sends the lines that a query asks for as server-sent events: first those that are
// there, then those that come. Who asks again after an interruption gets what came meanwhile.
func (c *Console) followLogs(w http.ResponseWriter, r *http.Request) {
	query := logQuery(r.URL.Query())
	follower := c.logs.Follow(query)
	defer follower.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	s := &logStream{to: w, born: c.born, last: c.lastSeen(r)}
	for _, record := range c.logs.Search(query) {
		s.line(record)
	}
	beats := time.NewTicker(beat)
	defer beats.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	lines, ready := follower.Lines(), pause.C
	for s.flush() {
		from := lines
		if ready != nil { // it was sent something just now
			from = nil
		}
		select {
		case record := <-from:
			s.burst(record, follower)
			pause.Reset(pace)
			ready = pause.C
		case <-ready:
			ready = nil
		case <-beats.C:
			s.say(": still here\n\n")
		case <-r.Context().Done():
			return
		case <-c.closing:
			return
		}
	}
}

// lastSeen is the number of the line that a reader got last, or 0. The numbers of an earlier
// console, which stood at the same address, say nothing.
func (c *Console) lastSeen(r *http.Request) uint64 {
	born, number, _ := strings.Cut(r.Header.Get("Last-Event-ID"), "-")
	last, err := strconv.ParseUint(number, 10, 64)
	if err != nil || born != c.born {
		return 0
	}
	return last
}

// logStream writes lines as events.
type logStream struct {
	to   http.ResponseWriter
	born string
	last uint64 // the number of the line that was sent last
	err  error
}

func (s *logStream) say(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.to, format, args...)
	}
}

// flush tells whether the reader is still there.
func (s *logStream) flush() bool {
	if s.err == nil {
		s.err = http.NewResponseController(s.to).Flush()
	}
	return s.err == nil
}

func (s *logStream) line(record logs.Record) {
	if record.Seq <= s.last {
		return // it is among those that were there
	}
	s.last = record.Seq
	text, err := json.Marshal(record)
	if err != nil {
		s.err = err
		return
	}
	s.say("id: %s-%d\ndata: %s\n\n", s.born, record.Seq, text)
}

// burst sends a line with those that came since, and how many came too fast.
func (s *logStream) burst(first logs.Record, follower *logs.Follower) {
	s.line(first)
	for range len(follower.Lines()) {
		s.line(<-follower.Lines())
	}
	if missed := follower.Missed(); missed > 0 {
		s.say("event: missed\ndata: %d\n\n", missed)
	}
}
