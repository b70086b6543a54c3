package kubernetes

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	components "github.com/dapr/dapr/pkg/apis/components/v1alpha1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// TestTheProductionSecretsThatAreListedAreThoseThatAreNeeded: an operator makes them by that list
// alone.
func TestTheProductionSecretsThatAreListedAreThoseThatAreNeeded(t *testing.T) {
	text, err := os.ReadFile("overlays/production/secrets.example.yaml")
	require.NoError(t, err)
	listed := map[string]bool{}
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var s corev1.Secret
		require.NoError(t, yaml.UnmarshalStrict([]byte(doc), &s))
		for key := range s.StringData {
			listed[s.Name+":"+key] = true
		}
	}
	objects := render(t, "production")
	needed := map[string]bool{}
	for _, w := range workloads(objects) {
		pod, _ := injected(t, w)
		for _, ref := range secretsOf(t, pod.Spec) {
			needed[ref] = true
		}
	}
	ingress, found := find(objects, "networking.k8s.io/v1/Ingress", "shop").(*networkingv1.Ingress)
	require.True(t, found)
	for _, tls := range ingress.Spec.TLS {
		needed[tls.SecretName+":"+corev1.TLSCertKey], needed[tls.SecretName+":"+corev1.TLSPrivateKeyKey] = true, true
	}
	assert.Equal(t, slices.Sorted(maps.Keys(needed)), slices.Sorted(maps.Keys(listed)))
}

// TestProductionTalksToNoServerWithoutTLS looks at what the sidecars load.
func TestProductionTalksToNoServerWithoutTLS(t *testing.T) {
	objects := render(t, "production")
	fields := func(component string) map[string]string {
		c, found := find(objects, "dapr.io/v1alpha1/Component", component).(*components.Component)
		require.True(t, found, component)
		all := map[string]string{"type": c.Spec.Type}
		for _, item := range c.Spec.Metadata {
			all[item.Name] = strings.Trim(string(item.Value.Raw), `"`)
		}
		return all
	}
	assert.Equal(t, "true", fields("bus")["enableTLS"])
	assert.Equal(t, "false", fields("email")["skipTLSVerify"])
	assert.Equal(t, "state.mongodb", fields("orders-store")["type"])
	text, err := os.ReadFile("overlays/production/secrets.example.yaml")
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(text), "sslmode=verify-full"), "PostgreSQL of users, payments and notifications")
	assert.Equal(t, 1, strings.Count(string(text), "tls=true"), "MongoDB of orders")
	for _, w := range workloads(objects) {
		_, sidecar := injected(t, w)
		env := names(sidecar.Env)
		assert.Equal(t, "465", env["SIDECART_SMTP_PORT"].Value, "%s: TLS from the first byte", w.name)
		assert.True(t, strings.HasPrefix(env["SIDECART_SMS_URL"].Value, "https://"), w.name)
		assert.Equal(t, "/trust/ca.crt", env["SSL_CERT_FILE"].Value, w.name)
	}
}

// TestBothWaysInLeadToTheGatewayAndNowhereElse also holds that only a proxy's word on a client's
// address is taken, and that no proxy is told to hold an order's events back.
func TestBothWaysInLeadToTheGatewayAndNowhereElse(t *testing.T) {
	byIngress, byGatewayAPI := render(t, "production"), renderWith(t, "gateway-api")
	for way, objects := range map[string][]object{"ingress": byIngress, "gateway-api": byGatewayAPI} {
		deployment, found := find(objects, "apps/v1/Deployment", "gateway").(*appsv1.Deployment)
		require.True(t, found, way)
		env := names(deployment.Spec.Template.Spec.Containers[0].Env)
		assert.NotEmpty(t, env["TRUSTED_PROXIES"].Value, way)
		assert.NotContains(t, env["TRUSTED_PROXIES"].Value, "/0", way)
		assert.Equal(t, "X-Forwarded-For", env["FORWARDED_HEADER"].Value, way)
	}
	service, found := find(byIngress, "v1/Service", "gateway").(*corev1.Service)
	require.True(t, found)

	ingress, found := find(byIngress, "networking.k8s.io/v1/Ingress", "shop").(*networkingv1.Ingress)
	require.True(t, found)
	assert.Equal(t, "off", ingress.Annotations["nginx.ingress.kubernetes.io/proxy-buffering"])
	for _, rule := range ingress.Spec.Rules {
		assert.Contains(t, ingress.Spec.TLS[0].Hosts, rule.Host)
		for _, path := range rule.HTTP.Paths {
			assert.Equal(t, service.Name, path.Backend.Service.Name)
			assert.Equal(t, service.Spec.Ports[0].Name, path.Backend.Service.Port.Name)
		}
	}

	assert.Nil(t, find(byGatewayAPI, "networking.k8s.io/v1/Ingress", "shop"))
	entry, found := find(byGatewayAPI, "gateway.networking.k8s.io/v1/Gateway", "shop").(*gatewayapi.Gateway)
	require.True(t, found)
	for _, listener := range entry.Spec.Listeners {
		assert.Equal(t, gatewayapi.HTTPSProtocolType, listener.Protocol)
		assert.NotEmpty(t, listener.TLS.CertificateRefs)
	}
	route, found := find(byGatewayAPI, "gateway.networking.k8s.io/v1/HTTPRoute", "shop").(*gatewayapi.HTTPRoute)
	require.True(t, found)
	assert.Equal(t, entry.Name, string(route.Spec.ParentRefs[0].Name))
	for _, rule := range route.Spec.Rules {
		for _, to := range rule.BackendRefs {
			assert.Equal(t, service.Name, string(to.Name))
			assert.Equal(t, service.Spec.Ports[0].Port, *to.Port)
		}
	}
}

// renderWith makes the base with one of the components/ and nothing else.
func renderWith(t *testing.T, component string) []object {
	t.Helper()
	dir := t.TempDir()
	here, err := os.Getwd()
	require.NoError(t, err)
	up, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	up, err = filepath.Rel(up, here)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil,
		"namespace: sidecart\nresources: [%[1]s/base]\ncomponents: [%[1]s/components/%[2]s]\n", up, component), 0o600))
	return renderFolder(t, dir)
}
