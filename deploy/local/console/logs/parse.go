package logs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxText bounds what is kept of a line, in bytes.
const maxText = 8 << 10

// parse reads the formats of the services and the sidecars, key=value and JSON. A line in neither
// is a message without a level.
func parse(line string) Record {
	line = strings.ToValidUTF8(line, "?")
	if len(line) > maxText {
		line = strings.ToValidUTF8(strings.Clone(line[:maxText]), "") + "…"
	}
	pairs, ok := jsonPairs(line)
	if !ok {
		pairs, ok = textPairs(line)
	}
	var r Record
	if !ok {
		r.Message = line
		return r
	}
	var rest []string
	for _, p := range pairs {
		switch p[0] {
		case "level":
			r.Level = level(p[1])
		case "msg", "message":
			r.Message = p[1]
		case "trace_id":
			r.Trace = p[1]
		case "time", "service", "app_id", "instance", "ver", "type": // of every line
		default:
			rest = append(rest, p[0]+"="+quoted(p[1]))
		}
	}
	if r.Level == "" && r.Message == "" {
		return Record{Message: line}
	}
	r.Fields = strings.Join(rest, " ")
	return r
}

func level(text string) string {
	switch text = strings.ToLower(text); text {
	case "warning":
		return "warn"
	case "fatal", "panic":
		return "error"
	case "debug", "info", "warn", "error":
		return text
	default:
		return ""
	}
}

func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \"=\n\t") {
		return strconv.Quote(value)
	}
	return value
}

func jsonPairs(line string) ([][2]string, bool) {
	if !strings.HasPrefix(line, "{") {
		return nil, false
	}
	var object map[string]any
	if json.Unmarshal([]byte(line), &object) != nil {
		return nil, false
	}
	var pairs [][2]string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		pairs = append(pairs, [2]string{key, fmt.Sprint(object[key])})
	}
	return pairs, true
}

// textPairs reads key=value pairs, whose values may be quoted. It gives up at the first word that
// is none.
func textPairs(line string) (pairs [][2]string, ok bool) {
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, after, found := strings.Cut(rest, "=")
		if !found || key == "" || strings.ContainsAny(key, " \"") {
			return nil, false
		}
		if value, err := strconv.QuotedPrefix(after); err == nil && after != "" {
			text, _ := strconv.Unquote(value)
			pairs, rest = append(pairs, [2]string{key, text}), after[len(value):]
			continue
		}
		value, _, _ := strings.Cut(after, " ")
		pairs, rest = append(pairs, [2]string{key, value}), after[len(value):]
	}
	return pairs, len(pairs) > 0
}
