package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	readme   = components + "/README.md"
	notTried = "not tried"
)

func unique() string { return uuid.NewString() }

// table is one generated table of the README: an answer for each column, which is a product, and
// row, which is something that is asked of it. Columns that this machine cannot run are left empty.
// Its methods are safe for concurrent use.
type table struct {
	name          string // in the comments around it
	test          string // that fills it
	columns, rows []string

	mu      sync.Mutex
	answers answers
}

// answers are by column and row.
type answers map[string]map[string]string

func newTable(name, test string) *table { return &table{name: name, test: test, answers: answers{}} }

func (tb *table) begin() string {
	return fmt.Sprintf("<!-- %s: written by go test ./conformance -run %s -update -->", tb.name, tb.test)
}
func (tb *table) end() string { return fmt.Sprintf("<!-- end of %s -->", tb.name) }

func (tb *table) set(column, row, answer string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.answers.set(column, row, answer)
}

func (a answers) set(column, row, answer string) {
	if a[column] == nil {
		a[column] = map[string]string{}
	}
	a[column][row] = answer
}

// render writes the table. Where nothing was found it says what was known before; where nothing was
// known before, news decides whether it says what was found, or what is still written there.
func (tb *table) render(known answers, news bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(tb.columns, " | "), strings.Repeat("---|", len(tb.columns)))
	for _, row := range tb.rows {
		fmt.Fprintf(&b, "| %s |", row)
		for _, column := range tb.columns {
			answer := tb.answers[column][row]
			if answer == "" || !news && known[column][row] == notTried {
				answer = known[column][row]
			}
			if answer == "" {
				answer = notTried
			}
			fmt.Fprintf(&b, " %s |", answer)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// news are the answers found to what is known to be not tried, a line for each.
func (tb *table) news(known answers) (lines []string) {
	for _, column := range tb.columns {
		for _, row := range tb.rows {
			if answer := tb.answers[column][row]; answer != "" && known[column][row] == notTried {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", column, row, answer))
			}
		}
	}
	return lines
}

// parse reads a rendered table.
func parse(text string) answers {
	found := answers{}
	var columns []string
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case columns == nil:
			columns = cells
		case len(cells) == len(columns) && cells[0] != "---":
			for i := 1; i < len(cells); i++ {
				found.set(columns[i], cells[0], cells[i])
			}
		}
	}
	return found
}

// compare fails if the README does not say what was found; with -update it is changed. What this
// machine could not try is taken from the README as it is. What the README calls not tried and this
// machine could try, as one with a product that the authors' machines lack, is no failure. The
// test's output names both.
func (tb *table) compare(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), tb.begin()+"\n")
	require.True(t, ok, "%s has no line %s", readme, tb.begin())
	written, after, ok := strings.Cut(rest, tb.end())
	require.True(t, ok, "%s has no line %s", readme, tb.end())
	written = strings.TrimSpace(written)
	known := parse(written)
	if *update {
		rendered := tb.render(known, true)
		require.NoError(t, os.WriteFile(readme, []byte(before+tb.begin()+"\n\n"+rendered+"\n"+tb.end()+after), 0o644))
		return
	}
	assert.Equal(t, written, strings.TrimSpace(tb.render(known, false)),
		"the table of %s in %s is not what was found: run go test ./conformance -run %s -update", tb.name, readme, tb.test)
	if news := tb.news(known); len(news) > 0 {
		t.Logf("%s: found here, and not tried according to %s:\n%s", tb.name, readme, strings.Join(news, "\n"))
	}
	skipped := slices.DeleteFunc(slices.Clone(tb.columns), func(column string) bool { return tb.answers[column] != nil })
	if len(skipped) > 0 {
		t.Logf("%s: not compared, because not tried here: %s", tb.name, strings.Join(skipped, ", "))
	}
}
