package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// thisProcess is the customers, their mail server and the launcher.
const thisProcess = "customers, launcher"

// processes are the ids of the system's processes by name, this one's included.
func (r *rig) processes() map[string]int {
	all := map[string]int{thisProcess: os.Getpid()}
	for _, app := range r.stack.Apps() {
		all[app.ID], all[app.ID+"/daprd"] = app.PID, app.SidecarPID
	}
	if pid := redisPID(); pid != 0 {
		all["redis"] = pid
	}
	return all
}

// redisPID finds the redis-server among this process's children; 0 where there is none or no /proc.
func redisPID() int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		name, fields := readStat(path)
		if len(fields) > 1 && strings.HasPrefix(name, "redis-server") && fields[1] == strconv.Itoa(os.Getpid()) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}

// readStat returns the name and the fields after it of a /proc/PID/stat: state, parent, ….
func readStat(path string) (name string, fields []string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", nil
	}
	text := string(raw)
	from, to := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if from < 0 || to < from {
		return "", nil
	}
	return text[from+1 : to], strings.Fields(text[to+1:])
}

const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux

// busyTime is the time that all processors together were not idle since the machine started; 0
// where there is no /proc.
func busyTime() time.Duration {
	raw, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	busy := 0
	for i, field := range strings.Fields(line) {
		if ticks, err := strconv.Atoi(field); err == nil && i != 4 && i != 5 && i < 9 { // not idle, not waiting for a disk; guests are users
			busy += ticks
		}
	}
	return time.Duration(busy) * tick
}

// cpu is the processor time that each process has used; empty where there is no /proc.
func (r *rig) cpu() map[string]time.Duration {
	used := map[string]time.Duration{}
	for name, pid := range r.processes() {
		_, fields := readStat(fmt.Sprintf("/proc/%d/stat", pid))
		if len(fields) < 13 {
			continue
		}
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		used[name] = time.Duration(user+system) * tick
	}
	return used
}

// memory is the resident memory of each process in MB; empty where there is no /proc.
func (r *rig) memory() map[string]float64 {
	used := map[string]float64{}
	for name, pid := range r.processes() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
				used[name] = kb / 1024
			}
		}
	}
	return used
}
