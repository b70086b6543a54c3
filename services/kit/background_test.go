package kit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unguarded are the functions that run in a goroutine of their own and are not guarded, and why. A
// name is that of the function that runs, or of the one that starts it if it has none.
var unguarded = map[string]string{
	"kit/chassis answer":                  "the HTTP server recovers from panics by itself",
	"kit/chassis watch":                   "only waits",
	"kit/cmd/copystate copyAll":           "a command that is to end",
	"kit/service/servicetest Start":       "a test",
	"kit/sidecar/statetest race":          "a test",
	"kit/telemetry/metricstest described": "a test",
	"orders lookAgain":                    "only wakes the journal",
	"notifications Run/cancel":            "ends a context",
	"payments Drain":                      "only waits",
	"gateway/http newUpload":              "only sets a deadline",
	"notifications Run":                   "the senders guard each message; the rest is the queue's own memory",
	"notifications noteOnce":              "only wakes the journal",
	"notifications enqueue":               "only wakes the journal",
	"payments work/cancel":                "ends a context",

	// They guard what they call for others, and answer those who wait in any case.
	"kit/batch look": "only starts a call",
	"kit/batch send": "the calls guard themselves",

	// The journal guards the store and the settler. A panic in its own memory is meant to end the
	// process: what is left of that memory might forget an id, while the log, which the next owner
	// reads, does not.
	"kit/journal Run":        "the journal's memory",
	"kit/journal releaseAll": "the journal's memory",
	"kit/journal run":        "the journal's memory",
	"kit/journal hold":       "the journal's memory",
}

// TestAPanicInTheBackgroundEndsNoService finds every goroutine of every service, and wants what
// runs in it guarded.
func TestAPanicInTheBackgroundEndsNoService(t *testing.T) {
	found := map[string]bool{}
	guarded := 0
	for _, dir := range packages(t, "..") {
		for _, start := range goroutines(t, dir) {
			name := strings.TrimPrefix(filepath.ToSlash(dir), "../") + " " + start.name
			switch {
			case start.guarded:
				guarded++
			case unguarded[name] == "":
				t.Errorf("%s: %s runs in a goroutine of its own without fault.Guard", start.at, name)
			default:
				found[name] = true
			}
		}
	}
	assert.Greater(t, guarded, 5, "guarded goroutines are found")
	for name := range unguarded {
		assert.True(t, found[name], "%s is excused, but starts or runs no unguarded goroutine", name)
	}
}

func packages(t *testing.T, root string) []string {
	t.Helper()
	var dirs []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	}))
	return dirs
}

type goroutine struct {
	name    string
	at      token.Position
	guarded bool
}

// goroutines returns what the package in a directory starts, tests aside: by the go statement, by a
// method named Go, or by a function named AfterFunc.
func goroutines(t *testing.T, dir string) []goroutine {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	set := token.NewFileSet()
	declared := map[string]*ast.FuncDecl{}
	var functions []*ast.FuncDecl
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				declared[f.Name.Name] = f
				functions = append(functions, f)
			}
		}
	}
	var started []goroutine
	for _, f := range functions {
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if runs := startedBy(n); runs != nil {
				started = append(started, describe(runs, f, declared, set.Position(n.Pos())))
			}
			return true
		})
	}
	return started
}

// startedBy returns the function that a node starts in a goroutine, or nil.
func startedBy(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.GoStmt:
		return n.Call.Fun
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || len(n.Args) == 0 {
			return nil
		}
		// background.Group and payments.Pool guard what they run. Their Go takes a context as well,
		// unlike that of a WaitGroup.
		if method.Sel.Name == "AfterFunc" || method.Sel.Name == "Go" && len(n.Args) == 1 {
			return n.Args[len(n.Args)-1]
		}
	}
	return nil
}

// describe looks at what runs: a literal, or a function declared in the package.
func describe(runs ast.Expr, in *ast.FuncDecl, declared map[string]*ast.FuncDecl, at token.Position) goroutine {
	g := goroutine{name: in.Name.Name, at: at}
	switch runs := runs.(type) {
	case *ast.FuncLit:
		g.guarded = guards(runs.Body)
	case *ast.SelectorExpr:
		if f := declared[runs.Sel.Name]; f != nil {
			g.name, g.guarded = f.Name.Name, guards(f.Body)
		}
	case *ast.Ident:
		if f := declared[runs.Name]; f != nil {
			g.name, g.guarded = f.Name.Name, guards(f.Body)
		} else {
			g.name += "/" + runs.Name
		}
	}
	return g
}

func guards(body ast.Node) bool {
	guarded := false
	ast.Inspect(body, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Guard" {
			guarded = true
		}
		return true
	})
	return guarded
}
