package walls

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Inside fails the test if a file of the package in the current folder uses what is declared in one
// above it. The order is that of the last table in the package's documentation, below the heading
// "Inside", which names every file but doc.go.
func Inside(t *testing.T) {
	t.Helper()
	files := token.NewFileSet()
	parsed, err := parseHere(files)
	if err != nil {
		t.Fatal(err)
	}
	order := orderOf(parsed["doc.go"].Doc.Text())
	var all []*ast.File
	for name, file := range parsed {
		all = append(all, file)
		if name != "doc.go" && !slices.Contains(order, name) {
			t.Errorf("doc.go does not say where %s stands", name)
		}
	}
	uses := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	pkg, _ := config.Check(".", files, all, uses) // what is imported is not known, and need not be
	found := 0
	for ident, object := range uses.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		from := path.Base(files.Position(ident.Pos()).Filename)
		to := path.Base(files.Position(object.Pos()).Filename)
		if from != to {
			found++
		}
		if slices.Index(order, from) > slices.Index(order, to) {
			t.Errorf("%s: %s is declared above, in %s", files.Position(ident.Pos()), ident.Name, to)
		}
	}
	if found < len(order) {
		t.Errorf("only %d uses were found", found)
	}
}

// parseHere parses the files of the package in the current folder, without its tests.
func parseHere(files *token.FileSet) (map[string]*ast.File, error) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	parsed := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if parsed[name], err = parser.ParseFile(files, name, source, parser.ParseComments); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

var aFile = regexp.MustCompile(`\b\w+\.go\b`)

// orderOf reads the names of files below the heading, from the top to the bottom.
func orderOf(doc string) []string {
	_, inside, _ := strings.Cut(doc, "# Inside")
	return aFile.FindAllString(inside, -1)
}

// nothing stands for what a package imports.
type nothing struct{}

// Import implements [types.Importer].
func (nothing) Import(of string) (*types.Package, error) {
	pkg := types.NewPackage(of, path.Base(of))
	pkg.MarkComplete()
	return pkg, nil
}
