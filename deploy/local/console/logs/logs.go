// Package logs keeps the newest log lines of each source in memory, and hands on those that come.
package logs

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Record is one line.
type Record struct {
	Seq     uint64    `json:"seq"` // rises by one with every line of all sources
	At      time.Time `json:"at"`
	Source  string    `json:"source"` // an app, an app's sidecar as "app/daprd", or a server
	Level   string    `json:"level"`  // debug, info, warn, error, or empty where the line has none
	Message string    `json:"message"`
	Fields  string    `json:"fields,omitempty"` // the rest of the line as key=value
	Trace   string    `json:"trace,omitempty"`
}

// Query says which lines are wanted. The zero value of a field asks for nothing.
type Query struct {
	Source string // an app, with its sidecar, or exactly one source
	Level  string // at least this level; lines without one count as info
	Text   string // part of the message or fields, in any case
	Trace  string
	Since  time.Time
	Limit  int // zero means 500
}

// Limits bound a [Store], for each source. The zero value of each field means its default.
type Limits struct {
	Lines, Bytes int // 2,000 and 1 MiB
}

// Store keeps the newest lines. It is safe for concurrent use; a nil Store keeps nothing.
type Store struct {
	limits Limits
	now    func() time.Time

	mu        sync.Mutex
	seq       uint64
	sources   map[string]*ring
	followers map[*Follower]struct{}
}

type ring struct {
	lines []Record // oldest first
	bytes int
}

// New makes an empty store.
func New(limits Limits) *Store {
	limits = Limits{Lines: cmp.Or(limits.Lines, 2_000), Bytes: cmp.Or(limits.Bytes, 1<<20)}
	return &Store{
		limits: limits, now: time.Now,
		sources: map[string]*ring{}, followers: map[*Follower]struct{}{},
	}
}

// Add takes a line of a source. It never waits for a reader: one that is too slow misses lines.
func (s *Store) Add(source, line string) {
	if s == nil {
		return
	}
	record := parse(line)
	record.Source = source
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	record.Seq, record.At = s.seq, s.now()
	from := s.sources[source]
	if from == nil {
		from = &ring{}
		s.sources[source] = from
	}
	from.add(record, s.limits)
	for f := range s.followers {
		f.tell(record)
	}
}

func (r *ring) add(record Record, limits Limits) {
	r.lines = append(r.lines, record)
	r.bytes += record.size()
	for len(r.lines) > limits.Lines || r.bytes > limits.Bytes && len(r.lines) > 1 {
		r.bytes -= r.lines[0].size()
		r.lines[0] = Record{} // let go of its text
		r.lines = r.lines[1:]
	}
}

func (r Record) size() int { return 128 + len(r.Message) + len(r.Fields) + len(r.Trace) }

// Search returns the newest lines that a query asks for, oldest first.
func (s *Store) Search(q Query) []Record {
	found := []Record{}
	if s == nil {
		return found
	}
	s.mu.Lock()
	for _, from := range s.sources {
		for _, record := range from.lines {
			if q.wants(record) {
				found = append(found, record)
			}
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return found[max(0, len(found)-cmp.Or(q.Limit, 500)):]
}

// Sources are the names under which there are lines, sorted.
func (s *Store) Sources() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for name := range s.sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var order = map[string]int{"debug": 1, "info": 2, "": 2, "warn": 3, "error": 4}

func (q Query) wants(r Record) bool {
	app, _, _ := strings.Cut(r.Source, "/")
	return (q.Source == "" || q.Source == r.Source || q.Source == app) &&
		(q.Level == "" || order[r.Level] >= order[q.Level]) &&
		(q.Trace == "" || q.Trace == r.Trace) &&
		(q.Since.IsZero() || r.At.After(q.Since)) &&
		(q.Text == "" || contains(r.Message, q.Text) || contains(r.Fields, q.Text))
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
