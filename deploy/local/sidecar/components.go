package main

import (
	bindingshttp "github.com/dapr/components-contrib/bindings/http"
	"github.com/dapr/components-contrib/bindings/smtp"
	twilio "github.com/dapr/components-contrib/bindings/twilio/sms"
	nrkubernetes "github.com/dapr/components-contrib/nameresolution/kubernetes"
	"github.com/dapr/components-contrib/nameresolution/mdns"
	nrsqlite "github.com/dapr/components-contrib/nameresolution/sqlite"
	pubsubmemory "github.com/dapr/components-contrib/pubsub/in-memory"
	pubsubredis "github.com/dapr/components-contrib/pubsub/redis"
	secretkubernetes "github.com/dapr/components-contrib/secretstores/kubernetes"
	secretenv "github.com/dapr/components-contrib/secretstores/local/env"
	secretfile "github.com/dapr/components-contrib/secretstores/local/file"
	statememory "github.com/dapr/components-contrib/state/in-memory"
	"github.com/dapr/components-contrib/state/mongodb"
	postgresv1 "github.com/dapr/components-contrib/state/postgresql/v1"
	postgresv2 "github.com/dapr/components-contrib/state/postgresql/v2"
	stateredis "github.com/dapr/components-contrib/state/redis"
	"github.com/dapr/components-contrib/state/sqlite"
	"github.com/dapr/dapr/pkg/components"
	"github.com/dapr/dapr/pkg/components/bindings"
	"github.com/dapr/dapr/pkg/components/configuration"
	"github.com/dapr/dapr/pkg/components/conversation"
	"github.com/dapr/dapr/pkg/components/crypto"
	"github.com/dapr/dapr/pkg/components/lock"
	middleware "github.com/dapr/dapr/pkg/components/middleware/http"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/pubsub"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
	"github.com/dapr/dapr/pkg/runtime/registry"
	"github.com/dapr/kit/logger"

	sidecartsmtp "sidecart.dev/sidecar/smtp"
)

type registryOptions = registry.Options

// newRegistry has the components of the sets under components/ and nothing
// else; the building blocks that Sidecart does not use are empty registries.
// To use another component, register it here under its official name.
func newRegistry(runtimeLog logger.Logger) *registryOptions {
	log := logger.NewLogger("dapr.contrib")

	states := state.DefaultRegistry
	states.Logger = log
	registerStates(states)

	buses := pubsub.DefaultRegistry
	buses.Logger = log
	buses.RegisterComponent(pubsubredis.NewRedisStreams, "redis")
	buses.RegisterComponent(pubsubmemory.New, "in-memory")

	outputs := bindings.DefaultRegistry
	outputs.Logger = log
	outputs.RegisterOutputBinding(smtp.NewSMTP, "smtp")
	outputs.RegisterOutputBinding(sidecartsmtp.New, "sidecart.smtp")
	outputs.RegisterOutputBinding(bindingshttp.NewHTTP, "http")
	outputs.RegisterOutputBinding(twilio.NewSMS, "twilio.sms")

	secrets := secretstores.DefaultRegistry
	secrets.Logger = log
	secrets.RegisterComponent(secretfile.NewLocalSecretStore, "local.file")
	secrets.RegisterComponent(secretenv.NewEnvSecretStore, "local.env")
	secrets.RegisterComponent(secretkubernetes.NewKubernetesSecretStore, "kubernetes")

	names := nameresolution.DefaultRegistry
	names.Logger = log
	names.RegisterComponent(mdns.NewResolver, "mdns")
	names.RegisterComponent(nrsqlite.NewResolver, "sqlite")
	names.RegisterComponent(nrkubernetes.NewResolver, "kubernetes")

	unused := middleware.DefaultRegistry
	unused.Logger = runtimeLog
	return registry.NewOptions().
		WithStateStores(states).
		WithPubSubs(buses).
		WithBindings(outputs).
		WithSecretStores(secrets).
		WithNameResolutions(names).
		WithHTTPMiddlewares(unused).
		WithConfigurations(configuration.DefaultRegistry).
		WithLocks(lock.DefaultRegistry).
		WithCryptoProviders(crypto.DefaultRegistry).
		WithConversations(conversation.DefaultRegistry)
}

// registerStates registers the state stores under their official names and
// versions: PostgreSQL is v1 unless its component says `version: v2`.
func registerStates(states *state.Registry) {
	states.RegisterComponent(sqlite.NewSQLiteStateStore, "sqlite", "sqlite3")
	states.RegisterComponent(mongodb.NewMongoDB, "mongodb")
	states.RegisterComponent(stateredis.NewRedisStateStore, "redis")
	states.RegisterComponent(statememory.NewInMemoryStateStore, "in-memory")
	v1 := components.VersionConstructor{
		Version: "v1", Constructor: postgresv1.NewPostgreSQLStateStore,
	}
	v2 := components.VersionConstructor{
		Version: "v2", Constructor: postgresv2.NewPostgreSQLStateStore,
	}
	for _, name := range []string{"postgresql", "postgres"} {
		states.RegisterComponentWithVersions(name, components.Versioning{
			Preferred: v2, Others: []components.VersionConstructor{v1}, Default: v1.Version,
		})
	}
}
