package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	components "github.com/dapr/dapr/pkg/apis/components/v1alpha1"
	configuration "github.com/dapr/dapr/pkg/apis/configuration/v1alpha1"
	resiliency "github.com/dapr/dapr/pkg/apis/resiliency/v1alpha1"
	subscriptions "github.com/dapr/dapr/pkg/apis/subscriptions/v2alpha1"
	"github.com/dapr/dapr/pkg/injector/patcher"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// overlays are the folders that are applied as they are.
var overlays = []string{"demo", "demo-mongodb", "production"}

// kinds are the types that the manifests may have, by apiVersion and kind.
var kinds = map[string]func() any{
	"v1/Namespace":                           func() any { return new(corev1.Namespace) },
	"v1/Service":                             func() any { return new(corev1.Service) },
	"v1/ServiceAccount":                      func() any { return new(corev1.ServiceAccount) },
	"v1/ConfigMap":                           func() any { return new(corev1.ConfigMap) },
	"apps/v1/Deployment":                     func() any { return new(appsv1.Deployment) },
	"apps/v1/StatefulSet":                    func() any { return new(appsv1.StatefulSet) },
	"autoscaling/v2/HorizontalPodAutoscaler": func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
	"policy/v1/PodDisruptionBudget":          func() any { return new(policyv1.PodDisruptionBudget) },
	"networking.k8s.io/v1/NetworkPolicy":     func() any { return new(networkingv1.NetworkPolicy) },
	"networking.k8s.io/v1/Ingress":           func() any { return new(networkingv1.Ingress) },
	"gateway.networking.k8s.io/v1/Gateway":   func() any { return new(gatewayapi.Gateway) },
	"gateway.networking.k8s.io/v1/HTTPRoute": func() any { return new(gatewayapi.HTTPRoute) },
	"dapr.io/v1alpha1/Component":             func() any { return new(components.Component) },
	"dapr.io/v1alpha1/Configuration":         func() any { return new(configuration.Configuration) },
	"dapr.io/v1alpha1/Resiliency":            func() any { return new(resiliency.Resiliency) },
	"dapr.io/v2alpha1/Subscription":          func() any { return new(subscriptions.Subscription) },
}

// object is one that an overlay makes.
type object struct {
	kind, name string // the kind as in kinds
	labels     map[string]string
	typed      any
	text       []byte
}

// workload is an object that makes Pods.
type workload struct {
	name     string
	selector map[string]string
	pod      corev1.PodTemplateSpec
}

// render makes an overlay as `kubectl apply -k` does, and decodes every object strictly.
func render(t *testing.T, overlay string) []object {
	t.Helper()
	return renderFolder(t, "overlays/"+overlay)
}

func renderFolder(t *testing.T, folder string) []object {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	require.NoError(t, err)
	var all []object
	for _, r := range made.Resources() {
		text, err := r.AsYAML()
		require.NoError(t, err)
		kind := r.GetApiVersion() + "/" + r.GetKind()
		newObject, known := kinds[kind]
		if !assert.True(t, known, "%s is of a kind that the tests do not know", r.CurId()) {
			continue
		}
		typed := newObject()
		if err := yaml.UnmarshalStrict(text, typed); !assert.NoError(t, err, "%s", r.CurId()) {
			continue
		}
		if kind != "v1/Namespace" {
			assert.Equal(t, "sidecart", r.GetNamespace(), "%s", r.CurId())
		}
		all = append(all, object{kind, r.GetName(), r.GetLabels(), typed, text})
	}
	require.NotEmpty(t, all)
	return all
}

// workloads are those of the objects that make Pods.
func workloads(objects []object) []workload {
	var all []workload
	for _, o := range objects {
		switch w := o.typed.(type) {
		case *appsv1.Deployment:
			all = append(all, workload{o.name, w.Spec.Selector.MatchLabels, w.Spec.Template})
		case *appsv1.StatefulSet:
			all = append(all, workload{o.name, w.Spec.Selector.MatchLabels, w.Spec.Template})
		}
	}
	return all
}

func (w workload) service() bool { return w.pod.Labels["app.kubernetes.io/component"] == "service" }

// eachOverlay runs the test for every overlay.
func eachOverlay(t *testing.T, test func(t *testing.T, objects []object)) {
	t.Helper()
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) { test(t, render(t, overlay)) })
	}
}

func TestEveryOverlayIsWhatKubernetesAndDaprUnderstand(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		count := map[string]int{}
		for _, o := range objects {
			count[o.kind]++
		}
		assert.Equal(t, 10, count["dapr.io/v2alpha1/Subscription"], "the subscriptions of components/shared")
		assert.Equal(t, 5, count["dapr.io/v1alpha1/Configuration"])
		assert.GreaterOrEqual(t, count["dapr.io/v1alpha1/Component"], 8)
		for _, app := range apps {
			for _, kind := range []string{"apps/v1/Deployment", "autoscaling/v2/HorizontalPodAutoscaler", "policy/v1/PodDisruptionBudget", "v1/ServiceAccount"} {
				assert.NotNil(t, find(objects, kind, app), "%s %s", kind, app)
			}
		}
	})
}

