// Package config reads a service's configuration from the environment.
package config

import (
	"errors"
	"fmt"

	"github.com/caarlos0/env/v11"
)

// Validator is implemented by configurations with rules beyond their fields' types.
type Validator interface {
	// Validate returns what is wrong, naming the environment variable.
	Validate() error
}

// Load fills the fields of out that are tagged `env:"NAME"` (with `envDefault:"…"`) and validates.
// An error names every variable that is missing or wrong.
func Load(out any) error {
	if err := env.Parse(out); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	if v, ok := out.(Validator); ok {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("environment: %w", err)
		}
	}
	return nil
}

// Positive returns an error naming the variable unless n > 0.
func Positive[N ~int | ~int64 | ~float64](name string, n N) error {
	if n > 0 {
		return nil
	}
	return fmt.Errorf("%s must be greater than zero, not %v", name, n)
}

// All joins errors, dropping nils.
func All(errs ...error) error { return errors.Join(errs...) }
