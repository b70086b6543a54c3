package main

import (
	"fmt"
	"time"

	"sidecart.dev/kit/config"
	"sidecart.dev/kit/service"
)

// settings is what payments reads from the environment.
type settings struct {
	service.Config

	// Provider is simulated or stripe.
	Provider string `env:"PAYMENT_PROVIDER" envDefault:"simulated"`
	// ProviderTimeout bounds one call to the provider.
	ProviderTimeout time.Duration `env:"PROVIDER_TIMEOUT" envDefault:"10s"`
	// GiveUpAfter is how long a charge may be undecided before it counts as declined.
	GiveUpAfter time.Duration `env:"PROVIDER_GIVE_UP" envDefault:"1h"`
	// Prompt is how long a new order waits for the provider; see prompt.
	Prompt *time.Duration `env:"PROVIDER_PROMPT"`
	// SlowDelay is how long tok_slow takes.
	SlowDelay time.Duration `env:"SIMULATED_SLOW" envDefault:"2500ms"`
	// StripeEndpoint is the HTTPEndpoint of the Stripe-compatible API.
	StripeEndpoint string `env:"STRIPE_ENDPOINT" envDefault:"stripe"`
	// MaxCharges is the number of payments driven at the same time.
	MaxCharges int `env:"MAX_CHARGES" envDefault:"1024"`
}

// prompt is how long a new order waits for the provider. Unless that is set, only the simulated one
// is waited for, because a provider far away usually takes longer than a message may be held up.
func (s *settings) prompt() time.Duration {
	switch {
	case s.Prompt != nil:
		return *s.Prompt
	case s.Provider == "simulated":
		return 250 * time.Millisecond
	default:
		return 0
	}
}

// Validate implements [config.Validator].
func (s *settings) Validate() error {
	var provider error
	if s.Provider != "simulated" && s.Provider != "stripe" {
		provider = fmt.Errorf("PAYMENT_PROVIDER must be simulated or stripe, not %q", s.Provider)
	}
	if provider == nil && s.SlowDelay >= s.ProviderTimeout {
		provider = fmt.Errorf("SIMULATED_SLOW (%s) must be less than PROVIDER_TIMEOUT (%s), "+
			"or tok_slow never has an answer", s.SlowDelay, s.ProviderTimeout)
	}
	if provider == nil && s.prompt() < 0 {
		provider = fmt.Errorf("PROVIDER_PROMPT (%s) must not be negative", s.prompt())
	}
	return config.All(s.Config.Validate(), provider,
		config.Positive("PROVIDER_TIMEOUT", s.ProviderTimeout),
		config.Positive("PROVIDER_GIVE_UP", s.GiveUpAfter),
		config.Positive("SIMULATED_SLOW", s.SlowDelay),
		config.Positive("MAX_CHARGES", s.MaxCharges))
}
