package stack

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sidecart.dev/local/plan"
	"sidecart.dev/local/resources"
	"sidecart.dev/local/runfile"
)

// replaceVariable has the files of Options.Replace, with commas between them, for where the options
// have none.
const replaceVariable = "SIDECART_REPLACE"

// read reads what the options name: the run file with the chosen apps, every resource folder once,
// and the variables, which the resources have got in the result.
func (o Options) read() (plan.System, error) {
	file, err := runfile.Load(o.File)
	if err != nil {
		return plan.System{}, err
	}
	system := plan.System{
		File: file, Sets: map[string]*resources.Set{}, Inherited: os.Environ(),
	}
	if system.Given, err = o.extraEnv(); err != nil {
		return system, err
	}
	if err := o.selectApps(file); err != nil {
		return system, err
	}
	if err := o.readSets(system); err != nil {
		return system, err
	}
	if err := o.replaceResources(system); err != nil || o.BackingOnly {
		return system, err
	}
	return system, system.Bind(filepath.Join(o.StateDir, "secrets.json"))
}

// extraEnv is the environment from EnvFile and Env, as KEY=VALUE.
func (o Options) extraEnv() ([]string, error) {
	var env []string
	if o.EnvFile != "" {
		file, err := os.Open(o.EnvFile)
		if err != nil {
			return nil, fmt.Errorf("the env file cannot be read: %w", err)
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for n := 1; lines.Scan(); n++ {
			line := strings.TrimSpace(lines.Text())
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if key, _, ok := strings.Cut(line, "="); !ok || key == "" {
				return nil, fmt.Errorf("%s:%d is not KEY=VALUE", o.EnvFile, n)
			}
			env = append(env, line)
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	for key, value := range o.Env {
		env = append(env, key+"="+value)
	}
	return env, nil
}

func (o Options) selectApps(file *runfile.File) error {
	if len(o.Apps) == 0 {
		return nil
	}
	var ids []string
	for _, app := range file.Apps {
		ids = append(ids, app.AppID)
	}
	for _, id := range o.Apps {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("there is no app %q in %s, only %v", id, o.File, ids)
		}
	}
	file.Apps = slices.DeleteFunc(file.Apps, func(a runfile.App) bool {
		return !slices.Contains(o.Apps, a.AppID)
	})
	return nil
}

// readSets puts the chosen component set in place and reads every resource folder.
func (o Options) readSets(system plan.System) error {
	for i := range system.File.Apps {
		app := &system.File.Apps[i]
		paths := make([]string, len(app.ResourcesPaths))
		for j, path := range app.ResourcesPaths {
			chosen, err := o.componentSet(path)
			if err != nil {
				return err
			}
			paths[j] = chosen
			if system.Sets[chosen] != nil {
				continue
			}
			if system.Sets[chosen], err = resources.Load(chosen); err != nil {
				return err
			}
		}
		app.ResourcesPaths = paths
	}
	return nil
}

// componentSet replaces the folder of a component set by the chosen one.
func (o Options) componentSet(path string) (string, error) {
	isSet := filepath.Base(path) == "embedded" || filepath.Base(path) == "production"
	if o.Components == "" || !isSet {
		return path, nil
	}
	beside := filepath.Join(filepath.Dir(path), o.Components)
	if isFolder(beside) && filepath.Base(o.Components) == o.Components {
		return beside, nil
	}
	if !isFolder(o.Components) {
		return "", fmt.Errorf("the component set %q is neither a folder nor one beside %s",
			o.Components, path)
	}
	return filepath.Abs(o.Components)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// replaceResources puts the files of Options.Replace in place.
func (o Options) replaceResources(system plan.System) error {
	files := o.Replace
	value, _ := system.Variable(replaceVariable)
	if files == nil && o.Components != "" && value != "" {
		files = strings.Split(value, ",")
	}
	for _, path := range files {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(o.File), path)
		}
		file, err := resources.LoadFile(path)
		if err != nil {
			return err
		}
		if err := system.Replace(path, file); err != nil {
			return err
		}
	}
	return nil
}
