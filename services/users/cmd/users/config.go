package main

import (
	"sidecart.dev/kit/chassis"
	"sidecart.dev/kit/config"
)

// settings are what the service reads from the environment.
type settings struct {
	chassis.Config
	StateStore  string `env:"STATE_STORE"          envDefault:"users-store"` // state component
	PubSub      string `env:"PUBSUB"               envDefault:"bus"`         // pub/sub component
	HashMemory  uint32 `env:"PASSWORD_MEMORY_KIB"  envDefault:"7168"`        // argon2id memory of one hash
	HashTime    uint32 `env:"PASSWORD_PASSES"      envDefault:"5"`           // argon2id passes over it
	HashAtOnce  int    `env:"PASSWORD_PARALLEL"    envDefault:"1"`           // hashes at one time: each needs the memory and a core
	HashWaiting int    `env:"PASSWORD_QUEUE"       envDefault:"64"`          // logins that may wait for their turn; more are answered 503
	Instance    string `env:"INSTANCE"`                                      // tells a restart from a second replica; see journal.Config
}

// Validate implements [config.Validator].
func (s *settings) Validate() error {
	return config.All(s.Config.Validate(), config.Positive("PASSWORD_PARALLEL", s.HashAtOnce), config.Positive("PASSWORD_QUEUE", s.HashWaiting))
}
