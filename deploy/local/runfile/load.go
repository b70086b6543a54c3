package runfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads, resolves and checks the run file. In the result every path is
// absolute and exists, every app has inherited from `common`, and app ids and
// ports are unique. The error is one sentence that names file and field.
func Load(path string) (*File, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(abs)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the run file %s does not exist", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the run file cannot be read: %w", err)
	}
	file, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := file.resolve(filepath.Dir(abs)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := file.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// Parse decodes one YAML document strictly: an unknown field is an error.
func Parse(text []byte) (*File, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var file File
	if err := dec.Decode(&file); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the run file is empty")
		}
		return nil, errors.New(oneLine(err.Error()))
	}
	return &file, nil
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

// resolve makes every path absolute, the common ones from the run file's folder
// and an app's from its own, and lets the apps inherit from `common`.
func (f *File) resolve(base string) error {
	common := f.Common
	if err := common.resolvePaths(base, "common"); err != nil {
		return err
	}
	f.Common = common
	for i := range f.Apps {
		app := &f.Apps[i]
		if app.AppDirPath == "" {
			return fmt.Errorf("apps[%d] (%s) has no appDirPath", i, app.AppID)
		}
		app.AppDirPath = from(base, app.AppDirPath)
		if info, err := os.Stat(app.AppDirPath); err != nil || !info.IsDir() {
			return fmt.Errorf("apps[%d].appDirPath %s is not a folder", i, app.AppDirPath)
		}
		if app.AppID == "" {
			app.AppID = filepath.Base(app.AppDirPath)
		}
		if err := app.resolvePaths(app.AppDirPath, "app "+app.AppID); err != nil {
			return err
		}
		app.inherit(&common)
	}
	return nil
}

// resolvePaths makes the section's paths absolute and checks that they exist.
func (s *Shared) resolvePaths(base, section string) error {
	if s.ResourcesPath != "" && len(s.ResourcesPaths) == 0 {
		s.ResourcesPaths = []string{s.ResourcesPath}
	}
	s.ResourcesPath = ""
	paths := make([]string, len(s.ResourcesPaths))
	for i, path := range s.ResourcesPaths {
		paths[i] = from(base, path)
		if info, err := os.Stat(paths[i]); err != nil || !info.IsDir() {
			return fmt.Errorf("%s: resourcesPaths %s is not a folder", section, path)
		}
	}
	s.ResourcesPaths = paths
	if s.ConfigFilePath != "" {
		config := from(base, s.ConfigFilePath)
		if info, err := os.Stat(config); err != nil || info.IsDir() {
			return fmt.Errorf("%s: configFilePath %s is not a file", section, s.ConfigFilePath)
		}
		s.ConfigFilePath = config
	}
	return nil
}

func from(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// inherit fills the zero values of s from common; env is merged per variable.
func (s *Shared) inherit(common *Shared) {
	if len(s.ResourcesPaths) == 0 {
		s.ResourcesPaths = common.ResourcesPaths
	}
	env := maps.Clone(common.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, s.Env)
	s.Env = env

	fill(&s.ConfigFilePath, common.ConfigFilePath)
	fill(&s.AppProtocol, common.AppProtocol)
	fill(&s.AppMaxConcurrency, common.AppMaxConcurrency)
	fill(&s.AppSSL, common.AppSSL)
	fill(&s.APIListenAddresses, common.APIListenAddresses)
	fill(&s.MaxBodySize, common.MaxBodySize)
	fill(&s.ReadBufferSize, common.ReadBufferSize)
	fill(&s.EnableProfiling, common.EnableProfiling)
	fill(&s.EnableAPILogging, common.EnableAPILogging)
	fill(&s.LogLevel, common.LogLevel)
	fill(&s.EnableAppHealthCheck, common.EnableAppHealthCheck)
	fill(&s.AppHealthCheckPath, common.AppHealthCheckPath)
	fill(&s.AppHealthProbeInterval, common.AppHealthProbeInterval)
	fill(&s.AppHealthProbeTimeout, common.AppHealthProbeTimeout)
	fill(&s.AppHealthThreshold, common.AppHealthThreshold)
	fill(&s.PlacementHostAddress, common.PlacementHostAddress)
	fill(&s.SchedulerHostAddress, common.SchedulerHostAddress)
	fill(&s.RuntimePath, common.RuntimePath)
	fill(&s.AppLogDestination, common.AppLogDestination)
	fill(&s.DaprdLogDestination, common.DaprdLogDestination)
}

func fill[T comparable](value *T, inherited T) {
	var zero T
	if *value == zero {
		*value = inherited
	}
}
