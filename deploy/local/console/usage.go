package console

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// usage remembers how much processor time each process had used, to tell how much it uses now.
type usage struct {
	mu   sync.Mutex
	seen map[int]spent
}

type spent struct {
	at        time.Time
	processor time.Duration
	rate      float64
}

func newUsage() *usage { return &usage{seen: map[int]spent{}} }

// of returns the resident bytes of a process and its share of one core.
func (u *usage) of(pid int) (memory int64, processor float64) {
	if pid == 0 {
		return 0, -1
	}
	memory, total, ok := readProc(pid)
	if !ok {
		memory, total, ok = askPS(pid)
	}
	if !ok {
		return 0, -1
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	last, known := u.seen[pid]
	if len(u.seen) > 1000 { // processes come and go
		clear(u.seen)
	}
	if known && now.Sub(last.at) < time.Second { // two pages ask at once
		return memory, last.rate
	}
	rate := -1.0
	if known && total >= last.processor {
		rate = (total - last.processor).Seconds() / now.Sub(last.at).Seconds()
	}
	u.seen[pid] = spent{at: now, processor: total, rate: rate}
	return memory, rate
}

// ticks is how many parts of a second Linux counts processor time in, for programs.
const ticks = 100

// readProc reads Linux's own record of a process.
func readProc(pid int) (memory int64, processor time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	// The second field is the program's name in brackets, which may itself have blanks and
	// brackets.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 22 {
		return 0, 0, false
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	pages, err3 := strconv.ParseInt(fields[21], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return 0, 0, false
	}
	return pages * int64(os.Getpagesize()), time.Duration(user+system) * time.Second / ticks, true
}

// askPS asks the program ps, where there is no /proc.
func askPS(pid int) (memory int64, processor time.Duration, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ps := exec.CommandContext(ctx, "ps", "-o", "rss=,time=", "-p", strconv.Itoa(pid))
	text, err := ps.Output()
	if err != nil {
		return 0, 0, false
	}
	return parsePS(string(text))
}

// parsePS reads kilobytes and [[days-]hours:]minutes:seconds.
func parsePS(text string) (memory int64, processor time.Duration, ok bool) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0, 0, false
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	days, clock, hasDays := strings.Cut(fields[1], "-")
	if !hasDays {
		days, clock = "0", fields[1]
	}
	seconds := 0.0
	for part := range strings.SplitSeq(clock, ":") {
		value, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0, 0, false
		}
		seconds = seconds*60 + value
	}
	whole, err := strconv.Atoi(days)
	if err != nil {
		return 0, 0, false
	}
	seconds += float64(whole) * 24 * 60 * 60
	return kilobytes << 10, time.Duration(seconds * float64(time.Second)), true
}
