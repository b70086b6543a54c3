// Package terminal shows what the launcher and its children do: steps with
// progress, prefixed log lines, notices and a table, as text or as JSON lines.
package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Terminal writes whole lines; it is safe for concurrent use. The zero value is
// not usable, a nil Terminal shows nothing.
type Terminal struct {
	mu    sync.Mutex
	out   io.Writer
	tty   bool
	color bool
	json  bool
	live  string // the unfinished step at the bottom of a terminal
	width int    // of the widest prefix so far
}

// New makes a terminal on out. Colour and live progress are used only on a
// terminal; NO_COLOR (https://no-color.org) turns colour off.
func New(out io.Writer, asJSON bool) *Terminal {
	c := &Terminal{out: out, json: asJSON}
	if file, ok := out.(*os.File); ok && !asJSON {
		c.tty = term.IsTerminal(int(file.Fd()))
		c.color = c.tty && os.Getenv("NO_COLOR") == ""
	}
	return c
}

// Redirect sends everything from now on to out, which is not a terminal.
func (c *Terminal) Redirect(out io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out, c.tty, c.color = out, false, false
}

// Reserve makes room for prefixes as long as name.
func (c *Terminal) Reserve(name string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.width = max(c.width, len(name))
}

// Log shows one line of a child's output.
func (c *Terminal) Log(source string, line []byte) {
	if c == nil {
		return
	}
	if c.json {
		c.object("info", "", map[string]any{"source": source, "line": embed(line)})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.width = max(c.width, len(source))
	prefix := source + strings.Repeat(" ", c.width-len(source)) + " |"
	c.print(c.paint(prefix, colorOf(source)) + " " + strings.ToValidUTF8(string(line), "?"))
}

// embed keeps a line that is a JSON object as one.
func embed(line []byte) any {
	if bytes.HasPrefix(line, []byte("{")) && json.Valid(line) {
		return json.RawMessage(bytes.Clone(line))
	}
	return strings.ToValidUTF8(string(line), "?")
}

// Notice shows something that a person should see, such as a restart.
func (c *Terminal) Notice(format string, args ...any) {
	c.say("warn", "!", "33", fmt.Sprintf(format, args...))
}

// Info shows a fact.
func (c *Terminal) Info(format string, args ...any) {
	c.say("info", "·", "2", fmt.Sprintf(format, args...))
}

func (c *Terminal) say(level, mark, color, text string) {
	if c == nil {
		return
	}
	if c.json {
		c.object(level, text, nil)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.print(c.paint(mark, color) + " " + text)
}

// Table shows rows of a label and a text under a title.
func (c *Terminal) Table(title string, rows [][2]string) {
	if c == nil {
		return
	}
	if c.json {
		fields := map[string]any{}
		for _, row := range rows {
			fields[strings.ReplaceAll(row[0], " ", "_")] = row[1]
		}
		c.object("info", title, fields)
		return
	}
	width := 0
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.print("")
	c.print(c.paint(title, "1"))
	for _, row := range rows {
		c.print(fmt.Sprintf("  %-*s  %s", width, row[0], row[1]))
	}
	c.print("")
}

func (c *Terminal) object(level, msg string, fields map[string]any) {
	entry := map[string]any{"time": time.Now().UTC().Format(time.RFC3339Nano), "level": level}
	if msg != "" {
		entry["msg"] = msg
	}
	for key, value := range fields {
		entry[key] = value
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, "%s\n", text)
}

// print writes one line above the live one. The caller holds the lock.
func (c *Terminal) print(line string) {
	if c.live != "" {
		fmt.Fprint(c.out, "\r\x1b[K")
	}
	fmt.Fprintln(c.out, line)
	if c.live != "" {
		fmt.Fprint(c.out, c.live)
	}
}

func (c *Terminal) paint(text, code string) string {
	if !c.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// colorOf gives each source a colour of its own, the same every time.
func colorOf(source string) string {
	name, _, _ := strings.Cut(source, "/")
	sum := fnv.New32a()
	sum.Write([]byte(name))
	return fmt.Sprint(31 + (sum.Sum32()>>3)%6)
}