func find(objects []object, kind, name string) any {
	for _, o := range objects {
		if o.kind == kind && o.name == name {
			return o.typed
		}
	}
	return nil
}

// injected is the Pod as Dapr's injector leaves it, with the chart's values that the guide asks
// for.
func injected(t *testing.T, w workload) (pod corev1.Pod, sidecar corev1.Container) {
	t.Helper()
	pod = corev1.Pod{ObjectMeta: w.pod.ObjectMeta, Spec: *w.pod.Spec.DeepCopy()}
	pod.Namespace = "sidecart"
	c := patcher.NewSidecarConfig(&pod)
	c.Namespace, c.SidecarImage, c.MTLSEnabled, c.Mode = "sidecart", "ghcr.io/dapr/daprd:1.18.3", true, "kubernetes"
	c.RunAsNonRoot, c.ReadOnlyRootFilesystem, c.SidecarDropALLCapabilities = true, true, true
	c.SetFromPodAnnotations()
	require.True(t, c.NeedsPatching(), "the injector leaves %s alone", w.name)
	patch, err := c.GetPatch()
	require.NoError(t, err, w.name)
	before, err := json.Marshal(pod)
	require.NoError(t, err)
	after, err := patch.Apply(before)
	require.NoError(t, err, w.name)
	pod = corev1.Pod{}
	require.NoError(t, json.Unmarshal(after, &pod))
	for _, container := range append(pod.Spec.Containers, pod.Spec.InitContainers...) {
		if container.Name == "daprd" {
			return pod, container
		}
	}
	t.Fatalf("%s has no sidecar", w.name)
	return pod, sidecar
}

func TestDaprsInjectorDoesWhatTheAnnotationsSay(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, w := range workloads(objects) {
			if !w.service() {
				continue
			}
			_, sidecar := injected(t, w)
			args := strings.Join(sidecar.Args, " ")
			for _, want := range []string{
				"--app-id " + w.name, "--app-port 8080", "--config " + w.name, "--log-as-json",
				"--max-body-size 1Mi", "--read-buffer-size 32Ki", "--dapr-graceful-shutdown-seconds 5", "--disable-builtin-k8s-secret-store",
			} {
				assert.Contains(t, args, want, w.name)
			}
			assert.Equal(t, w.name != "gateway", strings.Contains(args, "--dapr-block-shutdown-duration 32s"), w.name)
			assert.NotEmpty(t, sidecar.Resources.Limits.Memory().String(), w.name)
			env := names(sidecar.Env)
			for _, name := range []string{"DAPR_API_TOKEN", "APP_API_TOKEN"} {
				assert.Contains(t, env, name, w.name)
			}
		}
	})
}

func names(env []corev1.EnvVar) map[string]corev1.EnvVar {
	all := map[string]corev1.EnvVar{}
	for _, e := range env {
		all[e.Name] = e
	}
	return all
}

// TestEverySidecarHasWhatItsComponentsReferTo finds variables that a component reads and its
// sidecars lack, or may not pass on.
func TestEverySidecarHasWhatItsComponentsReferTo(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		sidecars := map[string]map[string]corev1.EnvVar{}
		for _, w := range workloads(objects) {
			if w.service() {
				_, sidecar := injected(t, w)
				sidecars[w.name] = names(sidecar.Env)
			}
		}
		for _, o := range objects {
			c, ok := o.typed.(*components.Component)
			if !ok {
				continue
			}
			require.NotEmpty(t, c.Scopes, "component %s is everybody's", o.name)
			for _, item := range c.Spec.Metadata {
				for _, app := range c.Scopes {
					if item.EnvRef == "" {
						continue
					}
					assert.Contains(t, sidecars[app], item.EnvRef, "%s of %s", o.name, app)
					assert.Contains(t, strings.Fields(sidecars[app]["DAPR_ENV_KEYS"].Value), item.EnvRef, "%s of %s", o.name, app)
				}
			}
		}
	})
}

// secretsOf are the Secrets that a Pod refers to, as name:key; a key "*" is all of them.
func secretsOf(t *testing.T, pod corev1.PodSpec) (refs []string) {
	t.Helper()
	for _, container := range append(pod.Containers, pod.InitContainers...) {
		for _, e := range container.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				refs = append(refs, fmt.Sprintf("%s:%s", e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key))
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.Secret == nil {
			continue
		}
		for _, item := range v.Secret.Items {
			refs = append(refs, v.Secret.SecretName+":"+item.Key)
		}
		if v.Secret.Items == nil {
			refs = append(refs, v.Secret.SecretName+":*")
		}
	}
	return refs
}
