package main

import (
	"sidecart.dev/kit/config"
	"sidecart.dev/kit/service"
)

// settings are what the service reads from the environment.
type settings struct {
	service.Config
	HashMemory  uint32 `env:"PASSWORD_MEMORY_KIB"  envDefault:"7168"` // argon2id memory of one hash
	HashTime    uint32 `env:"PASSWORD_PASSES"      envDefault:"5"`    // argon2id passes over it
	HashAtOnce  int    `env:"PASSWORD_PARALLEL"    envDefault:"1"`    // hashes at a time
	HashWaiting int    `env:"PASSWORD_QUEUE"       envDefault:"64"`   // logins that wait; more get 503
}

// Validate implements [config.Validator].
func (s *settings) Validate() error {
	return config.All(s.Config.Validate(), config.Positive("PASSWORD_PARALLEL", s.HashAtOnce),
		config.Positive("PASSWORD_QUEUE", s.HashWaiting))
}
