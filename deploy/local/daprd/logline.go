package daprd

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// LogLine is what matters of a line that daprd logged.
type LogLine struct{ Level, Message string }

// ParseLogLine reads daprd's two formats, JSON and key=value. A line in neither
// is a message without a level.
func ParseLogLine(line string) LogLine {
	if strings.HasPrefix(line, "{") {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil {
			return LogLine{entry.Level, entry.Msg}
		}
	}
	level := field(line, "level=")
	if level == "" {
		return LogLine{Message: line}
	}
	return LogLine{level, field(line, "msg=")}
}

func field(line, key string) string {
	at := strings.Index(line, key)
	if at < 0 || at > 0 && line[at-1] != ' ' {
		return ""
	}
	rest := line[at+len(key):]
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		text, _ := strconv.Unquote(quoted)
		return text
	}
	word, _, _ := strings.Cut(rest, " ")
	return word
}

// Shown tells whether a line of this level belongs on a screen that shows
// minimum and above. A line without a level (a panic) always does.
func (l LogLine) Shown(minimum string) bool {
	order := map[string]int{"debug": 1, "info": 2, "warning": 3, "warn": 3, "error": 4, "fatal": 5}
	if order[l.Level] == 0 {
		return true
	}
	if minimum == "" {
		minimum = "info"
	}
	return order[l.Level] >= order[minimum]
}

// componentFailure is what daprd wraps around the reason why a component cannot be used: three
// times the same.
var componentFailure = regexp.MustCompile(`^Fatal error from runtime: process component .*` +
	`\[INIT_COMPONENT_FAILURE\]: initialization error occurred for (\S+ \(\S+\)): `)

// Reason is the message that says why daprd ended: the last fatal one, else the
// last error, else the last line.
func Reason(lines []string) string {
	var last, failure string
	for _, line := range lines {
		parsed := ParseLogLine(line)
		switch parsed.Level {
		case "fatal":
			return componentFailure.ReplaceAllString(parsed.Message, "the component $1: ")
		case "error":
			failure = parsed.Message
		}
		last = parsed.Message
	}
	if failure != "" {
		return failure
	}
	return last
}

// Draining recognises the line that says that a sidecar ends: it takes no more
// messages, and its API keeps serving.
func Draining(l LogLine) bool { return strings.HasPrefix(l.Message, "Blocking graceful shutdown") }
