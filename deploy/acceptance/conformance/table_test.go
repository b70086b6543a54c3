package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sidecart.dev/kit/sidecar/statetest"
)

const (
	readme   = "../../../components/README.md"
	begin    = "<!-- capabilities: written by go test ./conformance -update -->"
	end      = "<!-- end of capabilities -->"
	notTried = "not tried"
)

func unique() string { return uuid.NewString() }

// table has an answer for each store and row. Stores that this machine cannot run have none.
type table map[string]map[string]string

func (tb table) set(store, row, answer string) {
	if tb[store] == nil {
		tb[store] = map[string]string{}
	}
	tb[store][row] = answer
}

func rows() []string {
	var all []string
	for _, check := range statetest.Checks {
		all = append(all, check.Name)
	}
	for _, p := range probes {
		all = append(all, p.name)
	}
	return all
}

// render writes the table with the columns in the order of stores.
func (tb table) render() string {
	var b strings.Builder
	b.WriteString("| |")
	for _, s := range stores() {
		fmt.Fprintf(&b, " %s |", s.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(stores())) + "\n")
	for _, row := range rows() {
		fmt.Fprintf(&b, "| %s |", row)
		for _, s := range stores() {
			answer := tb[s.name][row]
			if answer == "" {
				answer = notTried
			}
			fmt.Fprintf(&b, " %s |", answer)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// parse reads a rendered table.
func parse(text string) table {
	tb := table{}
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
				tb.set(columns[i], cells[0], cells[i])
			}
		}
	}
	return tb
}

// compare fails if the README does not say what was found, for the stores that were tried; with -update it is changed.
func (tb table) compare(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin+"\n")
	require.True(t, ok, "%s has no line %s", readme, begin)
	written, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no line %s", readme, end)
	known := parse(strings.TrimSpace(written))
	for name, answers := range known {
		if tb[name] == nil && slices.ContainsFunc(stores(), func(s store) bool { return s.name == name }) {
			tb[name] = answers
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(before+begin+"\n\n"+tb.render()+"\n"+end+after), 0o644))
		return
	}
	assert.Equal(t, strings.TrimSpace(written), strings.TrimSpace(tb.render()),
		"the table in %s is not what was found: run go test ./conformance -run TestStateStores -update", readme)
}
