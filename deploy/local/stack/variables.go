package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sidecart.dev/local/resources"
)

// secretsVariable is what a component set may refer to for the secrets file; the launcher's own
// stands in for it.
const secretsVariable = "SIDECART_SECRETS_FILE"

// replaceVariable has the files of Options.Replace, with commas between them, for where the options
// have none.
const replaceVariable = "SIDECART_REPLACE"

// replaceResources puts the files of Options.Replace in place.
func (s *Stack) replaceResources(sets map[string]*resources.Set) error {
	files := s.opts.Replace
	if value, _ := s.variable(replaceVariable); files == nil && s.opts.Components != "" && value != "" {
		files = strings.Split(value, ",")
	}
	for _, path := range files {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(s.opts.File), path)
		}
		file, err := resources.LoadFile(path)
		if err != nil {
			return err
		}
		replaced := 0
		for _, set := range sets {
			replaced += set.Replace(file)
		}
		if replaced == 0 {
			return fmt.Errorf("%s replaces nothing: no resource of the set has its kind and name", path)
		}
	}
	return nil
}

// bindVariables gives the variables that the components refer to their values: of the options, the
// env file or this process. The error names all that have none.
func (s *Stack) bindVariables(sets map[string]*resources.Set) error {
	if s.opts.BackingOnly {
		return nil
	}
	lookup := func(name string) (string, bool) {
		if value, ok := s.variable(name); ok {
			return value, true
		}
		return filepath.Join(s.opts.StateDir, "secrets.json"), name == secretsVariable
	}
	s.sets = sets
	var missing []string
	for _, set := range sets {
		s.refs = append(s.refs, set.References()...)
		for _, ref := range set.Bind(lookup) {
			if s.isRun(ref) {
				missing = append(missing, fmt.Sprintf("%s (component %s)", ref.Name, ref.Component))
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("the components need variables that are not set: %s; put them into a file for --env-file, "+
			"as in deploy/local/production.env.example", strings.Join(missing, ", "))
	}
	return nil
}

// variable looks a variable up in the options, the env file and this process's environment.
func (s *Stack) variable(name string) (value string, ok bool) {
	for _, line := range slices.Backward(slices.Concat(os.Environ(), s.extra)) {
		if key, value, _ := strings.Cut(line, "="); key == name {
			return value, true
		}
	}
	return "", false
}

func (s *Stack) isRun(ref resources.Reference) bool {
	for _, app := range s.file.Apps {
		if ref.LoadedBy(app.AppID) {
			return true
		}
	}
	return false
}

// bound is the value of a variable that a component refers to.
func (s *Stack) bound(name string) (value string, ok bool) {
	for _, set := range s.sets {
		if value, ok := set.Bound(name); ok {
			return value, true
		}
	}
	return "", false
}

// environment is what the stack's processes are given.
func (s *Stack) environment(addresses resources.Addresses) environment {
	return environment{
		inherited: os.Environ(), extra: s.extra, references: s.refs, bound: s.bound,
		addresses: addresses, metricsToken: s.MetricsToken, spans: s.otlpEnv(),
		jsonLogs: s.opts.JSONLogs,
	}
}
