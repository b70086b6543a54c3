package plan

import (
	"path/filepath"
	"slices"
	"strings"
)

// Build is a program of an app that has to be built before it can run.
type Build struct {
	App    string
	Dir    string
	Args   []string // of the go command
	Target string   // the file that it writes
}

// goRun is a `go run` command taken apart.
type goRun struct {
	flags []string
	pkg   string
	args  []string
}

// parseGoRun recognises `go run [-flag[=value]]… PKG [ARG]…`. A flag whose value is a word of
// its own is not recognised; such a command is run as it stands.
func parseGoRun(command []string) (goRun, bool) {
	if len(command) < 3 || command[0] != "go" || command[1] != "run" {
		return goRun{}, false
	}
	rest := command[2:]
	isPackage := func(word string) bool { return !strings.HasPrefix(word, "-") }
	at := slices.IndexFunc(rest, isPackage)
	if at < 0 {
		return goRun{}, false
	}
	run := goRun{flags: rest[:at], pkg: rest[at], args: rest[at+1:]}
	return run, strings.HasPrefix(run.pkg, ".") || strings.Contains(run.pkg, "/")
}

// build is the build that the command begins with.
func (r goRun) build(app *App, binDir string) Build {
	target := filepath.Join(binDir, app.AppID)
	return Build{
		App: app.AppID, Dir: app.AppDirPath, Target: target,
		Args: slices.Concat([]string{"build"}, r.flags, []string{"-o", target, r.pkg}),
	}
}
