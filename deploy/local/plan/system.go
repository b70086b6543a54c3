package plan

import (
	"fmt"
	"slices"
	"strings"

	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
)

// secretsVariable is what a component set may refer to for the secrets file; the launcher's own
// stands in for it.
const secretsVariable = "SIDECART_SECRETS_FILE"

// System is what is to run, as it was read: the run file with the chosen apps only, and the
// component set in each folder that they name.
type System struct {
	File *runfile.File
	Sets map[string]*resources.Set
	// Inherited are the launcher's own variables. Given are those of the env file and the options,
	// which stand above the run file's. All are KEY=VALUE; of two with one key the later is meant.
	Inherited, Given []string
}

// Variable looks a variable up among those that are given and inherited.
func (s System) Variable(name string) (value string, ok bool) {
	for _, line := range slices.Backward(slices.Concat(s.Inherited, s.Given)) {
		if key, value, _ := strings.Cut(line, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// Replace puts the resources of a file in place of those of the same kind and name.
func (s System) Replace(path string, file *resources.Set) error {
	replaced := 0
	for _, set := range s.Sets {
		replaced += set.Replace(file)
	}
	if replaced == 0 {
		return fmt.Errorf(
			"%s replaces nothing: no resource of the set has its kind and name", path)
	}
	return nil
}

// Bind gives the variables that the components refer to their values. The error names all that
// have none.
func (s System) Bind(secretsFile string) error {
	lookup := func(name string) (string, bool) {
		if value, ok := s.Variable(name); ok {
			return value, true
		}
		return secretsFile, name == secretsVariable
	}
	var missing []string
	for _, set := range s.Sets {
		for _, ref := range set.Bind(lookup) {
			loads := func(app runfile.App) bool { return ref.LoadedBy(app.AppID) }
			if slices.ContainsFunc(s.File.Apps, loads) {
				missing = append(missing, fmt.Sprintf("%s (component %s)", ref.Name, ref.Component))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("the components need variables that are not set: %s; "+
		"put them into a file for --env-file, as in deploy/local/production.env.example",
		strings.Join(missing, ", "))
}
