package kubernetes

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	components "github.com/dapr/dapr/pkg/apis/components/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"
)

// TestThePoolsOfAllReplicasFitInTheServer counts the connections to PostgreSQL that the sidecars
// may open during a rollout, when each service has one replica more. The demo's server has room for
// all that the autoscalers may start. A server of one's own has 100 connections unless told
// otherwise, three of them for its administrator: room for two replicas of each service.
func TestThePoolsOfAllReplicasFitInTheServer(t *testing.T) {
	const ofOnesOwn, reserved = 100, 3
	eachOverlay(t, func(t *testing.T, objects []object) {
		server, inside := find(objects, "apps/v1/StatefulSet", "postgresql").(*appsv1.StatefulSet)
		connections := ofOnesOwn
		if inside {
			connections = maxConnections(t, server)
		}
		opened := 0
		for _, o := range objects {
			c, ok := o.typed.(*components.Component)
			if !ok || c.Spec.Type != "state.postgresql" {
				continue
			}
			scaler, found := find(objects, "autoscaling/v2/HorizontalPodAutoscaler", c.Scopes[0]).(*autoscalingv2.HorizontalPodAutoscaler)
			require.True(t, found, o.name)
			replicas := *scaler.Spec.MinReplicas
			if inside {
				replicas = scaler.Spec.MaxReplicas
			}
			opened += poolOf(t, c) * (int(replicas) + 1)
		}
		assert.NotZero(t, opened)
		assert.LessOrEqual(t, opened, connections-reserved)
	})
}

func maxConnections(t *testing.T, server *appsv1.StatefulSet) int {
	t.Helper()
	for _, arg := range server.Spec.Template.Spec.Containers[0].Args {
		if value, found := strings.CutPrefix(arg, "max_connections="); found {
			n, err := strconv.Atoi(value)
			require.NoError(t, err)
			return n
		}
	}
	t.Fatal("the server has no max_connections")
	return 0
}

func poolOf(t *testing.T, c *components.Component) int {
	t.Helper()
	for _, item := range c.Spec.Metadata {
		if item.Name == "maxConns" {
			n, err := strconv.Atoi(item.Value.String())
			require.NoError(t, err)
			return n
		}
	}
	t.Fatalf("%s has no maxConns", c.Name)
	return 0
}

// TestOrdersOnMongoDBAreThoseOfTheProductionSet holds the demo's component against the file that
// runs elsewhere, and its secrets against the server that they are for. No MongoDB is run.
func TestOrdersOnMongoDBAreThoseOfTheProductionSet(t *testing.T) {
	objects := render(t, "demo-mongodb")
	got, found := find(objects, "dapr.io/v1alpha1/Component", "orders-store").(*components.Component)
	require.True(t, found)
	text, err := os.ReadFile("../../components/production/orders.yaml")
	require.NoError(t, err)
	var want components.Component
	require.NoError(t, yaml.UnmarshalStrict(text, &want))
	assert.Equal(t, want.Spec, got.Spec)
	assert.Equal(t, want.Scopes, got.Scopes)

	server, found := find(objects, "apps/v1/StatefulSet", "mongodb").(*appsv1.StatefulSet)
	require.True(t, found)
	command := strings.Join(server.Spec.Template.Spec.Containers[0].Args, " ")
	made := map[string]map[string]string{}
	for _, s := range demoSecrets(t, "demo-mongodb") {
		made[s.Name] = s.StringData
	}
	store, err := url.Parse(made["orders-sidecar"]["store-url"])
	require.NoError(t, err)
	assert.Equal(t, "mongodb:27017", store.Host)
	assert.Equal(t, "true", store.Query().Get("tls"))
	assert.Contains(t, command, "--replSet "+store.Query().Get("replicaSet"))
	assert.Contains(t, command, "--keyFile")
	assert.Contains(t, command, "--tlsMode requireTLS")
	password, _ := store.User.Password()
	assert.Contains(t, made["mongodb"]["init.js"], strconv.Quote(password))
	assert.Contains(t, made["mongodb"]["init.js"], strconv.Quote(store.Query().Get("authSource")))
	assert.Regexp(t, "^[A-Za-z0-9+/]{6,1000}$", made["mongodb"]["keyfile"], "mongod takes a key of 6 to 1024 characters of base64")
	assert.NotContains(t, made["postgresql"]["init.sql"], "orders", "PostgreSQL has a database that nobody uses")
}
