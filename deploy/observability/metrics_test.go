package observability

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// metric is one of the services', as its source describes it.
type metric struct {
	kind, help string
	labels     []string
}

// bounded says of each label why it has few values: a label that anything could be makes a series
// of anything.
var bounded = map[string]string{
	"channel": "email and sms", "go_version": "one for each process",
	"journal": "the service's own name",
	"kind":    "of message, in one table", "method": "HTTP's own, and OTHER",
	"operation": "of the provider's interface",
	"outcome":   "in the source", "result": "in the source",
	"route":  "templates of the router, and unmatched",
	"status": "HTTP's own, and those in the source", "topic": "those with a handler, and unknown",
	"trigger": "of the state machine", "type": "events with a handler",
	"verdict": "of the state machine",
	"version": "one for each process", "what": "in the source",
}

// metrics reads the metrics of the services from their source, by name.
func metrics(t *testing.T) map[string]metric {
	t.Helper()
	found, err := read()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var read = sync.OnceValues(func() (map[string]metric, error) {
	found := map[string]metric{}
	err := filepath.WalkDir("../../services", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				name, m := described(call, filepath.ToSlash(filepath.Dir(path)))
				if known, ok := found[name]; name != "" &&
					(!ok || len(m.labels) > len(known.labels)) {
					found[name] = m // a call within it describes it less
				}
			}
			return true
		})
		return nil
	})
	return found, err
})

// described returns the metric that a call makes: of the client library, or of a function of the
// package that takes a name and what it says, as the journal and the queues have.
func described(call *ast.CallExpr, dir string) (name string, m metric) {
	if f, ok := call.Fun.(*ast.Ident); ok {
		return byFunction(f, call, dir)
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 || !strings.HasPrefix(f.Sel.Name, "New") {
		return "", m
	}
	switch first := call.Args[0].(type) {
	case *ast.CompositeLit:
		for _, part := range []string{"Namespace", "Subsystem"} {
			if p := text(field(first, part)); p != "" {
				name += p + "_"
			}
		}
		name += text(field(first, "Name"))
		m = metric{help: text(field(first, "Help")), labels: constLabels(first, dir)}
	case *ast.CallExpr:
		if by, ok := first.Fun.(*ast.Ident); ok {
			name, m = byFunction(by, first, dir)
		}
	}
	m.kind = strings.ToLower(
		strings.TrimSuffix(
			strings.TrimSuffix(strings.TrimPrefix(f.Sel.Name, "New"), "Vec"),
			"Func",
		),
	)
	if len(call.Args) > 1 && strings.HasSuffix(f.Sel.Name, "Vec") {
		m.labels = append(m.labels, texts(call.Args[1])...)
	}
	return name, m
}

func byFunction(f *ast.Ident, call *ast.CallExpr, dir string) (name string, m metric) {
	if f.Name != "counter" && f.Name != "gauge" || len(call.Args) < 2 {
		return "", m
	}
	if strings.HasSuffix(dir, journalDir) {
		return "sidecart_journal_" + text(
			call.Args[0],
		), metric{
			f.Name,
			text(call.Args[1]),
			[]string{"journal"},
		}
	}
	return text(call.Args[0]), metric{f.Name, text(call.Args[1]), []string{"channel"}}
}

const journalDir = "kit/journal"

func field(lit *ast.CompositeLit, name string) ast.Expr {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && fmt.Sprint(kv.Key) == name {
			return kv.Value
		}
	}
	return nil
}

// constLabels are the labels that a metric has in the whole process. Those of the journal stand in
// a variable.
func constLabels(opts *ast.CompositeLit, dir string) (names []string) {
	if _, variable := field(opts, "ConstLabels").(*ast.Ident); variable &&
		strings.HasSuffix(dir, journalDir) {
		return []string{"journal"}
	}
	if labels, ok := field(opts, "ConstLabels").(*ast.CompositeLit); ok {
		for _, e := range labels.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				names = append(names, text(kv.Key))
			}
		}
	}
	return names
}

func given(args []ast.Expr) (names []string) {
	for _, arg := range args {
		if name := text(arg); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// texts are the elements of a list of texts.
func texts(e ast.Expr) []string {
	if list, ok := e.(*ast.CompositeLit); ok {
		return given(list.Elts)
	}
	return nil
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

func TestTheTableHasEveryMetric(t *testing.T) {
	found := metrics(t)
	var table strings.Builder
	table.WriteString(
		"# Metrics\n\nWritten from the source by `go test . -args -update`. Besides these there are Go's own and the process's.\n\n" +
			"| metric | kind | labels | what it says |\n|---|---|---|---|\n",
	)
	used := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		m := found[name]
		if m.help == "" {
			t.Errorf("%s does not say what it is", name)
		}
		for _, label := range m.labels {
			if used[label] = true; bounded[label] == "" {
				t.Errorf(
					"%s has the label %s, of which nobody says why it has few values",
					name,
					label,
				)
			}
		}
		fmt.Fprintf(
			&table,
			"| `%s` | %s | %s | %s |\n",
			name,
			m.kind,
			strings.Join(m.labels, ", "),
			m.help,
		)
	}
	table.WriteString("\nEach label has few values:\n\n| label | values |\n|---|---|\n")
	for _, label := range slices.Sorted(maps.Keys(bounded)) {
		if !used[label] {
			t.Errorf("no metric has the label %s", label)
		}
		fmt.Fprintf(&table, "| `%s` | %s |\n", label, bounded[label])
	}
	generated(t, "METRICS.md", table.String())
}
